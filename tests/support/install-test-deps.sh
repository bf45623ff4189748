#!/bin/bash
# Installs what only the tests need: peers, real servers and clients, and the pieces of a cluster's
# node. None of them is started: tests run their own, on addresses of their own. QUIC is aioquic from PyPI, in a
# cache: Debian 12 has no client that can be told to change its address.
set -euo pipefail
packages=(
  redis-server redis-tools mariadb-server mariadb-client nginx-light haproxy dnsmasq-base
  postgresql-15 openssh-server openssh-client postfix dovecot-imapd dovecot-pop3d xrdp iperf3
  python3-grpcio python3-protobuf bind9-dnsutils curl iproute2
  containerd runc containernetworking-plugins iptables nftables conntrack procps
  chromium chromium-driver python3-selenium fonts-dejavu-core
  buildah mmdebstrap uidmap clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev python3-yaml
  prometheus python3-pip
)
[ "$(uname -m)" = aarch64 ] || packages+=(g++-aarch64-linux-gnu)
source "$(dirname "$0")/install-packages.sh"
install_packages "the tests" "${packages[@]}"

quic=${XDG_CACHE_HOME:-$HOME/.cache}/penstock/aioquic
wheels=(aioquic==1.7.2 attrs==26.1.0 certifi==2026.10.19.post1 cffi==2.1.1 cryptography==50.0.2 pycparser==3.12
        pylsqpack==1.0.0 pyopenssl==26.4.0 service-identity==26.1.0 typing-extensions==4.16.0)
if [ "$(cat "$quic/wheels" 2>/dev/null)" != "${wheels[*]}" ]; then
  echo "deps: installing aioquic into $quic"
  rm -rf "$quic" "$quic.new"
  mkdir -p "$(dirname "$quic")"
  if timeout 300 python3 -m pip install --quiet --no-deps --target "$quic.new" "${wheels[@]}"; then
    echo "${wheels[*]}" >"$quic.new/wheels"
    mv "$quic.new" "$quic"
  else
    echo "deps: no aioquic: the test of QUIC will be SKIPPED" >&2
  fi
fi
