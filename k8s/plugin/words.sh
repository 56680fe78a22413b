# --- saying things ----------------------------------------------------------------------------------------------

status_shown=
status_rows=0 # above the line that is shown

clear_status() {
	[ -n "$status_shown" ] || return 0
	[ "$status_rows" -eq 0 ] || printf '\033[%sA' "$status_rows" >&2
	printf '\r\033[J' >&2
	status_shown=
	status_rows=0
}

say() {
	clear_status
	printf '%s: %s\n' "$me" "$*" >&2
}

tell() { # what -q leaves out
	[ -n "$quiet" ] || say "$@"
}

die() {
	say "$@"
	exit 1
}

# A few names of many, in $text.
some_of() { # NAME...
	text=
	listed=0
	for name in "$@"; do
		if [ "$listed" -eq 10 ] && [ $# -gt 11 ]; then
			text="$text and $(($# - listed)) more"
			return
		fi
		text="$text${text:+ }$name"
		listed=$((listed + 1))
	done
}

usage() {
	say "$*"
	say "try 'kubectl tarcap --help'"
	exit 2
}

# A word as the shell would need it typed.
quote() {
	case $1 in
	'' | *[!A-Za-z0-9_./:=@%+,-]*) printf "'%s'" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")" ;;
	*) printf '%s' "$1" ;;
	esac
}

# A size as people read it, in $text. (Pure shell, like all that the main loop does: see run_all.)
human() { # BYTES
	if [ "$1" -lt 1024 ]; then
		text=${1}B
		return
	fi
	tenths=$(($1 * 10 / 1024))
	unit=K
	for next in M G T; do
		[ "$tenths" -ge 10240 ] || break
		tenths=$((tenths / 1024))
		unit=$next
	done
	if [ "$tenths" -lt 100 ]; then
		text=$((tenths / 10)).$((tenths % 10))$unit
	else
		text=$((tenths / 10))$unit
	fi
}
