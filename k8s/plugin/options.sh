# --- the command line -------------------------------------------------------------------------------------------

dry_run=''
given='' # the flags, as they were called
after=10000 # ms that are recorded behind an event
together='' # one pod's event is everybody's

# Kubernetes' names of pods, nodes, containers: they become file names and words of commands.
name() { # FLAG VALUE
	case $2 in
	'' | *[!a-z0-9.-]* | -* | .*) usage "$1 '$2': no name that Kubernetes allows" ;;
	esac
}

is_given() { # FLAG
	case " $given " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

# Is it about pods, the cluster or files, and not about what is captured?
is_ours() { # FLAG
	case $1 in
	-n | --namespace | --context | --kubeconfig | --cluster | --user | --as | --as-group | -l | --selector | -c | --container | \
		-o | --output | --parallel | --force | --dry-run | --snapshot | --image | -q | --quiet) ;;
	*) return 1 ;;
	esac
}

# A word that only a filter begins with, or that is a whole one. (A pod of such a name is pod/NAME.)
begins_filter() { # WORD
	case $1 in
	*' '* | tcp | udp | sctp | icmp | icmp6 | ip | ip6 | arp | ether | vlan | host | net | port | portrange | src | dst | \
		not | '!' | '('*) ;;
	*) return 1 ;;
	esac
}

add_pod() {
	case $1 in
	pod/* | pods/* | po/*) pod=${1#*/} ;;
	*/*) usage "'$1': only pods; for the pods of something else give its selector with -l" ;;
	*) pod=$1 ;;
	esac
	name POD "$pod"
	case " $pods " in
	*" $pod "*) ;;
	*) pods="$pods $pod" ;;
	esac
}

# One flag with its value, or '' for a flag without. Returns 1 when the flag is not known.
take_flag() { # FLAG VALUE
	given="$given $1"
	case $1 in
	-n | --namespace) namespace=$2 ;;
	--context | --kubeconfig | --cluster | --user | --as | --as-group)
		kube_options="$kube_options $(quote "$1=$2")"
		;;
	-l | --selector) selector=$2 ;;
	-c | --container)
		name "$1" "$2"
		case $2 in
		*[!0-9]*) container=$2 ;;
		*) usage "$1 $2: is the container's name here; for a number of packets write --count $2" ;;
		esac
		;;
	--image) image=$2 ;;
	--profile) profile=$2 ;;
	--custom)
		[ -r "$2" ] || usage "--custom '$2': cannot be read"
		custom=$2
		;;
	--ttl) ttl=$2 ;;
	--node)
		name "$1" "$2"
		node=$2
		;;
	-o | --output) output=$2 ;;
	--parallel)
		number "$1" "$2" 100
		parallel=$2
		;;
	--timeout)
		number "$1" "$2" 3600
		timeout=$2
		;;
	--count) capture_option -c "$2" ;;
	-i | -s | -Q | -C | -G | -W | -B | -y) capture_option "$1" "$2" ;;
	--interface | --linktype | --snapshot-length | --direction | --duration | --max-bytes | --segment-size | --segment-time | \
		--format | --time-stamp-precision | --buffer-size | --memory | --compress | --name | --reason | \
		--exclude-stream | --stall)
		capture_option "$1" "$2"
		;;
	--record | --keep | --until | --after | --first | --last) recorder_flag "$1" "$2" ;;
	--to) recipients "$2" ;;
	*) return 1 ;;
	esac
}

# One flag that takes no value. Returns 1 when it is not known.
take_switch() { # FLAG
	case $1 in
	--snapshot) snapshot=yes ;;
	--together) together=yes ;;
	--resume) capture_option "$1" ;;
	--force) force=yes ;;
	--dry-run) dry_run=yes ;;
	-q | --quiet) quiet=yes ;;
	-h | --help)
		help
		exit 0
		;;
	--version)
		echo "kubectl-tarcap $version"
		exit 0
		;;
	-p | -v | --verbose | -O | -U | -K | --no-optimize | --headers | --no-context | --promiscuous | --no-promiscuous-mode | --micro | \
		--nano)
		capture_option "$1"
		;;
	--wireshark | --live) live=$1 ;;
	--raw) usage "--raw: is what --wireshark asks for; into a file, by hand: kubectl exec -i POD -c CONTAINER -- tarcap --raw" ;;
	-A | --all-namespaces) usage "$1: one namespace at a time, with -n" ;;
	-w | --write) usage "$1: where the archive goes is said with -o" ;;
	-r | --read-file | -D | --list-interfaces | -L | --list-data-link-types | -d | -dd | -ddd) usage "$1: by hand, with kubectl exec POD -c CONTAINER -- tarcap $1" ;;
	-F) usage "-F: give the filter's text after --" ;;
	--stdin | --wait-reader) usage "$1: is this program's own affair: it ends the capture through stdin" ;;
	-t | -it | -ti | --tty) usage "$1: a terminal spoils binary data" ;;
	*) return 1 ;;
	esac
	given="$given $1"
}

parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--)
			shift
			for word in "$@"; do
				filter="$filter $(quote "$word")"
			done
			return 0
			;;
		--*=*)
			take_flag "${1%%=*}" "${1#*=}" || usage "unknown flag '${1%%=*}', or one without a value"
			shift
			;;
		-*)
			if take_switch "$1"; then
				shift
			elif value=${1#??} && [ -n "$value" ] && [ "${1#--}" = "$1" ]; then # -s96
				take_flag "${1%"$value"}" "$value" || usage "unknown flag '$1'"
				shift
			elif [ $# -lt 2 ]; then
				usage "unknown flag '$1', or its value is missing"
			else
				take_flag "$1" "$2" || usage "unknown flag '$1'"
				shift 2
			fi
			;;
		*)
			if begins_filter "$1"; then
				usage "'$1' begins a filter and is no pod: put -- before the filter: -- $*"
			fi
			add_pod "$1"
			shift
			;;
		esac
	done
}

check_usage() {
	several= # one file for each of many, or just one
	case "${pods:+pods} ${selector:+selector} ${node:+node}" in
	"  ") usage "name a POD, or -l SELECTOR, or --node NODE" ;;
	"pods  " | "  node") ;;
	" selector ") several=yes ;;
	*) usage "one of POD, -l and --node, not two" ;;
	esac
	case $pods in
	' '*' '*) several=yes ;;
	esac
	if [ -n "$node" ]; then
		[ -z "$profile$custom$container" ] || usage "--node takes none of --profile, --custom and -c"
		# Without it the stream would capture itself: 10 packets can become gigabytes.
		capture_option --exclude-stream on
	fi
	[ -n "$image" ] || usage "--image needs a name"
	if [ -n "$live" ]; then
		[ -z "$several" ] || usage "$live: is for one pod, or one node"
		[ "$suffix" = tar ] || usage "$live: cannot be combined with --to: nobody here has the key"
		[ -z "$output" ] || usage "$live: writes no file, leave out -o; Wireshark can save what it shows"
		capture_options=" --raw$capture_options"
	fi
	check_snapshot
	check_recorder
	parallel=${parallel:-50}
	if [ "$output" = - ]; then
		[ -z "$several" ] || usage "-o - is for one pod: several archives cannot share stdout"
		[ -n "$dry_run" ] || [ ! -t 1 ] ||
			usage "stdout is a terminal: add '| ssh ...' or '> capture.tar', or leave out -o -"
	fi
}
