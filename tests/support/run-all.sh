#!/bin/bash
# Every test, in the order that finds mistakes soonest. Ends with ctest's summary of the main build.
set -euo pipefail
cd "$(dirname "$0")/../.."
stage() { printf '\n== %s (%d s so far)\n' "$1" "$SECONDS"; }

stage "build"
cmake --preset dev >/dev/null
cmake --build --preset dev
for sanitizer in asan tsan; do
  stage "$sanitizer: build"
  cmake --preset "$sanitizer" >/dev/null
  cmake --build --preset "$sanitizer"
  stage "$sanitizer: unit tests"
  ctest --preset "$sanitizer" -L unit
done
stage "all tests"
ctest --preset dev
