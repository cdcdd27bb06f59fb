"""What the documents show works as shown."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import POSTERN, make_certificate, password_hash

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Documents(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-docs."))
        self.addCleanup(shutil.rmtree, self.home)
        make_certificate(self.home)
        for name, text in (("shop.hash", password_hash()),
                           ("sendgrid.key", "SG.example"),
                           ("sendgrid-api-key", "SG.example")):
            (self.home / name).write_text(text + "\n")
            os.chmod(self.home / name, 0o600)
        (self.home / "cert.pem").rename(self.home / "tls.crt")
        (self.home / "key.pem").rename(self.home / "tls.key")

    def check(self, text):
        path = self.home / "postern.yaml"
        text = text.replace("/etc/postern/secrets", str(self.home))
        path.write_text(text.replace("/etc/postern", str(self.home)))
        done = subprocess.run(
            [POSTERN, "check", "-c", path], text=True, capture_output=True,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                 "AWS_SECRET_ACCESS_KEY": "example"})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_configuration_in_the_readme_is_good(self):
        blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(),
                            re.S)
        self.check(blocks[0])
        self.assertLessEqual(len(blocks[0].splitlines()), 12)

    def test_the_configuration_of_the_sidecar_is_good(self):
        text = (ROOT / "deploy/kubernetes/sidecar.yaml").read_text()
        block = re.search(r"postern\.yaml: \|\n((?:    .*\n)+)", text).group(1)
        self.check(re.sub(r"^    ", "", block, flags=re.M))

    def test_the_users_of_the_secret_are_good(self):
        text = (ROOT / "deploy/kubernetes/users.yaml").read_text()
        block = re.search(r"users\.yaml: \|\n((?:    .*\n)+)", text).group(1)
        users = re.sub(r"^    ", "", block, flags=re.M)
        shown = re.search(r"^#   users:\n(?:#  .*\n)+", text, re.M).group(0)
        (self.home / "users").mkdir()
        path = self.home / "users/users.yaml"
        path.write_text(users.replace("SCRAM-SHA-256$replace-me", password_hash()))
        os.chmod(path, 0o400)
        self.check("hostname: mail.example.org\n"
                   "tls: {certificates: [{cert: /etc/postern/tls.crt, "
                   "key: /etc/postern/tls.key}]}\n"
                   "providers: [{name: one, type: sendgrid, api_key: SG.x}]\n" +
                   re.sub(r"^#   ", "", shown, flags=re.M))

    def test_the_image_is_built_with_all_it_needs(self):
        needed = re.search(r'\[build\]="(.*?)"',
                           (ROOT / "deploy/packages.sh").read_text(), re.S)
        for package in needed.group(1).split():
            self.assertIn(package, (ROOT / "deploy/Dockerfile").read_text())

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_the_unit_is_as_hardened_as_it_says(self):
        unit = ROOT / "deploy/systemd/postern.service"
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", unit],
            text=True, capture_output=True)
        level = re.search(r"Overall exposure level.*?([0-9.]+) ", done.stdout)
        self.assertIsNotNone(level, done.stdout + done.stderr)
        self.assertLessEqual(float(level.group(1)), 2.0)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_the_units_are_understood(self):
        with tempfile.TemporaryDirectory() as folder:
            units = []
            for unit in (ROOT / "deploy/systemd").glob("postern.*"):
                text = re.sub(r"^(Exec\w+)=.*", r"\1=/bin/true",
                              unit.read_text(), flags=re.M)
                units.append(pathlib.Path(folder, unit.name))
                units[-1].write_text(text)
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no",
                 "--recursive-errors=no", *units],
                text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_socket_has_the_name_of_a_listener(self):
        socket = (ROOT / "deploy/systemd/postern.socket").read_text()
        name = re.search(r"^FileDescriptorName=(.*)$", socket, re.M)[1]
        sample = (ROOT / "conf/postern.yaml").read_text()
        self.assertIn(f"- name: {name} ", sample)


if __name__ == "__main__":
    unittest.main()
