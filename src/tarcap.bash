# shellcheck shell=bash
# Completion for tarcap(1) in bash: commands, flags and their values, interfaces, files, the words of a filter.
# 'make install' puts it where bash-completion finds it; without that package: source this file.
# For an alias or a function of that name it works, too: alias tarcap='docker run --rm -i ... tarcap'

_tarcap_flags() { # COMMAND: the flags that it takes
	case $1 in
	capture | check)
		echo "-i --interface -F -s --snapshot-length --headers --first --until --after -Q --direction --promiscuous -y --linktype -r" \
			"-c -W --duration --max-bytes --record --keep -w --raw --format --compress --time-stamp-precision --micro --nano" \
			"-C --segment-size -G --segment-time --name --reason --no-context -B --buffer-size --memory --exclude-stream" \
			"--wait-reader --stdin --stall --to -q --quiet -v --verbose -D --list-interfaces -L --list-data-link-types -d" \
			"-O --no-optimize -h --help --version"
		;;
	join) echo "-q --quiet --align --check --memory -h --help" ;;
	summary) echo "--json -h --help" ;;
	hold) echo "-q --quiet --ttl --record --until --after --keep -h --help --" ;;
	snapshot) echo "-q --quiet -w --last --after --resume --to --name --reason --stall -h --help" ;;
	stop | help) echo "-h --help" ;;
	esac
}

_tarcap_takes_value() { # FLAG
	case $1 in
	-i | --interface | -F | -s | --snapshot-length | -Q | --direction | -y | --linktype | -r | -c | -W | --duration | \
		--max-bytes | -w | --format | --compress | --time-stamp-precision | -C | --segment-size | -G | --segment-time | --name | \
		--reason | --record | --keep | -B | --buffer-size | --memory | --exclude-stream | --stdin | --stall | --to | --ttl | \
		--first | --until | --after | --last | \
		-Z | --relinquish-privileges) ;;
	*) return 1 ;;
	esac
}

_tarcap_interfaces() {
	local path
	for path in /sys/class/net/*; do
		[[ -d $path ]] && echo "${path##*/}" # bonding_masters is a file
	done
	echo "all any"
}

_tarcap_values() { # FLAG
	case $1 in
	-i | --interface) _tarcap_interfaces ;;
	-Q | --direction) echo "in out inout" ;;
	-y | --linktype) echo "EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2" ;;
	--format) echo "pcap pcapng" ;;
	--compress) echo "none zstd" ;;
	--time-stamp-precision) echo "micro nano" ;;
	--exclude-stream) echo "auto on off" ;;
	--stdin) echo "auto ignore" ;;
	--until) echo "reset unreachable dns-failure http-5xx tls-alert silence= help" ;;
	esac
}

_tarcap_reply() { # CANDIDATES: those that begin with what has been typed, which is in $word
	# shellcheck disable=SC2207 # none has a blank in it
	COMPREPLY=($(compgen -W "$1" -- "$word"))
}

_tarcap_files() {
	local IFS=$'\n'
	# shellcheck disable=SC2207 # divided at the ends of lines
	COMPREPLY=($(compgen -f -- "$word"))
	compopt -o filenames 2>/dev/null || true # outside of a completion there is nothing to set
}

_tarcap() {
	local command=capture commands='' flag='' filter='' words=() word i last

	# Bash cuts --compress=zstd into three words.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == = ]] && ((i < COMP_CWORD)) || words+=("${COMP_WORDS[i]#=}")
	done
	last=$((${#words[@]} - 1)) # not -1: macOS has bash 3.2
	word=${words[last]}
	unset "words[last]"

	i=1
	case ${words[1]-} in
	join | summary | hold | snapshot | stop | check | tar | help) command=${words[1]} i=2 ;;
	esac
	for (( ; i < ${#words[@]}; i++)); do
		flag=''
		if [[ $command == hold && ${words[i]} == -- ]]; then
			command=capture # what is behind it are a capture's words
		elif _tarcap_takes_value "${words[i]}"; then
			flag=${words[i]}
			((i++))
			((i < ${#words[@]})) && flag=''
		elif [[ ${words[i]} != -?* ]]; then
			filter=yes
		fi
		[[ -z $filter ]] || break
	done

	COMPREPLY=()
	case $flag in
	-F | -r | -w) _tarcap_files ;;
	-Z | --relinquish-privileges) _tarcap_reply "$(compgen -u)" ;;
	-*) _tarcap_reply "$(_tarcap_values "$flag")" ;;
	'')
		if [[ -z $filter && $word == -* ]]; then
			_tarcap_reply "$(_tarcap_flags "$command")"
		elif [[ $command == join || $command == summary ]]; then
			_tarcap_files
		elif [[ $command == help ]]; then
			((last > 2)) || _tarcap_reply "join summary hold snapshot stop check tar help"
		elif [[ $command == capture || $command == check ]]; then
			((last > 1)) || commands="join summary hold snapshot stop check help"
			_tarcap_reply "$commands tcp udp icmp icmp6 ip ip6 arp vlan host net port portrange src dst not and or"
		fi
		;;
	esac
}

complete -F _tarcap tarcap
