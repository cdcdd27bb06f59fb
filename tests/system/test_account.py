"""What the account of SES may send: it is asked, and kept to."""
import re
import unittest

from harness import Case, eventually, http


class Account(Case):
    settings = {"providers": "ses, sendgrid", "mode": "queued"}
    account = {"max_send_rate": 14, "max_24_hour_send": 50000}

    def start(self, **settings):
        self.set_account(**self.account)
        super().start(**settings)

    def set_account(self, **what):
        status, answer = http(f"{self.sandbox.url}/_sandbox/ses-account", "POST", what)
        self.assertEqual(status, 200, answer)

    def shown(self):
        stats = http(f"{self.stats}/api/v1/stats")[1]
        return next(p for p in stats["providers"] if p["name"] == "ses")

    def told(self):
        return eventually(lambda: self.shown()["account"], "it has been asked")

    def submit(self, count, to=("ann@dest.example",)):
        smtp = self.client()
        for i in range(count):
            code, text = self.send(smtp, subject=f"number {i}", to=to)
            self.assertEqual(code, 250, text)


class Rate(Account):
    settings = {"providers": "ses", "mode": "queued"}

    def test_nothing_goes_faster_than_the_account_may(self):
        account = self.told()
        self.assertEqual((account["usable"], account["per_second"], account["counts"]),
                         (True, 14, "recipients"))
        self.assertEqual(account["quota"], {"limit": 50000, "left": 50000,
                                            "window_s": 86400})
        # Three recipients in a call are three of the fourteen.
        self.submit(14, to=[f"{n}@dest.example" for n in ("ann", "bob", "cid")])
        eventually(lambda: self.sandbox.counts()["ses"]["accepted"] == 14, "all are sent")
        self.assertEqual(self.sandbox.counts()["ses"]["rejected"], 0)
        metrics = http(f"{self.stats}/metrics")[1]
        for line in ('account_usable{provider="ses"} 1', 'account_quota{provider="ses"} 50000',
                     'account_rate_limit{provider="ses"} 14'):
            self.assertRegex(metrics, rf"(?m)^postern_provider_{re.escape(line)}(\.0+)?$")
        # One worker has asked for both.
        asked = http(f"{self.sandbox.url}/_sandbox/ses-account")[1]["asked"]
        self.assertEqual(asked, 1)
        self.assertEqual(len([e for e in self.server.events("account_told")
                              if e["provider"] == "ses"]), 1)


class Closed(Account):
    account = {"enforcement_status": "SHUTDOWN"}

    def test_one_that_is_closed_gets_no_mail(self):
        self.assertFalse(self.told()["usable"])
        health = self.shown()["health"]
        self.assertEqual(health["breaker"], "open")
        self.assertIn("AWS support", health["reason"])
        self.submit(3)
        eventually(lambda: self.sandbox.counts()["sendgrid"]["accepted"] == 3,
                   "the next provider has it")
        self.assertEqual(self.sandbox.counts()["ses"]["requests"], 0)
        opened = self.server.events("breaker_open")[0]
        self.assertEqual((opened["level"], opened["provider"]), ("error", "ses"))
        self.assertIn("paused sending", opened["reason"])


class Unknown(Account):
    account = {"fail": 403}

    def test_a_key_that_may_not_ask_may_send(self):
        account = self.told()
        self.assertIsNone(account["usable"])
        self.assertIn("AccessDeniedException", account["unknown"])
        self.submit(3)
        eventually(lambda: self.sandbox.counts()["ses"]["accepted"] == 3, "all are sent")
        self.assertEqual(len(self.server.events("account_unknown")), 1)
        self.assertEqual(self.shown()["health"]["breaker"], "closed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
