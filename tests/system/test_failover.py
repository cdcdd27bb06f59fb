"""A provider fails: mail goes on, it is left alone, and comes back by and by."""
import itertools
import re
import shutil
import signal
import threading
import time
import unittest

from harness import Case, eventually, http

# Everything in seconds instead of minutes.
BREAKER = ("breaker: {failures: 3, open: 1500ms, open_max: 3s, "
           "account_retry: 2s}")


class Failover(Case):
    settings = {"providers": "sendgrid, ses", "timeout": "2s",
                "provider_extra": ", " + BREAKER}
    numbers = itertools.count()

    def start(self, **settings):
        for name in "cert.pem", "key.pem", "demo.hash":  # read by a reload
            shutil.chown(self.home / name, "nobody")
        super().start(**settings)
        self.smtp = self.client()

    def submit(self, count=1):
        """Queue ids of so many messages, all of which were accepted."""
        smtp, ids = self.smtp, []
        for _ in range(count):
            code, text = self.send(smtp, subject=f"number {next(self.numbers)}")
            self.assertEqual(code, 250, text)
            ids.append(self.queue_id(text))
        return ids

    def requests(self, provider):
        return self.sandbox.counts().get(provider, {}).get("requests", 0)

    def metric(self, name, provider):
        text = http(f"{self.stats}/metrics")[1]
        found = re.search(
            rf'^postern_{name}{{provider="{provider}"}} (\S+)$', text, re.M)
        self.assertTrue(found, f"{name} of {provider} is shown")
        return float(found.group(1))

    def health(self, provider):
        stats = http(f"{self.stats}/api/v1/stats")[1]
        return next(p["health"] for p in stats["providers"]
                    if p["name"] == provider)

    def tried(self, queue_id):
        return [(a["provider"], a["class"])
                for a in self.final(queue_id)["attempts"]]

    def all_arrived_once(self, ids):
        for queue_id in ids:
            self.final(queue_id)
        subjects = [m["subject"] for m in self.sandbox.messages()]
        self.assertEqual(len(subjects), len(set(subjects)))
        self.assertEqual(len(subjects), len(ids))

    def recover(self, ids):
        """Until the first provider is closed again, with mail."""
        def look():
            ids.extend(self.submit())
            return self.metric("provider_breaker_state", "sendgrid") == 0
        eventually(look, "the breaker closes")

    FAULTS = {
        "transient": dict(status=503),
        "account": dict(status=401),
        "refused connection": dict(reset="before-body"),
    }

    def test_a_refused_sender_is_no_fault_of_the_account(self):
        self.sandbox.fault("sendgrid", status=403, count=6)
        ids = self.submit(6)
        for queue_id in ids:
            self.assertEqual(self.tried(queue_id),
                             [("sendgrid", "account"), ("ses", "accepted")])
        self.assertEqual(self.health("sendgrid")["breaker"], "closed")
        # One whose sender is welcome there still goes the usual way.
        (other,) = self.submit()
        self.assertEqual(self.tried(other), [("sendgrid", "accepted")])
        self.assertEqual(len(self.server.logged("sender_refused")), 1)
        self.all_arrived_once(ids + [other])

    def test_what_fails_is_left_alone_and_returns(self):
        for name, fault in self.FAULTS.items():
            with self.subTest(fault=name):
                self.stop()
                self.start(**self.settings)
                self.sandbox.heal()
                self.sandbox.forget()
                self.sandbox.fault("sendgrid", **fault)
                ids = self.submit(3)
                event = self.server.logged("breaker_open")[0]
                self.assertEqual(event["provider"], "sendgrid")
                self.assertEqual(event["level"],
                                 "error" if name == "account" else "warn")
                before = self.requests("sendgrid")
                later = self.submit(5)
                ids += later
                self.assertLessEqual(self.requests("sendgrid"), before + 1)
                self.assertIn([("ses", "accepted")],
                              [self.tried(i) for i in later])
                self.sandbox.heal()
                self.recover(ids)
                self.server.logged("breaker_close")
                self.all_arrived_once(ids)

    def test_its_state_is_shown(self):
        self.assertEqual(self.metric("provider_up", "sendgrid"), 1)
        self.assertEqual(self.health("sendgrid")["breaker"], "closed")
        self.sandbox.fault("sendgrid", status=401)
        self.submit()
        self.assertEqual(self.metric("provider_up", "sendgrid"), 0)
        self.assertEqual(self.metric("provider_breaker_state", "sendgrid"), 2)
        self.assertEqual(self.metric("provider_breaker_state", "ses"), 0)
        self.assertEqual(self.metric("provider_concurrency_limit", "ses"), 128)
        health = self.health("sendgrid")
        self.assertEqual(health["breaker"], "open")
        self.assertIn("account is refused", health["reason"])
        self.assertTrue(health["since"] and health["next_try"])
        self.assertIsNone(self.health("ses")["next_try"])

    def test_one_that_hangs_costs_its_timeout_once(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        first = self.submit(3)  # 250 after the budget or the timeout
        self.server.logged("breaker_open")
        later = self.submit(5)
        self.sandbox.heal()
        # Straight to the next one, but for the trial that may be due already.
        tried = [self.tried(queue_id) for queue_id in later]
        self.assertIn([("ses", "accepted")], tried)
        for attempts in tried:
            self.assertIn(attempts[0], [("ses", "accepted"), ("sendgrid", "unknown")])
        self.recover(later)
        # Nobody knew, so these went nowhere else.
        for queue_id in first:
            tried = self.tried(queue_id)
            self.assertEqual(tried[0], ("sendgrid", "unknown"))
            self.assertEqual({p for p, _ in tried}, {"sendgrid"})

    def test_one_that_asks_for_a_pause_gets_it(self):
        self.sandbox.fault("sendgrid", status=429, count=1,
                           headers={"Retry-After": "3"})
        ids = self.submit()
        before = self.requests("sendgrid")
        ids += self.submit(10)
        self.assertEqual(self.requests("sendgrid"), before)
        self.assertEqual(self.metric("provider_breaker_state", "sendgrid"), 0)
        eventually(
            lambda: self.metric("provider_throttled_seconds_total", "sendgrid")
            >= 2.9, "the pause is counted")

        def is_back():
            ids.extend(self.submit())
            return self.requests("sendgrid") > before
        eventually(is_back, "the provider has mail again")
        self.all_arrived_once(ids)

    def test_a_flood_of_bad_messages_opens_nothing(self):
        self.sandbox.fault("sendgrid", status=400)
        for _ in range(5):
            smtp = self.client()
            for _ in range(8):
                code, text = self.send(smtp)
                self.assertGreaterEqual(code, 500, text)
        self.assertEqual(self.metric("provider_breaker_state", "sendgrid"), 0)
        self.assertEqual(self.requests("sendgrid"), 40)
        self.assertEqual(self.requests("ses"), 0)

    def test_with_all_of_them_down_mail_waits(self):
        self.sandbox.fault("sendgrid", status=503)
        self.sandbox.fault("ses", status=503)
        ids = self.submit(12)
        eventually(lambda: len(self.server.events("breaker_open")) >= 2,
                   "both are open")
        # Said to the client: it is safe. And nothing is asked in vain.
        ids += self.submit(20)
        self.assertLess(self.requests("sendgrid") + self.requests("ses"), 40)
        self.assertTrue(any("paused after 3 failures in a row, next try in"
                            in e["reason"]
                            for e in self.server.events("deferred")))
        self.sandbox.heal()
        self.all_arrived_once(ids)

    def test_with_all_of_them_down_direct_mode_says_so(self):
        self.stop()
        self.start(**{**self.settings, "mode": "direct"})
        self.sandbox.fault("sendgrid", status=503)
        self.sandbox.fault("ses", status=503)
        for _ in range(5):
            code, text = self.send(self.smtp)
            self.assertEqual(code, 451, text)
        self.assertIn("paused after 3 failures", text)

    def test_the_state_outlives_a_reload_but_not_a_new_key(self):
        self.sandbox.fault("sendgrid", status=401)
        self.submit()
        path = self.home / "postern.yaml"
        path.write_text(path.read_text().replace("max_age: 1h", "max_age: 2h"))
        self.reload()
        self.assertEqual(self.metric("provider_up", "sendgrid"), 0)
        path.write_text(path.read_text().replace("SG.sandbox-key", "SG.other"))
        self.reload()
        self.assertEqual(self.metric("provider_up", "sendgrid"), 1)

    def reload(self):
        count = len(self.server.events("reload_ok"))
        self.server.child.send_signal(signal.SIGHUP)
        self.server.logged("reload_ok", count + 1)


class Concurrency(Case):
    settings = {"providers": "sendgrid",
                "provider_extra": ", concurrency: 2, rate: 20/s"}

    def test_places_and_rate_hold_for_all_workers(self):
        self.sandbox.fault("sendgrid", delay_ms=100)
        count, threads, texts = 5, [], []

        def run():
            smtp = self.client()
            for _ in range(count):
                texts.append(self.send(smtp))
        for _ in range(6):
            threads.append(threading.Thread(target=run))
            threads[-1].start()
        most = before = 0
        while any(t.is_alive() for t in threads):
            stats = http(f"{self.stats}/api/v1/stats")[1]
            now = stats["providers"][0]["inflight"]
            # A sum that is read worker by worker may count a place twice that
            # goes from one to the other; a call too many is there for longer.
            most, before = max(most, min(before, now)), now
        for thread in threads:
            thread.join()
        self.assertLessEqual(most, 2)
        self.assertEqual([code for code, _ in texts], [250] * 30)
        eventually(lambda: len(self.sandbox.messages()) == 30, "all arrive")


class Limits(Case):
    """A provider that counts calls, and says what is left."""

    settings = {"providers": "sendgrid", "mode": "queued"}

    def test_calls_stay_within_what_it_says(self):
        self.sandbox.limit("sendgrid", calls=20, per_s=2)
        began, smtp, ids = time.monotonic(), self.client(), []
        for i in range(50):
            code, text = self.send(smtp, subject=f"number {i}")
            self.assertEqual(code, 250, text)
            ids.append(self.queue_id(text))
        for queue_id in ids:
            self.final(queue_id)
        counts = self.sandbox.counts()["sendgrid"]
        self.assertEqual(counts["accepted"], 50)
        # Blindly, at least one call would have been refused in each period, of
        # which a slow run has more than three.
        periods = (time.monotonic() - began) // 2
        self.assertLessEqual(counts["limited"], max(1, periods // 2), counts)


if __name__ == "__main__":
    unittest.main(verbosity=2)
