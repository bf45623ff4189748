#!/bin/bash
# Takes down what up.sh brought up, and nothing else: killing pid 1 of the
# machine's pid namespace ends all its processes, mounts and networks.
. "$(dirname "$0")/env.sh"
[ -f "$D/init" ] && kill -KILL "$(cat "$D/init")" 2>/dev/null
for f in "$D"/pid/*; do   # the nsenter parents, also when stopped: they hold the namespace's last zombies
	case $f in *.cmd) ;; *) [ -f "$f" ] && grep -qsF "$D" "/proc/$(cat "$f")/cmdline" && kill -KILL "$(cat "$f")" 2>/dev/null ;; esac
done
[ -f "$D/cgroups" ] && while read -r h; do
	for _ in $(seq 100); do
		find "$h" -depth -type d -exec rmdir {} \; 2>/dev/null
		[ -d "$h" ] || break
		sleep 0.1
	done
done <"$D/cgroups"
rm -f "$D/up"
[ "${KEEP:-}" ] || rm -rf "$D"
