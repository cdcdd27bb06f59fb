"""A damaged spool: the server says what to do, and who does it loses nothing."""
import os
import re
import sqlite3
import subprocess
import unittest

from harness import BUILD, POSTERN, Case, Process, eventually

QUEUED = 4


class Salvage(Case):
    settings = {"mode": "queued"}

    def submit(self, subject):
        code, text = self.send(self.client(), subject)
        self.assertEqual(code, 250, text)
        return self.queue_id(text)

    def ruin(self):
        """A table without rows that matter here: SQLite wants none of it."""
        path = self.home / "spool" / "store.db"
        db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        page = db.execute("SELECT rootpage FROM sqlite_schema"
                          " WHERE name = 'dead'").fetchone()[0]
        db.close()
        with open(path, "r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"?" * 4096)

    def salvage(self, *words):
        return subprocess.run([POSTERN, "salvage", *words], check=False,
                              capture_output=True, text=True)

    def test_what_the_server_says_brings_all_mail_back(self):
        sent = self.submit("sent")
        self.final(sent)
        for provider in "sendgrid", "ses", "mailgun":
            self.sandbox.fault(provider, status=503)
        waiting = [self.submit(f"number {i}") for i in range(QUEUED)]
        spool = self.home / "spool"
        used = self.salvage(spool, self.home / "new")
        self.assertEqual(used.returncode, 74, used)
        self.assertIn("is in use", used.stderr)
        self.stop()
        self.start(**self.settings)
        self.kill()
        self.ruin()
        server = Process([POSTERN, "serve", "-c", self.home / "postern.yaml"],
                         self.home / "refused.log")
        eventually(lambda: server.child.poll() is not None, "it is refused")
        server.log_file.close()
        self.assertNotEqual(server.child.returncode, 0)
        commands = re.search(r"\(IFS=; S='.*mv \$S\.new \$S\)", server.log())
        self.assertTrue(commands, server.log())
        self.assertIn(str(spool), commands[0])
        done = subprocess.run(
            ["sh", "-c", commands[0]], check=True, capture_output=True, text=True,
            env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"})
        self.assertIn("1 of them damaged", done.stdout)
        self.assertIn(f"{QUEUED + 1} messages, {QUEUED} of them waiting", done.stdout)
        self.assertTrue((self.home / "spool.damaged" / "store.db").exists())
        self.sandbox.heal()
        self.start(**self.settings)
        for queue_id in waiting + [sent]:
            self.final(queue_id)
        self.submit("and more")
        eventually(lambda: len(self.sandbox.messages()) == QUEUED + 2, "all is sent")

    def test_a_whole_spool_is_taken_over(self):
        sent = self.submit("sent")
        self.final(sent)
        self.stop()
        spool, new = self.home / "spool", self.home / "new"
        done = self.salvage(spool, new)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("nothing is missing", done.stdout)
        self.assertEqual(self.salvage(spool, new).returncode, 74)
        self.assertEqual(self.salvage(spool).returncode, 2)
        spool.rename(self.home / "old")
        new.rename(spool)
        self.start(**self.settings)
        self.final(sent)


if __name__ == "__main__":
    unittest.main()
