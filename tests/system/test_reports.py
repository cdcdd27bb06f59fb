"""Senders hear what became of their mail: RFC 3464 reports, really sent."""
import email
import email.policy
import unittest

from harness import Case, eventually, http

DSN = "dsn: {providers: [ses], from: mailer-daemon@shop.example}\n"


def parse(raw):
    """The report taken apart by another parser: text, status, original."""
    message = email.message_from_string(raw, policy=email.policy.default)
    assert message.get_content_type() == "multipart/report", raw
    words, status, original = message.iter_parts()
    # Its blocks: of the message, then one per recipient.
    return message, words.get_content(), list(status.iter_parts()), original


class Reports(Case):
    settings = {"mode": "queued", "extra": DSN}

    def setUp(self):
        super().setUp()
        self.sandbox.fault("sendgrid", status=400)

    def report(self, queue_id, *states):
        self.final(queue_id, states=states or ("bounced",))
        sent = eventually(
            lambda: [m for m in self.sandbox.messages(provider="ses")
                     if m["recipients"] == ["orders@shop.example"]],
            "the report arrives")
        self.assertEqual(len(sent), 1)
        return parse(self.sandbox.raw(sent[0]["id"]))

    def test_a_failure_after_the_250_comes_back(self):
        code, text = self.send(self.client(), to=("no@dest.example",))
        self.assertEqual(code, 250, text)
        queue_id = self.queue_id(text)
        message, words, blocks, original = self.report(queue_id)
        self.assertEqual(message["auto-submitted"], "auto-replied")
        self.assertEqual(message["to"], "orders@shop.example")
        self.assertIn("mailer-daemon@shop.example", message["from"])
        self.assertIn("no@dest.example", words)
        self.assertIn(queue_id, words)
        self.assertIn("Arrival-Date", blocks[0])
        self.assertEqual(blocks[1]["Final-Recipient"], "rfc822; no@dest.example")
        self.assertEqual(blocks[1]["Action"], "failed")
        self.assertEqual(blocks[1]["Status"], "5.6.0")
        self.assertIn("400", blocks[1]["Diagnostic-Code"])
        self.assertEqual(original.get_content_type(), "message/rfc822")
        inner = original.get_payload(0)
        self.assertEqual(inner["subject"], "hello")
        self.assertIn("hi", inner.get_content())

    def test_what_was_asked_for_comes_back_with_it(self):
        smtp = self.client()
        smtp.mail("orders@shop.example", ["RET=HDRS", "ENVID=order+2B1"])
        smtp.rcpt("no@dest.example",
                  ["NOTIFY=FAILURE", "ORCPT=rfc822;No+40dest.example"])
        smtp.rcpt("never@dest.example", ["NOTIFY=NEVER"])
        code, text = smtp.data("From: orders@shop.example\r\n"
                               "Subject: wanted\r\n\r\nsecret body\r\n")
        self.assertEqual(code, 250)
        message, _, blocks, original = self.report(
            self.queue_id(text.decode()), "bounced", "failed")
        self.assertEqual(blocks[0]["Original-Envelope-Id"], "order+1")
        self.assertEqual(
            blocks[1]["Original-Recipient"], "rfc822;No@dest.example")
        self.assertEqual(len(blocks), 2)
        self.assertEqual(original.get_content_type(), "text/rfc822-headers")
        self.assertNotIn("secret body", message.as_string())
        self.assertNotIn("never@", message.as_string())

    def test_success_is_told_to_who_asks(self):
        self.sandbox.heal()
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example", ["NOTIFY=SUCCESS"])
        code, text = smtp.data("From: orders@shop.example\r\n\r\nx\r\n")
        self.assertEqual(code, 250)
        _, _, blocks, _ = self.report(
            self.queue_id(text.decode()), "sent")
        self.assertEqual(blocks[1]["Action"], "relayed")
        self.assertEqual(blocks[1]["Status"], "2.0.0")

    def test_a_report_survives_a_kill(self):
        self.sandbox.fault("ses", status=503)
        code, text = self.send(self.client(), to=("no@dest.example",))
        self.assertEqual(code, 250)
        self.assertTrue(self.server.logged("dsn_sent"))
        self.kill()
        self.sandbox.heal()
        self.start(**self.settings)
        self.report(self.queue_id(text))

    def test_they_are_counted(self):
        _, text = self.send(self.client(), to=("no@dest.example",))
        self.report(self.queue_id(text))
        metrics = http(f"{self.stats}/metrics")[1]
        self.assertIn('postern_dsn_sent_total{action="failed"} 1', metrics)
        self.assertIn("postern_double_bounce_total 0", metrics)


class Silence(Case):
    settings = {"mode": "queued"}

    def test_without_a_route_for_them_there_are_none(self):
        self.sandbox.fault("sendgrid", status=400)
        _, text = self.send(self.client(), to=("no@dest.example",))
        self.final(self.queue_id(text), states=("failed",))
        self.assertEqual(self.sandbox.messages(provider="ses"), [])


if __name__ == "__main__":
    unittest.main()
