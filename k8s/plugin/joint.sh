# --- the page of all ends, after --together ----------------------------------------------------------------------

# On stdout where a tarcap is; else the line that makes it. It compares the first one's packets with the others'.
joint_page() {
	[ -n "$together" ] || return 0
	set --
	while read -r file; do
		set -- "$@" "$file"
	done <"$work/archives"
	if [ $# -lt 2 ] || [ $# -gt 64 ]; then
		return 0
	fi
	if command -v tarcap >/dev/null 2>&1; then
		tarcap summary "$@" || true
	else
		line='tarcap summary'
		for file in "$@"; do
			line="$line $(quote "$file")"
		done
		tell "all ends on one page: $line"
	fi
}
