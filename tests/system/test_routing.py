"""Which provider gets what: rules of the message, shares."""
import unittest

from harness import Case, eventually

RULES = """
  - {name: invoices, match: {header: "Subject: *rechnung f\u00fcr*"},
     providers: [mailgun]}
  - {name: large, match: {min_size: 50KB}, providers: [ses]}
"""


class Routed(Case):
    def submit(self, count=1, **what):
        """Queue ids of so many messages, all of which were accepted."""
        smtp, ids = self.client(), []
        for _ in range(count):
            code, text = self.send(smtp, **what)
            self.assertEqual(code, 250, text)
            ids.append(self.queue_id(text))
        return ids

    def tried(self, queue_id, states=("sent",)):
        return [a["provider"] for a in self.final(queue_id, states)["attempts"]]


class Rules(Routed):
    settings = {"providers": "sendgrid", "routes_before": RULES}

    def test_the_message_decides(self):
        plain, = self.submit()
        named, = self.submit(
            subject="=?utf-8?q?Ihre_Rechnung_f=C3=BCr?= November")
        large, = self.submit(body=("y" * 78 + "\r\n") * 700)
        self.assertEqual(self.tried(plain), ["sendgrid"])
        self.assertEqual(self.tried(named), ["mailgun"])
        self.assertEqual(self.tried(large), ["ses"])

    def test_a_retry_goes_by_the_rules_of_then(self):
        self.sandbox.fault("ses", status=503)
        large, = self.submit(body=("y" * 78 + "\r\n") * 700)
        eventually(lambda: self.record(large)["attempts"], "it was tried")
        self.stop()
        self.start(**{**self.settings, "routes_before": ""})
        tried = self.tried(large)
        self.assertEqual(set(tried[:-1]), {"ses"})
        self.assertEqual(tried[-1], "sendgrid")


class Weighted(Routed):
    settings = {"providers": "sendgrid, ses", "mode": "queued",
                "route_extra": ", strategy: weighted, weights: [3, 1]"}

    def test_each_gets_its_share(self):
        count = 80
        for queue_id in self.submit(count):
            self.final(queue_id)
        counts = self.sandbox.counts()
        ses = counts["ses"]["requests"]
        # 20 are expected, give or take 4.
        self.assertGreater(ses, 2)
        self.assertLess(ses, 45)
        self.assertEqual(counts["sendgrid"]["requests"], count - ses)

    def test_the_other_takes_over(self):
        self.sandbox.fault("ses", status=503)
        for queue_id in self.submit(8):
            self.assertEqual(self.tried(queue_id)[-1], "sendgrid")


if __name__ == "__main__":
    unittest.main(verbosity=2)
