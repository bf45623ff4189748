#!/bin/bash
# Builds the image of the Dockerfile without an engine: buildah, on a Debian root that mmdebstrap
# makes. Writes an archive that containerd imports.
#
#   build-image.sh OUT.tar [NAME [STAGE]]
#
# STAGE is `packaged`, with the programs of the release build, or `final`, which compiles them in the
# image as `docker build` does.
set -euo pipefail
out=$(realpath -m "$1")
name=${2:-localhost/penstock:test}
stage=${3:-packaged}
cd "$(dirname "$0")/../.."
for program in penstock penstock-controller penstock-proxy; do
  [ "$stage" = packaged ] || break
  [ -x "build/release/bin/$program" ] || { echo "no build/release/bin/$program" >&2; exit 1; }
done
cache=${PENSTOCK_CACHE:-$HOME/.cache/penstock}
root=$cache/debian-bookworm.tar
mkdir -p "$cache" "$(dirname "$out")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
b() { buildah --root "$work/root" --runroot "$work/run" --storage-driver vfs "$@"; }
if [ ! -e "$root" ]; then
  mmdebstrap --variant=minbase --format=tar --quiet bookworm "$root.new"
  mv "$root.new" "$root"
fi
container=$(b from scratch)
b add --quiet "$container" "$root" / >/dev/null
b commit --quiet "$container" localhost/debian:bookworm >/dev/null
b rm "$container" >/dev/null
b bud --isolation chroot --pull-never --target "$stage" --build-arg BASE=localhost/debian:bookworm \
  --tag "$name" . >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
rm -f "$out"
b push --quiet "$name" "docker-archive:$out:$name"
ls -la "$out"
