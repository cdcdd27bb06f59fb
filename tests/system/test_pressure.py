"""What is nearly used up: refused in time, and accepted again without a restart."""
import os
import shutil
import smtplib
import subprocess
import tempfile
import unittest

from harness import DEADLINE, POSTERN, Process, eventually, http
from test_reload import Reload

ALL = "100%"


class Pressure(Reload):
    settings = {"provider_extra":
                ", breaker: {failures: 1000, min_calls: 1000}"}

    def setUp(self):
        super().setUp()
        eventually(self.is_ready, "the server is ready")

    def configure(self, *edits):
        self.edit(*edits)
        self.hangup()

    def is_ready(self):
        return http(f"{self.stats}/readyz")[0] == 200

    def mail(self, smtp):
        """The reply to MAIL; then as if nothing had been."""
        code, text = smtp.mail("orders@shop.example")
        smtp.rset()
        return code, text.decode()

    def fill(self, smtp, count):
        """Messages that stay in the queue."""
        for _ in range(count):
            code, text = self.send(smtp)
            self.assertEqual(code, 250, text)

    def test_a_disk_below_the_mark_takes_no_mail_until_there_is_room(self):
        smtp = self.client()
        self.configure(("min_free: 0", f"min_free: {ALL}"))
        code, text = self.mail(smtp)
        self.assertEqual(code, 452)
        self.assertTrue(text.startswith("4.3.1 Insufficient system storage"), text)
        status, answer = http(f"{self.stats}/readyz")
        self.assertEqual(status, 503)
        self.assertIn("[-]spool_space failed: less than spool.min_free is free\n",
                      answer)
        self.assertEqual(http(f"{self.stats}/livez")[0], 200)
        self.assertEqual(self.metric('pressure{what="spool_space"}'), 1)
        self.configure((f"min_free: {ALL}", "min_free: 0"))
        eventually(self.is_ready, "there is room")
        self.assertEqual(self.send(smtp)[0], 250)
        for name in "pressure_begin", "pressure_end":
            self.assertIn("spool_space", [e["what"] for e in self.server.logged(name)])

    def test_a_full_queue_takes_more_once_a_tenth_has_left(self):
        for provider in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(provider, status=503)
        smtp = self.client()
        self.configure(("queue:\n  mode: hybrid",
                        "queue:\n  mode: queued\n  max_messages: 4\n"
                        "  user_share: 0"))
        smtp = self.client()
        self.fill(smtp, 4)
        self.assertEqual(self.mail(smtp)[0], 452)
        self.assertTrue(self.is_ready())
        self.sandbox.heal()
        eventually(lambda: self.mail(smtp)[0] == 250, "there is room again")
        self.assertEqual(len(self.server.logged("pressure_begin")), 1)

    def test_one_user_gets_a_share_also_after_a_restart(self):
        for provider in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(provider, status=503)
        self.configure(("queue:\n  mode: hybrid",
                        "queue:\n  mode: queued\n  max_messages: 8\n"
                        "  user_share: 25%"))
        smtp = self.client()
        self.fill(smtp, 2)
        code, text = self.mail(smtp)
        self.assertEqual(code, 452)
        self.assertTrue(text.startswith(
            "4.3.1 Too much of your mail waits to be sent"), text)
        self.assertEqual(self.server.logged("user_share_begin")[0]["user"], "demo")
        self.stop()
        self.start(**self.settings, mode="queued\n  max_messages: 8\n  user_share: 25%")
        smtp = self.client()
        self.assertEqual(self.mail(smtp)[0], 452)
        self.sandbox.heal()
        eventually(lambda: self.mail(smtp)[0] == 250, "the user may send again")

    def test_short_of_memory_nobody_new_is_let_in(self):
        smtp = self.client()
        self.configure(("stats:", "memory: {limit: 1GiB, soft: 1%, hard: 0}\nstats:"))
        code, text = self.reply_at_the_door()
        self.assertEqual(code, 421)
        self.assertTrue(text.startswith("4.3.2 Too busy"), text)
        self.assertEqual(self.send(smtp)[0], 250)
        self.configure(("limit: 1GiB", "limit: 100GiB"), ("soft: 1%", "soft: 80%"))
        self.assertEqual(self.reply_at_the_door()[0], 220)

    def test_shorter_still_no_content_is_read_until_there_is_more(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        self.configure(("stats:", "memory: {limit: 1GiB, soft: 1%, hard: 1%}\nstats:"))
        self.assertEqual(smtp.docmd("DATA")[0], 354)
        smtp.send("From: orders@shop.example\r\n\r\nhi\r\n.\r\n")
        smtp.sock.settimeout(1)
        with self.assertRaises(TimeoutError):
            smtp.sock.recv(1)
        smtp.sock.settimeout(DEADLINE)
        self.configure(("limit: 1GiB", "limit: 100GiB"), ("soft: 1%, hard: 1%", "soft: 80%"))
        self.assertEqual(smtp.getreply()[0], 250)

    def test_a_spool_in_memory_must_be_meant(self):
        kind = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], check=False,
                              text=True, capture_output=True).stdout.strip()
        if kind != "tmpfs":
            self.skipTest("/dev/shm is no tmpfs")
        home = tempfile.mkdtemp(prefix="postern-test.", dir="/dev/shm")
        os.chmod(home, 0o711)
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        path = self.home / "postern.yaml"
        text = path.read_text().replace(f"{self.home}/spool", f"{home}/spool")
        text = text.replace(f"{self.home}/admin", f"{home}/admin")
        path.write_text(text.replace("durability: none", "durability: full"))
        done = subprocess.run([POSTERN, "serve", "-c", path], check=False,
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("spool.durability: none", done.stderr)
        path.write_text(text.replace("durability: full", "durability: none"))
        server = Process([POSTERN, "serve", "-c", path], self.home / "memory.log")
        server.logged("ready")
        self.assertEqual(server.logged("spool_not_durable")[0]["path"],
                         f"{home}/spool")
        self.assertEqual(server.stop(), 0)

    def reply_at_the_door(self):
        smtp = smtplib.SMTP(timeout=DEADLINE)
        self.addCleanup(smtp.close)
        code, text = smtp.connect("localhost", self.starttls)
        return code, text.decode()


if __name__ == "__main__":
    unittest.main()
