# --- one pod: until its container runs --------------------------------------------------------------------------

# What a container's state is, as a line: S, the pod's deletion and reason of failure, then started, waiting, message,
# ended, status. A message may go on in further lines, which do not begin like this.
state_template() { # KIND: ephemeralContainer or container
	printf '%s' "{\"S|\"}{.metadata.deletionTimestamp}{\"|\"}{.status.reason}{\"|\"}{range .status.$1Statuses[?(@.name==\"$container\")]}{.state.running.startedAt}{\"|\"}{.state.waiting.reason}{\"|\"}{.state.terminated.reason}{\"|\"}{.state.terminated.exitCode}{\"|\"}{.state.waiting.message}{end}{\"\\n\"}"
}

# kubectl tells of each change, through a FIFO that this worker reads as 9: begun before the container is added, so that
# neither waits for the other. It ends by itself when the time is over; when all is stopped, end_watches ends it.
watch_states() { # KIND
	kind=$1
	look_at_clock
	deadline=$((now + timeout))
	mkfifo "$work/$number.states"
	# Both ways at first, as opening just one end would wait for the other.
	# shellcheck disable=SC2094
	exec 8<>"$work/$number.states" 9<"$work/$number.states"
	kube_apart get pod "$target" --watch "--request-timeout=${timeout}s" -o "jsonpath=$(state_template "$kind")" \
		</dev/null >&8 2>"$work/$number.watch.err" 8>&- 9<&- 4<&- &
	watcher=$!
	exec 8>&-
	echo "$watcher" >"$work/$number.watch"
}

end_watch() {
	[ -n "$watcher" ] || return 0
	rm -f "$work/$number.watch"
	# (It was started with SIGTERM ignored, as everything of a worker.)
	kill -s KILL "$watcher" 2>/dev/null || true
	wait "$watcher" || true
	watcher=
	exec 9<&-
}

# Wait until $container runs; when it cannot, say why in words that help.
await_running() {
	waiting_for=
	while IFS='|' read -r mark leaving reason_of_pod started reason ended code message <&9; do
		[ "$mark" = S ] || continue
		if runs_or_fails; then
			end_watch
			return 0
		fi
	done
	end_watch
	poll_states
}

# For one who may not watch, or where the connection was lost.
poll_states() {
	while look_at_clock && [ "$now" -lt "$deadline" ]; do
		[ ! -e "$work/stop" ] || failed_stopped
		kube get pod "$target" -o "jsonpath=$(state_template "$kind")" >"$work/$number.state" 2>"$work/$number.kube" ||
			failed "$(refusal "$work/$number.kube")"
		IFS='|' read -r mark leaving reason_of_pod started reason ended code message <"$work/$number.state" || true
		! runs_or_fails || return 0
		sleep 1
	done
	[ ! -e "$work/stop" ] || failed_stopped
	failed "the container does not run after $timeout s (${waiting_for:-no state yet}); --timeout waits longer"
}

# Does it run? Ends the worker when it never will.
runs_or_fails() {
	[ -z "$leaving" ] || cannot_run "the pod is being deleted"
	[ -z "$started" ] || return 0
	waiting_for="$reason${message:+: $message}"
	case $reason in
	*ImagePull* | InvalidImageName | ErrImageNeverPull | ImageInspectError | RegistryUnavailable | SignatureValidationFailed)
		why_no_image
		cannot_run "the node cannot get the image $image ($reason): --image or TARCAP_IMAGE names one that it can. The node says: $message"
		;;
	*ConfigError | CreateContainerError | RunContainerError | *HookError | CrashLoopBackOff | StartError)
		cannot_run "the container cannot start ($reason): $message"
		;;
	esac
	[ -z "$ended" ] || ended_at_once
	[ -z "$reason_of_pod" ] || cannot_run "the pod has failed: $reason_of_pod"
	return 1
}

cannot_run() { # WHY
	end_watch
	failed "$*"
}

# 'Back-off pulling' is not why: the pod's events have the sentence, for who may read them.
why_no_image() {
	case $message in
	'Back-off pulling image "'*'"' | '')
		kube get events --field-selector "involvedObject.name=$target,reason=Failed" \
			-o 'jsonpath={range .items[*]}{.message}{"\n"}{end}' >"$work/$number.events" 2>/dev/null || true
		said=$(grep -F "\"$image\"" "$work/$number.events" | tail -n 1)
		message=${said:-$message}
		;;
	esac
}

ended_at_once() {
	said="its words: kubectl logs $target -c $container"
	! kube logs "$target" -c "$container" >"$work/$number.kube" 2>&1 || said=$(last_words "$work/$number.kube")
	cannot_run "the container ended at once ($ended, status ${code:-?}): $said"
}
