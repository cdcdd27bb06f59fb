"""Stock clients deliver over STARTTLS and over implicit TLS."""
import os
import subprocess
import unittest
from email.message import EmailMessage

from harness import Case, PASSWORD

MESSAGE = ("From: Shop <orders@shop.example>\r\nTo: ann@dest.example\r\n"
           "Subject: {subject}\r\n\r\nhello from {subject}\r\n")


class StockClients(Case):
    def run_client(self, argv, stdin="", env=None):
        done = subprocess.run([str(a) for a in argv], input=stdin, text=True,
                              capture_output=True, timeout=60,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def arrived(self, subject):
        subjects = [m["subject"] for m in self.sandbox.messages()]
        self.assertIn(subject, subjects)

    def test_swaks(self):
        for name, port, tls in (("starttls", self.starttls, "--tls"),
                                ("implicit", self.implicit, "--tls-on-connect")):
            for mechanism in ("PLAIN", "LOGIN"):
                subject = f"swaks-{name}-{mechanism}"
                self.run_client(
                    ["swaks", "--server", "127.0.0.1", "--port", port, tls,
                     "--auth", mechanism, "--auth-user", "demo", "--auth-password",
                     PASSWORD, "--from", "orders@shop.example", "--to",
                     "ann@dest.example", "--header", f"Subject: {subject}"])
                self.arrived(subject)

    def test_curl(self):
        for name, url in (("starttls", f"smtp://localhost:{self.starttls}"),
                          ("implicit", f"smtps://localhost:{self.implicit}")):
            subject = f"curl-{name}"
            self.run_client(
                ["curl", "-sS", "--ssl-reqd", "--cacert", self.home / "cert.pem",
                 "--url", url, "--user", f"demo:{PASSWORD}", "--mail-from",
                 "orders@shop.example", "--mail-rcpt", "ann@dest.example",
                 "--upload-file", "-"], MESSAGE.format(subject=subject))
            self.arrived(subject)

    def test_msmtp(self):
        for name, port, starttls in (("starttls", self.starttls, "on"),
                                     ("implicit", self.implicit, "off")):
            for mechanism in ("plain", "scram-sha-256"):
                subject = f"msmtp-{name}-{mechanism}"
                self.run_client(
                    ["msmtp", "--host=localhost", f"--port={port}", "--tls=on",
                     f"--tls-starttls={starttls}",
                     f"--tls-trust-file={self.home}/cert.pem",
                     f"--auth={mechanism}", "--user=demo",
                     f"--passwordeval=echo {PASSWORD}",
                     "--from=orders@shop.example", "ann@dest.example"],
                    MESSAGE.format(subject=subject))
                self.arrived(subject)

    def test_smtplib(self):
        for name, implicit in (("starttls", False), ("implicit", True)):
            message = EmailMessage()
            message["From"] = "Shop <orders@shop.example>"
            message["To"] = "Ann Müller <ann@dest.example>"
            message["Subject"] = f"smtplib-{name} ✓"
            message.set_content("Grüße\n")
            message.add_alternative("<p>Grüße</p>", subtype="html")
            message.add_attachment(b"%PDF-1.4", maintype="application",
                                   subtype="pdf", filename="Rechnung.pdf")
            self.client(implicit).send_message(message)
            self.arrived(f"smtplib-{name} ✓")

    def test_gsasl_scram(self):
        done = subprocess.run(
            ["gsasl", "--smtp", "--client", "--no-cb",
             f"--x509-ca-file={self.home}/cert.pem", "--mechanism=SCRAM-SHA-256",
             "--authentication-id=demo", "--authorization-id=",
             f"--password={PASSWORD}", "localhost", str(self.starttls)],
            input="QUIT\r\n", text=True, capture_output=True, timeout=60)
        self.assertIn("235", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
