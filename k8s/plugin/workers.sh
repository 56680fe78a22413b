# --- all pods: start workers, show what they say, end them ------------------------------------------------------

interrupts=0
number=0  # of the last worker that was started
files=    # of all, quoted for eval
late=     # for a worker that had to wait for its turn
ticks=0   # looks at everything since the start: at least a tick's time has passed for each
began=0   # the clock when it started
seconds=0 # since then

# The clock, in $now: a tick can take any time on a busy machine.
look_at_clock() {
	# Where a Ctrl-C does not reach it.
	now=$(trap '' INT && exec date +%s) || now=$((began + seconds))
}

on_interrupt() { # [WHY]
	interrupts=$((interrupts + 1))
	if [ "$interrupts" -eq 1 ]; then
		: >"$work/stop"
		how="ending the capture"
		[ -z "$record" ] || how="fetching what is held"
		[ "$begun" -gt 0 ] || how="stopping before the capture has begun"
		[ -z "$snapshot" ] || how="waiting for what is on its way"
		say "${1:-$how (again to give up)}"
		# shellcheck disable=SC2086 # names without spaces
		some_of $waiting
		[ -z "$text" ] || say "not started: $text"
	else
		give_up
	fi
}

# Before there is anything to end.
# shellcheck disable=SC2317 # called by a trap
on_early_interrupt() { # STATUS
	trap '' INT TERM HUP
	say "stopped: nothing was added to the cluster, and no file written"
	exit "$1"
}

# shellcheck disable=SC2317 # called by a trap or an eval
kill_workers() {
	for record in "$work"/*.watch "$work"/*.pid "$work"/*.worker; do
		[ -s "$record" ] || continue
		phase_of "$(basename "${record%.*}")"
		read -r process <"$record" || continue
		[ "$phase" = "done" ] || kill -s KILL "$process" 2>/dev/null || true
	done
}

# shellcheck disable=SC2317
give_up() {
	trap '' INT TERM HUP
	say "given up: what was being written is cut"
	exit 130
}

# shellcheck disable=SC2317 # called by a trap or an eval
clean_up() {
	code=$?
	trap '' INT TERM HUP EXIT
	clear_status
	exec 3>&- 7<&-
	# What the shell has to tell of those that are killed is nobody's business.
	exec 9>&2 2>/dev/null
	for process in $asked; do
		kill -s KILL "$process" || true
	done
	# A worker that is still at work has been given up, or something here has failed.
	: >"$work/stop"
	kill_workers
	leave_viewer
	wait
	exec 2>&9 9>&-
	[ -z "$node" ] || delete_node_pod
	rm -rf "$work"
	exit "$code"
}

phase_of() { # NUMBER
	phase=
	read -r phase <"$work/$1.phase" || true
}

start_worker() { # TARGET
	number=$((number + 1))
	target=$1
	file_for "$target"
	printf '%s\n' "$target" >"$work/$number.target"
	printf '%s\n' "$file" >"$work/$number.file"
	files="$files $(quote "$file")"
	: >"$work/$number.words"
	echo adding >"$work/$number.phase"
	(
		set -e
		# A signal to our whole process group must not end it: it is told by other means.
		trap '' INT TERM HUP
		trap 'echo "done" >"$work/$number.phase"' EXIT
		if [ -n "$node" ]; then
			node_worker
		else
			pod_worker
		fi
	) 3>&- 2>"$work/$number.shell" & # (what the shell itself says, as of those that it sees killed)
	echo $! >"$work/$number.worker"
}

# Whoever waits for a container to run need not, once all is stopped.
end_watches() {
	for record in "$work"/*.watch; do
		[ -s "$record" ] || continue
		! read -r process <"$record" || kill -s KILL "$process" 2>/dev/null || true
	done
}
