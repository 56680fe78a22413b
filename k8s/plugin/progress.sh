# --- all pods: what is said meanwhile ---------------------------------------------------------------------------

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

# On a terminal one line that changes, of several pods below a table; else lines every 10 s.
show_progress() {
	if [ -n "$quiet" ] || [ "$seconds" -lt "$next_progress" ]; then
		return 0
	fi
	# tshark has the terminal for itself.
	[ -z "$viewing" ] || [ "$viewer_name" != tshark ] || return 0
	next_progress=$((seconds + 1))
	[ -t 2 ] || next_progress=$((seconds + 10 - seconds % 10))
	[ -t 2 ] || [ "$seconds" -ge 10 ] || return 0
	if [ "$capturing" -eq 0 ]; then
		text="waiting for the container to run"
	else
		describe_all
	fi
	if [ -t 2 ]; then
		clear_status
		measure_screen
		[ -z "$several" ] || draw_table
		# What wraps could not be cleared again.
		printf "%.$((screen_columns - 1))s" "$me: $seconds s, $text" >&2
		status_shown=yes
	else
		say "$seconds s, $text"
		[ -z "$several" ] || [ "$number" -gt 10 ] || print_table
	fi
}

# What all have together, in $text.
describe_all() {
	known='' came='' window=0 packets=0 rate=0 bytes=0 lost=0
	while read -r _ state its_window its_packets its_rate its_bytes its_lost; do
		[ "$state" != event ] || came=yes
		[ "$its_window" -eq 0 ] || known=yes
		[ "$its_window" -le "$window" ] || window=$its_window
		[ "$state" = ended ] || rate=$((rate + its_rate))
		packets=$((packets + its_packets)) bytes=$((bytes + its_bytes)) lost=$((lost + its_lost))
	done <"$work/numbers"
	losses="none lost"
	[ "$lost" -eq 0 ] || losses="$lost lost"
	written=
	[ "$output" = - ] || [ -n "$live" ] || {
		size_of_all
		human "$size"
		written=$text
	}
	if [ -n "$snapshot" ] || [ -n "$came" ]; then
		what="${came:+the event came, }${written:+$written fetched; }Ctrl-C gives up"
		[ -z "$came" ] || [ "$interrupts" -gt 0 ] || what="${what%gives up}fetches now"
	elif [ -n "$record" ] && [ -n "$known" ]; then
		human "$bytes"
		what="holds $window s, $packets packets, $text, $losses; Ctrl-C fetches it"
	elif [ -n "$record" ]; then
		what="recording; Ctrl-C fetches what is held"
	else
		what="${written:+$written so far, }${known:+$rate packets/s, $losses, }"
		what="${what%, }${what:+; }Ctrl-C ends it"
	fi
	# shellcheck disable=SC2086 # names without spaces
	set -- $waiting
	text="${several:+$capturing at it, }${1:+$# waiting, }$what"
}

# The sizes of all files together, in $size.
size_of_all() {
	size=$(trap '' INT && eval "ls -dln $files" 2>/dev/null | awk '/^-/ { size += $5 } END { printf("%.0f", size) }') || size=0
}

count_active() {
	active=0
	capturing=0
	i=0
	while [ "$i" -lt "$number" ]; do
		i=$((i + 1))
		phase_of "$i"
		[ "$phase" = "done" ] || active=$((active + 1))
		[ "$phase" != capturing ] || capturing=$((capturing + 1))
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
	: >"$work/shown"
	: >"$work/numbers"
	while :; do
		count_active
		start_those_whose_turn_it_is
		[ "$interrupts" -eq 0 ] || end_watches
		show_words
		end_together
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
