#!/bin/bash
# Every test, in the order that finds mistakes soonest. Ends with ctest's summary of the main build.
set -euo pipefail
cd "$(dirname "$0")/../.."
stage() { printf '\n== %s (%d s so far)\n' "$1" "$SECONDS"; }

# The cluster's programs take longest and need nothing of ours: they are built beside all else.
mkdir -p build
nice -n 10 tests/cluster/build.sh >build/cluster-build.log 2>&1 &
cluster=$!

stage "build"
cmake --preset dev >/dev/null
cmake --build --preset dev
stage "quick tests"
ctest --preset dev -L unit
for sanitizer in asan tsan; do
  stage "$sanitizer: build"
  cmake --preset "$sanitizer" >/dev/null
  cmake --build --preset "$sanitizer"
  stage "$sanitizer: unit tests"
  ctest --preset "$sanitizer" -L unit
done
stage "clang: build and fuzz"
cmake --preset clang >/dev/null
cmake --build --preset clang
ctest --test-dir build/clang -L fuzz --output-on-failure
stage "clang-tidy: what has changed, as far as four minutes go"
python3 tests/checks/tidy.py --seconds 240
stage "release: build"
cmake --preset release >/dev/null
cmake --build --preset release
stage "cluster: waiting for its programs"
wait "$cluster" || { tail -50 build/cluster-build.log; exit 1; }
stage "all tests"
ctest --preset dev
