#!/bin/bash
# Installs the Debian packages that building and testing need. Does nothing when all are there. With
# `--libraries` it only prints those that are compiled against, for a build for another machine.
set -euo pipefail
tools=(
  g++ cmake ninja-build ccache mold pkg-config git python3 curl openssl netcat-openbsd valgrind
)
libraries=(
  libcpprest-dev libyaml-cpp-dev libboost-dev libboost-system-dev libboost-thread-dev
  libboost-chrono-dev libboost-random-dev libboost-regex-dev libboost-filesystem-dev
  prometheus-cpp-dev libcivetweb-dev libgtest-dev libgmock-dev libssl-dev libc-ares-dev libre2-dev libnghttp2-dev
  libsimdjson-dev libfmt-dev libspdlog-dev libcli11-dev
)
if [ "${1:-}" = --libraries ]; then
  echo "${libraries[@]}"
  exit 0
fi
missing=()
for package in "${tools[@]}" "${libraries[@]}"; do
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
    missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "deps: everything is installed"
  exit 0
fi
echo "deps: installing ${missing[*]}"
[ "$(id -u)" = 0 ] || { echo "deps: run as root to install packages" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
