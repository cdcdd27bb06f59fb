"""A module built outside of the tree, against what is installed."""
import os
import pathlib
import subprocess
import unittest

import harness
from harness import BUILD, Case

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "providers/example"


class Outside(Case):
    settings = {"providers": "mine", "user_extra": ', senders: ["@shop.example"]'}

    def run_it(self, *argv, **env):
        done = subprocess.run([str(a) for a in argv], text=True, capture_output=True,
                              env={**os.environ, **env})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def install(self):
        """Prefix with an installation and, built from it alone, the example."""
        prefix, work = self.home / "prefix", self.home / "example"
        self.run_it("cmake", "--install", BUILD, "--prefix", prefix)
        work.mkdir()
        for path in EXAMPLE.iterdir():
            (work / path.name).write_bytes(path.read_bytes())
        found = {"PKG_CONFIG_PATH": str(next(prefix.rglob("pkgconfig")))}
        self.run_it("cmake", "-S", work, "-B", work / "build", **found)
        self.run_it("cmake", "--build", work / "build")
        self.run_it("cmake", "--install", work / "build")
        self.modules = self.run_it(
            "pkg-config", "--variable=moduledir", "postern", **found).strip()
        self.assertEqual(self.exports(pathlib.Path(self.modules) / "example.so"),
                         ["postern_provider_v1"])
        return prefix

    def exports(self, module):
        lines = self.run_it("nm", "-D", "--defined-only", module).splitlines()
        names = [line.split()[-1] for line in lines]
        return [n for n in names if not n.startswith("__odr_asan.")]

    def config(self, **settings):
        path = super().config(**settings)
        mine = f'providers:\n  - {{name: mine, type: example, ' \
               f'url: "{self.sandbox.url}/resend", api_key: re_sandbox}}\n'
        path.write_text(path.read_text().replace("providers:\n", mine, 1) +
                        f"modules: {self.modules}\n")
        return path

    def start(self, **settings):
        self.prefix = self.install()
        self.addCleanup(setattr, harness, "POSTERN", harness.POSTERN)
        harness.POSTERN = self.prefix / "bin/postern"
        super().start(**settings)

    def test_it_is_loaded_and_delivers(self):
        code, text = self.send(self.client(),
                               to=("ann@dest.example", "bob@dest.example"))
        self.assertEqual(code, 250, text)
        record = self.final(self.queue_id(text))
        self.assertEqual({a["provider"] for a in record["attempts"]}, {"mine"})
        messages = self.sandbox.messages(provider="resend")
        self.assertEqual(sorted(m["recipients"][0] for m in messages),
                         ["ann@dest.example", "bob@dest.example"])
        self.assertEqual({m["text"].strip() for m in messages}, {"hi"})
        for path in pathlib.Path(self.modules).glob("*.so"):
            self.assertEqual(self.exports(path), ["postern_provider_v1"], path)
        ids = {a["provider_id"] for a in record["attempts"]}
        self.assertEqual(ids, {m["provider_id"] for m in messages})
        # What an answer means is the module's to say.
        self.sandbox.fault("resend", status=422)
        code, text = self.send(self.client())
        self.assertEqual(code, 554, text)
        # It can be looked at, without its key.
        letter = self.home / "letter.eml"
        letter.write_text("From: a@shop.example\nTo: b@dest.example\n\nhi\n")
        told = self.run_it(harness.POSTERN, "explain", letter, "-c",
                           self.home / "postern.yaml")
        self.assertIn("Authorization: Bearer XXXXXXXXXXXXXXXX", told)
        self.assertNotIn("re_sandbox", told)
        # And everything else is there as well.
        for name in ("lib/systemd/system/postern.service", "include/postern/provider.h",
                     "share/doc/postern/postern.yaml"):
            self.assertTrue((self.prefix / name).is_file(), name)
        self.assertTrue((pathlib.Path(self.modules) / "sendgrid.so").is_file())


if __name__ == "__main__":
    unittest.main()
