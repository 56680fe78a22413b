# --- what was asked for, when nothing is said --------------------------------------------------------------------

quiet=''
dry_run=''
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
given='' # the flags, as they were called

snapshot=''
record=''   # --record's SIZE
until=''    # an --until was given
after=10000 # ms that are recorded behind an event
together='' # one pod's event is everybody's
suffix=tar # of the files' names
