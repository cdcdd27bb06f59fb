"""kill -9 under load: what was acknowledged is delivered, whatever happens.

POSTERN_CRASH_ROUNDS sets the number of kills (default 20).
"""
import collections
import os
import random
import smtplib
import threading
import unittest

from harness import Case, eventually

ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "20"))
CLIENTS = 4


class Crash(Case):
    settings = {"mode": "queued"}

    def submit_until_death(self, client, round_number, acknowledged, stop):
        """Send as fast as the server answers; note each 250."""
        sent = 0
        try:
            smtp = self.client()
            while not stop.is_set():
                subject = f"r{round_number}c{client}n{sent}"
                code, text = self.send(smtp, subject)
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
        after = before + random.randint(1, 40)
        eventually(lambda: len(acknowledged) >= after, "work is going on")
        self.kill()
        stop.set()
        for thread in threads:
            thread.join()
        self.start(**self.settings)

    def test_nothing_acknowledged_is_lost(self):
        acknowledged = []
        for number in range(ROUNDS):
            self.run_round(number, acknowledged)
        wanted = {subject for subject, _ in acknowledged}

        def arrived():
            got = collections.Counter(m["subject"] for m in self.sandbox.messages())
            return got if wanted <= set(got) else None
        got = eventually(arrived, "every acknowledged message arrives")
        ids = dict(acknowledged)
        repeated = [s for s, n in got.items() if n > 1 and s in ids]
        for subject in repeated:
            classes = [a["class"] for a in self.record(ids[subject])["attempts"]]
            self.assertIn("unknown", classes,
                          f"{subject} was sent twice and the ledger does not say why")
        print(f"{ROUNDS} kills, {len(wanted)} acknowledged, 0 lost, "
              f"{len(repeated)} sent again after an unknown outcome")


if __name__ == "__main__":
    unittest.main()
