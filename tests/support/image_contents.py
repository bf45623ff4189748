#!/usr/bin/env python3
"""What an image archive (of `make image`) holds. `list ARCHIVE` prints size and content, `sbom ARCHIVE`
an SPDX 2.3 document: the Debian packages of dpkg's database in the image, and our own programs."""
import collections
import datetime
import hashlib
import json
import pathlib
import re
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ('usr/bin/penstock', 'usr/bin/penstock-controller', 'usr/bin/penstock-proxy')
File = collections.namedtuple('File', 'size mode kind target layer')


class Image:
    """The layers of an archive, one over the other."""

    def __init__(self, path):
        self.archive = tarfile.open(path)
        self.manifest = json.load(self.archive.extractfile('manifest.json'))[0]
        config = self.archive.extractfile(self.manifest['Config']).read()
        self.digest = hashlib.sha256(config).hexdigest()
        self.config = json.loads(config)
        self.size = sum(self.archive.getmember(each).size for each in self.manifest['Layers'])
        self.files = {}
        for number, name in enumerate(self.manifest['Layers']):
            with self.layer(number) as layer:
                for member in layer:
                    self.take(member, number)

    def layer(self, number):
        return tarfile.open(fileobj=self.archive.extractfile(self.manifest['Layers'][number]))

    def take(self, member, number):
        path = member.name.removeprefix('./').strip('/')
        folder, _, name = path.rpartition('/')
        if name == '.wh..wh..opq':
            self.remove(folder, keeps_itself=True)
        elif name.startswith('.wh.'):
            self.remove(f'{folder}/{name[4:]}'.strip('/'))
        elif path:
            kind = 'link' if member.issym() else 'folder' if member.isdir() else \
                'device' if member.isdev() else 'file'
            self.files[path] = File(member.size, member.mode, kind, member.linkname, number)

    def remove(self, path, keeps_itself=False):
        for each in [name for name in self.files if name.startswith(path + '/') or
                     (name == path and not keeps_itself)]:
            del self.files[each]

    def read(self, path):
        file = self.files[path]
        with self.layer(file.layer) as layer:
            for member in layer:
                if member.name.removeprefix('./').strip('/') == path:
                    return layer.extractfile(member).read()
        raise KeyError(path)

    def packages(self):
        """Of dpkg's database: those that are installed, as its fields."""
        found = []
        for text in self.read('var/lib/dpkg/status').decode().split('\n\n'):
            fields = dict(re.findall(r'^([A-Za-z-]+): (.*)$', text, re.M))
            if fields.get('Status') == 'install ok installed':
                found.append(fields)
        return sorted(found, key=lambda fields: fields['Package'])


def version():
    return re.search(r'project\(penstock VERSION (\S+)', (ROOT / 'CMakeLists.txt').read_text())[1]


def spdx_id(text):
    return 'SPDXRef-' + re.sub(r'[^A-Za-z0-9.-]', '-', text)


def debian_package(fields):
    name, number, machine = fields['Package'], fields['Version'], fields['Architecture']
    return {
        'SPDXID': spdx_id(f'deb-{name}-{machine}'), 'name': name, 'versionInfo': number,
        'supplier': 'Organization: Debian', 'downloadLocation': 'NOASSERTION', 'filesAnalyzed': False,
        'licenseConcluded': 'NOASSERTION', 'licenseDeclared': 'NOASSERTION',
        'copyrightText': 'NOASSERTION', 'sourceInfo': 'source package ' + fields.get('Source', name),
        'externalRefs': [{'referenceCategory': 'PACKAGE-MANAGER', 'referenceType': 'purl',
                          'referenceLocator': f'pkg:deb/debian/{name}@{number.replace("+", "%2B")}'
                                              f'?arch={machine}&distro=debian-12'}]}


