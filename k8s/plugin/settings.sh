# --- what the container may do ----------------------------------------------------------------------------------

# What the ephemeral container may do: one capability, a read-only root, the runtime's seccomp filter.
only_net_raw='"drop":["ALL"],"add":["NET_RAW"]'
# Pod Security 'baseline' refuses to add NET_RAW, but not to keep it where it is in the runtime's default set.
keep_net_raw='"drop":["AUDIT_WRITE","CHOWN","DAC_OVERRIDE","FOWNER","FSETID","KILL","MKNOD","NET_BIND_SERVICE","SETFCAP","SETGID","SETPCAP","SETUID","SYS_CHROOT"]'
confined='"readOnlyRootFilesystem":true,"seccompProfile":{"type":"RuntimeDefault"}'
# The image's own user, also where the pod has another: the binary's file capability gives it NET_RAW. With no_new_privs
# a file capability counts on containerd, as measured, but not on every runtime; there uid 0 needs none.
image_user='"runAsUser":65532,"runAsNonRoot":true'
no_new_privs_user='"allowPrivilegeEscalation":false,"runAsUser":65532,"runAsNonRoot":true'
no_new_privs_root='"allowPrivilegeEscalation":false,"runAsUser":0,"runAsNonRoot":false'

# What 'kubectl debug --custom' takes.
container_settings() { # CAPABILITIES USER
	printf '{"securityContext":{"capabilities":{%s},%s,%s}}\n' "$1" "$2" "$confined"
}
