# Sourced: install_packages WHAT PACKAGE... installs the Debian packages that are missing. What is
# installed is not started.
install_packages() {
  local what=$1 package
  shift
  local missing=()
  for package; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
      missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: $what: everything is installed"
    return
  fi
  echo "deps: installing for $what: ${missing[*]}"
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
}
