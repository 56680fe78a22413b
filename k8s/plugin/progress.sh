# --- all pods: what is said meanwhile ---------------------------------------------------------------------------

# Pass on what kubectl and tarcap have said since the last look, whole lines only.
show_words() {
	i=0
	while [ "$i" -lt "$number" ]; do
		i=$((i + 1))
		shown=0
		[ ! -e "$work/$i.shown" ] || read -r shown <"$work/$i.shown"
		preface=''
		[ -z "$several" ] || read -r preface <"$work/$i.target"
		lines=0
		while IFS= read -r line; do
			lines=$((lines + 1))
			[ "$lines" -gt "$shown" ] || continue
			case $line in
			*'listening on'*)
				[ -e "$work/$i.since" ] || begun=$((begun + 1))
				[ -e "$work/$i.since" ] || echo "$ticks" >"$work/$i.since"
				;;
			esac
			is_quiet "$line" || is_refused "$i" "$line" || {
				clear_status
				printf '%s\n' "${preface:+$preface: }$line" >&2
			}
		done <"$work/$i.err"
		[ "$lines" -eq "$shown" ] || echo "$lines" >"$work/$i.shown"
	done
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
	'tarcap: '[0-9]*' s: '*' captured, '*' dropped by kernel'*) return 0 ;;
	esac
	[ -n "$quiet" ] || return 1
	case $1 in
	*': asked for by uid '* | *'listening on '* | *' captured' | *' received by filter' | '0 packets dropped by kernel' | *': using the hold '*) ;;
	"$me: adding container "* | "$me: made pod "* | 'tarcap: '*': idle: no packet passed') ;;
	*) return 1 ;;
	esac
}

# A file's size in $size. ('wc -c' would read all of it in busybox.)
size_of() { # FILE
	size=0
	[ -f "$1" ] || return 0
	# shellcheck disable=SC2012 # one file, of which only the size is wanted
	words=$(trap '' INT && ls -dln "$1") || return 0
	# shellcheck disable=SC2086
	set -- $words
	size=${5:-0}
}

# On a terminal one line that changes; else a line every 10 s.
show_progress() {
	if [ -n "$quiet" ] || [ "$seconds" -lt "$next_progress" ]; then
		return 0
	fi
	# tshark has the terminal for itself.
	[ -z "$viewing" ] || [ "$viewer_name" != tshark ] || return 0
	next_progress=$((seconds + 1))
	[ -t 2 ] || next_progress=$((seconds + 10 - seconds % 10))
	[ -t 2 ] || [ "$seconds" -ge 10 ] || return 0
	bytes=0
	capturing=0
	i=0
	while [ "$i" -lt "$number" ]; do
		i=$((i + 1))
		phase_of "$i"
		[ "$phase" != capturing ] || capturing=$((capturing + 1))
		read -r file <"$work/$i.file"
		if [ "$phase" != adding ]; then
			size_of "$file"
			bytes=$((bytes + size))
		fi
	done
	if [ "$capturing" -eq 0 ]; then
		text="waiting for the container to run"
	else
		human "$bytes"
		[ "$output" != - ] && [ -z "$live" ] || text=''
		# shellcheck disable=SC2086 # names without spaces
		set -- $waiting
		[ $# -eq 0 ] || text="$# waiting, $text"
		text="${several:+$capturing capturing, }${text:+$text so far; }Ctrl-C ends it"
	fi
	if [ -t 2 ]; then
		printf '\r\033[K%s: %s s, %s' "$me" "$seconds" "$text" >&2
		status_shown=yes
	else
		say "$seconds s, $text"
	fi
}

count_active() {
	active=0
	i=0
	while [ "$i" -lt "$number" ]; do
		i=$((i + 1))
		phase_of "$i"
		[ "$phase" = "done" ] || active=$((active + 1))
	done
}

# tarcap ignores a stdin that closes within a second of 'listening': then nobody held it open. So wait that long,
# but not for a capture that says nothing for 10 s.
ready_for_the_end() {
	[ -n "$ending_since" ] || ending_since=$seconds
	[ "$((seconds - ending_since))" -lt 10 ] || return 0
	i=0
	while [ "$i" -lt "$number" ]; do
		i=$((i + 1))
		phase_of "$i"
		[ "$phase" = capturing ] || continue
		since=$ticks
		[ ! -e "$work/$i.since" ] || read -r since <"$work/$i.since"
		[ "$((ticks - since))" -ge "$((tick_rate + tick_rate / 4 + 1))" ] || return 1
	done
}

# How often to look: many pods cost some processes each time, and not every sleep knows fractions.
choose_tick() {
	tick=1
	tick_rate=1
	# shellcheck disable=SC2086 # names without spaces
	set -- ${node:-$pods}
	if [ $# -le 5 ] && sleep 0.01 2>/dev/null; then
		tick=0.2
		tick_rate=5
	fi
}

pause() {
	# 'wait' can be interrupted by a signal; a sleep in the foreground would be waited for.
	sleep "$tick" 3>&- 4<&- &
	wait $! || true
	ticks=$((ticks + 1))
	look_at_clock
	seconds=$((now - began))
}

# A Ctrl-C goes to every process of the foreground, also to a helper that we are waiting for, which then fails. So this
# loop does without helpers and command substitutions where it can, and no failure in it is fatal.
run_all() {
	set +e
	choose_tick
	look_at_clock
	began=$now
	next_progress=0
	closed=
	ending_since=
	while :; do
		count_active
		start_those_whose_turn_it_is
		[ "$interrupts" -eq 0 ] || end_watches
		show_words
		tend_viewer
		if [ "$active" -eq 0 ] && { [ -z "$waiting" ] || [ "$interrupts" -gt 0 ]; } && viewer_is_through; then
			break
		fi
		if [ "$interrupts" -gt 0 ] && [ -z "$closed" ] && ready_for_the_end; then
			exec 3>&- 7<&-
			closed=yes
		fi
		[ "$interrupts" -gt 0 ] || show_progress
		pause
	done
	clear_status
	# From here on there is nothing left to end, and what is being checked must not be disturbed.
	trap '' INT TERM HUP
	set -e
}

start_those_whose_turn_it_is() {
	# shellcheck disable=SC2086 # names without spaces
	set -- $waiting
	while [ $# -gt 0 ] && [ "$active" -lt "$parallel" ] && [ "$interrupts" -eq 0 ]; do
		start_worker "$1"
		shift
		active=$((active + 1))
	done
	waiting=$*
	[ -z "$late" ] || return 0
	late=yes
	[ $# -eq 0 ] || {
		many=$#
		some_of "$@"
		tell "$number pods at a time (--parallel $parallel), $many waiting for one to end: $text"
	}
}
