#!/bin/bash
# Makes build/arm64-sysroot, against which cmake/arm64.cmake compiles: Debian's libraries for arm64,
# unpacked and never installed, so that this machine's own packages stay as they are. It is kept in the
# cache. Installs the cross compiler. qemu's user mode is unpacked as well, as build/qemu-aarch64: where
# it is installed Debian registers it with the kernel, for good.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/support/install-packages.sh
install_packages arm64 mmdebstrap g++-aarch64-linux-gnu
read -ra libraries < <(tests/support/install-deps.sh --libraries)
cache=${PENSTOCK_CACHE:-$HOME/.cache/penstock}
# Another list of libraries is another sysroot.
made_of=$(cat tests/support/arm64-sysroot.sh <(echo "${libraries[@]}") | sha256sum)
root=$cache/arm64-sysroot-${made_of:0:12}
mkdir -p "$cache" build
exec 9>"$root.lock"
flock 9
qemu=$cache/qemu-user-static
if [ ! -e "$qemu" ]; then
  rm -rf "$qemu.new"
  mkdir "$qemu.new"
  (
    cd "$qemu.new"
    download=(apt-get download -qq -o APT::Sandbox::User=root qemu-user-static)
    "${download[@]}" || { apt-get update -qq && "${download[@]}"; }
    dpkg -x ./*.deb .
    rm ./*.deb
  )
  mv "$qemu.new" "$qemu"
fi
ln -sfn "$qemu/usr/bin/qemu-aarch64-static" build/qemu-aarch64
if [ ! -e "$root" ]; then
  echo "arm64: unpacking the libraries into $root"
  rm -rf "$root.new"
  mkdir "$root.new"
  mmdebstrap --architectures=arm64 --variant=extract --format=tar --quiet --skip=check/qemu,output/dev \
    --include="$(IFS=,; echo "${libraries[*]}")" bookworm - |
    tar -x --no-same-owner -C "$root.new" --exclude='./usr/share/doc' --exclude='./usr/share/man' \
      --exclude='./usr/share/locale' --exclude='./var'
  # An absolute link would lead into this machine's own libraries.
  find "$root.new" -type l -lname '/*' -printf '%p\t%l\n' | while IFS=$'\t' read -r link target; do
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$root.new$target")" "$link"
  done
  mv "$root.new" "$root"
fi
ln -sfn "$root" build/arm64-sysroot
