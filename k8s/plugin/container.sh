# --- one pod: what a worker does, in a process of its own -------------------------------------------------------

# A worker tells the main process through files below $work: NUMBER.phase (adding, capturing, done), NUMBER.words
# (what kubectl and tarcap said), NUMBER.why (why it failed), NUMBER.status and NUMBER.pid (of kubectl).

note() { # among kubectl's and tarcap's words
	printf '%s: %s\n' "$me" "$*" >>"$work/$number.words"
}

failed() { # WHY: end this worker
	printf '%s\n' "$*" >"$work/$number.why"
	exit 0
}

failed_stopped() {
	failed "stopped before the capture began${added:+; the container $added stays there, idle, until its --ttl}"
}

# The last line that kubectl said, without its own preface.
last_words() { # [FILE]
	sed -e '/^$/d' -e "/^See '[a-z]* /d" -e "/^Run '[a-z]* /d" -e 's/^error: //' -e 's/^docker: //' -e 's/^Error response from daemon: //' -e 's/^Error from server ([A-Za-z]*): //' ${1:+"$1"} | tail -n 1
}

# What is known of the pod; asked anew for one that had to wait for its turn.
describe_pod() {
	if [ -n "$late" ]; then
		kube get pod "$target" -o "jsonpath=$pod_facts" >"$work/pod.$target" 2>"$work/$number.kube" ||
			failed "$(refusal "$work/$number.kube")"
	fi
	[ -s "$work/pod.$target" ] || failed "pods \"$target\" not found"
	phase=$(awk '$1 == "P" { print $2 }' "$work/pod.$target")
	[ -z "$(awk '$1 == "P" { print $3 }' "$work/pod.$target")" ] || failed "the pod is being deleted"
	# (Of a snapshot it is the recorder alone that has to run: see find_recorder.)
	[ "$phase" = Running ] || [ -n "$snapshot" ] || failed "the pod is ${phase:-in no phase}, not Running"
}

# A container of this pod that runs 'tarcap hold', of an image of the same name: its name, or nothing.
running_hold() {
	awk -v wanted="${image##*/}" '
		$1 == "R" && NF > 2 { running[$2] = 1 }
		$1 == "S" { there[$2] = 1; of = $3; sub(/.*\//, "", of)
			if (of == wanted && /"hold"/) hold[$2] = 1 }
		END { for (name in hold) if (running[name]) { print name; exit } }' "$work/pod.$target"
}

has_container() { # NAME
	awk -v name="$1" '$1 == "S" && $2 == name { found = 1 } END { exit !found }' "$work/pod.$target"
}

name_of_container() {
	[ -n "$container" ] || container=tarcap-$(date -u +%m%d%H%M%S)-$$
}

debug() { # OPTION...: add the container
	kube debug -q "$target" -c "$container" "--image=$image" "$@" -- tarcap hold ${ttl:+--ttl "$ttl"} \
		>"$work/$number.kube" 2>&1
}

# The least that works, with what the cluster's policies refuse or demand: each answer changes one thing.
debug_with_least() {
	capabilities=$only_net_raw
	user=$image_user
	while :; do
		container_settings "$capabilities" "$user" >"$work/least.$number.json"
		debug --profile=baseline "--custom=$work/least.$number.json" && return
		if [ "$capabilities" = "$only_net_raw" ] && grep -q 'violates PodSecurity "baseline' "$work/$number.kube"; then
			note "Pod Security refuses to add NET_RAW; trying with what the runtime gives by itself"
			capabilities=$keep_net_raw
			: >"$work/$number.refused"
		elif [ "$user" = "$image_user" ] && demands_no_new_privs; then
			if grep -q '^C .*containerd:' "$work/pod.$target"; then
				user=$no_new_privs_user
				note "a policy demands allowPrivilegeEscalation: false; trying with that"
			else
				user=$no_new_privs_root
				note "a policy demands allowPrivilegeEscalation: false; trying with that, as root, who can capture then"
			fi
		elif knows_no --custom; then
			note "this kubectl's debug knows no --custom: the container gets all that the runtime gives by default"
			debug_without_custom
			return
		else
			return 1
		fi
	done
}

knows_no() { # FLAG
	grep -q "unknown flag: $1" "$work/$number.kube"
}

debug_without_custom() {
	debug --profile=baseline && return
	knows_no --profile && debug
}

# In the words of whichever policy it was. (Pod Security 'restricted' demands it, too, but nothing can capture there.)
demands_no_new_privs() {
	grep -qi 'privilege[ -]*escalation' "$work/$number.kube" && ! grep -q 'violates PodSecurity' "$work/$number.kube"
}

add_container() {
	name_of_container
	[ -n "$several" ] || note "adding container $container with image $image to $target"
	watch_states ephemeralContainer
	if [ -n "$profile$custom" ]; then
		debug "--profile=${profile:-baseline}" ${custom:+"--custom=$custom"}
	else
		debug_with_least
	fi || {
		end_watch
		why=$(refusal "$work/$number.kube")
		case $why in
		*' patch pods/ephemeralcontainers'*) why="no tarcap hold runs there, and $why" ;;
		*'violates PodSecurity "restricted'*) why="$why. No container can capture under that. $(way_by_node)" ;;
		esac
		failed "$why"
	}
	added=$container
}
