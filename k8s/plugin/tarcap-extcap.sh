#!/bin/sh
# tarcap-extcap - Wireshark's way to tarcap: containers and pods stand on its start screen, as interfaces do.
#
# It lies in Wireshark's extcap folder ('make install-extcap'). Wireshark runs it with --extcap-... to ask what there is,
# and with --capture for a capture, as extcap(4) says. For a pod the rest is what 'kubectl tarcap' does.
#
# How a capture ends: as that plugin's does, by the end of the only writing end of its stdin. That comes when Wireshark
# sends SIGTERM, removes the FIFO or is gone, and also if this program is killed: nothing outlives it.
#
# POSIX sh and utilities only: it runs with dash, with busybox and on macOS.
set -eu
umask 077

version=0.1.0 # as in src/base/version.h: tests/k8s/test_files.py compares them
me=tarcap
# A Wireshark that was started by a click on a Mac has none of these.
PATH=$PATH:/usr/local/bin:/opt/homebrew/bin

#include words.sh
#include settings.sh
#include defaults.sh
#include cluster.sh
#include container.sh
#include await.sh
#include stream.sh
#include workers.sh
#include look.sh
#include progress.sh
#include account.sh
#include extcap_request.sh
#include extcap_lists.sh
#include extcap_filter.sh
#include extcap_capture.sh

take_words "$@"
case $asked_for in
interfaces) list_interfaces ;;
dlts) list_dlts ;;
config) list_options ;;
reload) list_values ;;
filter) check_filter ;;
capture) capture ;;
version) echo "extcap {version=$version}" ;;
*)
	echo "usage: $0 --extcap-interfaces | --capture --extcap-interface NAME --fifo FIFO | ..., as Wireshark calls it: extcap(4)"
	exit 2
	;;
esac
