# --- the account at the end -------------------------------------------------------------------------------------

# What became of one: sets result (whole, encrypted, cut, failed, streamed), why, code, and told (of --until).
judge() { # NUMBER
	read -r file <"$work/$1.file"
	code=1
	[ ! -s "$work/$1.status" ] || read -r code <"$work/$1.status"
	why=
	[ ! -s "$work/$1.why" ] || read -r why <"$work/$1.why"
	told=
	[ -z "$until" ] ||
		told=$(sed -n -e 's/^tarcap: \(event: [^;]*\).*/\1/p' -e 's/^tarcap: \(no event came\)$/\1/p' "$work/$1.words" | head -n 1)
	size_of "$file"
	bytes=$size
	if [ -n "$why" ]; then
		result=failed
	elif [ "$file" = - ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
		result=streamed
		[ "$code" -eq 0 ] || {
			result=failed
			why_from_words "$1"
		}
	elif [ "$bytes" -eq 0 ]; then
		result=failed
		[ "$code" -ne 0 ] || code=1
		why_from_words "$1"
		rm -f "$file"
	elif is_encrypted "$file"; then
		judge_encrypted "$1"
	elif is_whole "$file"; then
		result=whole
		[ "$code" -eq 0 ] || why="status $code"
	else
		result="cut"
		why="no manifest.json at its end; all files before the cut are good"
		[ "$code" -ne 0 ] || code=1
	fi
}

# Of one that only the key opens. (A cut one is good up to its last whole chunk.)
judge_encrypted() { # NUMBER
	result=encrypted
	if ! read_totals "$1"; then
		result="cut"
		why="what tarcap says at the end did not come; all before the cut is good"
		[ "$code" -ne 0 ] || code=1
	elif [ "$code" -ne 0 ]; then
		why="status $code"
	fi
	name_encrypted
}

why_from_words() { # NUMBER: the last of tarcap's, else of kubectl's
	why=$(sed -n 's/^tarcap: //p' "$work/$1.words" | tail -n 1)
	why=${why:-$(grep -v "^$me: " "$work/$1.words" | last_words)}
	why=${why:-kubectl ended with status $code}
	why_not_permitted "$1"
}

# Where no container of the pod can capture.
way_by_node() { # for $target
	on_node=$(awk '$1 == "H" { print $2 }' "$work/pod.$target")
	printf '%s' "From a namespace with Pod Security privileged you can: kubectl tarcap --node ${on_node:-NODE} -n NAMESPACE"
}

# What cures a container that may not capture is tarcap's to say, but not where it was refused just before.
why_not_permitted() { # NUMBER
	read -r target <"$work/$1.target"
	case $why in
	*': no permission to capture: '*'without the capability NET_RAW'*)
		if [ -e "$work/$1.refused" ]; then
			why="no container can capture in a pod of this namespace: Pod Security refuses to add NET_RAW, and this runtime"
			why="$why does not give it by itself. $(way_by_node)"
			return
		fi
		;;
	esac
	case $why in
	*': no permission to capture: '*) why="$why; that container stays as it is: -c NAME adds another" ;;
	esac
}

one_result() {
	judge 1
	read -r target <"$work/1.target"
	human "$bytes"
	case $result in
	whole) tell "$file is whole: $text${why:+ ($why)}${told:+; $told}" ;;
	encrypted)
		tell "$file: $text, encrypted${why:+ ($why)}${told:+; $told}; tarcap says that it sent all of it, ${totals%%;*}"
		tell "with the key: age -d -i key.txt $(quote "$file") | tarcap join --check"
		;;
	streamed) tell "$target: streamed; 'tarcap join --check' says whether it is whole" ;;
	cut) say "$file is cut: $text, $why" ;;
	failed) say "$target: $why" ;;
	esac
	exit "$code"
}
