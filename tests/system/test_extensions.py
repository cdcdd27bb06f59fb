"""What clients ask for beyond the plain, and what old devices do not know."""
import base64
import datetime
import email.message
import http.server as http_server
import smtplib
import socket
import threading
import time
import unittest

from harness import DEADLINE, PASSWORD, Case, eventually

ROUTES = "routes:\n"


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


class Release(Case):
    """FUTURERELEASE (RFC 4865)."""

    def submit(self, smtp, *options):
        code, text = smtp.mail("orders@shop.example", options)
        if code == 250:
            code, text = smtp.rcpt("ann@dest.example", ["NOTIFY=SUCCESS,DELAY",
                                                        "ORCPT=rfc822;ann@dest.example"])
            self.assertEqual(code, 250, text)
            code, text = smtp.data("From: orders@shop.example\r\n"
                                   "To: ann@dest.example\r\n\r\nhi\r\n")
        return code, text.decode()

    def test_a_message_for_later_survives_a_restart_and_is_not_early(self):
        smtp = self.client()
        smtp.ehlo()
        longest, until = smtp.esmtp_features["futurerelease"].split()
        self.assertEqual(longest, str(7 * 86400))
        self.assertLess(abs(seconds(until) - time.time() - 7 * 86400), 3600)
        before = time.time()
        code, text = self.submit(smtp, "HOLDFOR=2", "ENVID=later")
        self.assertEqual(code, 250, text)
        self.assertIn("queued as", text)  # hybrid has no verdict to wait for
        queue_id = self.queue_id(text)
        self.assertEqual(self.record(queue_id)["recipients"][0]["state"], "pending")
        self.stop()
        self.start()
        record = self.final(queue_id)
        self.assertEqual(len(record["attempts"]), 1)
        self.assertGreaterEqual(seconds(record["attempts"][0]["at"]), before + 2)
        self.assertEqual(len(self.sandbox.messages()), 1)

    def test_hold_until_and_what_is_wrong_with_it(self):
        smtp = self.client()
        code, text = self.submit(smtp, "HOLDUNTIL=2001-01-01T00:00:00Z")
        self.assertEqual((code, text[:5]), (501, "5.5.4"))
        soon = datetime.datetime.now(datetime.timezone.utc) + \
            datetime.timedelta(seconds=4)
        code, text = self.submit(smtp, soon.strftime("HOLDUNTIL=%Y-%m-%dT%H:%M:%SZ"))
        self.assertEqual(code, 250, text)
        self.assertIn("queued as", text)
        self.final(self.queue_id(text))


class Direct(Case):
    settings = {"mode": "direct"}

    def test_where_nothing_is_stored_nothing_waits(self):
        smtp = self.client()
        smtp.ehlo()
        self.assertNotIn("futurerelease", smtp.esmtp_features)
        code, text = smtp.mail("orders@shop.example", ["HOLDFOR=2"])
        self.assertEqual((code, text[:5]), (501, b"5.5.4"))


