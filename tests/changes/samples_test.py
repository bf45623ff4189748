"""Sample objects of our kinds on a real API server: it and `penstock check` take and refuse the
same."""
import json
import pathlib
import sys
import tempfile
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from penstock_testing import TestCase, main  # noqa: E402
from samples import changes, named, refusals, samples, schemas  # noqa: E402


class Samples(TestCase):
    number = 23
    starts_programs = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.install_crds()

    def verdict(self, sample):
        """None where the API server takes it, else what it says and how many causes it names."""
        space = sample['metadata'].get('namespace', '')
        path = self.cluster.path_of(sample['kind'], namespace=space)
        try:
            self.cluster.call('POST', path + '?dryRun=All&fieldValidation=Strict', sample)
        except urllib.error.HTTPError as error:
            answer = json.loads(error.read())
            causes = [each for each in answer.get('details', {}).get('causes', ())
                      if 'some validation rules were not checked' not in each['message']]
            return answer['message'], len(causes)
        return None

    def test_samples_are_taken_and_refused_as_they_say(self):
        every = samples()
        for sample, plain in zip(every, named(every)):
            name = sample['metadata']['name']
            with self.subTest(kind=sample['kind'], name=name):
                found = self.verdict(plain)
                if name.startswith('ok-'):
                    self.assertIsNone(found)
                    continue
                self.assertIsNotNone(found)
                self.assertIn(sample['metadata']['annotations']['api'], found[0])
                self.assertLessEqual(found[1], 1, found[0])

    def test_the_code_takes_and_refuses_what_the_api_server_does(self):
        known = schemas()
        tried = [each for sample in samples() if sample['metadata']['name'].startswith('ok-')
                 for each in changes(sample, known[sample['kind']])]
        objects = [each for _, each, _ in tried]
        with tempfile.TemporaryDirectory() as folder:
            refused = refusals(objects, folder)
        differences = []
        for i, plain in enumerate(named(objects)):
            found = self.verdict(plain)
            if (found is None) != (i not in refused):
                differences.append((plain['kind'], tried[i][0], found, refused.get(i)))
        self.assertEqual(differences, [], '\n'.join(map(str, differences)))
        self.assertGreater(len(tried), 300)


if __name__ == '__main__':
    main()
