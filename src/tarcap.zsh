#compdef tarcap
# Made by image/completions from src/tarcap.bash: change that, not this.

_tarcap_interfaces() {
local -a names=(/sys/class/net/*(N:t) all any)
compadd -a names
}

_tarcap() {
local command=capture
local -a specs
case $words[2] in
join | summary | hold | snapshot | stop | check | help) ((CURRENT > 2)) && command=$words[2] && shift words && ((CURRENT--)) ;;
esac
case $command in
	capture) specs=(
		'*-i:interface:_tarcap_interfaces'
		'*--interface:interface:_tarcap_interfaces'
		'-F:file:_files'
		'*-s:value: '
		'*--snapshot-length:value: '
		'--headers'
		'*--first:value: '
		'*--until:value:(reset unreachable dns-failure http-5xx tls-alert silence= help)'
		'*--after:value: '
		'*-Q:value:(in out inout)'
		'*--direction:value:(in out inout)'
		'--promiscuous'
		'*-y:value:(EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2)'
		'*--linktype:value:(EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2)'
		'-r:file:_files'
		'*-c:value: '
		'*-W:value: '
		'*--duration:value: '
		'*--max-bytes:value: '
		'*--record:value: '
		'*--keep:value: '
		'-w:file:_files'
		'--raw'
		'*--format:value:(pcap pcapng)'
		'*--compress:value:(none zstd)'
		'*--time-stamp-precision:value:(micro nano)'
		'--micro'
		'--nano'
		'*-C:value: '
		'*--segment-size:value: '
		'*-G:value: '
		'*--segment-time:value: '
		'*--name:value: '
		'*--reason:value: '
		'--no-context'
		'*-B:value: '
		'*--buffer-size:value: '
		'*--memory:value: '
		'*--exclude-stream:value:(auto on off)'
		'--wait-reader'
		'*--stdin:value:(auto ignore)'
		'*--stall:value: '
		'*--to:value: '
		'-q'
		'--quiet'
		'-v'
		'--verbose'
		'-D'
		'--list-interfaces'
		'-L'
		'--list-data-link-types'
		'-d'
		'-O'
		'--no-optimize'
		'-h'
		'--help'
		'--version'
		'*:: :_tarcap_filter'
	) ;;
	join) specs=(
		'-q'
		'--quiet'
		'--align'
		'--check'
		'*--memory:value: '
		'-h'
		'--help'
		'*:file:_files'
	) ;;
	summary) specs=(
		'--json'
		'-h'
		'--help'
		'*:file:_files'
	) ;;
	hold) specs=(
		'-q'
		'--quiet'
		'*--ttl:value: '
		'*--record:value: '
		'*--until:value:(reset unreachable dns-failure http-5xx tls-alert silence= help)'
		'*--after:value: '
		'*--keep:value: '
		'-h'
		'--help'
	) ;;
	snapshot) specs=(
		'-q'
		'--quiet'
		'-w:file:_files'
		'*--last:value: '
		'*--after:value: '
		'--resume'
		'*--to:value: '
		'*--name:value: '
		'*--reason:value: '
		'*--stall:value: '
		'-h'
		'--help'
	) ;;
	stop) specs=(
		'-h'
		'--help'
	) ;;
	check) specs=(
		'*-i:interface:_tarcap_interfaces'
		'*--interface:interface:_tarcap_interfaces'
		'-F:file:_files'
		'*-s:value: '
		'*--snapshot-length:value: '
		'--headers'
		'*--first:value: '
		'*--until:value:(reset unreachable dns-failure http-5xx tls-alert silence= help)'
		'*--after:value: '
		'*-Q:value:(in out inout)'
		'*--direction:value:(in out inout)'
		'--promiscuous'
		'*-y:value:(EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2)'
		'*--linktype:value:(EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2)'
		'-r:file:_files'
		'*-c:value: '
		'*-W:value: '
		'*--duration:value: '
		'*--max-bytes:value: '
		'*--record:value: '
		'*--keep:value: '
		'-w:file:_files'
		'--raw'
		'*--format:value:(pcap pcapng)'
		'*--compress:value:(none zstd)'
		'*--time-stamp-precision:value:(micro nano)'
		'--micro'
		'--nano'
		'*-C:value: '
		'*--segment-size:value: '
		'*-G:value: '
		'*--segment-time:value: '
		'*--name:value: '
		'*--reason:value: '
		'--no-context'
		'*-B:value: '
		'*--buffer-size:value: '
		'*--memory:value: '
		'*--exclude-stream:value:(auto on off)'
		'--wait-reader'
		'*--stdin:value:(auto ignore)'
		'*--stall:value: '
		'*--to:value: '
		'-q'
		'--quiet'
		'-v'
		'--verbose'
		'-D'
		'--list-interfaces'
		'-L'
		'--list-data-link-types'
		'-d'
		'-O'
		'--no-optimize'
		'-h'
		'--help'
		'--version'
		'*: :(tcp udp icmp icmp6 ip ip6 arp vlan host net port portrange src dst not and or)'
	) ;;
	help) specs=(
		'-h'
		'--help'
		':command:(join summary hold snapshot stop check help tar)'
	) ;;
esac
_arguments -s -A '-*' $specs
}

_tarcap_filter() {
((CURRENT > 1)) || compadd join summary hold snapshot stop check help
compadd tcp udp icmp icmp6 ip ip6 arp vlan host net port portrange src dst not and or
}

_tarcap "$@"
