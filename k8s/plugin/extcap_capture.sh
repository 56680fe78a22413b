# --- a capture ---------------------------------------------------------------------------------------------------

# In the main process 5 is Wireshark's stderr: it shows in a dialog what is there when the FIFO ends. 6 is that FIFO,
# open both ways for as long as we are: so its end comes after the words, and no client is ended by SIGPIPE, perhaps in
# the first second, when tarcap takes that for no end.
capture() {
	[ -n "$fifo" ] || die "--fifo is missing"
	work=$(mktemp -d "${TMPDIR:-/tmp}/tarcap.XXXXXX") || die "cannot make a directory for temporary files"
	begun=0
	several=
	live=--capture
	output=$fifo
	quiet=yes
	parallel=1
	exec 5>&2 2>"$work/said"
	trap on_exit EXIT
	trap 'exit 0' TERM INT HUP
	mkfifo "$work/stdin"
	# Both ways at first, as opening just one end would wait for the other; then the reading end by itself.
	# shellcheck disable=SC2094
	exec 3<>"$work/stdin" 4<"$work/stdin" 6<>"$fifo"
	request_capture
	if is_docker; then
		use_docker
	else
		use_pod
	fi
	waiting=$pods
	trap on_stop TERM INT HUP
	run_all
	tell_result
}

request_capture() {
	capture_option --raw --format pcapng --duration "$duration" --max-bytes "$max_bytes"
	[ -z "$inside" ] || capture_option -i "$inside"
	[ -z "$snaplen" ] || capture_option -s "$snaplen"
	[ -z "$headers" ] || capture_option --headers
	[ -z "$capture_filter" ] || filter=" $(quote "$capture_filter")"
}

use_pod() {
	[ "$interface" = "$the_pod" ] || die "there is no interface $interface"
	command -v kubectl >/dev/null 2>&1 || die "kubectl is not installed, or not in PATH"
	[ -n "$pods" ] || die "no pod is chosen: the interface's options (the wheel beside its name) have a list of them"
	case $pods in
	*[!a-z0-9.-]* | -* | .*) die "'$pods' is no name that Kubernetes allows for a pod" ;;
	esac
	use_context
	selector=
	ask_cluster
}

# --- in place of the plugin's -----------------------------------------------------------------------------------

# A container of the engine is there already: the stream is all.
# shellcheck disable=SC2317 # called by others
use_docker() {
	pods=$target
	pod_worker() {
		stream
		! grep -q '^Unable to find image' "$work/$number.words" || [ "$code" -ne 125 ] ||
			failed "the engine cannot get the image $image: $(last_words "$work/$number.words")"
		# A client that was killed may have left it.
		[ "$code" -eq 0 ] || docker rm -f "tarcap-extcap-$$" >/dev/null 2>&1 || true
	}
	tarcap_there() {
		apart docker run --rm -i --log-driver none --name "tarcap-extcap-$$" --network "container:$target" "$image" "$@"
	}
}

# Is Wireshark still there, and does it read? One before 4.0 sends no signal: it removes the FIFO.
tend_viewer() {
	if [ "$interrupts" -gt 0 ]; then
		[ -z "$ending_since" ] || [ "$((seconds - ending_since))" -lt 15 ] || kill_workers
	elif [ ! -p "$fifo" ] || ! kill -0 "$PPID" 2>/dev/null; then
		on_stop
	fi
}

viewing=''
viewer_name=''
viewer_is_through() { :; }
leave_viewer() { :; }
end_together() { :; }
encrypted_totals=
totals=
screen_columns=80
live_refused=
refuse_live() {
	live_refused=yes
	on_stop
}

# tshark and the terminal may both tell us.
on_stop() {
	interrupts=1
	: >"$work/stop"
}

# Wireshark's Stop is no fault, whatever comes after it.
tell_result() {
	[ -z "$live_refused" ] || die "$pods: what leaves that container is encrypted, and Wireshark has no key"
	[ "$interrupts" -eq 0 ] || exit 0
	code=1
	[ ! -s "$work/1.status" ] || read -r code <"$work/1.status"
	why=
	[ ! -s "$work/1.why" ] || read -r why <"$work/1.why"
	if [ -z "$why" ] && [ "$code" -ne 0 ]; then
		why_from_words 1
	fi
	read -r target <"$work/1.target"
	[ -z "$why" ] || die "$target: $why"
	say "$target: the capture has ended: its limits are $duration and $max_bytes"
	last_sentence
}

# The last that was said, and what it points at.
last_sentence() {
	tail -n 2 "$work/said" | awk '
		sub(/ \(its words are above\)$/, "") { $0 = $0 ": " last }
		{ last = $0 }
		END { print last }' >&5
}

on_exit() {
	code=$?
	set +e
	trap '' TERM INT HUP
	[ "$code" -eq 0 ] || last_sentence
	(exit "$code")
	clean_up
}
