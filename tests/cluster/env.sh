# Sourced by the scripts here: where the tools of a cluster are, and where a running one keeps its
# state.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
hash=$(cd "$here" && cat build.sh mod/go.mod mod/go.sum mod/*.go mod/*/*.go | sha256sum | cut -c1-12)
TOOLS=${PENSTOCK_CACHE:-$HOME/.cache/penstock}/cluster-$hash
BIN=${KUBEBUILDER_ASSETS:-$TOOLS/bin}
TC=${TC:-tc0}
D=${TC_DIR:-$(cd "$here/../.." && pwd)/build/cluster/$TC}
