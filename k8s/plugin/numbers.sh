# --- numbers, as they are typed ---------------------------------------------------------------------------------

number() { # FLAG VALUE MAXIMUM
	case $2 in
	'' | *[!0-9]* | ???????*) usage "$1 '$2': must be a number from 1 to $3" ;;
	esac
	if [ "$2" -lt 1 ] || [ "$2" -gt "$3" ]; then
		usage "$1 '$2': must be a number from 1 to $3"
	fi
}

# What tarcap makes of a size or a time, in $value: bytes, or milliseconds; or nothing, where it would refuse it. (As
# src/request/number.c: 64M, 1.5MiB, 1m30s. The units of a time come the largest first.)
measure() { # size|time TEXT
	value=$(printf '%s\n' "$2" | awk -v kind="$1" '
		BEGIN {
			K = 1024; M = K * K; G = M * K
			size = "G " G " g " G " GiB " G " Gi " G " GB 1000000000 M " M " m " M " MiB " M " Mi " M " MB 1000000 k " K " K " \
				K " KiB " K " Ki " K " kB 1000 KB 1000 B 1 bare 1"
			time = "d 86400000 h 3600000 m 60000 min 60000 s 1000 sec 1000 ms 1 bare 1000"
			n = split(kind == "size" ? size : time, word, " ")
			for (i = 1; i < n; i += 2)
				factor[word[i]] = word[i + 1]
		}
		{
			rest = $0
			for (parts = 0; rest != ""; parts++) {
				if (!match(rest, /^[0-9]+(\.[0-9]+)?/))
					exit
				amount = substr(rest, 1, RLENGTH)
				rest = substr(rest, RLENGTH + 1)
				unit = match(rest, /^[A-Za-z]+/) ? substr(rest, 1, RLENGTH) : "bare"
				rest = substr(rest, unit == "bare" ? 1 : RLENGTH + 1)
				by = factor[unit] + 0
				if (by == 0 || (by == 1 && amount ~ /\./) || (parts && (kind == "size" || by >= last || unit == "bare")))
					exit
				total += amount * by
				last = by
			}
			if (parts)
				printf("%.0f\n", total)
		}')
}

# One within a range, in $value; with zero, 0 stands for none.
range() { # size|time FLAG TEXT LEAST MOST [zero]
	measure "$1" "$3"
	measured=$value
	measure "$1" "$4"
	least=$value
	measure "$1" "$5"
	if [ "$measured" = 0 ] && [ -n "${6:-}" ]; then
		value=0
		return 0
	elif [ -n "$measured" ] && [ "$measured" -ge "$least" ] && [ "$measured" -le "$value" ]; then
		value=$measured
		return 0
	fi
	expects="bytes, or with k, M or G"
	[ "$1" = size ] || expects="seconds, or with ms, s, m, h or d"
	usage "$2 '$3': allowed is $4 to $5 ($expects)${6:+, or 0 for none}"
}
