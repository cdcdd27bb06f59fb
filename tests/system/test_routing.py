"""Which provider gets what: rules of the message, shares, budgets."""
import re
import shutil
import signal
import time
import unittest

from harness import Case, eventually, http

RULES = """
  - {name: invoices, match: {header: "Subject: *rechnung f\u00fcr*"},
     providers: [mailgun]}
  - {name: large, match: {min_size: 50KB}, providers: [ses]}
  - {name: invitations, match: {content: calendar}, providers: [mailgun]}
"""

INVITATION = """From: Shop <orders@shop.example>
To: ann@dest.example
Subject: Lunch
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

Lunch?
--b
Content-Type: text/calendar; method=REQUEST; charset=utf-8

BEGIN:VCALENDAR
END:VCALENDAR
--b--
""".replace("\n", "\r\n")


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
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        code, text = smtp.data(INVITATION)
        text = text.decode()
        self.assertEqual(code, 250, text)
        self.assertEqual(self.tried(self.queue_id(text)), ["mailgun"])
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


class Steered(Routed):
    """Header fields that say what is to become of a message."""

    settings = {"providers": "sendgrid, ses", "user_extra": ", controls: "
                "[tag, metadata, schedule, provider]"}

    def steer(self, *fields):
        return self.send(self.client(), subject="\r\n".join(("x", *fields)))

    def test_a_message_names_its_provider(self):
        code, text = self.steer("X-Postern-Provider: ses")
        self.assertEqual(code, 250, text)
        self.assertEqual(self.tried(self.queue_id(text)), ["ses"])
        code, text = self.steer("X-Postern-Provider: mailgun")
        self.assertEqual((code, text.split()[0]), (550, "5.7.1"), text)

    def test_what_it_says_reaches_the_provider(self):
        code, text = self.steer("X-Postern-Tag: welcome",
                                "X-Postern-Metadata-Order: 42")
        self.assertEqual(code, 250, text)
        arrived, = self.sandbox.messages()
        request = self.sandbox.raw(arrived["id"])
        self.assertEqual(request["categories"], ["welcome"])
        self.assertEqual(request["custom_args"], {"Order": "42"})
        self.assertNotIn("X-Postern", str(request))

    def test_it_waits_for_its_time(self):
        at = time.time() + 3
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        code, text = self.steer(f"X-Postern-Schedule: {stamp}")
        self.assertEqual(code, 250, text)
        self.assertIn("queued as", text)
        record = self.final(self.queue_id(text))
        first = min(a["at"] for a in record["attempts"])
        self.assertGreaterEqual(first[:19], stamp[:19])

    def test_what_is_not_allowed_is_said(self):
        for field in "X-SMTPAPI: {}", "X-Postern-Track: no":
            code, text = self.steer(field)
            self.assertEqual((code, text.split()[0]), (550, "5.7.1"), text)
        self.assertEqual(self.sandbox.messages(), [])


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


class Budget(Routed):
    settings = {"providers": "sendgrid, ses",
                "sendgrid_extra": ", budget: {per_day: 7, per_month: 1000, "
                "cost_per_day: 1, price_per_million: 200000}"}  # 5 a day

    def metric(self, name, window="day"):
        text = http(f"{self.stats}/metrics")[1]
        found = re.search(rf'^postern_provider_budget_{name}{{provider='
                          rf'"sendgrid",window="{window}"}} (\S+)$', text, re.M)
        self.assertTrue(found, f"{name} per {window} is shown")
        return int(found.group(1))

    def providers(self, ids):
        return [self.tried(queue_id) for queue_id in ids]

    def test_what_is_beyond_goes_to_the_next(self):
        self.submit(2)
        # Of one message, too: these three are the last.
        both, = self.submit(to=[f"p{i}@dest.example" for i in range(5)])
        record = self.final(both)
        self.assertEqual(
            sorted(r["provider"] for r in record["recipients"]),
            ["sendgrid"] * 3 + ["ses"] * 2)
        self.assertEqual(self.providers(self.submit(2)), [["ses"]] * 2)
        self.assertEqual([self.metric("used"), self.metric("limit")], [5, 5])
        self.assertEqual(self.metric("used", "month"), 5)
        self.assertEqual(self.metric("limit", "month"), 1000)
        spent = self.server.logged("budget_spent")
        self.assertEqual([(e["provider"], e["window"], e["limit"])
                          for e in spent], [("sendgrid", "day", 5)])
        stats = http(f"{self.stats}/api/v1/stats")[1]["providers"][0]
        self.assertEqual(stats["budget"]["day"], {"used": 5, "limit": 5})
        self.assertIn("budget of 5 recipients per day",
                      stats["health"]["reason"])

    def test_it_survives_a_restart(self):
        self.submit(4)
        self.stop()
        self.start(**self.settings)
        self.assertEqual(self.metric("used"), 4)
        self.assertEqual(self.providers(self.submit(2)), [["sendgrid"], ["ses"]])

    def test_a_call_that_a_crash_ended_counts(self):
        self.stop()
        self.start(**{**self.settings, "sync_budget": "200ms",
                      "on_unknown": "hold"})
        self.sandbox.fault("sendgrid", hang="after-body")
        ids = self.submit(to=[f"p{i}@dest.example" for i in range(4)])
        eventually(lambda: self.sandbox.counts()["sendgrid"]["requests"] == 1,
                   "it is on its way")
        self.kill()
        self.sandbox.heal()
        self.start(**{**self.settings, "on_unknown": "hold"})
        self.assertEqual(self.metric("used"), 4)
        self.final(ids[0], ("held",))
        self.assertEqual(self.metric("used"), 4)
        self.assertEqual(self.providers(self.submit(2)), [["sendgrid"], ["ses"]])
        self.stop()
        self.start(**self.settings)
        self.assertEqual(self.metric("used"), 5)

    def test_with_none_left_mail_waits_for_a_larger_one(self):
        for name in "cert.pem", "key.pem", "demo.hash":  # read by a reload
            shutil.chown(self.home / name, "nobody")
        self.stop()
        self.start(**{**self.settings, "providers": "sendgrid"})
        self.submit(5)
        waits, = self.submit()
        event = self.server.logged("deferred")[0]
        self.assertIn("sendgrid: budget of 5 recipients per day is used up",
                      event["reason"])
        self.assertEqual(self.record(waits)["attempts"], [])
        path = self.home / "postern.yaml"
        path.write_text(path.read_text().replace(
            "price_per_million: 200000", "price_per_million: 150000"))
        self.server.child.send_signal(signal.SIGHUP)
        self.assertEqual(self.tried(waits), ["sendgrid"])
        self.assertEqual(self.metric("used"), 6)


if __name__ == "__main__":
    unittest.main(verbosity=2)
