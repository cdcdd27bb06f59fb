"""What the running server has given up, as the kernel tells it."""
import contextlib
import os
import sqlite3
import subprocess
import unittest

from harness import Case, HARDENING, PASSWORD, eventually


class Hardening(Case):
    def status(self):
        path = f"/proc/{self.server.child.pid}/status"
        with open(path, encoding="ascii") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines)

    def test_privileges(self):
        status = self.status()
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["CapEff"].strip("0"), "")
        if os.geteuid() == 0:
            self.assertNotIn("0", status["Uid"].split())
            self.assertNotIn("0", status["Gid"].split())
        with open(f"/proc/{self.server.child.pid}/limits",
                  encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max core file size\s+0\s+0")

    @unittest.skipIf(HARDENING == "off", "sanitizers need what it forbids")
    def test_system_calls(self):
        self.assertEqual(self.status()["Seccomp"], "2")
        for thread in os.listdir(f"/proc/{self.server.child.pid}/task"):
            with open(f"/proc/{self.server.child.pid}/task/{thread}/status",
                      encoding="ascii") as status:
                self.assertIn("Seccomp:\t2\n", status.readlines())

    @unittest.skipIf(HARDENING == "off", "nothing is forbidden then")
    def test_a_long_queue_is_read_at_a_start(self):
        """Without a file outside of the spool to sort it in."""
        for provider in "sendgrid", "ses", "mailgun":
            self.sandbox.fault(provider, status=503)
        self.stop()
        self.start(mode="queued")
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        self.stop()
        path = self.home / "spool/store.db"
        with contextlib.closing(sqlite3.connect(path)) as db:
            row = db.execute("SELECT * FROM body").fetchone()
            marks = ",".join("?" * len(row))
            db.executemany(f"INSERT INTO body VALUES ({marks})", (
                (i.to_bytes(16, "big"), *row[1:]) for i in range(400000)))
            db.commit()
        self.start(mode="queued")

    def test_addresses_in_the_log(self):
        self.stop()
        self.start(log_extra=", addresses: domain")
        smtp = self.client()
        self.assertEqual(self.send(smtp)[0], 250)
        event = eventually(
            lambda: self.server.events("message_accepted"), "it is logged")[0]
        self.assertEqual(event["sender"], "*@shop.example")
        self.assertNotIn("orders@", self.server.log())
        self.assertNotIn(PASSWORD, self.server.log())

    def test_says_what_it_needs(self):
        path = self.config()
        os.chmod(self.home / "demo.hash", 0o644)
        done = subprocess.run([self.server.child.args[0], "check", "-c", path],
                              capture_output=True, text=True, check=False)
        self.assertIn("demo.hash may be read by everybody",
                      done.stdout + done.stderr)
        os.chmod(self.home / "demo.hash", 0o600)
        os.chmod(path, 0o666)
        done = subprocess.run([self.server.child.args[0], "check", "-c", path],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("may be written by everybody", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
