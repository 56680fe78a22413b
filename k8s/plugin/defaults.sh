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
image=tarcap:$version
parallel=50
timeout=60
kube_options='' # quoted for eval, like the next two
capture_options=''
filter=''
