#!/bin/bash
# Installs what only the tests need: peers, real servers and clients, and the pieces of a cluster's
# node. None of them is started: tests run their own, on addresses of their own.
set -euo pipefail
packages=(
  redis-server redis-tools mariadb-server mariadb-client nginx-light haproxy dnsmasq-base
  postgresql-15 openssh-server openssh-client postfix dovecot-imapd dovecot-pop3d xrdp iperf3
  python3-grpcio python3-protobuf bind9-dnsutils curl iproute2
  containerd runc containernetworking-plugins iptables nftables conntrack procps
  chromium chromium-driver python3-selenium fonts-dejavu-core
  buildah mmdebstrap uidmap clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev python3-yaml
  prometheus
)
[ "$(uname -m)" = aarch64 ] || packages+=(g++-aarch64-linux-gnu qemu-user-static)
source "$(dirname "$0")/install-packages.sh"
install_packages "the tests" "${packages[@]}"
