#!/bin/bash
# Renders manifests/penstock.yaml from the chart, for installations without Helm. `--check` only says
# whether it is up to date.
set -euo pipefail
. "$(dirname "$0")/../cluster/env.sh"
cd "$here/../.."
out=manifests/penstock.yaml
text=$(
  echo "# Rendered from charts/penstock with its defaults by tests/support/render-manifests.sh."
  echo "apiVersion: v1"
  echo "kind: Namespace"
  echo "metadata:"
  echo "  name: ingress"
  for crd in crds/*.yaml; do
    echo "---"
    cat "$crd"
  done
  "$BIN/helm" template penstock charts/penstock --namespace ingress --skip-tests --no-hooks |
    grep -vE '^# Source:|helm.sh/chart|managed-by'
)
if [ "${1:-}" = --check ]; then
  [ "$text" = "$(cat "$out")" ] || { echo "$out is stale: run tests/support/render-manifests.sh"; exit 1; }
else
  printf '%s\n' "$text" >"$out"
fi
