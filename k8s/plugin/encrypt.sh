# --- for one pair of eyes: what tarcap encrypts --------------------------------------------------------------------

# It is encrypted in the pod, by tarcap: to those of --to, or because TARCAP_TO says so there. So nobody here can look into
# the archive: what is known of its end is tarcap's status, and its last line, which repeats the manifest's totals.

encrypted_totals="tarcap: the archive's manifest, which only the key opens, says: "

# A recipient, or a file of them here, a line for each, as 'age -R' reads it.
recipients() { # RECIPIENT|FILE
	case $1 in
	'') usage "--to '': needs an argument, a recipient (age1...) or a FILE of them" ;;
	age1* | AGE-* | ssh-* | ecdsa-* | sk-*) recipient --to "$1" ;;
	*)
		if [ ! -f "$1" ] || [ ! -r "$1" ]; then
			usage "--to '$1': no recipient, which is age1..., and no FILE of them that can be read"
		fi
		named=0 lines=0
		while IFS= read -r line || [ -n "$line" ]; do
			lines=$((lines + 1))
			line=$(printf '%s' "$line" | tr -d '\r' | sed -e 's/^[ \t]*//' -e 's/[ \t]*$//')
			case $line in
			'' | '#'*) continue ;;
			esac
			recipient "--to $1, line $lines" "$line"
			named=$((named + 1))
		done <"$1"
		[ "$named" -gt 0 ] || usage "--to $1: names nobody: a recipient a line is expected, age1..."
		;;
	esac
	suffix=tar.age
}

# Its checksum is tarcap's to look at. A secret is not repeated.
recipient() { # WHERE WORD
	case $2 in
	AGE-SECRET-KEY-* | AGE-PLUGIN-*)
		usage "$1: a secret key is no recipient, and has no business here: 'age-keygen -y KEYFILE' prints its recipient, age1..."
		;;
	ssh-* | ecdsa-* | sk-*)
		usage "$1: SSH keys are not taken: make a key with 'age-keygen -o key.txt', and give its recipient, age1..."
		;;
	age1*[!qpzry9x8gf2tvdw0s3jn54khce6mua7l]*) usage "$1 '$2': no recipient that 'age-keygen' prints" ;;
	age1*) [ ${#2} -eq 62 ] || usage "$1 '$2': a recipient has 62 letters, this has ${#2}" ;;
	*) usage "$1 '$2': allowed are recipients as 'age-keygen' prints them, age1..." ;;
	esac
	capture_option --to "$2"
}

is_encrypted() { # FILE
	[ "$(head -c 21 "$1" 2>/dev/null | tr -d '\000')" = age-encryption.org/v1 ]
}

# What tarcap says of an archive that it has sent whole, in $totals; fails where that did not come.
read_totals() { # NUMBER
	totals=$(grep -F "$encrypted_totals" "$work/$1.words" | tail -n 1)
	totals=${totals#"$encrypted_totals"}
	[ -n "$totals" ]
}

# A name that we gave, not the user, says what is in the file: that it would be encrypted only tarcap knew.
name_encrypted() { # the file in $file
	[ "$file" != "$output" ] || return 0
	case $file in
	*.age) return 0 ;;
	esac
	if [ -e "$file.age" ] && [ -z "$force" ]; then
		why="encrypted; $file.age is there already"
	elif mv -f "$file" "$file.age" 2>/dev/null; then
		file=$file.age
	fi
}

# A viewer can show nothing of it: see tend_viewer.
refuse_live() {
	say "$live: what leaves that container is encrypted, and a viewer has no key; without $live it goes into a file"
	live_refused=yes
	on_interrupt "ending the capture"
}
