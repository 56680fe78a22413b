# Made by image/completions from src/tarcap.bash: change that, not this.

function __tarcap_command
    set -l words (commandline -opc)
    if contains -- "$words[2]" join summary hold snapshot stop check help
        echo $words[2]
    else
        echo capture
    end
end

function __tarcap_is
    test (__tarcap_command) = $argv[1]
end

function __tarcap_first
    test (count (commandline -opc)) -eq 1
end

complete -c tarcap -f
complete -c tarcap -n __tarcap_first -a 'join summary hold snapshot stop check help'
complete -c tarcap -n '__tarcap_is capture' -a 'tcp udp icmp icmp6 ip ip6 arp vlan host net port portrange src dst not and or'
complete -c tarcap -n '__tarcap_is check' -a 'tcp udp icmp icmp6 ip ip6 arp vlan host net port portrange src dst not and or'
complete -c tarcap -n '__tarcap_is help' -a 'join summary hold snapshot stop check help tar'
complete -c tarcap -n '__tarcap_is join' -F
complete -c tarcap -n '__tarcap_is summary' -F
complete -c tarcap -n '__tarcap_is capture' -s i -x -a '(command ls /sys/class/net 2>/dev/null) all any'
complete -c tarcap -n '__tarcap_is capture' -l interface -x -a '(command ls /sys/class/net 2>/dev/null) all any'
complete -c tarcap -n '__tarcap_is capture' -s F -r -F
complete -c tarcap -n '__tarcap_is capture' -s s -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l snapshot-length -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l headers
complete -c tarcap -n '__tarcap_is capture' -l first -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l until -x -a 'reset unreachable dns-failure http-5xx tls-alert silence= help'
complete -c tarcap -n '__tarcap_is capture' -l after -x -a ''
complete -c tarcap -n '__tarcap_is capture' -s Q -x -a 'in out inout'
complete -c tarcap -n '__tarcap_is capture' -l direction -x -a 'in out inout'
complete -c tarcap -n '__tarcap_is capture' -l promiscuous
complete -c tarcap -n '__tarcap_is capture' -s y -x -a 'EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2'
complete -c tarcap -n '__tarcap_is capture' -l linktype -x -a 'EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2'
complete -c tarcap -n '__tarcap_is capture' -s r -r -F
complete -c tarcap -n '__tarcap_is capture' -s c -x -a ''
complete -c tarcap -n '__tarcap_is capture' -s W -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l duration -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l max-bytes -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l record -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l keep -x -a ''
complete -c tarcap -n '__tarcap_is capture' -s w -r -F
complete -c tarcap -n '__tarcap_is capture' -l raw
complete -c tarcap -n '__tarcap_is capture' -l format -x -a 'pcap pcapng'
complete -c tarcap -n '__tarcap_is capture' -l compress -x -a 'none zstd'
complete -c tarcap -n '__tarcap_is capture' -l time-stamp-precision -x -a 'micro nano'
complete -c tarcap -n '__tarcap_is capture' -l micro
complete -c tarcap -n '__tarcap_is capture' -l nano
complete -c tarcap -n '__tarcap_is capture' -s C -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l segment-size -x -a ''
complete -c tarcap -n '__tarcap_is capture' -s G -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l segment-time -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l name -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l reason -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l no-context
complete -c tarcap -n '__tarcap_is capture' -s B -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l buffer-size -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l memory -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l exclude-stream -x -a 'auto on off'
complete -c tarcap -n '__tarcap_is capture' -l wait-reader
complete -c tarcap -n '__tarcap_is capture' -l stdin -x -a 'auto ignore'
complete -c tarcap -n '__tarcap_is capture' -l stall -x -a ''
complete -c tarcap -n '__tarcap_is capture' -l to -x -a ''
complete -c tarcap -n '__tarcap_is capture' -s q
complete -c tarcap -n '__tarcap_is capture' -l quiet
complete -c tarcap -n '__tarcap_is capture' -s v
complete -c tarcap -n '__tarcap_is capture' -l verbose
complete -c tarcap -n '__tarcap_is capture' -s D
complete -c tarcap -n '__tarcap_is capture' -l list-interfaces
complete -c tarcap -n '__tarcap_is capture' -s L
complete -c tarcap -n '__tarcap_is capture' -l list-data-link-types
complete -c tarcap -n '__tarcap_is capture' -s d
complete -c tarcap -n '__tarcap_is capture' -s O
complete -c tarcap -n '__tarcap_is capture' -l no-optimize
complete -c tarcap -n '__tarcap_is capture' -s h
complete -c tarcap -n '__tarcap_is capture' -l help
complete -c tarcap -n '__tarcap_is capture' -l version
complete -c tarcap -n '__tarcap_is join' -s q
complete -c tarcap -n '__tarcap_is join' -l quiet
complete -c tarcap -n '__tarcap_is join' -l align
complete -c tarcap -n '__tarcap_is join' -l check
complete -c tarcap -n '__tarcap_is join' -l memory -x -a ''
complete -c tarcap -n '__tarcap_is join' -s h
complete -c tarcap -n '__tarcap_is join' -l help
complete -c tarcap -n '__tarcap_is summary' -l json
complete -c tarcap -n '__tarcap_is summary' -s h
complete -c tarcap -n '__tarcap_is summary' -l help
complete -c tarcap -n '__tarcap_is hold' -s q
complete -c tarcap -n '__tarcap_is hold' -l quiet
complete -c tarcap -n '__tarcap_is hold' -l ttl -x -a ''
complete -c tarcap -n '__tarcap_is hold' -l record -x -a ''
complete -c tarcap -n '__tarcap_is hold' -l until -x -a 'reset unreachable dns-failure http-5xx tls-alert silence= help'
complete -c tarcap -n '__tarcap_is hold' -l after -x -a ''
complete -c tarcap -n '__tarcap_is hold' -l keep -x -a ''
complete -c tarcap -n '__tarcap_is hold' -s h
complete -c tarcap -n '__tarcap_is hold' -l help
complete -c tarcap -n '__tarcap_is snapshot' -s q
complete -c tarcap -n '__tarcap_is snapshot' -l quiet
complete -c tarcap -n '__tarcap_is snapshot' -s w -r -F
complete -c tarcap -n '__tarcap_is snapshot' -l last -x -a ''
complete -c tarcap -n '__tarcap_is snapshot' -l after -x -a ''
complete -c tarcap -n '__tarcap_is snapshot' -l resume
complete -c tarcap -n '__tarcap_is snapshot' -l to -x -a ''
complete -c tarcap -n '__tarcap_is snapshot' -l name -x -a ''
complete -c tarcap -n '__tarcap_is snapshot' -l reason -x -a ''
complete -c tarcap -n '__tarcap_is snapshot' -l stall -x -a ''
complete -c tarcap -n '__tarcap_is snapshot' -s h
complete -c tarcap -n '__tarcap_is snapshot' -l help
complete -c tarcap -n '__tarcap_is stop' -s h
complete -c tarcap -n '__tarcap_is stop' -l help
complete -c tarcap -n '__tarcap_is check' -s i -x -a '(command ls /sys/class/net 2>/dev/null) all any'
complete -c tarcap -n '__tarcap_is check' -l interface -x -a '(command ls /sys/class/net 2>/dev/null) all any'
complete -c tarcap -n '__tarcap_is check' -s F -r -F
complete -c tarcap -n '__tarcap_is check' -s s -x -a ''
complete -c tarcap -n '__tarcap_is check' -l snapshot-length -x -a ''
complete -c tarcap -n '__tarcap_is check' -l headers
complete -c tarcap -n '__tarcap_is check' -l first -x -a ''
complete -c tarcap -n '__tarcap_is check' -l until -x -a 'reset unreachable dns-failure http-5xx tls-alert silence= help'
complete -c tarcap -n '__tarcap_is check' -l after -x -a ''
complete -c tarcap -n '__tarcap_is check' -s Q -x -a 'in out inout'
complete -c tarcap -n '__tarcap_is check' -l direction -x -a 'in out inout'
complete -c tarcap -n '__tarcap_is check' -l promiscuous
complete -c tarcap -n '__tarcap_is check' -s y -x -a 'EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2'
complete -c tarcap -n '__tarcap_is check' -l linktype -x -a 'EN10MB DOCSIS RAW LINUX_SLL LINUX_SLL2'
complete -c tarcap -n '__tarcap_is check' -s r -r -F
complete -c tarcap -n '__tarcap_is check' -s c -x -a ''
complete -c tarcap -n '__tarcap_is check' -s W -x -a ''
complete -c tarcap -n '__tarcap_is check' -l duration -x -a ''
complete -c tarcap -n '__tarcap_is check' -l max-bytes -x -a ''
complete -c tarcap -n '__tarcap_is check' -l record -x -a ''
complete -c tarcap -n '__tarcap_is check' -l keep -x -a ''
complete -c tarcap -n '__tarcap_is check' -s w -r -F
complete -c tarcap -n '__tarcap_is check' -l raw
complete -c tarcap -n '__tarcap_is check' -l format -x -a 'pcap pcapng'
complete -c tarcap -n '__tarcap_is check' -l compress -x -a 'none zstd'
complete -c tarcap -n '__tarcap_is check' -l time-stamp-precision -x -a 'micro nano'
complete -c tarcap -n '__tarcap_is check' -l micro
complete -c tarcap -n '__tarcap_is check' -l nano
complete -c tarcap -n '__tarcap_is check' -s C -x -a ''
complete -c tarcap -n '__tarcap_is check' -l segment-size -x -a ''
complete -c tarcap -n '__tarcap_is check' -s G -x -a ''
complete -c tarcap -n '__tarcap_is check' -l segment-time -x -a ''
complete -c tarcap -n '__tarcap_is check' -l name -x -a ''
complete -c tarcap -n '__tarcap_is check' -l reason -x -a ''
complete -c tarcap -n '__tarcap_is check' -l no-context
complete -c tarcap -n '__tarcap_is check' -s B -x -a ''
complete -c tarcap -n '__tarcap_is check' -l buffer-size -x -a ''
complete -c tarcap -n '__tarcap_is check' -l memory -x -a ''
complete -c tarcap -n '__tarcap_is check' -l exclude-stream -x -a 'auto on off'
complete -c tarcap -n '__tarcap_is check' -l wait-reader
complete -c tarcap -n '__tarcap_is check' -l stdin -x -a 'auto ignore'
complete -c tarcap -n '__tarcap_is check' -l stall -x -a ''
complete -c tarcap -n '__tarcap_is check' -l to -x -a ''
complete -c tarcap -n '__tarcap_is check' -s q
complete -c tarcap -n '__tarcap_is check' -l quiet
complete -c tarcap -n '__tarcap_is check' -s v
complete -c tarcap -n '__tarcap_is check' -l verbose
complete -c tarcap -n '__tarcap_is check' -s D
complete -c tarcap -n '__tarcap_is check' -l list-interfaces
complete -c tarcap -n '__tarcap_is check' -s L
complete -c tarcap -n '__tarcap_is check' -l list-data-link-types
complete -c tarcap -n '__tarcap_is check' -s d
complete -c tarcap -n '__tarcap_is check' -s O
complete -c tarcap -n '__tarcap_is check' -l no-optimize
complete -c tarcap -n '__tarcap_is check' -s h
complete -c tarcap -n '__tarcap_is check' -l help
complete -c tarcap -n '__tarcap_is check' -l version
complete -c tarcap -n '__tarcap_is help' -s h
complete -c tarcap -n '__tarcap_is help' -l help
