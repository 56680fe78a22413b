# --- snapshots: what a hold of the pod has recorded already ------------------------------------------------------

# What 'tarcap snapshot' takes; all else was decided when the recording began.
check_snapshot() {
	[ -n "$snapshot" ] || return 0
	[ -z "$node" ] || usage "--snapshot: is for pods, in which a hold records"
	[ -z "$live" ] || usage "$live: cannot be combined with --snapshot, which sends an archive"
	[ -z "$filter" ] || usage "--snapshot takes no filter: what is recorded was filtered"
	for flag in $given; do
		case $flag in
		--last | --after | --resume | --name | --reason | --stall | --to) ;;
		--profile | --custom | --ttl | --timeout)
			usage "$flag: adds a container, and --snapshot takes what one that is there has recorded"
			;;
		--together | --record | --until | --keep | --first)
			usage "$flag: is for a recording that begins; --snapshot takes what one has"
			;;
		*) is_ours "$flag" || usage "$flag: cannot be combined with --snapshot: that was decided when the recording began" ;;
		esac
	done
}

# The containers of this pod that run 'tarcap hold --record', a line for each; or, with a word, those that do not run.
recorders() { # [STOPPED]
	awk -v stopped="${1:-}" '
		$1 == "R" && NF > 2 { running[$2] = 1 }
		$1 == "S" && /"hold"/ && /"--record[="]/ { holds[++n] = $2 }
		END { for (i = 1; i <= n; i++) if ((holds[i] in running) == (stopped == "")) print holds[i] }' "$work/pod.$target"
}

# Which of them is meant, in $container; ends this worker when none is.
find_recorder() {
	if [ -n "$container" ]; then
		has_container "$container" || failed "the pod has no container $container"
		return 0
	fi
	# shellcheck disable=SC2046 # names without spaces
	set -- $(recorders)
	if [ $# -gt 1 ]; then
		failed "$# containers record: -c says which: $*"
	elif [ $# -eq 0 ]; then
		container=$(recorders stopped | head -n 1)
		[ -z "$container" ] || failed "the recorder, container $container, does not run"
		failed "no container of this pod records: k8s/sidecar-recorder.yaml shows one that does, from the pod's start on"
	fi
	container=$1
	note "taking what the hold in container $container has recorded"
}
