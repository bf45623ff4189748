#!/bin/bash
# Every test, in the order that finds mistakes soonest. Ends with ctest's summary of the main build.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Tests take free ports and whoever runs beside them may be quicker: such a one is run once more.
# They wait more than they compute.
unit() { ctest --preset "$1" -L unit --repeat until-pass:2 --parallel $((2 * $(nproc))); }
stage() { printf '\n== %s (%d s so far)\n' "$1" "$SECONDS"; }

# The cluster's programs take longest and need nothing of ours: they are built beside all else.
mkdir -p build
nice -n 10 tests/cluster/build.sh >build/cluster-build.log 2>&1 &
cluster=$!

stage "build"
cmake --preset dev >/dev/null
cmake --build --preset dev
stage "quick tests"
unit dev
for sanitizer in asan tsan; do
  stage "$sanitizer: build"
  cmake --preset "$sanitizer" >/dev/null
  cmake --build --preset "$sanitizer"
  stage "$sanitizer: unit tests"
  unit "$sanitizer"
done
stage "fuzz"
ctest --preset asan -L fuzz
stage "clang-tidy: what has changed, as far as 20 seconds go"
# It tells and does not stop: within this time it reads other files on each machine, and a result must
# not hang on which. `make tidy` reads them all and fails.
cmake --preset tidy >/dev/null
cmake --build --preset tidy --target penstock_pch >/dev/null
python3 tests/checks/tidy.py --seconds 20 || echo "clang-tidy: there are findings; see above"
# The everyday build has the flags of the release: its programs are those that the image is made of.
install -D -t build/release/bin build/dev/bin/penstock build/dev/bin/penstock-controller \
  build/dev/bin/penstock-proxy
stage "cluster: waiting for its programs"
wait "$cluster" || { tail -50 build/cluster-build.log; exit 1; }
stage "what is left: the cluster, the chart, the image, the load"
ctest --preset dev -LE unit --repeat until-pass:2
