"""Messages travel: acceptance modes, failover, faults, quotas, restart."""
import base64
import json
import smtplib
import socket
import unittest

from harness import Case, eventually, http


class Hybrid(Case):
    def test_the_verdict_of_the_provider_reaches_the_client(self):
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        self.assertIn("accepted by sendgrid", text)
        record = self.final(self.queue_id(text))
        self.assertEqual(record["attempts"][0]["class"], "accepted")
        self.assertTrue(record["attempts"][0]["provider_id"])

    def test_a_failing_provider_is_replaced_at_once(self):
        for status in (500, 429, 401):
            with self.subTest(status=status):
                self.sandbox.heal()
                self.sandbox.fault("sendgrid", status=status)
                code, text = self.send(self.client())
                self.assertEqual(code, 250, text)
                record = self.final(self.queue_id(text))
                tried = [(a["provider"], a["class"]) for a in record["attempts"]]
                expected = {500: "transient", 429: "throttled", 401: "account"}
                self.assertEqual(tried, [("sendgrid", expected[status]),
                                         ("ses", "accepted")])
        self.assertTrue(self.server.events("failover"))

    def test_a_refused_message_is_refused_to_the_client(self):
        self.sandbox.fault("sendgrid", status=400)
        code, text = self.send(self.client())
        self.assertGreaterEqual(code, 500, text)
        self.assertEqual(self.sandbox.counts().get("ses", {}).get("requests", 0), 0)

    def test_bcc_stays_blind(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        for rcpt in ("ann@dest.example", "carl@dest.example"):
            smtp.rcpt(rcpt)
        self.sandbox.fault("sendgrid", status=503)
        code, _ = smtp.data("From: orders@shop.example\r\nTo: ann@dest.example\r\n"
                            "Bcc: carl@dest.example\r\nSubject: x\r\n\r\nx\r\n")
        self.assertEqual(code, 250)
        got = self.sandbox.messages(provider="ses")[0]
        self.assertEqual(sorted(got["recipients"]),
                         ["ann@dest.example", "carl@dest.example"])
        self.assertNotIn("carl", self.sandbox.raw(got["id"]))


class Unknown(Case):
    settings = {"timeout": "1s", "sync_budget": "500ms"}

    def test_no_answer_is_never_tried_elsewhere(self):
        self.sandbox.fault("sendgrid", hang="after-body", count=1)
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        record = self.final(self.queue_id(text))
        self.assertEqual([(a["provider"], a["class"]) for a in record["attempts"]],
                         [("sendgrid", "unknown"), ("sendgrid", "accepted")])


class Queued(Case):
    settings = {"mode": "queued"}

    def test_is_acknowledged_when_durable(self):
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        self.assertIn("queued as", text)
        queue_id = self.queue_id(text)
        eventually(lambda: len(self.record(queue_id)["attempts"]) >= 6,
                   "all providers are tried twice")
        self.sandbox.heal()
        self.final(queue_id)

    def test_a_restart_resumes_delivery(self):
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        smtp = self.client()
        ids = [self.queue_id(self.send(smtp, f"m{i}")[1]) for i in range(20)]
        self.stop()
        self.sandbox.heal()
        self.start(**self.settings)
        for queue_id in ids:
            self.final(queue_id)
        subjects = sorted(m["subject"] for m in self.sandbox.messages())
        self.assertEqual(subjects, sorted(f"m{i}" for i in range(20)))

    def test_an_unreachable_provider_is_named_in_the_log(self):
        self.sandbox.stop()
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        queue_id = self.queue_id(text)
        eventually(lambda: len(self.record(queue_id)["attempts"]) >= 3, "all tried")
        attempt = self.server.events("attempt")[0]
        self.assertEqual(attempt["class"], "transient")
        self.assertIn("onnect", attempt["reason"])

    def test_old_mail_expires(self):
        self.stop()
        self.start(mode="queued", max_age="1s")
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        self.final(self.queue_id(text), states=("failed",))


class Direct(Case):
    settings = {"mode": "direct"}

    def test_temporary_trouble_is_a_temporary_reply(self):
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 451, text)
        self.sandbox.heal()
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.sandbox.messages()), 1)