def our_files(image):
    for path in PROGRAMS:
        content = image.read(path)
        yield {'SPDXID': spdx_id('file-' + path.rsplit('/', 1)[1]), 'fileName': './' + path,
               'checksums': [{'algorithm': kind.upper(), 'checksumValue': getattr(hashlib, kind)(content).hexdigest()}
                             for kind in ('sha1', 'sha256')],
               'fileTypes': ['BINARY'], 'licenseConcluded': 'Apache-2.0',
               'licenseInfoInFiles': ['NOASSERTION'], 'copyrightText': 'NOASSERTION'}


def sbom(image):
    files = list(our_files(image))
    sums = sorted(each['checksums'][0]['checksumValue'] for each in files)
    ours = {
        'SPDXID': 'SPDXRef-penstock', 'name': 'penstock', 'versionInfo': version(),
        'supplier': 'NOASSERTION', 'downloadLocation': 'NOASSERTION', 'filesAnalyzed': True,
        'packageVerificationCode': {
            'packageVerificationCodeValue': hashlib.sha1(''.join(sums).encode()).hexdigest()},
        'licenseConcluded': 'Apache-2.0', 'licenseDeclared': 'Apache-2.0',
        'licenseInfoFromFiles': ['NOASSERTION'], 'copyrightText': 'NOASSERTION',
        'hasFiles': [each['SPDXID'] for each in files]}
    debian = [debian_package(fields) for fields in image.packages()]
    whole = {
        'SPDXID': 'SPDXRef-image', 'name': 'penstock-image', 'versionInfo': 'sha256:' + image.digest,
        'supplier': 'NOASSERTION', 'downloadLocation': 'NOASSERTION', 'filesAnalyzed': False,
        'licenseConcluded': 'NOASSERTION', 'licenseDeclared': 'NOASSERTION',
        'copyrightText': 'NOASSERTION', 'primaryPackagePurpose': 'CONTAINER'}
    created = datetime.datetime.fromisoformat(image.config['created'][:19])
    contains = [('SPDXRef-image', each['SPDXID']) for each in (ours, *debian)]
    contains += [('SPDXRef-penstock', each['SPDXID']) for each in files]
    return {
        'spdxVersion': 'SPDX-2.3', 'dataLicense': 'CC0-1.0', 'SPDXID': 'SPDXRef-DOCUMENT',
        'name': f'penstock-{version()}',
        'documentNamespace': f'https://penstock.dev/spdx/penstock-{image.digest}',
        'creationInfo': {'created': created.strftime('%Y-%m-%dT%H:%M:%SZ'),
                         'creators': [f'Tool: penstock-image-contents-{version()}']},
        'packages': [whole, ours, *debian], 'files': files,
        'relationships': [
            {'spdxElementId': 'SPDXRef-DOCUMENT', 'relationshipType': 'DESCRIBES',
             'relatedSpdxElement': 'SPDXRef-image'},
            *({'spdxElementId': whole_id, 'relationshipType': 'CONTAINS', 'relatedSpdxElement': part}
              for whole_id, part in contains)]}


def listing(image):
    total = sum(file.size for file in image.files.values())
    yield f'{total / 1e6:.1f} MB in {len(image.files)} files, {image.size / 1e6:.1f} MB as an archive'
    yield f'user {image.config["config"].get("User")}, {image.config["architecture"]}'
    folders = collections.Counter()
    for path, file in image.files.items():
        folders['/'.join(path.split('/')[:3])] += file.size
    yield '\nMB      folder or file'
    for folder, size in folders.most_common():
        if size >= 100_000:
            yield f'{size / 1e6:6.1f}  {folder}'
    packages = image.packages()
    yield f'\nkB      package ({len(packages)})'
    for fields in sorted(packages, key=lambda fields: -int(fields.get('Installed-Size', 0))):
        yield f'{fields.get("Installed-Size", "?"):>6}  {fields["Package"]} {fields["Version"]}'


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ('list', 'sbom'):
        sys.exit(f'usage: {sys.argv[0]} list|sbom ARCHIVE')
    image = Image(sys.argv[2])
    print(json.dumps(sbom(image), indent=1) if sys.argv[1] == 'sbom' else '\n'.join(listing(image)))


if __name__ == '__main__':
    main()
