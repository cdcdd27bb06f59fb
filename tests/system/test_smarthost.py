"""Mail handed on by SMTP with TLS, which the sandbox does not speak.

A second Postern stands for the mail server of a provider: STARTTLS, a login,
and behind it the sandbox, which shows what arrived. The other one is seen
through: what it heard, and in clear or not. Faults are in test_faults.py.
"""
import os
import re
import socketserver
import ssl
import subprocess
import threading
import unittest
import urllib.request

from harness import Case, PASSWORD, POSTERN

TEXT = ("From: Shop <orders@shop.example>\r\n"
        "To: ann@dest.example, bob@dest.example\r\n"
        "Bcc: dora@dest.example\r\n"
        "Subject: gr\u00fc\u00dfe\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        "\r\n"
        ".\r\n..\r\n.begin\r\nKöln 10 €\r\n\r\n"
        "x.\r\n.\r\n").encode()
TO = ("ann@dest.example", "bob@dest.example", "dora@dest.example")


class Session(socketserver.StreamRequestHandler):
    """One connection; the server's attributes say what goes wrong."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def start_tls(self):
        self.say("220 2.0.0 go on")
        self.request = self.server.context.wrap_socket(
            self.request, server_side=True)
        self.setup()

    def take(self):
        self.say("354 go on")
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                self.server.taken.append(b"".join(lines))
                return True
            lines.append(line)
        return False

    def converse(self, line):
        verb = line[:4].upper()
        if verb == "EHLO":
            for word in ("me", "8BITMIME", "SIZE 0", "AUTH PLAIN LOGIN"):
                self.say("250-" + word)
            self.say("250 STARTTLS" if self.server.offers_tls else "250 HELP")
        elif verb == "STAR":
            self.start_tls()
        elif verb == "AUTH":
            self.say("334 ")
            self.rfile.readline()
            self.say("235 2.7.0 welcome")
        elif verb == "DATA":
            if not self.take():
                return False
            self.say("250 2.0.0 Ok: queued as 4XyZ")
        elif verb == "QUIT":
            return False
        else:
            self.say("250 2.0.0 ok")
        return True

    def finish(self):
        super().finish()
        self.request.close()

    def handle(self):
        self.say("220 me ESMTP")
        try:
            for line in iter(lambda: self.rfile.readline(), b""):
                text = line.decode()
                self.server.heard.append(text)
                if not self.converse(text):
                    return
        except (ssl.SSLError, OSError):
            pass


class Host(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, home):
        super().__init__(("127.0.0.1", 0), Session)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(home / "cert.pem", home / "key.pem")
        self.heard, self.taken, self.offers_tls = [], [], True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Relay(Case):
    trusts = True

    def config(self, **settings):
        path = super().config(**settings)
        if not hasattr(self, "relay"):
            return path
        text = path.read_text()
        for folder in ("spool", "admin"):
            text = text.replace(f"{self.home}/{folder}", f"{self.home}/{folder}.front")
        text = text.replace("providers:\n", "providers:\n"
                            f"  - {{name: relay, type: smtp, url: \"{self.relay}\", "
                            f"user: demo, password: \"{PASSWORD}\", timeout: 50s}}\n", 1)
        if self.trusts:
            text += f"http: {{ca_file: {self.home}/cert.pem}}\n"
        path.write_text(text)
        return path

    def submit(self, message, to):
        smtp = self.client()
        smtp.ehlo()
        smtp.mail("orders@shop.example", ["BODY=8BITMIME"])
        for address in to:
            self.assertEqual(smtp.rcpt(address)[0], 250)
        smtp.putcmd("data")
        self.assertEqual(smtp.getreply()[0], 354)
        smtp.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        code, text = smtp.getreply()
        self.assertEqual(code, 250, text)
        return text.decode()


class ToPostern(Relay):
    # Large messages through two servers, which sanitizers slow down; the one
    # behind must not re-encode them.
    settings = {"providers": "mailgun", "sync_budget": "50s"}

    def setUp(self):
        super().setUp()
        self.behind = self.server
        self.addCleanup(self.stop_behind)
        self.relay = f"smtp://localhost:{self.starttls}"
        self.start(**{**self.settings, "providers": "relay"})

    def stop_behind(self):
        self.assertEqual(self.behind.stop(), 0, self.behind.log()[-4000:])

    def check(self, message, to):
        text = self.submit(message, to)
        self.assertIn("accepted by relay", text)
        came = self.sandbox.messages()[-1]
        self.assertEqual(sorted(came["recipients"]), sorted(to))
        url = f"{self.sandbox.url}/_sandbox/messages/{came['id']}/raw"
        with urllib.request.urlopen(url, timeout=60) as answer:
            raw = answer.read()
        header, body = message.split(b"\r\n\r\n", 1)
        self.assertEqual(raw.split(b"\r\n\r\n", 1)[1], body)
        for field in header.split(b"\r\n"):
            self.assertEqual(field in raw, not field.startswith(b"Bcc"), field)

    def test_mail_arrives_byte_for_byte(self):
        self.check(TEXT, TO)
        block = os.urandom(3 * 1024 * 1024).replace(b"\r", b"x").replace(
            b"\n", b"\r\n.").replace(b"\0", b"y")
        lines = [block[i:i + 900] for i in range(0, len(block), 900)]
        block = b"\r\n".join(line.rstrip(b"\r").lstrip(b"\n") for line in lines)
        head = TEXT.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"
        self.check(head + block * 3 + b"\r\n", TO)
        accepted = self.behind.logged("message_accepted", 2)
        self.assertEqual({e["user.name"] for e in accepted}, {"demo"})


class ToHost(Relay):
    def setUp(self):
        self.relay = None
        super().setUp()

    def start(self, **settings):
        if self.relay is None:
            self.host = Host(self.home)
            self.addCleanup(self.host.close)
            self.relay = f"smtp://localhost:{self.host.server_address[1]}"
        super().start(**settings)


class Failing(ToHost):
    settings = {"providers": "sendgrid, relay, ses"}

    def setUp(self):
        super().setUp()
        self.sandbox.fault("sendgrid", status=503)

    def test_it_takes_over_when_a_provider_is_down(self):
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        self.assertIn("accepted by relay", text)
        self.assertEqual(len(self.host.taken), 1)
        record = self.final(self.queue_id(text))
        self.assertEqual(record["attempts"][-1]["provider_id"], "4XyZ")
        self.assertIn("MAIL FROM:<orders@shop.example>", "".join(self.host.heard))
        self.assertNotIn(PASSWORD, self.server.log())

    def test_without_starttls_no_password_leaves(self):
        self.host.offers_tls = False
        code, text = self.send(self.client())
        self.assertIn("accepted by ses", text)
        self.assertNotIn("AUTH", "".join(self.host.heard))


class Untrusted(ToHost):
    trusts = False
    settings = {"providers": "relay, ses"}

    def test_a_certificate_nobody_vouches_for_is_refused(self):
        code, text = self.send(self.client())
        self.assertIn("accepted by ses", text)
        self.assertNotIn("AUTH", "".join(self.host.heard))


class Check(ToHost):
    settings = {"providers": "relay"}

    def test_explain_shows_the_transaction(self):
        (self.home / "m.eml").write_bytes(TEXT)
        done = subprocess.run(
            [POSTERN, "explain", "-c", self.home / "postern.yaml", "--user", "demo",
             "--from", "orders@shop.example", "--to", TO[0], self.home / "m.eml"],
            text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"curl '{self.relay}' --ssl-reqd", done.stdout)
        self.assertIn("--user 'demo:XXXX", done.stdout)
        self.assertIn(f"--mail-rcpt '{TO[0]}'", done.stdout)

    def test_check_online_says_what_it_does_not_know(self):
        done = subprocess.run(
            [POSTERN, "check", "-c", self.home / "postern.yaml", "--online"],
            text=True, capture_output=True)
        self.assertIn("relay: cannot be asked without sending mail", done.stdout)


if __name__ == "__main__":
    unittest.main()
