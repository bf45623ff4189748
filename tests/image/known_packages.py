"""Packages as dpkg and as an SBOM know them: sets of (name, version, architecture)."""
import re
import subprocess


def of_dpkg(*options):
    done = subprocess.run(['dpkg-query', *options, '-W', '-f',
                           '${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n'],
                          capture_output=True, text=True, check=True)
    return {tuple(line.split()[1:]) for line in done.stdout.splitlines() if line.startswith('ii ')}


def of_sbom(sbom):
    """By their references, which must name what their entries do."""
    pattern = r'pkg:deb/debian/([^@]+)@([^?]+)\?arch=([a-z0-9]+)&distro=debian-12'
    found = set()
    for each in sbom['packages']:
        for reference in each.get('externalRefs', []):
            name, version, machine = re.fullmatch(pattern, reference['referenceLocator']).groups()
            version = version.replace('%2B', '+')
            if (name, version) != (each['name'], each['versionInfo']):
                raise AssertionError(f'{reference["referenceLocator"]} stands for {each["name"]} '
                                     f'{each["versionInfo"]}')
            found.add((name, version, machine))
    return found
