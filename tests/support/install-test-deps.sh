#!/bin/bash
# Installs what only the tests need: peers, real servers and clients, and the pieces of a cluster's
# node. None of them is started: tests run their own, on addresses of their own.
set -euo pipefail
packages=(
  redis-server redis-tools mariadb-server mariadb-client nginx-light haproxy dnsmasq-base
  containerd runc containernetworking-plugins iptables nftables conntrack iproute2 procps
  buildah mmdebstrap uidmap clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
)
source "$(dirname "$0")/install-packages.sh"
install_packages "the tests" "${packages[@]}"
