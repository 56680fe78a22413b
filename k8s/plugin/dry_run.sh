# --- what would be typed (--dry-run) ----------------------------------------------------------------------------

words() { # the words of a command, ready to be typed
	line=
	for word in "$@"; do
		line="$line${line:+ }$(quote "$word")"
	done
	printf '%s' "$line"
}

kube_words() {
	printf 'kubectl%s%s %s' "$kube_options" "${namespace:+ -n $(quote "$namespace")}" "$(words "$@")"
}

print_stream() { # TARGET CONTAINER FILE, the last two quoted
	archive=$3
	redirect=" > $archive"
	if [ -n "$live" ]; then
		archive=-
		redirect=" | $(words "${viewer:-wireshark}") $viewer_options"
	elif [ "$archive" = - ]; then
		redirect=
	fi
	what="capture: Ctrl-D ends it (Ctrl-C would cut it)"
	[ -z "$record" ] || what="record: the event or Ctrl-D fetches what is held (Ctrl-C would cut it)"
	[ -z "$together" ] || what="$what; the event of one pod is the time for Ctrl-D in the others"
	[ -z "$snapshot" ] || what="fetch what the hold in that container has recorded"
	printf '# %s\n%s%s%s%s\n' "$what" \
		"$(kube_words exec -i "$1" -c "$2" -- tarcap ${snapshot:+snapshot})" "$capture_options" "${filter:+ --$filter}" "$redirect"
	[ "$archive" = - ] || print_check "$archive"
}

print_check() { # FILE, quoted
	if [ "$suffix" != tar ]; then
		printf '# whole? With the key:\nage -d -i key.txt %s | tarcap join --check\n' "$1"
	elif command -v tarcap >/dev/null 2>&1; then
		printf '# whole?\ntarcap join --check %s\n' "$1"
	else
		printf '# whole? No tarcap is here, which would check every count; the last member must be manifest.json\n'
		printf 'tar tf %s | tail -n 1\n' "$1"
	fi
}

print_one() { # POD
	if [ -n "$snapshot" ]; then
		file_for "$1"
		[ -n "$container" ] || printf "# RECORDER is the container that runs 'tarcap hold --record'\n"
		print_stream "$1" "${container:-RECORDER}" "$(quote "$file")"
		return
	fi
	name_of_container
	printf '# add an idle container (one that runs already would be used again), wait until it runs\n'
	if [ -z "$profile$custom" ]; then
		printf "cat > tarcap-profile.json <<'END'\n%s\nEND\n" "$(container_settings "$only_net_raw" "$image_user")"
		set -- "$1" --profile=baseline --custom=tarcap-profile.json
	else
		set -- "$1" "--profile=${profile:-baseline}" ${custom:+"--custom=$custom"}
	fi
	target=$1
	shift
	kube_words debug -q "$target" -c "$container" "--image=$image" "$@" -- tarcap hold ${ttl:+--ttl "$ttl"}
	printf '\n'
	kube_words wait "--timeout=${timeout}s" \
		"--for=jsonpath={.status.ephemeralContainerStatuses[?(@.name==\"$container\")].state.running}" "pod/$target"
	printf '\n'
	file_for "$target"
	print_stream "$target" "$container" "$(quote "$file")"
}

print_commands() {
	printf '# what a capture holds is for your eyes only\numask 077\n'
	case $output in
	*/) printf 'mkdir -p %s\n' "$(quote "$output")" ;;
	-) ;;
	*) [ -z "$several" ] || [ -z "$output" ] || printf 'mkdir -p %s\n' "$(quote "$output")" ;;
	esac
	if [ -n "$node" ]; then
		printf '# a pod in the network of the node\n'
		printf "cat > tarcap-node.yaml <<'END'\n%s\nEND\n" "$(node_pod)"
		kube_words create -f tarcap-node.yaml
		printf '\n'
		kube_words wait "--timeout=${timeout}s" --for=jsonpath='{.status.phase}'=Running "pod/$node_pod_name"
		printf '\n'
		file_for "$node"
		print_stream "$node_pod_name" tarcap "$(quote "$file")"
		kube_words delete pod "$node_pod_name" --wait=false
		printf '\n'
		return
	fi
	printf '# may you?\n%s\n' "$(kube_words auth can-i create pods --subresource=exec)"
	[ -n "$snapshot" ] || printf '%s\n' "$(kube_words auth can-i patch pods --subresource=ephemeralcontainers)"
	if [ -n "$selector" ]; then
		printf '# for each POD of\n%s\n' "$(kube_words get pods -l "$selector" -o name)"
		print_one POD
		return
	fi
	for pod in $pods; do
		print_one "$pod"
	done
}
