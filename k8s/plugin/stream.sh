# --- one pod: its stream, and a worker's steps ------------------------------------------------------------------

stream() {
	echo capturing >"$work/$number.phase"
	# In this order: whoever has made 'stop' waits for every capture of this phase to be ready for its end.
	[ ! -e "$work/stop" ] || failed_stopped
	if [ "$file" = - ]; then
		exec 5>&1
	elif [ -n "$live" ]; then
		# Only kubectl may have this end: its end is the viewer's end of file.
		exec 5>"$file" 6>&-
	else
		make_private
		(: >"$file") 2>/dev/null || failed "cannot write $file"
		exec 5>"$file"
	fi
	eval "tarcap_there ${snapshot:+snapshot} $capture_options ${filter:+-- $filter}" \
		<&4 >&5 2>>"$work/$number.words" 4<&- 5>&- &
	echo $! >"$work/$number.pid"
	exec 5>&-
	code=0
	wait $! || code=$?
	echo "$code" >"$work/$number.status"
}

# shellcheck disable=SC2317 # called by an eval
tarcap_there() { # OPTION... [-- FILTER]
	kube_apart exec -i "$target" -c "$container" -- tarcap "$@"
}

# What --force overwrites may have been for all eyes, or be open before some: a new file is not. (A link stays a link.)
make_private() {
	[ -f "$file" ] || return 0
	if [ -L "$file" ] || ! rm -f "$file" 2>/dev/null; then
		chmod 600 "$file" 2>/dev/null || note "$file was there already, and others may be able to read it"
	fi
}

# The file is whole when tar can read it, the manifest is its last member, and the end that tar archives have is there:
# GNU tar does not notice that the last member is cut.
is_whole() { # FILE
	tar tf "$1" >"$work/list" 2>/dev/null || return 1
	case $(tail -n 1 "$work/list") in
	*/manifest.json) ;;
	*) return 1 ;;
	esac
	[ "$(tail -c 1024 "$1" | tr -d '\000' | wc -c)" -eq 0 ]
}

pod_worker() {
	added=
	describe_pod
	if [ -n "$snapshot" ]; then
		find_recorder
	elif [ -n "$container" ] && has_container "$container"; then
		:
	elif [ -z "$container" ] && hold=$(running_hold) && [ -n "$hold" ]; then
		container=$hold
		note "using the hold that runs in container $container"
	else
		add_container
		await_running
	fi
	stream
}

# A node: a pod of our own in the node's network, and nothing else of the node. It ends by itself even if we die
# here: the hold after its ttl, and Kubernetes makes sure of that. Its name is ours, so that it can be deleted even
# when we are stopped while it is being made.
node_pod_name=tarcap-node-$(date -u +%m%d%H%M%S)-$$

node_pod() {
	cat <<END
{"apiVersion": "v1", "kind": "Pod",
 "metadata": {"name": "$node_pod_name", "labels": {"app.kubernetes.io/name": "tarcap"}},
 "spec": {
  "nodeName": "$node", "hostNetwork": true, "restartPolicy": "Never", "activeDeadlineSeconds": 7200,
  "terminationGracePeriodSeconds": 10, "automountServiceAccountToken": false, "enableServiceLinks": false,
  "tolerations": [{"operator": "Exists"}],
  "containers": [{
   "name": "tarcap", "image": "$image", "command": ["tarcap", "hold", "--ttl", "${ttl:-1h}"],
   "securityContext": {"capabilities": {$only_net_raw}, $image_user, $confined}}]}}
END
}

node_worker() {
	added=
	kube create --validate=false -f "$work/node.json" >"$work/$number.kube" 2>&1 || failed "$(refusal "$work/$number.kube")"
	target=$node_pod_name
	container=tarcap
	note "made pod $target with image $image"
	watch_states container
	await_running
	stream
}

# shellcheck disable=SC2317 # called by a trap or an eval
delete_node_pod() {
	[ -e "$work/1.target" ] || return 0 # nothing was started
	kube delete pod "$node_pod_name" --wait=false --ignore-not-found >/dev/null 2>"$work/delete" || {
		cat "$work/delete" >&2
		say "the pod is still there: kubectl delete pod $node_pod_name${namespace:+ -n $namespace}"
	}
}
