#!/bin/bash
# Runs a command, and all that it starts, where the kernel hands programs for arm64 to qemu:
#
#   emulated.sh COMMAND...
#
# That is what the machine itself does where qemu is registered (Debian's binfmt-support), or which is
# arm64. Elsewhere it is registered in a user namespace of the command's own, where every user is who he
# is outside: nobody else sees it, and it ends with the command, however that ends. Needs Linux 6.7 and
# root.
set -euo pipefail
qemu=$(realpath -m "$(dirname "$0")/../../build/qemu-aarch64")
if [ "$(uname -m)" = aarch64 ] || grep -qs '^flags:.*F' /proc/sys/fs/binfmt_misc/qemu-aarch64; then
  exec "$@"
fi
[ -x "$qemu" ] || { echo "emulated: no $qemu: tests/support/arm64-sysroot.sh unpacks it" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "emulated: run as root, or register qemu-aarch64 yourself" >&2; exit 1; }
# The first 20 bytes of an ELF file of 64 bits, little endian, that runs (2) or is shared (3), for
# machine 183. P: it sees the name it was called by. F: qemu is opened now, so that it need not be
# there after a chroot.
export QEMU_BINFMT=":qemu-aarch64:M::"\
'\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:'\
'\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$qemu:PF"
outside=$(readlink /proc/self/ns/user)
# This process enters the namespace below, and who has the right to write its maps stays outside.
(
  until [ "$(readlink /proc/$$/ns/user)" != "$outside" ]; do sleep 0.01; done
  # All that there are: this may be a user namespace of somebody else's already.
  for each in uid_map gid_map; do
    maps=$(awk '{print $1, $1, $3}' /proc/self/$each)
    echo "$maps" >/proc/$$/$each
  done
) &
# Two steps: who has become root by the maps has root's rights from its next program on.
# shellcheck disable=SC2016
exec unshare --user --mount --propagation slave bash -c '
  for _ in {1..500}; do
    grep -q . /proc/self/gid_map && break
    sleep 0.01
  done
  grep -q . /proc/self/gid_map || { echo "emulated: a user namespace with all users is refused" >&2; exit 1; }
  exec bash -ec '\''
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null ||
      { echo "emulated: before Linux 6.7 there is one binfmt_misc for all; binfmt-support registers qemu there" >&2
        exit 1; }
    printf %s "$QEMU_BINFMT" >/proc/sys/fs/binfmt_misc/register
    unset QEMU_BINFMT
    exec "$@"'\'' emulated "$@"' emulated "$@"
