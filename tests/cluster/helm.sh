#!/bin/bash
. "$(dirname "$0")/env.sh"
export HELM_CACHE_HOME=$D/helm HELM_CONFIG_HOME=$D/helm HELM_DATA_HOME=$D/helm
exec nsenter -t "$(cat "$D/init")" -n "$BIN/helm" --kubeconfig "$D/admin.conf" "$@"
