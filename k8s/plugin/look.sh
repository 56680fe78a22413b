# --- what kubectl and tarcap say ---------------------------------------------------------------------------------

# All of it at one look, by one awk for any number of pods: a shell reads byte by byte. Whole lines only. It makes, in
# $work, 'new': what was said since the last look, a pod's number in front of each line; and 'numbers', of each pod:
#
#   NUMBER STATE SECONDS PACKETS RATE BYTES LOST
#
# STATE is starting, capturing, event (it came) or ended. With --record SECONDS, PACKETS and BYTES are those that are held,
# and RATE is theirs. What is not known yet, as tarcap tells it every 10 s, is 0.
look() {
	cd "$work" && trap '' INT && wc -l /dev/null [0-9]*.words >lines && awk '
		FILENAME == "shown" { shown[$2] = $1; next }
		FILENAME == "lines" { lines[$2] = $1; next }
		FILENAME != file { end_file(); begin_file() }
		FNR > lines[file] { next }
		FNR > shown[file] { print pod, $0 }
		/^tarcap: .*listening on / && state == "starting" { state = "capturing" }
		/^tarcap: event: / { state = "event" }
		/^tarcap: [0-9]+ s: holds / {
			seconds = $5; packets = $7; bytes = plain($10); lost = $11
			rate = seconds > 0 ? packets / seconds : 0
		}
		/^tarcap: [0-9]+ s: [0-9]+ packets?, / {
			if ($2 > seconds) rate = ($4 - packets) / ($2 - seconds)
			seconds = $2; packets = $4; bytes = $6; lost = $9
		}
		/^[0-9]+ packets? captured$/ { packets = $1; state = "ended" }
		/^[0-9]+ packets? dropped by kernel$/ { lost = $1 }
		END {
			end_file()
			for (name in lines)
				print lines[name], name >"shown"
		}
		function plain(size) { # 12k
			return size * (size ~ /G/ ? 1073741824 : size ~ /M/ ? 1048576 : size ~ /k/ ? 1024 : 1)
		}
		function begin_file() {
			file = FILENAME; pod = file + 0
			state = "starting"
			seconds = packets = rate = bytes = lost = 0
		}
		function end_file() {
			if (file != "") printf("%s %s %d %d %d %.0f %d\n", pod, state, seconds, packets, rate, bytes, lost) >"numbers"
		}' shown lines [0-9]*.words >new
}

# Pass on what is new.
show_words() {
	[ "$number" -gt 0 ] && (look 2>/dev/null) || return 0
	while IFS= read -r line; do
		i=${line%% *}
		line=${line#* }
		preface=''
		[ -z "$several" ] || read -r preface <"$work/$i.target"
		case $line in
		*'listening on '*)
			[ -e "$work/$i.since" ] || begun=$((begun + 1))
			[ -e "$work/$i.since" ] || echo "$ticks" >"$work/$i.since"
			;;
		esac
		is_quiet "$line" || is_refused "$i" "$line" || {
			clear_status
			printf '%s\n' "${preface:+$preface: }$line" >&2
		}
		case $line in
		*'listening on '*'; encrypted to '*) [ -z "$live" ] || refuse_live ;;
		'tarcap: event: '*) see_event "$i" ;;
		esac
	done <"$work/new"
}

# Does it advise what the cluster has just refused? The account says what is left: see why_not_permitted.
is_refused() { # NUMBER LINE
	[ -e "$work/$1.refused" ] || return 1
	case $2 in
	*': no permission to capture: '*) ;;
	*) return 1 ;;
	esac
}

# Is this left out: by -q, or because there is a line of progress here, too?
is_quiet() { # LINE
	case $1 in
	'tarcap: '[0-9]*' s: '*' dropped by kernel'*) return 0 ;;
	esac
	[ -n "$quiet" ] || return 1
	case $1 in
	*': asked for by uid '* | *'listening on '* | *' captured' | *' received by filter' | '0 packets dropped by kernel' | *': using the hold '*) ;;
	"$me: adding container "* | "$me: made pod "* | "$me: taking what "* | 'tarcap: '*': idle: no packet passed') ;;
	"$encrypted_totals"* | 'tarcap: encrypted to '* | 'tarcap: event: '* | 'tarcap: no event came' | 'window: '*) ;;
	*' overwritten: the oldest, '* | *' came after the limit') ;;
	*) return 1 ;;
	esac
}
