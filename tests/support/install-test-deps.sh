#!/bin/bash
# Installs what only the tests need: peers, real servers and clients, and the pieces of a cluster's
# node. None of them is started: tests run their own, on addresses of their own.
set -euo pipefail
packages=(
  redis-server redis-tools mariadb-server mariadb-client nginx-light haproxy dnsmasq-base
  containerd runc containernetworking-plugins iptables nftables conntrack iproute2 procps
  buildah mmdebstrap uidmap clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
)
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
    missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "deps: the tests' servers are installed"
  exit 0
fi
echo "deps: installing for the tests: ${missing[*]}"
[ "$(id -u)" = 0 ] || { echo "deps: run as root to install packages" >&2; exit 1; }
# Debian starts a server when it is installed, unless this says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
