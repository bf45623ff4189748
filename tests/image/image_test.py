#!/usr/bin/env python3
"""The image of `make image`: what is in it, its list and its SBOM. With ARCHITECTURE=arm64 that of
`make image-arm64`."""
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'support'))
from image import ARCHITECTURE, BIN, build_image  # noqa: E402
from image_contents import PROGRAMS, Image, listing, sbom  # noqa: E402
from known_packages import of_dpkg, of_sbom  # noqa: E402

ROOT = HERE.parents[1]
MOST_MEGABYTES = 100  # without our programs
MACHINES = {'amd64': 62, 'arm64': 183}  # by their numbers in ELF files


def needed(content):
    """The shared libraries that a program or library names."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        text = subprocess.run(['readelf', '-d', file.name], capture_output=True, text=True).stdout
    return re.findall(r'\(NEEDED\).*\[(.*)\]', text)


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = build_image()
        cls.image = Image(cls.path)

    def test_it_runs_as_a_user_without_rights(self):
        self.assertEqual(self.image.config['config']['User'], '101:82')
        self.assertIn('penstock:x:101:82:', self.image.read('etc/passwd').decode())
        self.assertIn('penstock:x:82:', self.image.read('etc/group').decode())

    def test_it_says_what_machine_it_is_for_and_is_for_no_other(self):
        self.assertEqual((self.image.config['os'], self.image.config['architecture']),
                         ('linux', ARCHITECTURE))
        self.assertEqual({fields['Architecture'] for fields in self.image.packages()},
                         {'all', ARCHITECTURE})
        machines = collections.Counter()
        for number in range(len(self.image.manifest['Layers'])):
            with self.image.layer(number) as layer:
                for member in layer:
                    head = layer.extractfile(member).read(20) if member.isreg() else b''
                    if head.startswith(b'\x7fELF'):
                        machines[int.from_bytes(head[18:20], 'little')] += 1
        self.assertEqual(set(machines), {MACHINES[ARCHITECTURE]})
        self.assertGreater(sum(machines.values()), 100)

    def test_no_file_gives_rights_to_who_runs_it(self):
        self.assertEqual([path for path, file in self.image.files.items()
                          if file.kind == 'file' and file.mode & 0o6000], [])

    def test_nobody_but_root_writes_anything(self):
        self.assertEqual([path for path, file in self.image.files.items()
                          if file.kind == 'file' and file.mode & 0o022], [])

    def test_the_programs_are_those_of_the_release_build(self):
        for path in PROGRAMS:
            built = (BIN / path.rsplit('/', 1)[1]).read_bytes()
            self.assertEqual(hashlib.sha256(self.image.read(path)).digest(),
                             hashlib.sha256(built).digest())
            self.assertEqual(self.image.files[path].mode & 0o777, 0o755)

    def test_every_library_that_is_needed_is_there(self):
        by_name = {}
        for kind in ('link', 'file'):  # a file goes before a link of its name
            by_name.update((path.rsplit('/', 1)[-1], path) for path, file in self.image.files.items()
                           if file.kind == kind and '/lib' in '/' + path)

        def content_of(path):
            file = self.image.files[path]
            if file.kind != 'link':
                return self.image.read(path)
            return content_of(by_name[file.target.rsplit('/', 1)[-1]])
        wanted, seen = [(path, name) for path in PROGRAMS for name in needed(self.image.read(path))], set()
        while wanted:
            by, name = wanted.pop()
            self.assertIn(name, by_name, f'{by} needs {name}')
            if name not in seen:
                seen.add(name)
                wanted += [(name, other) for other in needed(content_of(by_name[name]))]
        self.assertGreater(len(seen), 15)

    def test_what_the_charts_hooks_run_is_there(self):
        for name in ('bash', 'sleep', 'grep', 'timeout', 'cat'):
            self.assertTrue({f'bin/{name}', f'usr/bin/{name}'} & set(self.image.files), name)

    def test_what_does_not_run_is_not_there(self):
        for name in ('apt-get', 'perl', 'su', 'mount', 'passwd', 'g++', 'python3', 'curl', 'openssl'):
            self.assertFalse({f'bin/{name}', f'usr/bin/{name}'} & set(self.image.files), name)
        for folder in ('usr/share/man/', 'usr/share/locale/', 'var/lib/apt/', 'src/'):
            self.assertFalse([path for path in self.image.files if path.startswith(folder)], folder)
        size = sum(file.size for path, file in self.image.files.items() if path not in PROGRAMS)
        self.assertLess(size / 1e6, MOST_MEGABYTES)

    def test_authorities_are_there(self):
        self.assertIn(b'BEGIN CERTIFICATE', self.image.read('etc/ssl/certs/ca-certificates.crt'))

    def test_licences_of_packages_are_kept(self):
        with_licence = {path.split('/')[3] for path in self.image.files
                        if re.match(r'usr/share/doc/[^/]+/copyright$', path)}
        links = {path.split('/')[3] for path, file in self.image.files.items()
                 if path.startswith('usr/share/doc/') and file.kind == 'link'}
        names = {fields['Package'] for fields in self.image.packages()}
        self.assertEqual(names - with_licence - links, set())


class Stages(unittest.TestCase):
    """`packaged`, which is tested, and `final`, which compiles in the image, hold the same files."""

    def test_both_put_the_same_programs_on_the_same_stage(self):
        text = (ROOT / 'Dockerfile').read_text().replace('\\\n', ' ')
        stages = {name: (base, body) for base, name, body in
                  re.findall(r'^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)', text, re.M | re.S)}
        copied = {}
        for name in ('packaged', 'final'):
            base, body = stages[name]
            self.assertEqual(base, 'runtime')
            instructions = [line for line in body.splitlines()
                            if line and not line.startswith(('#', 'ARG '))]
            self.assertEqual(len(instructions), 1, 'one COPY and nothing else')
            words = [word for word in instructions[0].split() if not word.startswith('--')]
            self.assertEqual(words[0], 'COPY')
            copied[name] = ([word.rsplit('/', 1)[1] for word in words[1:-1]], words[-1])
        self.assertEqual(copied['packaged'], copied['final'])
        self.assertEqual({'usr/bin/' + name for name in copied['final'][0]}, set(PROGRAMS))

    def test_the_programs_are_the_last_layer_alone(self):
        image = Image(build_image())
        last = len(image.manifest['Layers']) - 1
        self.assertEqual({path for path, file in image.files.items()
                          if file.layer == last and file.kind == 'file'}, set(PROGRAMS))


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.image = Image(build_image())
        cls.sbom = sbom(cls.image)

    def dpkg(self):
        """What dpkg itself reads from the image's database."""
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, 'status').write_bytes(self.image.read('var/lib/dpkg/status'))
            return of_dpkg(f'--admindir={folder}')

    def test_the_sbom_has_every_package_that_dpkg_knows(self):
        found = of_sbom(self.sbom)
        self.assertEqual(found, self.dpkg())
        self.assertIn('libssl3', {name for name, _, _ in found})

    def test_the_sbom_has_our_programs_with_their_sums(self):
        sums = {each['fileName'].removeprefix('./'): each['checksums'][1]['checksumValue']
                for each in self.sbom['files']}
        self.assertEqual(sums, {path: hashlib.sha256(self.image.read(path)).hexdigest()
                                for path in PROGRAMS})

    def test_the_sbom_is_well_formed_spdx(self):
        document = json.loads(json.dumps(self.sbom))
        for key in ('spdxVersion', 'dataLicense', 'SPDXID', 'name', 'documentNamespace', 'creationInfo'):
            self.assertTrue(document[key], key)
        self.assertRegex(document['creationInfo']['created'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
        ids = [each['SPDXID'] for each in (*document['packages'], *document['files'])]
        self.assertEqual(len(ids), len(set(ids)))
        for each in ids:
            self.assertRegex(each, r'^SPDXRef-[A-Za-z0-9.-]+$')
        for each in document['packages']:
            self.assertLessEqual({'name', 'SPDXID', 'downloadLocation'}, set(each))
        contained = {each['relatedSpdxElement'] for each in document['relationships']}
        self.assertEqual(contained, set(ids), 'everything hangs on the document')
        known = {'SPDXRef-DOCUMENT', *ids}
        self.assertLessEqual({each['spdxElementId'] for each in document['relationships']}, known)

    def test_the_list_adds_up(self):
        lines = list(listing(self.image))
        total = sum(file.size for file in self.image.files.values()) / 1e6
        self.assertTrue(lines[0].startswith(f'{total:.1f} MB in {len(self.image.files)} files'))
        text = '\n'.join(lines)
        for name, version, _ in self.dpkg():
            self.assertIn(f'{name} {version}', text)


if __name__ == '__main__':
    if not (BIN / 'penstock-proxy').exists():
        print(f'skipped: no {BIN}; `make image` or `make image-arm64` builds it')
        sys.exit(77)
    unittest.main(warnings='ignore')