class Service(http_server.ThreadingHTTPServer):
    """A service of one's own behind module raw: keeps what it gets."""

    def __init__(self):
        self.got = []
        outer = self

        class Handler(http_server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.headers["X-Postern-Sender"], body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


def unicode_mail():
    mail = email.message.EmailMessage()
    mail["From"] = "jos\u00e9@shop.example"
    mail["To"] = "ann@dest.example"
    mail["Subject"] = "na\u00efve"
    mail.set_content("hi\n")
    return mail


class Unicode(Case):
    """SMTPUTF8 (RFC 6531), as Python's smtplib speaks it."""

    def setUp(self):
        self.service = None
        super().setUp()

    def config(self, **settings):
        path = super().config(**settings)
        if self.service:
            path.write_text(path.read_text().replace(
                ROUTES, "  - {name: own, type: raw, url: "
                f"'http://127.0.0.1:{self.service.server_port}/'}}\n{ROUTES}"))
        return path

    def test_is_refused_where_no_provider_can_carry_it(self):
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            self.client().send_message(unicode_mail())
        self.assertEqual(refused.exception.smtp_code, 550)
        self.assertTrue(refused.exception.smtp_error.startswith(b"5.6.7"))

    def test_goes_by_the_provider_that_can(self):
        self.service = Service()
        self.addCleanup(self.service.stop)
        self.stop()
        self.start(providers="sendgrid, own")
        self.client().send_message(unicode_mail())
        sender, body = eventually(lambda: self.service.got, "it arrives")[0]
        self.assertEqual(sender.encode("latin-1").decode(), "jos\u00e9@shop.example")
        self.assertIn("Subject: na\u00efve\r\n".encode(), body)
        self.assertEqual(self.sandbox.messages(), [])

    def test_a_declaration_alone_changes_nothing(self):
        smtp = self.client()
        smtp.mail("orders@shop.example", ["SMTPUTF8", "BODY=8BITMIME"])
        smtp.rcpt("ann@dest.example")
        code, text = smtp.data("From: orders@shop.example\r\n\r\nhi\r\n")
        self.assertEqual(code, 250, text)
        self.assertIn(b"accepted by sendgrid", text)


SIGNED = ("From: orders@shop.example\r\n"
          "To: ann@dest.example\r\n"
          'Content-Type: multipart/signed; boundary="=_1";\r\n'
          '\tprotocol="application/pgp-signature"; micalg=pgp-sha256\r\n'
          "\r\n"
          "--=_1\r\n"
          "Content-Type: text/plain\r\n\r\n"
          "  as it is \r\n"
          "--=_1\r\n"
          "Content-Type: application/pgp-signature\r\n\r\n"
          "-----BEGIN PGP SIGNATURE-----\r\n"
          "--=_1--\r\n")


class Content(Case):
    """Mail that an API of fields would damage."""

    def submit(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        code, text = smtp.data(SIGNED)
        return code, text.decode()

    def test_goes_by_who_keeps_it_intact(self):
        code, text = self.submit()
        self.assertEqual(code, 250, text)
        self.assertIn("accepted by ses", text)
        arrived = self.sandbox.messages()
        self.assertEqual([m["provider"] for m in arrived], ["ses"])
        raw = self.sandbox.raw(arrived[0]["id"]).replace("\r\n", "\n")
        body = SIGNED.replace("\r\n", "\n").partition("\n\n")[2]
        self.assertEqual(raw.partition("\n\n")[2], body)

    def test_is_refused_where_nobody_does(self):
        self.stop()
        self.start(providers="sendgrid")
        code, text = self.submit()
        self.assertEqual(code, 554)
        self.assertTrue(text.startswith("5.6.3 Message is signed"), text)
        self.assertIn("<ann@dest.example>", text)
        self.assertEqual(self.sandbox.messages(), [])
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)

    def test_goes_by_who_may_damage_it(self):
        self.stop()
        self.start(providers="sendgrid",
                   provider_extra=", allow_altering: [signed]")
        said = self.server.events("altering_allowed")
        self.assertIn(("sendgrid", "signed"),
                      [(e["provider"], e["what"]) for e in said])
        code, text = self.submit()
        self.assertEqual(code, 250, text)
        self.assertIn("accepted by sendgrid", text)

    def test_is_not_forgotten_when_it_waits(self):
        self.sandbox.fault("ses", status=503)
        self.stop()
        self.start(providers="ses", mode="queued")
        code, text = self.submit()
        self.assertEqual(code, 250, text)
        queue_id = self.queue_id(text)
        eventually(lambda: self.server.logged("attempt"), "ses was asked")
        self.stop()
        self.sandbox.heal()
        # Another configuration: nobody is left, so it waits.
        self.start(providers="sendgrid", mode="queued")
        eventually(lambda: [e for e in self.server.events("deferred")
                            if "is signed" in e["reason"]], "it is deferred")
        self.assertEqual(self.sandbox.messages(), [])
        self.stop()
        self.start(mode="queued")
        self.final(queue_id)
        self.assertEqual([m["provider"] for m in self.sandbox.messages()],
                         ["ses"])


class OldDevice(Case):
    """A printer: no TLS, HELO, LF, no brackets, on a listener of its own."""

    def config(self, **settings):
        path = super().config(**settings)
        path.write_text(path.read_text().replace(
            "tls:\n", '  - {name: devices, address: "127.0.0.1:0", '
            "plaintext_from: [127.0.0.0/8], lenient_syntax: true}\ntls:\n", 1))
        return path

    def test_is_served_there_and_nowhere_else(self):
        said = {e["what"] for e in self.server.events("insecure_listener")
                if e["listener"] == "devices"}
        self.assertEqual(len(said), 2, said)
        ports = {e["listener"]: e["port"] for e in self.server.events("listening")}
        login = [base64.b64encode(word.encode()).decode()
                 for word in ("demo", PASSWORD)]
        lines = ["HELO printer", "AUTH LOGIN", *login,
                 "MAIL FROM: orders@shop.example", "RCPT TO:ann@dest.example",
                 "DATA", "From: orders@shop.example\nSubject: scan\n\nhi\n.", "QUIT"]
        codes = self.talk(ports["devices"], lines)
        self.assertEqual(codes, [220, 250, 334, 334, 235, 250, 250, 354, 250, 221])
        self.assertEqual(len(self.sandbox.messages()), 1)
        codes = self.talk(self.starttls, ["HELO printer\r", "AUTH LOGIN\r",
                                          "MAIL FROM: orders@shop.example\r"])
        self.assertEqual(codes, [220, 250, 530, 530])

    @staticmethod
    def talk(port, lines):
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as s:
            answers = s.makefile("r", encoding="ascii", newline="\r\n")
            codes = [int(answers.readline()[:3])]
            for line in lines:
                s.sendall(line.encode() + b"\n")
                codes.append(int(answers.readline()[:3]))
            return codes


if __name__ == "__main__":
    unittest.main()
