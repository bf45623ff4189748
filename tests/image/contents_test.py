#!/usr/bin/env python3
"""List and SBOM of an archive, made here of layers with dpkg's database of this machine. What must hold
of the image itself is in image_test.py."""
import hashlib
import io
import json
import pathlib
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from image_contents import PROGRAMS, Image, listing, sbom  # noqa: E402
from known_packages import of_dpkg, of_sbom  # noqa: E402

DPKG = pathlib.Path('/var/lib/dpkg')


def add(archive, path, content=b'', mode=0o644, target=None):
    member = tarfile.TarInfo(path)
    member.mode, member.size = mode, 0 if target else len(content)
    if target:
        member.type, member.linkname = tarfile.SYMTYPE, target
    archive.addfile(member, io.BytesIO(content))


def layer(*files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        for each in files:
            add(archive, *each)
    return out.getvalue()


def archive_of(path, *layers):
    config = json.dumps({'created': '2026-01-02T03:04:05.678Z', 'architecture': 'arm64',
                         'config': {'User': '101:82'}}).encode()
    names = [f'{number}.tar' for number in range(len(layers))]
    with tarfile.open(path, 'w') as archive:
        add(archive, 'config.json', config)
        for name, content in zip(names, layers):
            add(archive, name, content)
        add(archive, 'manifest.json', json.dumps([{'Config': 'config.json', 'Layers': names}]).encode())


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        path = pathlib.Path(cls.folder.name) / 'image.tar'
        archive_of(path,
                   layer(('./etc/passwd', b'old'), ('./usr/share/man/a', b'1'), ('tmp/x', b'2'),
                         ('tmp/y/z', b'3'), ('etc/link', b'', 0o777, 'passwd'),
                         ('var/lib/dpkg/status', (DPKG / 'status').read_bytes())),
                   layer(('etc/passwd', b'newer'), ('usr/share/.wh.man',), ('tmp/.wh..wh..opq',),
                         ('tmp/new', b'4')),
                   layer(*((path, path.encode(), 0o755) for path in PROGRAMS)))
        cls.image = Image(path)
        cls.sbom = json.loads(json.dumps(sbom(cls.image)))

    def test_later_layers_replace_and_remove(self):
        self.assertEqual(set(self.image.files), {'etc/passwd', 'etc/link', 'tmp/new',
                                                 'var/lib/dpkg/status', *PROGRAMS})
        self.assertEqual(self.image.read('etc/passwd'), b'newer')
        self.assertEqual(self.image.files['etc/link'].target, 'passwd')

    def test_the_sbom_has_every_package_that_dpkg_knows(self):
        self.assertEqual(of_sbom(self.sbom), of_dpkg())

    def test_the_sbom_has_our_programs_with_their_sums(self):
        sums = {each['fileName'].removeprefix('./'):
                {one['algorithm']: one['checksumValue'] for one in each['checksums']}
                for each in self.sbom['files']}
        self.assertEqual(sums, {path: {'SHA1': hashlib.sha1(path.encode()).hexdigest(),
                                       'SHA256': hashlib.sha256(path.encode()).hexdigest()}
                                for path in PROGRAMS})

    def test_the_sbom_is_well_formed_spdx(self):
        document = self.sbom
        for key in ('spdxVersion', 'dataLicense', 'SPDXID', 'name', 'documentNamespace'):
            self.assertTrue(document[key], key)
        self.assertEqual(document['creationInfo']['created'], '2026-01-02T03:04:05Z')
        ids = [each['SPDXID'] for each in (*document['packages'], *document['files'])]
        self.assertEqual(len(ids), len(set(ids)))
        for each in ids:
            self.assertRegex(each, r'^SPDXRef-[A-Za-z0-9.-]+$')
        for each in document['packages']:
            self.assertLessEqual({'name', 'SPDXID', 'downloadLocation', 'versionInfo'}, set(each))
        related = {each['relatedSpdxElement'] for each in document['relationships']}
        self.assertEqual(related, set(ids), 'everything hangs on the document')
        self.assertLessEqual({each['spdxElementId'] for each in document['relationships']},
                             {'SPDXRef-DOCUMENT', *ids})

    def test_the_list_adds_up(self):
        lines = list(listing(self.image))
        total = sum(file.size for file in self.image.files.values()) / 1e6
        self.assertEqual(lines[0].split(' in ')[0], f'{total:.1f} MB')
        self.assertEqual(lines[1], 'user 101:82, arm64')
        self.assertLessEqual({f'{name} {version}' for name, version, _ in of_dpkg()},
                             {line.strip().split(None, 1)[-1] for line in lines})


if __name__ == '__main__':
    if not (DPKG / 'status').exists():
        print('skipped: this machine has no database of dpkg')
        sys.exit(77)
    unittest.main()
