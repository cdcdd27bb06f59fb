"""`postern check --online`: what the providers say before mail is sent."""
import http.server
import json
import os
import ssl
import subprocess
import threading
import unittest

from harness import Case, POSTERN, http as ask


class Answers(http.server.BaseHTTPRequestHandler):
    """A host that knows nothing."""

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        self.send_response(404)
        self.end_headers()

    def log_message(self, *args):
        pass


class Online(Case):
    def start(self, **settings):
        self.config(**settings)  # no server is needed

    def check(self, *args, code=0, **env):
        done = subprocess.run(
            [POSTERN, "check", "-c", self.home / "postern.yaml", "--online", *args],
            text=True, capture_output=True, env={**os.environ, **env})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for secret in ("SG.sandbox-key", "key-sandbox", "sandbox-secret"):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done.stdout

    def told(self, code=0, **env):
        lines = self.check("--json", code=code, **env).splitlines()
        found = [json.loads(line) for line in lines]
        return {p["provider"]: p for p in found if "provider" in p}

    def account(self, **what):
        status, answer = ask(f"{self.sandbox.url}/_sandbox/ses-account", "POST", what)
        self.assertEqual(status, 200, answer)

    def change(self, old, new):
        path = self.home / "postern.yaml"
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def test_what_accounts_say(self):
        self.account(max_send_rate=14, max_24_hour_send=50000)
        text = self.check()
        self.assertIn("provider ses: the account may send, 14 recipients per second, "
                      "50000 of 50000 recipients left in 24 h", text)
        self.assertRegex(text, "provider mailgun: cannot be asked .* the key was not checked")
        self.assertIn("provider sendgrid: the account may send", text)
        self.assertEqual(self.sandbox.messages(), [])
        self.assertEqual(self.sandbox.counts()["sendgrid"]["requests"], 0)
        told = self.told()["ses"]
        self.assertEqual((told["ok"], told["asked"], told["per_second"]), (True, True, 14))
        self.account(enforcement_status="SHUTDOWN")
        told = self.told(code=1)
        self.assertFalse(told["ses"]["ok"])
        self.assertIn("SHUTDOWN", told["ses"]["text"])
        self.assertTrue(told["mailgun"]["ok"])

    def test_keys_that_may_not_ask_and_keys_that_are_none(self):
        self.account(fail=403)
        told = self.told()["ses"]
        self.assertTrue(told["ok"], told)
        self.assertIn("may not ask", told["text"])
        self.account()
        self.change("SANDBOXACCESSKEYID01", "SANDBOXACCESSKEYID99")
        told = self.told(code=1)["ses"]
        self.assertFalse(told["ok"], told)
        self.assertIn("account: ", told["text"])
        self.change("access_key_id: SANDBOXACCESSKEYID99,\n      secret_access_key: "
                    "sandbox-secret-access-key, ", "")
        told = self.told(code=1, AWS_EC2_METADATA_DISABLED="true")["ses"]
        self.assertIn("no credentials: ", told["text"])

    def test_keys_of_others(self):
        """As each provider tells a good key from a bad one."""
        path = self.home / "postern.yaml"
        start = path.read_text().index("  - {name: sendgrid")
        end = path.read_text().index("routes:")
        rows = (("sendgrid", "api_key: SG.good", True, "may send"),
                ("sendgrid", "api_key: SG.read", False, "mail.send"),
                ("sendgrid", "api_key: none", False, "account: "),
                ("postmark", "server_token: t", True, "may send"),
                ("postmark", "server_token: POSTMARK_API_TEST", True, "may not ask"),
                ("brevo", "api_key: xkeysib-good", True, "may send"),
                ("brevo", "api_key: none", False, "account: "),
                ("resend", "api_key: re_good", True, "may send"),
                ("resend", "api_key: re_only_sends", True, "restricted_api_key"),
                ("resend", "api_key: none", False, "account: "))
        text = path.read_text()
        path.write_text(text[:start] + "".join(
            f'  - {{name: p{i}, type: {kind}, url: "{self.sandbox.url}/{kind}", {key}}}\n'
            for i, (kind, key, _, _) in enumerate(rows)) + text[end:].replace(
                "providers: [sendgrid, ses, mailgun]", "providers: [p0]"))
        told = self.told(code=1)
        for i, (kind, key, is_good, words) in enumerate(rows):
            self.assertEqual(told[f"p{i}"]["ok"], is_good, (kind, key, told[f"p{i}"]))
            self.assertIn(words, told[f"p{i}"]["text"])

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.seen = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.home / "cert.pem", self.home / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def test_certificates_are_checked_and_no_key_leaves(self):
        server = self.serve()
        self.change(f"{self.sandbox.url}/mailgun",
                    f"https://localhost:{server.server_port}/mailgun")
        told = self.told(code=1)["mailgun"]
        self.assertRegex(told["text"], "(?i)certificate")
        with open(self.home / "postern.yaml", "a", encoding="ascii") as f:
            f.write(f"http: {{ca_file: {self.home}/cert.pem}}\n")
        told = self.told()["mailgun"]
        self.assertIn("its certificate is good", told["text"])
        (path, headers), = server.seen
        self.assertEqual(path, "/")
        self.assertNotIn("Authorization", headers)
        self.change(f"https://localhost:{server.server_port}/mailgun",
                    "http://127.0.0.1:1/mailgun")
        self.assertIn("connection failed", self.told(code=1)["mailgun"]["text"])


if __name__ == "__main__":
    unittest.main()
