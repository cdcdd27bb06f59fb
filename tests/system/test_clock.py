"""The wall clock is set by a day, to and fro (libfaketime)."""
import glob
import os
import pathlib
import unittest

from harness import Case, eventually

LIBRARY = "".join(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[:1])
PROVIDERS = ("sendgrid", "ses", "mailgun")


class Clock(Case):
    # A day's jump is more than any message may get old.
    settings = {"mode": "queued", "max_age": "20h", "hardening": "off",
                "provider_extra": ", breaker: {failures: 1000, min_calls: 1000}"}

    def setUp(self):
        if not LIBRARY:
            self.skipTest("libfaketime is not installed")
        self.shift = None
        super().setUp()
        for provider in PROVIDERS:
            self.sandbox.fault(provider, status=503)

    def start(self, **settings):
        """A server that reads its wall clock's shift from a file."""
        self.shift = self.home / "shift"
        if not self.shift.exists():
            self.set_clock("+0")
        os.environ.update(
            LD_PRELOAD=LIBRARY, FAKETIME_TIMESTAMP_FILE=str(self.shift),
            FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
            DONT_FAKE_MONOTONIC="1", FAKETIME_DONT_RESET="1",
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") +
            ":verify_asan_link_order=0")
        try:
            super().start(**settings)
        finally:
            del os.environ["LD_PRELOAD"]

    def set_clock(self, shift):
        fresh = pathlib.Path(f"{self.shift}.new")
        fresh.write_text(shift + "\n")
        os.chmod(fresh, 0o644)
        fresh.rename(self.shift)

    def fill(self, count):
        smtp = self.client()
        ids = []
        for i in range(count):
            code, text = self.send(smtp, subject=f"clock {i}")
            self.assertEqual(code, 250, text)
            ids.append(self.queue_id(text))
        smtp.quit()
        return ids

    def calls(self):
        return len(self.server.events("deferred"))

    def jump(self, shift, by_hours):
        before = len(self.server.events("clock_jumped"))
        self.set_clock(shift)
        told = self.server.logged("clock_jumped", before + 1)[-1]
        self.assertAlmostEqual(told["by_ms"], by_hours * 3600000, delta=60000)

    def test_nothing_expires_or_is_stuck_when_the_clock_is_set(self):
        ids = self.fill(20)
        self.jump("+1d", 24)
        seen = self.calls()
        eventually(lambda: self.calls() >= seen + 20, "retries go on")
        self.jump("+0", -24)
        self.jump("-1d", -24)
        seen = self.calls()
        eventually(lambda: self.calls() >= seen + 20, "retries go on")
        self.assertEqual(self.server.events("failed"), [])
        ids += self.fill(5)
        self.assertEqual(len(set(ids)), 25)
        self.sandbox.heal()
        for queue_id in ids:
            self.final(queue_id)
        self.assertEqual(self.server.events("failed"), [])

    def test_what_waits_is_due_after_a_start_with_an_earlier_clock(self):
        ids = self.fill(10)
        self.stop()
        self.sandbox.heal()
        self.set_clock("-1d")
        self.start(**self.settings)
        for queue_id in ids:
            self.final(queue_id)
        self.assertEqual(self.server.events("failed"), [])


if __name__ == "__main__":
    unittest.main()
