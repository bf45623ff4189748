#!/bin/bash
# Builds the image of the Dockerfile without an engine: buildah, on a Debian root that mmdebstrap
# makes. Writes an archive that containerd imports.
#
#   build-image.sh OUT.tar [NAME [STAGE [ARCHITECTURE]]]
#
# STAGE is `packaged`, with the programs of the release build, or `final`, which compiles them in the
# image as `docker build` does. ARCHITECTURE, amd64 or arm64, is this machine's by itself; another's
# programs are those of the preset of its name, and what runs in its image is emulated.
set -euo pipefail
out=$(realpath -m "$1")
name=${2:-localhost/penstock:test}
stage=${3:-packaged}
here=$(dpkg --print-architecture)
architecture=${4:-$here}
cd "$(dirname "$0")/../.."
cache=${PENSTOCK_CACHE:-$HOME/.cache/penstock}
if [ "$architecture" = "$here" ]; then
  programs=build/release/bin
  root=$cache/debian-bookworm.tar
  machine=()
else
  programs=build/$architecture/bin
  root=$cache/debian-bookworm-$architecture.tar
  machine=(tests/support/emulated.sh)
fi
for program in penstock penstock-controller penstock-proxy; do
  [ "$stage" = packaged ] || break
  [ -x "$programs/$program" ] || { echo "no $programs/$program" >&2; exit 1; }
done
mkdir -p "$cache" "$(dirname "$out")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
storage=(--root "$work/root" --runroot "$work/run" --storage-driver vfs)
b() { buildah "${storage[@]}" "$@"; }
if [ ! -e "$root" ]; then
  # Nobody makes device files in a user namespace, and an engine brings its own.
  "${machine[@]}" mmdebstrap --variant=minbase --architectures="$architecture" --format=tar --quiet \
    --skip=check/qemu,output/dev bookworm "$root.new" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
  mv "$root.new" "$root"
fi
container=$(b from scratch)
b config --arch "$architecture" "$container"
b add --quiet "$container" "$root" / >/dev/null
b commit --quiet "$container" localhost/debian:bookworm >/dev/null
b rm "$container" >/dev/null
"${machine[@]}" buildah "${storage[@]}" bud --isolation chroot --pull-never --platform "linux/$architecture" \
  --target "$stage" --build-arg BASE=localhost/debian:bookworm --build-arg PROGRAMS="$programs" \
  --tag "$name" . >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
rm -f "$out"
b push --quiet "$name" "docker-archive:$out:$name"
ls -la "$out"
