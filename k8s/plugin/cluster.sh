# --- the cluster ------------------------------------------------------------------------------------------------

# kubectl with the global options. Never in our stdin, which may be the terminal's.
kube() {
	eval "kubectl $kube_options ${namespace:+--namespace=\"\$namespace\"} \"\$@\"" </dev/null
}

# A program where nothing that the terminal sends reaches it: in a session or a process group of its own. If there is
# no way to that, it still starts with SIGINT ignored, as every '&' does in a shell without job control.
# 'exec': the process that the caller started with '&' becomes the program, so that $! is its id.
apart() { # WORD...
	if command -v setsid >/dev/null 2>&1; then
		exec setsid "$@"
	elif command -v perl >/dev/null 2>&1; then
		exec perl -e 'setpgrp; exec @ARGV; exit 127' "$@"
	else
		exec "$@"
	fi
}

# shellcheck disable=SC2317 # called by an eval
kube_apart() {
	eval "apart kubectl $kube_options ${namespace:+--namespace=\"\$namespace\"} \"\$@\""
}

# What kubectl said when the cluster refused: for want of permission, in our words and with the role to ask for.
refusal() { # FILE
	words=$(sed -n 's/.* cannot \([a-z]*\) resource "\([a-z/]*\)".*/you may not \1 \2/p' "$1" | tail -n 1)
	if [ -n "$words" ]; then
		printf '%s%s; %s' "$words" "${namespace:+ in namespace $namespace}" "$role"
	else
		last_words "$1" | sed "s/^pods .* not found$/&${namespace:+ in namespace $namespace}/"
	fi
}

asked='' # what is asked in the background

# A question beside which others can be asked; its process in $asking. Waiting for it can be interrupted, and kubectl can
# still ask its own questions on the terminal.
ask() { # FILE WORD...
	answer=$work/$1
	shift
	eval "exec kubectl $kube_options ${namespace:+--namespace=\"\$namespace\"} \"\$@\"" \
		</dev/null >"$answer" 2>"$answer.err" 3>&- 4<&- &
	asking=$!
	asked="$asked $asking"
}

# The answer to 'kubectl auth can-i'. When kubectl cannot ask, its own words and the end.
need() { # VERB RESOURCE PROCESS FILE
	wait "$3" || true
	read -r answer <"$work/$4" || true
	case $answer in
	yes*) ;;
	no*) die "you may not $1 $2${namespace:+ in namespace $namespace}; $role" ;;
	*) cannot_ask "$work/$4.err" ;;
	esac
}

cannot_ask() { # FILE
	cat "$1" >&2
	die "kubectl cannot ask the cluster (its words are above)"
}

# The first word on the screen, as kubectl takes seconds.
announce() {
	if [ -n "$node" ]; then
		what="node $node"
	elif [ -n "$selector" ]; then
		what="pods that match '$selector'"
	else
		# shellcheck disable=SC2086 # names without spaces
		some_of $pods
		what=$text
	fi
	added="a container of $image is added where no hold runs"
	[ -z "$node" ] || added="a pod of $image is made there"
	if [ -n "$snapshot" ]; then
		added="nothing is added"
	else
		added="$added (where nodes cannot pull that: --image, or TARCAP_IMAGE)"
	fi
	tell "$what${namespace:+ in namespace $namespace}: asking the cluster; $added"
}

# One question to the cluster on the way to a capture, beside the one for the pods: may we exec? It cannot be left to the
# attempt, since the container that would have been added by then cannot be removed. Whatever else is not permitted shows
# when it is tried.
ask_cluster() {
	ask exec auth can-i create pods --subresource=exec
	may_exec=$asking
	if [ -n "$node" ]; then
		role="k8s/rbac-node.yaml has the role to ask for, tarcap-node"
		ask_for_node
	else
		role="k8s/rbac.yaml has the role to ask for, tarcap-capture"
		find_pods
	fi
	need create pods/exec "$may_exec" exec
	asked=
}

