"""A bad configuration is explained, whole, and nothing starts."""
import subprocess
import unittest

from harness import Case, POSTERN


class BadConfiguration(Case):
    def check(self, change):
        path = self.config()
        path.write_text(change(path.read_text()))
        return subprocess.run([POSTERN, "check", "-c", path], text=True,
                              capture_output=True), path

    def test_all_mistakes_are_named_at_once_with_their_place(self):
        done, path = self.check(lambda text: text
                                .replace("mode: hybrid", "mode: hybird")
                                .replace("providers: [sendgrid,", "providers: [sendgird,")
                                .replace("threads: 2", "treads: 2"))
        self.assertEqual(done.returncode, 78)
        lines = [line for line in done.stderr.splitlines()
                 if line.startswith(f"{path}:")]
        self.assertGreaterEqual(len(lines), 3, done.stderr)
        for line in lines:
            self.assertRegex(line, r":[0-9]+:[0-9]+: ")

    def test_the_server_refuses_it_with_the_same_words(self):
        path = self.config()
        path.write_text(path.read_text().replace("threads: 2", "threads: many"))
        done = subprocess.run([POSTERN, "serve", "-c", path], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 78)
        self.assertIn("threads", done.stderr)

    def test_a_good_one_is_ok(self):
        done, _ = self.check(lambda text: text)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_second_server_on_the_same_store_is_refused(self):
        done = subprocess.run([POSTERN, "serve", "-c", self.config()], text=True,
                              capture_output=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("spool", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
