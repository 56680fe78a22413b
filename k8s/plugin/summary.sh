# --- several pods: what became of each ----------------------------------------------------------------------------

# A line for each: POD RESULT BYTES FILE-OR-REASON, and behind these what is not printed: its bytes in full, why, event.
results() {
	: >"$work/archives"
	i=0
	while [ "$i" -lt "$number" ]; do
		i=$((i + 1))
		judge "$i"
		[ "$code" -eq 0 ] || all=1
		case $result in
		whole | cut) printf '%s\n' "$file" >>"$work/archives" ;;
		esac
		read -r target <"$work/$i.target"
		human "$bytes"
		column=$file${why:+ ($why)}${told:+ ($told)}
		[ "$result" != failed ] || column=$why
		printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$target" "$result" "$text" "$column" "$bytes" "$why" "$told"
	done
	for pod in $waiting; do
		printf '%s\tfailed\t0B\tnot started\t0\tnot started\t\n' "$pod"
		all=1
	done
}

summary() {
	all=0
	results >"$work/summary"
	if [ -z "$quiet" ] || [ "$all" -ne 0 ]; then
		measure_screen
		if [ "$(wc -l <"$work/summary")" -lt $((screen_rows - 1)) ]; then
			list_results
		else
			count_results
		fi >&2
	fi
	joint_page
	exit "$all"
}

list_results() {
	awk -F '\t' 'BEGIN { split("POD RESULT BYTES FILE_OR_REASON", f, " "); gsub("_", " ", f[4]); add() }
		{ split($0, f, "\t"); add() }
		function add(i) {
			n++
			for (i = 1; i <= 4; i++) {
				cell[n, i] = f[i]
				if (length(f[i]) > width[i]) width[i] = length(f[i])
			}
		}
		END { for (i = 1; i <= n; i++)
			printf("%-*s  %-*s  %*s  %s\n", width[1], cell[i, 1], width[2], cell[i, 2], width[3], cell[i, 3], cell[i, 4]) }' \
		"$work/summary"
}

# More than a screen has rows: how many came to what, and of all that are not as they should be the reason, with names.
count_results() {
	directory=${output:-.}
	awk -F '\t' -v room=$((screen_rows - 2)) -v columns="$screen_columns" -v directory="${directory%/}" '
		{ key = $2 (($6 != "") ? ": " $6 : ($7 ~ /^event/) ? ", " $7 : "") }
		!(key in count) { order[++keys] = key; plain[key] = $6 == "" && $7 !~ /^event/ }
		{ count[key]++; bytes[key] += $5; if (!plain[key]) name(key, $1) }
		END {
			for (i = 1; i <= keys; i++)
				if (plain[order[i]])
					say(count[order[i]] " " order[i] ": " human(bytes[order[i]]) " in " directory "/")
			for (i = 1; i <= keys; i++)
				if (!plain[order[i]]) {
					if (++shown >= room && keys - i > 0) {
						say("and " (keys - i + 1) " more kinds of results")
						exit
					}
					say(count[order[i]] " " order[i] ": " names[order[i]] (left[order[i]] ? " and " left[order[i]] " more" : ""))
				}
		}
		# One line, if it can be: the names take what the reason leaves, and three at least.
		function name(key, pod) {
			if (named[key] >= 3 && length(key) + length(names[key]) + length(pod) + 20 > columns)
				left[key]++
			else {
				names[key] = names[key] (named[key]++ ? " " : "") pod
			}
		}
		function human(n, unit) {
			for (unit = 0; n >= 1024 && unit < 4; unit++) n /= 1024
			return sprintf(unit && n < 10 ? "%.1f%s" : "%d%s", n, substr("BKMGT", unit + 1, 1))
		}
		function say(line) { print line }' "$work/summary"
}
