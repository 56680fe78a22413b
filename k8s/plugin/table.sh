# --- several pods: a table of how they get on ----------------------------------------------------------------------

# The terminal's size, in $screen_rows and $screen_columns.
measure_screen() {
	size_of_screen=$(trap '' INT && stty size <&2 2>/dev/null) || size_of_screen=
	screen_rows=${size_of_screen% *}
	screen_columns=${size_of_screen#* }
	case $screen_rows:$screen_columns in
	*[!0-9:]* | : | 0:* | *:0) screen_rows=24 screen_columns=80 ;;
	esac
}

# A row for each pod, as many as there is room for: first those that failed, have an event, or lost something.
table() { # ROWS COLUMNS
	cd "$work" && trap '' INT && set -- "$1" "$2" *.why && {
		[ -e "$3" ] || set -- "$1" "$2"
	} && rows=$1 columns=$2 && shift 2 && awk -v rows="$rows" -v columns="$columns" '
		{ pod = FILENAME + 0 }
		FILENAME ~ /target$/ { name[pod] = $1; if (pod > pods) pods = pod; if (length($1) > wide) wide = length($1); next }
		FILENAME ~ /phase$/ { phase[pod] = $1; next }
		FILENAME ~ /why$/ { failed[pod] = 1; next }
		{ state[$1] = $2; seconds[$1] = $3; packets[$1] = $4; rate[$1] = $5; bytes[$1] = $6; lost[$1] = $7 }
		END {
			if (wide < 3) wide = 3
			if (wide > 40) wide = 40
			out(sprintf("%-*s  %-9s %7s %9s %7s %6s %6s", wide, "POD", "STATE", "SECONDS", "PACKETS", "/S", "BYTES", "LOST"))
			left = pods > rows - 1 ? rows - 2 : pods
			for (urgent = 1; urgent >= 0; urgent--)
				for (i = 1; i <= pods; i++)
					if (is_urgent(i) == urgent)
						row(i)
			if (more)
				out(sprintf("and %d more: %d capture, %d start, %d are done", more, hidden["capturing"], hidden["starting"], hidden["done"]))
		}
		function is_urgent(i) { return failed[i] || state[i] == "event" || lost[i] > 0 }
		function is_at(i) {
			if (failed[i]) return "failed"
			if (phase[i] == "done") return "done"
			if (phase[i] != "capturing" || !(i in state)) return "starting"
			return state[i] == "ended" ? "done" : state[i]
		}
		function row(i) {
			if (left-- <= 0) {
				more++
				hidden[is_at(i)]++
				return
			}
			out(sprintf("%-*s  %-9s %7d %9d %7d %6s %6d", wide, substr(name[i], 1, wide), is_at(i), seconds[i], packets[i],
				rate[i], human(bytes[i]), lost[i]))
		}
		function human(n, unit) {
			for (unit = 0; n >= 1024 && unit < 4; unit++) n /= 1024
			return sprintf(unit && n < 10 ? "%.1f%s" : "%d%s", n, substr("BKMGT", unit + 1, 1))
		}
		function out(line) { print (columns ? substr(line, 1, columns - 1) : line) }
		' [0-9]*.target [0-9]*.phase "$@" numbers
}

# On a terminal, above the line of progress; where it was before it has been cleared.
draw_table() {
	(table $((screen_rows - 2)) "$screen_columns") >"$work/table" 2>/dev/null || return 0
	rows=0
	while IFS= read -r line; do
		printf '%s\n' "$line" >&2
		rows=$((rows + 1))
	done <"$work/table"
	status_rows=$rows
}

print_table() {
	(table 100 0) >&2 2>/dev/null || true
}
