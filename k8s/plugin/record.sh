# --- the recorder: what is kept in memory until an event, and sent then ------------------------------------------

# Whose it is, and when the others are ended for it; nobody's yet.
event_of=''
event_end=''

# Its flags with their values, as tarcap refuses them: there it would be told when a container had been added already.
recorder_flag() { # FLAG VALUE
	case $1 in
	--record)
		range size "$@" 4M 2G
		record=$2
		;;
	--first) range size "$@" 1 1G ;;
	--keep) range time "$@" 1s 8784h ;;
	--last) range time "$@" 1ms 8784h ;;
	--after)
		range time "$@" 1ms 8784h zero
		after=$value
		;;
	--until)
		check_event "$2"
		until=yes
		;;
	esac
	capture_option "$1" "$2"
}

# A filter is for tarcap to judge. But what is no filter, and was surely meant as a name, is known here.
check_event() { # EVENT
	case $1 in
	'') usage "--until '': needs an argument, EVENT (--until help lists them)" ;;
	help)
		event_help
		exit 0
		;;
	silence) usage "--until silence: needs a time, as in --until silence=30s" ;;
	silence=*) range time "--until silence" "${1#*=}" 100ms 168h ;;
	rst | tcp-rst | tcp-reset) no_event "$1" reset ;;
	icmp-unreach) no_event "$1" unreachable ;;
	servfail | refused | dns) no_event "$1" dns-failure ;;
	http | http-500 | 5xx | 500 | 502 | 503 | 504) no_event "$1" http-5xx ;;
	tls | alert) no_event "$1" tls-alert ;;
	idle | timeout) no_event "$1" silence=30s ;;
	esac
}

no_event() { # WORD NAME
	usage "--until '$1': no event's name and no filter: did you mean --until $2?"
}

event_help() {
	cat <<END
--until EVENT ends the capture --after D (10s) the first of these; it may be given 16 times:

  reset        a TCP reset (RST)
  unreachable  ICMP or ICMPv6: unreachable, too big, time exceeded
  dns-failure  an answer from port 53: SERVFAIL or REFUSED
  http-5xx     an answer of HTTP/1 with status 5xx, in plain text
  tls-alert    an alert of TLS in clear, other than close_notify
  silence=D    after the first packet, none for D on any interface
  EXPRESSION   any other: a filter as in pcap-filter(7)

'tarcap --until help' says what each of them cannot see.
END
}

check_recorder() {
	[ -n "$until" ] || ! is_given --after || [ -n "$snapshot" ] ||
		usage "--after: it is the time after an event, which --until EVENT names"
	[ -n "$record" ] || ! is_given --keep || usage "--keep takes --record SIZE: nothing else is kept"
	[ -n "$snapshot" ] || ! is_given --last || usage "--last: goes with --snapshot; here --keep D is how long packets are kept"
	[ -n "$snapshot" ] || ! is_given --resume || usage "--resume: goes with --snapshot"
	! is_given --first || ! is_given --headers ||
		usage "--first cannot be combined with --headers, which keeps no byte behind them"
	if [ -n "$record" ]; then
		[ -z "$live" ] || usage "$live: cannot be combined with --record, which sends what it has at the end"
		! is_given -W || usage "--record cannot be combined with -W: its memory says how many files are kept"
	fi
	if [ -n "$together" ]; then
		[ -n "$several" ] || usage "--together: is for several pods; one ends by its own event"
		[ -n "$until" ] || usage "--together: an event in one pod ends all, and --until EVENT names it"
		[ -n "$parallel" ] || parallel=100 # all of them have to be at it
	fi
}

# All that were named have to record at the same time, or an event would end some that have not begun.
check_together() {
	[ -n "$together" ] || return 0
	# shellcheck disable=SC2086 # names without spaces
	set -- $pods
	[ $# -le "$parallel" ] || die "--together: $# pods have to record at the same time, and --parallel allows $parallel"
}

# The line in which tarcap tells of an event. From here on the others have as long as it records itself.
see_event() { # NUMBER
	[ -n "$together" ] && [ -z "$event_of" ] || return 0
	read -r event_of <"$work/$1.target"
	event_end=$((seconds + (after + 999) / 1000 + 1))
	say "$event_of saw the event: all are fetched in $((event_end - seconds)) s (--together)"
}

end_together() {
	[ -n "$event_end" ] && [ "$seconds" -ge "$event_end" ] || return 0
	event_end=
	[ "$interrupts" -gt 0 ] || on_interrupt "fetching what all hold (Ctrl-C gives up)"
}