# All that the API server would say to the node's pod, before there is one. Who may not read nodes learns later whether
# there is one of that name.
ask_for_node() {
	ask delete auth can-i delete pods
	may_delete=$asking
	ask node get node "$node" -o name
	is_node=$asking
	node_pod >"$work/node.json"
	ask create create --dry-run=server --validate=false -f "$work/node.json" -o name
	wait "$asking" || cannot_create
	need delete pods "$may_delete" delete
	wait "$is_node" || ! grep -q NotFound "$work/node.err" || die "$(last_words "$work/node.err")"
}

cannot_create() {
	grep -q '^Error from server' "$work/create.err" || cannot_ask "$work/create.err"
	die "$(refusal "$work/create.err")"
}

# What we want to know of a pod, a line for each fact: its Name, Phase and node; its containers as they are Said to be, and
# which of them Run; their runtimes' ids (C).
pod_facts='{"N "}{.metadata.name}{"\n"}{"P "}{.status.phase}{" "}{.metadata.deletionTimestamp}{"\n"}{"H "}{.spec.nodeName}{"\n"}'
for kind in ephemeralContainers initContainers containers; do
	pod_facts="$pod_facts{range .spec.${kind}[*]}{\"S \"}{.name}{\" \"}{.image}{\" \"}{.command}{.args}{\"\\n\"}{end}"
done
for kind in ephemeralContainer initContainer container; do
	pod_facts="$pod_facts{range .status.${kind}Statuses[*]}{\"R \"}{.name}{\" \"}{.state.running.startedAt}{\"\\n\"}{end}"
done
pod_facts="$pod_facts"'{"C "}{.status.containerStatuses[*].containerID}{"\n"}'

# Facts of all pods by one question, then one file for each.
find_pods() {
	# shellcheck disable=SC2086 # names without spaces
	set -- $pods
	if [ -n "$selector" ] || [ $# -gt 1 ]; then
		facts="{range .items[*]}$pod_facts{end}"
	else
		facts=$pod_facts
	fi
	ask pods get pods "$@" ${selector:+-l "$selector"} -o "jsonpath=$facts"
	wait "$asking" || no_pods
	awk -v work="$work" '$1 == "N" { close(file); file = work "/pod." $2 } { print >file }' "$work/pods"
	[ -z "$selector" ] || choose_pods
}

# With several names the others go on; one that is missing is an entry in the account.
no_pods() {
	[ ! -s "$work/pods" ] || return 0
	grep -q '^Error from server' "$work/pods.err" || cannot_ask "$work/pods.err"
	if [ -n "$namespace" ] && grep -q NotFound "$work/pods.err"; then
		ask namespace get namespace "$namespace" -o name
		wait "$asking" || true
		! grep -q NotFound "$work/namespace.err" || die "$(last_words "$work/namespace.err")"
	fi
	die "$(refusal "$work/pods.err")"
}

choose_pods() {
	awk '$1 == "N" { pod = $2 } $1 == "P" { print pod, $2 }' "$work/pods" >"$work/phases"
	while read -r pod phase; do
		case $phase in
		Succeeded | Failed) tell "$pod has ended ($phase), left out" ;;
		*) pods="$pods $pod" ;;
		esac
	done <"$work/phases"
	[ -n "$pods" ] || die "no running pod matches '$selector'${namespace:+ in namespace $namespace}"
}

# Where a pod's archive goes, in $file.
file_for() { # POD
	case $output in
	-) file=- ;;
	'') file=$1.$suffix ;;
	*/) file=$output$1.$suffix ;;
	*)
		file=$output
		if [ -n "$several" ] || [ -d "$output" ]; then
			file=$output/$1.$suffix
		fi
		;;
	esac
}

# Before anything is added to a cluster: can the files be written, without a loss?
check_output() {
	case $output in
	- | '') ;;
	*/) mkdir -p "$output" || die "cannot make the directory $output" ;;
	*) [ -z "$several" ] || mkdir -p "$output" || die "cannot make the directory $output" ;;
	esac
	for pod in ${node:-$pods}; do
		file_for "$pod"
		[ "$file" != - ] || continue
		case $file in
		*/*) directory=${file%/*} ;;
		*) directory=. ;;
		esac
		[ -w "${directory:-/}" ] || [ -w "$file" ] || die "cannot write $file"
		if [ "$file" != "$output" ] && [ -e "$file" ] && [ -z "$force" ]; then
			die "$file is there already: --force overwrites it, -o names another place"
		fi
	done
}
