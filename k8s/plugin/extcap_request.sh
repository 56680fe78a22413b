# --- what Wireshark asks for ------------------------------------------------------------------------------------

# Interfaces are named tarcap-docker-CONTAINER, and the one from which a pod is chosen is:
the_pod=tarcap-pod

# Not as long as it takes: a Wireshark that shows packets is there to end it, and nothing outlives it.
duration=1h
max_bytes=1G

asked_for=''
interface=''
fifo=''
capture_filter=''
reloaded=''
headers=''
snaplen=''
inside='' # the interface in the container or pod
context=''

# Wireshark gives a filter alone when it wants to know whether it is one.
take_words() { # WORD...
	while [ $# -gt 0 ]; do
		case $1 in
		--*=*)
			flag=${1%%=*}
			value=${1#*=}
			shift
			set -- "$flag" "$value" "$@"
			continue
			;;
		--extcap-interfaces) asked_for=interfaces ;;
		--extcap-dlts) asked_for=dlts ;;
		--extcap-config) asked_for=config ;;
		--capture) asked_for=capture ;;
		--headers) headers=yes ;;
		--extcap-version)
			# Wireshark's own version, with --extcap-interfaces; or alone.
			case ${2:-} in
			'' | --*) ;;
			*) shift ;;
			esac
			asked_for=${asked_for:-version}
			;;
		--extcap-* | --fifo | --pod | --namespace | --selector | --context | --container | --interface | --snapshot-length | \
			--image | --duration | --max-bytes | --debug | --debug-file)
			[ $# -ge 2 ] || die "$1: its value is missing"
			take_value "$1" "$2"
			shift
			;;
		*) die "'$1' is no option that Wireshark would give" ;;
		esac
		shift
	done
	[ -n "$interface" ] || [ "$asked_for" = interfaces ] || [ "$asked_for" = version ] || [ -z "$asked_for" ] ||
		die "--extcap-interface is missing"
}

take_value() { # FLAG VALUE
	case $1 in
	--extcap-interface) interface=$2 ;;
	--extcap-reload-option)
		asked_for=reload
		reloaded=$2
		;;
	--extcap-capture-filter)
		asked_for=${asked_for:-filter}
		capture_filter=$2
		;;
	--fifo) fifo=$2 ;;
	--pod) pods=$2 ;;
	--namespace) namespace=$2 ;;
	--selector) selector=$2 ;;
	--context) context=$2 ;;
	--container) container=$2 ;;
	--interface) inside=$2 ;;
	--snapshot-length) snaplen=$2 ;;
	--image) image=${2:-$image} ;;
	--duration) duration=${2:-$duration} ;;
	--max-bytes) max_bytes=${2:-$max_bytes} ;;
	esac
}

# Is it a container of the Docker engine? Sets target, which to what follows is a pod or a container.
is_docker() {
	case $interface in
	tarcap-docker-?*) target=${interface#tarcap-docker-} ;;
	*) return 1 ;;
	esac
}
