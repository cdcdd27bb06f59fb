"""kill -9 under load: what was acknowledged is delivered, whatever happens.

POSTERN_CRASH_ROUNDS sets the number of kills (default 20).
"""
import collections
import os
import random
import smtplib
import threading
import unittest
import zlib

from harness import Case, eventually

ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "20"))
CLIENTS = 4


class Crash(Case):
    settings = {"mode": "queued"}
    rounds = ROUNDS
    acknowledgements = 40  # of a round, at most

    def body(self, subject):
        """What a message of that subject says."""
        return f"{subject}\r\n"

    def check(self, message):
        """A message as the provider has it."""

    def submit_until_death(self, client, round_number, acknowledged, stop):
        """Send as fast as the server answers; note each 250."""
        sent = 0
        try:
            smtp = self.client()
            while not stop.is_set():
                subject = f"r{round_number}c{client}n{sent}"
                code, text = self.send(smtp, subject, body=self.body(subject))
                if code == 250:
                    acknowledged.append((subject, self.queue_id(text)))
                sent += 1
        except (OSError, smtplib.SMTPException):
            pass  # that is how a kill looks from here

    def run_round(self, number, acknowledged):
        stop = threading.Event()
        threads = [threading.Thread(target=self.submit_until_death,
                                    args=(c, number, acknowledged, stop))
                   for c in range(CLIENTS)]
        before = len(acknowledged)
        for thread in threads:
            thread.start()
        # Die somewhere in the middle of work, not at its edges.
        after = before + random.randint(1, self.acknowledgements)
        eventually(lambda: len(acknowledged) >= after, "work is going on")
        self.kill()
        stop.set()
        for thread in threads:
            thread.join()
        self.start(**self.settings)

    def wait_for_all(self, wanted):
        """Until they have arrived, or no more do; what the sandbox has."""
        got = collections.Counter()
        while not wanted <= set(got):
            before, missing = sum(got.values()), wanted - set(got)

            def more():
                messages = self.sandbox.messages()
                return messages if len(messages) > before else None
            messages = eventually(
                more, f"an acknowledged message arrives of {missing}")
            got = collections.Counter(m["subject"] for m in messages)
        return got, messages

    def test_nothing_acknowledged_is_lost(self):
        acknowledged = []
        for number in range(self.rounds):
            self.run_round(number, acknowledged)
        wanted = {subject for subject, _ in acknowledged}

        got, messages = self.wait_for_all(wanted)
        for message in messages:
            self.check(message)
        ids = dict(acknowledged)
        repeated = [s for s, n in got.items() if n > 1 and s in ids]
        for subject in repeated:
            classes = [a["class"] for a in self.record(ids[subject])["attempts"]]
            self.assertIn("unknown", classes,
                          f"{subject} was sent twice and the ledger does not say why")
        print(f"{self.rounds} kills, {len(wanted)} acknowledged, 0 lost, "
              f"{len(repeated)} sent again after an unknown outcome")


class CrashLarge(Crash):
    """Bodies in files: whole or not there, and none is left over."""

    settings = {"mode": "queued", "providers": "ses"}
    rounds = max(1, ROUNDS // 4)
    acknowledgements = 8

    def body(self, subject):
        line = f"{subject} " + "x" * 60 + "\r\n"
        return line * (3000 + zlib.crc32(subject.encode()) % 10000)

    def check(self, message):
        raw = self.sandbox.raw(message["id"])
        self.assertTrue(
            raw.endswith("\r\n\r\n" + self.body(message["subject"])))

    def test_nothing_acknowledged_is_lost(self):
        super().test_nothing_acknowledged_is_lost()
        bodies = self.home / "spool" / "bodies"
        eventually(lambda: not list(bodies.glob("*.msg")), "no file is left")


if __name__ == "__main__":
    unittest.main()
