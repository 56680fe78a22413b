# --- is it a filter? --------------------------------------------------------------------------------------------

# Wireshark asks at each key. What is printed says why it is none; a status that is not 0, that nobody here can tell.
check_filter() {
	if command -v tarcap >/dev/null 2>&1; then
		set -- tarcap -d -y EN10MB
	elif command -v tcpdump >/dev/null 2>&1; then
		set -- tcpdump -d -y EN10MB
	elif is_docker && docker image inspect "$image" >/dev/null 2>&1; then
		set -- docker run --rm --network none "$image" -d
	else
		exit 1
	fi
	code=0
	said=$("$@" -- "$capture_filter" 2>&1 >/dev/null </dev/null) || code=$?
	[ "$code" -lt 125 ] || exit 1 # docker's own
	[ "$code" -eq 0 ] || printf '%s\n' "$said" | sed -e 's/^tc*[a-z]*: //' -e "s/^the filter '.*': //" | tail -n 1
}
