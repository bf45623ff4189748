#!/bin/bash
# What depends most on the machine, cross-compiled for arm64, and its unit tests in qemu: bytes of the
# wire and of files, the parsers, sockets and the loop. `make test-arm64` compiles and runs everything.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(uname -m)" != aarch64 ] || { echo "skipped: this machine is arm64"; exit 77; }
parts=(base snapshot http net)
tests/support/arm64-sysroot.sh || { echo "SKIPPED: Debian's packages for arm64 cannot be had here"; exit 77; }
# Each folder as one file: half the time.
cmake --preset arm64 -B build/arm64-quick -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 >/dev/null
cmake --build build/arm64-quick --target "${parts[@]/#/unit_proxy_}"
for part in "${parts[@]}"; do
  build/qemu-aarch64 -L build/arm64-sysroot "build/arm64-quick/bin/unit_proxy_$part" --gtest_brief=1
done
