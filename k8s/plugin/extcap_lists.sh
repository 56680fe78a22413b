# --- what there is ----------------------------------------------------------------------------------------------

# What a program says within a second: Wireshark's start screen waits for it.
within_a_second() { # WORD...
	"$@" </dev/null 2>/dev/null &
	asking=$!
	(sleep 1 && kill -s KILL "$asking") </dev/null >/dev/null 2>&1 &
	alarm=$!
	{ wait "$asking" && kill -s KILL "$alarm"; } 2>/dev/null || true
}

# Wireshark reads {name=value}: there is no brace in a value.
plain() {
	tr -d '{}\r'
}

list_interfaces() {
	echo "extcap {version=$version}{display=tarcap}"
	! command -v docker >/dev/null 2>&1 || list_containers
	# This question does not go to the cluster.
	! command -v kubectl >/dev/null 2>&1 || kubectl config current-context </dev/null 2>/dev/null | plain |
		sed "s/.*/interface {value=$the_pod}{display=a pod of &}/"
}

# Without our own captures. The first name is the container's; others are links to it.
list_containers() {
	within_a_second docker ps --format '{{.Names}} {{.Image}}' | plain |
		sed -n -e '/^tarcap-extcap-/d' -e 's/^\([^ ,/]*\)[^ ]* \(.*\)/interface {value=tarcap-docker-\1}{display=container \1, \2}/p'
}

# pcapng says itself what an interface's link type is: this is the one that nearly all have.
list_dlts() {
	echo "dlt {number=1}{name=EN10MB}{display=Ethernet, or as the interface has it}"
}

number_of_option=0
option() { # FLAG TYPE TEXT [{MORE}...]
	echo "arg {number=$number_of_option}{call=$1}{type=$2}{display=$3}${4:-}"
	number_of_option=$((number_of_option + 1))
}

list_options() {
	is_docker || list_options_of_pods
	option --interface string "Interface inside" "{tooltip=eth0, all or any; empty: the first that is up and not lo}"
	option --headers boolflag "Headers only" "{default=false}{tooltip=no payload: it is cut off in the kernel}"
	option --snapshot-length unsigned "Snapshot length" "{range=1,262144}{default=262144}{tooltip=bytes of each packet}"
	option --duration string "Ends after" "{default=$duration}{tooltip=90s, 10m, 8h; 0: no limit}"
	option --max-bytes string "Ends after bytes" "{default=$max_bytes}{tooltip=100M, 1G; 0: no limit}"
	option --image string "Image" "{default=$image}{tooltip=tarcap's, as the engine or the node can pull it}"
}

list_options_of_pods() {
	option --pod selector "Pod" "{reload=true}{placeholder=List the running pods}{required=true}{tooltip=the button lists those of namespace and selector}"
	option --namespace string "Namespace" "{tooltip=empty: that of the context}"
	option --selector string "Selector" "{tooltip=which pods the button lists, such as app=web}"
	option --context string "Context" "{tooltip=of kubectl; empty: the current one}"
}

# What the button behind an option fetches. Where nothing comes, why not stands in the list.
list_values() {
	[ "$reloaded" = pod ] || die "--extcap-reload-option '$reloaded': only pod has a list"
	use_context
	why=
	list=$(kube get pods ${selector:+-l "$selector"} --request-timeout=5s -o "jsonpath=$names_and_phases" 2>&1) ||
		why=$(printf '%s\n' "$list" | last_words)
	running=$(printf '%s\n' "$list" | sed -n 's/ Running$//p' | plain)
	if [ -n "$why" ]; then
		echo "value {arg=0}{value=}{display=$(printf '%s' "$why" | plain)}"
	elif [ -z "$running" ]; then
		echo "value {arg=0}{value=}{display=no pod runs there${selector:+ that matches $selector}}"
	else
		printf '%s\n' "$running" | sed 's/.*/value {arg=0}{value=&}{display=&}/'
	fi
}

names_and_phases='{range .items[*]}{.metadata.name}{" "}{.status.phase}{"\n"}{end}'

use_context() {
	[ -z "$context" ] || kube_options="$kube_options $(quote "--context=$context")"
}
