#!/bin/bash
# ctl.sh start|stop|kill|stall|go NAME: one component of a running cluster
# (etcd apiserver kcm scheduler containerd kubelet proxy).
set -eu
given=${D:-}; . "$(dirname "$0")/env.sh"; D=${given:-$D}
f=$D/pid/$2
child() { pgrep -P "$(cat "$f")" || cat "$f"; }   # nsenter forks: the program is its child
gone() { for _ in $(seq 300); do [ -d "/proc/$1" ] || return 0; sleep 0.1; done; return 1; }
case $1 in
start)
	setsid bash -c 'while read -r h; do echo $$ >"$h/cgroup.procs"; done <"$0"; exec "$@"' "$D/cgroups" \
		nsenter -t "$(cat "$D/init")" -n -m -p -u -i -C -- bash -c "exec $(cat "$f.cmd")" >>"$D/log/$2" 2>&1 </dev/null &
	echo $! >"$f" ;;
stop) p=$(child); kill -TERM "$p"; gone "$p" ;;
kill) p=$(child); kill -KILL "$p"; gone "$p" ;;
stall) kill -STOP "$(child)" ;;
go) kill -CONT "$(child)" "$(cat "$f")" ;;   # nsenter stops itself when its child is stopped
esac
