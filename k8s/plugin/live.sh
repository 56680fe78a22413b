# --- the live view ----------------------------------------------------------------------------------------------

# The capture's file is then a FIFO, from which the viewer reads. Like kubectl it must not get the terminal's Ctrl-C: it
# ends, or in a window stays, after it has shown all that came.

viewer=''
viewer_name=''
viewer_options='-k -i -'
live_refused='' # what comes is encrypted
viewing=''     # it has been started
viewer_ended=0 # how often it was seen to have ended while the capture had not

find_viewer() {
	no_display=
	has_display || no_display=yes
	app=/Applications/Wireshark.app/Contents/MacOS
	for program in wireshark "$app/Wireshark" tshark "$app/tshark"; do
		command -v "$program" >/dev/null 2>&1 || continue
		case $program in
		*ireshark) [ -z "$no_display" ] || continue ;;
		esac
		use_viewer "$program"
		return
	done
}

use_viewer() { # PROGRAM
	viewer=$1
	viewer_name=${1##*/}
	viewer_options='-k -i -'
	# Read as a file: so tshark needs no dumpcap, which not everyone may run.
	[ "$viewer_name" != tshark ] || viewer_options='-l -r -'
}

# Can there be a window? A Mac shows one without these; QT_QPA_PLATFORM says that somebody knows better.
has_display() {
	[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}${QT_QPA_PLATFORM:-}" ] || [ -d /Applications ]
}

no_viewer() {
	! command -v wireshark >/dev/null 2>&1 ||
		die "$live: wireshark has no display here (DISPLAY and WAYLAND_DISPLAY are not set), and tshark is not installed"
	die "$live: neither wireshark nor tshark is installed here, or in PATH"
}

# Before the capture starts. Both ways at first, as opening just one end would wait for the other.
open_live() {
	if [ "$viewer_name" = tshark ] && [ -n "$no_display" ] && command -v wireshark >/dev/null 2>&1; then
		say "no display for wireshark here (DISPLAY and WAYLAND_DISPLAY are not set): tshark shows the packets"
	fi
	output=$work/live
	mkfifo "$output"
	exec 6<>"$output"
}

# A Wireshark that cannot open its window ends before it has read a byte: then tshark takes its place. 7 is still open.
falls_back() {
	[ "$viewer_name" != tshark ] && [ "$interrupts" -eq 0 ] && command -v tshark >/dev/null 2>&1 || return 1
	read -r seen <"$work/viewer.status"
	[ "$seen" -ne 0 ] || return 1
	said=$(grep -iE 'display|xcb|wayland|platform plugin' "$work/viewer.err" | head -n 1)
	[ -n "$said" ] || return 1
	say "$viewer_name cannot open a window here: tshark shows the packets ($said)"
	use_viewer tshark
	rm -f "$work/viewer.status"
	run_viewer
}

# By a process that tells of its end, and can be ended without it. We keep the reading end too: else a viewer that ends
# would end kubectl by SIGPIPE, perhaps in the first second, when tarcap takes that for no end: see ready_for_the_end.
start_viewer() {
	viewing=yes
	clear_status
	exec 7<"$output"
	run_viewer
	exec 6>&-
}

run_viewer() {
	(
		trap '' INT HUP
		trap 'exit 0' TERM
		[ "$viewer_name" = tshark ] || exec >&2
		# shellcheck disable=SC2086 # several words
		apart "$viewer" $viewer_options <&7 7<&- &
		exec 7<&-
		code=0
		wait $! || code=$?
		echo "$code" >"$work/viewer.status"
	) 2>"$work/viewer.err" 3>&- 4<&- 6>&- &
	viewer_process=$!
}

# It starts with the readiness line, not for a capture that cannot begin. When it ends, so does the capture.
tend_viewer() {
	if [ -z "$live" ]; then
		return 0
	elif [ -z "$viewing" ]; then
		[ ! -e "$work/1.since" ] || [ -n "$live_refused" ] || start_viewer
	elif [ -s "$work/viewer.status" ] && falls_back; then
		:
	elif [ -s "$work/viewer.status" ] && [ "$active" -gt 0 ]; then
		# A capture that has ended by itself takes a moment to be done.
		viewer_ended=$((viewer_ended + 1))
		if [ "$viewer_ended" -eq 2 ] && [ "$interrupts" -eq 0 ]; then
			on_interrupt "$viewer_name has ended: ending the capture"
		fi
	fi
}

# What is shown on this terminal must all be there before we go. A window may stay.
viewer_is_through() {
	[ "$viewer_name" != tshark ] || [ -z "$viewing" ] || [ -s "$work/viewer.status" ]
}

# shellcheck disable=SC2317 # called by a trap
leave_viewer() {
	[ -z "$viewing" ] || [ -s "$work/viewer.status" ] || kill -s TERM "$viewer_process" 2>/dev/null || true
}

# The viewer's failure counts, and its end does not: closing it is how a person ends the capture.
live_result() {
	[ -z "$live_refused" ] || exit 1
	judge 1
	read -r target <"$work/1.target"
	seen=0
	[ ! -s "$work/viewer.status" ] || read -r seen <"$work/viewer.status"
	said=$(grep -v '^Running as user' "$work/viewer.err" 2>/dev/null | last_words)
	case $seen:$said in
	0:* | 141:*) ;;
	2:) ;; # tshark's way to say that nobody reads it any more, as in 'kubectl tarcap web --live | head'
	*)
		say "$viewer_name failed (status $seen)${said:+: $said}"
		exit 1
		;;
	esac
	if [ "$viewer_ended" -ge 2 ]; then
		code=0
	elif [ "$result" = failed ]; then
		say "$target: $why"
	elif [ "$viewer_name" != tshark ]; then
		tell "$target: the capture has ended; $viewer_name shows what came"
	fi
	exit "$code"
}
