#!/bin/sh
# kubectl-tarcap - capture packets in pods: the kubectl plugin of tarcap. 'kubectl tarcap --help' says how.
#
# For each pod it does what a person would type (--dry-run prints that): add an idle ephemeral container, wait
# until it runs, stream a capture through 'kubectl exec', check what arrived. The rest is for when that goes wrong.
#
# How it ends a capture: each kubectl has the reading end of one FIFO as its stdin, whose only writing end is ours.
# Closing that is Ctrl-D for all of them: tarcap ends the capture, and the manifest still arrives. A Ctrl-C must
# therefore not reach kubectl: it would cut the stream.
#
# POSIX sh and utilities only: it runs with dash, with busybox and on macOS.
set -eu
# What a capture holds is for whoever made it: every file, FIFO and directory of ours is 0600 or 0700.
umask 077

version=0.1.0 # as in src/base/version.h: tests/k8s/test_files.py compares them
me='kubectl tarcap'

help() {
	cat <<END
usage: kubectl tarcap POD...         [OPTION]... [CAPTURE OPTION]... [-- FILTER]
       kubectl tarcap -l SELECTOR    [OPTION]... [CAPTURE OPTION]... [-- FILTER]
       kubectl tarcap --node NODE    [OPTION]... [CAPTURE OPTION]... [-- FILTER]
       kubectl tarcap --snapshot     POD...|-l SELECTOR [OPTION]... [--last D] [--after D] [--resume]
Captures packets in the network namespace of a running pod, into POD.tar (a tar of pcap files; the last member,
manifest.json, closes the account). Ctrl-C ends the capture; a second one gives it up. By itself it ends after 5m or 1G.
FILTER is a pcap-filter(7) expression, such as 'tcp port 443'.

  -n, --namespace NS      the pods' namespace
      --context C         as kubectl; so are --kubeconfig, --cluster, --user, --as, --as-group
  -l, --selector SELECTOR all pods that match, at once, one file for each
      --parallel N        at most N at a time (default: all, up to 50); the others wait for their turn
  -c, --container NAME    capture in this container if there is one of that name (it must be tarcap's image),
                          else add it under that name (default: use a running 'tarcap hold', else add one)
      --image IMAGE       tarcap's image, as the cluster's nodes can pull it (default: \$TARCAP_IMAGE, or tarcap:$version)
      --profile PROFILE   profile of 'kubectl debug' instead of the least that works (netadmin, sysadmin, ...)
      --custom FILE       container settings for 'kubectl debug --custom' instead of the least that works
      --ttl D             how long the added container stays when idle (default 1h)
      --timeout N         wait at most N seconds for the added container to run (default 60)
      --node NODE         capture on a node instead, from a hostNetwork pod that is deleted afterwards;
                          tarcap's own stream is always left out there
  -o, --output FILE|DIR|- write there (default POD.tar here; -: stdout, for one pod)
      --force             overwrite a POD.tar or DIR/POD.tar that is there
      --record SIZE       keep the newest packets in memory of SIZE (64M); an event or Ctrl-C fetches them
      --until EVENT       end --after D (10s) an event: reset, http-5xx, a filter ...; --until help lists them
      --together          with --until and several pods: an event in one of them ends all, so that each end is there
      --snapshot          fetch what 'tarcap hold --record' in the pod has in memory; it goes on, and nothing is added
      --to RECIPIENT|FILE encrypt in the pod, to age1..., or to those of a FILE here: into POD.tar.age
      --wireshark, --live no file: one pod's packets as they come, in the Wireshark here; without it, or without a
                          display, in tshark
      --dry-run           print the kubectl commands, do nothing
  -q, --quiet             say only what went wrong
  -h, --help, --version

Capture options go to tarcap as they are: -i/--interface, -s/--snapshot-length, -Q/--direction, -p, --promiscuous,
--count N (tarcap's -c), --duration, --max-bytes, --keep, --first, -C, -G, -W, -B, --memory, --name, --reason, -v and
so on; 'tarcap --help' has them all.

Exit status: 0 every file is whole (of one that is encrypted: tarcap says it sent all); one pod: tarcap's status, or
1 when its file was cut; several: 1 when any failed; --wireshark: 1 when Wireshark failed; 2 wrong usage; 130 given up.
What a capture holds is every byte the pod sends and receives: treat it so.
END
}

#include words.sh
#include settings.sh
#include defaults.sh
#include numbers.sh
#include options.sh
#include encrypt.sh
#include record.sh
#include snapshot.sh
#include dry_run.sh
#include cluster.sh
#include container.sh
#include await.sh
#include stream.sh
#include live.sh
#include workers.sh
#include look.sh
#include progress.sh
#include table.sh
#include account.sh
#include summary.sh
#include joint.sh

parse "$@"
check_usage
[ -z "$live" ] || find_viewer
if [ -n "$dry_run" ]; then
	print_commands
	exit 0
fi
[ -z "$live" ] || [ -n "$viewer" ] || no_viewer
command -v kubectl >/dev/null 2>&1 || die "kubectl is not installed, or not in PATH"

begun=0 # captures that listen, or did
waiting=
work=$(mktemp -d "${TMPDIR:-/tmp}/tarcap.XXXXXX") || die "cannot make a directory for temporary files"
trap clean_up EXIT
trap 'on_early_interrupt 130' INT
trap 'on_early_interrupt 143' TERM
trap 'on_early_interrupt 129' HUP
announce
mkfifo "$work/stdin"
# Both ways at first, as opening just one end would wait for the other; then the reading end by itself.
# shellcheck disable=SC2094
exec 3<>"$work/stdin" 4<"$work/stdin"

[ -z "$live" ] || open_live
ask_cluster
check_together
check_output
waiting=${node:-$pods}
trap on_interrupt INT TERM HUP
run_all
if [ -n "$several" ]; then
	summary
elif [ -n "$live" ]; then
	live_result
else
	one_result
fi
