# --- what was asked for, when nothing is said --------------------------------------------------------------------

quiet=''
live=''
namespace=''
selector=''
container=''
node=''
output=''
force=''
profile=''
custom=''
ttl=''
pods=''
image=${TARCAP_IMAGE:-tarcap:$version}
parallel='' # as many as there are, up to 50
timeout=60
kube_options='' # quoted for eval, like the next two
capture_options=''
filter=''

snapshot=''
record=''   # --record's SIZE
until=''    # an --until was given
suffix=tar # of the files' names

capture_option() { # WORD...
	for word in "$@"; do
		capture_options="$capture_options $(quote "$word")"
	done
}