class Quota(Case):
    settings = {"user_extra": ", daily: 3", "mode": "queued"}

    def test_the_daily_count_holds_and_survives_a_restart(self):
        smtp = self.client()
        for _ in range(2):
            self.assertEqual(self.send(smtp)[0], 250)
        self.stop()
        self.start(**self.settings)
        smtp = self.client()
        self.assertEqual(self.send(smtp)[0], 250)
        code, text = self.send(smtp)
        self.assertEqual(code, 451)
        self.assertIn("uota", text)


class Rate(Case):
    settings = {"user_extra": ", rate: 2/hour", "mode": "queued"}

    def test_the_rate_is_refused_with_the_time_to_wait(self):
        smtp = self.client()
        self.assertEqual(self.send(smtp)[0], 250)
        self.assertEqual(self.send(smtp)[0], 250)
        code, text = self.send(smtp)
        self.assertEqual(code, 450)
        self.assertRegex(text, r"4\.7\.1 .*[0-9]+ ?s")


class Clients(Case):
    """What goes wrong at the client's end."""

    def test_wrong_password_and_unknown_user_look_the_same(self):
        replies = []
        for user, password in (("demo", "open-sesame"), ("nobody", "open-sesame")):
            smtp = self.client(login=False)
            smtp.ehlo()
            code, text = self.try_login(smtp, user, password)
            replies.append((code, text.decode().split(" (")[0]))
        self.assertEqual(replies[0], replies[1])
        self.assertEqual(replies[0][0], 535)
        failed = eventually(lambda: len(self.server.events("auth_failed")) == 2 and
                            self.server.events("auth_failed"), "both are logged")
        self.assertEqual(failed[0]["client.address"], "127.0.0.1")
        self.assertNotIn("sesame", self.server.log())

    @staticmethod
    def try_login(smtp, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return smtp.docmd("AUTH", "PLAIN " + token)

    def test_no_mail_without_tls_and_login(self):
        smtp = smtplib.SMTP("localhost", self.starttls)
        smtp.ehlo()
        self.assertEqual(smtp.docmd("MAIL", "FROM:<a@b.example>")[0], 530)
        self.assertNotIn("auth", smtp.esmtp_features)
        smtp.close()
        smtp = self.client(login=False)
        smtp.ehlo()
        self.assertEqual(smtp.docmd("MAIL", "FROM:<a@b.example>")[0], 530)

    def test_a_client_that_vanishes_mid_data_leaves_nothing(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        smtp.docmd("DATA")
        smtp.send("Subject: half\r\n\r\nhalf a mess")
        smtp.sock.close()
        smtp.sock = None
        code, text = self.send(self.client(), "whole")
        self.assertEqual(code, 250)
        self.final(self.queue_id(text))
        self.assertEqual([m["subject"] for m in self.sandbox.messages()], ["whole"])

    def test_starttls_injection_is_refused(self):
        sock = socket.create_connection(("127.0.0.1", self.starttls))
        sock.settimeout(30)
        reader = sock.makefile("rb")
        reader.readline()
        sock.sendall(b"EHLO x\r\n")
        while reader.readline()[3:4] == b"-":
            pass
        sock.sendall(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n")
        self.assertTrue(reader.readline().startswith(b"554"))
        self.assertEqual(reader.read(), b"")
        sock.close()

    def test_probes_and_metrics_answer(self):
        self.assertEqual(http(f"{self.stats}/livez")[0], 200)
        eventually(lambda: http(f"{self.stats}/readyz")[0] == 200, "ready")
        self.send(self.client())
        status, text = http(f"{self.stats}/metrics")
        self.assertEqual(status, 200)
        self.assertIn('postern_deliveries_total{provider="sendgrid"', text)
        status, stats = http(f"{self.stats}/api/v1/stats")
        self.assertEqual(status, 200)
        self.assertEqual(stats["schema_version"], 1)

    def test_a_large_message_arrives_whole(self):
        body = "".join(f"line {i:07d} " + "x" * 60 + "\r\n" for i in range(30000))
        code, text = self.send(self.client(implicit=True), body=body)
        self.assertEqual(code, 250, text)
        self.final(self.queue_id(text))
        got = self.sandbox.messages(provider="sendgrid")[0]
        raw = self.sandbox.raw(got["id"])
        sent = raw if isinstance(raw, dict) else json.loads(raw)
        self.assertEqual(sent["content"][0]["value"].replace("\r\n", "\n").rstrip(),
                         body.replace("\r\n", "\n").rstrip())


if __name__ == "__main__":
    unittest.main()
