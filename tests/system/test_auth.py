"""Every way to log in, with stock clients: passwords in all dialects of old
devices, certificates, tokens of an identity provider, saslauthd."""
import base64
import http.server
import json
import os
import smtplib
import socketserver
import ssl
import subprocess
import threading
import time
import unittest

from harness import Case, DEADLINE, PASSWORD, eventually

MESSAGE = ("From: Shop <orders@shop.example>\r\nTo: ann@dest.example\r\n"
           "Subject: {subject}\r\n\r\nhello\r\n")
DENIED = (535, b"5.7.8 Authentication credentials invalid")


def b64(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(raw).decode()


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def openssl(*argv, data=None):
    return subprocess.run(["openssl", *[str(a) for a in argv]], input=data,
                          capture_output=True, check=True).stdout


class AuthCase(Case):
    """The harness' configuration with more in some of its sections."""

    more = {}  # section: lines after its first one

    def prepare(self):
        """Once the home is there, before the configuration is written."""

    def config(self, **settings):
        path = super().config(**settings)
        self.prepare()
        text = path.read_text()
        for section, lines in self.more.items():
            if f"\n{section}:\n" not in text:
                text += f"\n{section}:\n"
            text = text.replace(f"\n{section}:\n",
                                f"\n{section}:\n" + lines.format(home=self.home))
        path.write_text(text)
        return path

    def run_client(self, argv, stdin="", succeeds=True):
        done = subprocess.run([str(a) for a in argv], input=stdin, text=True,
                              capture_output=True, timeout=DEADLINE)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode == 0, succeeds, said)
        return said

    def arrived(self, subject):
        subjects = [m["subject"] for m in self.sandbox.messages()]
        self.assertIn(subject, subjects)

    def curl(self, subject, *more, succeeds=True):
        said = self.run_client(
            ["curl", "-sSv", "--ssl-reqd", "--cacert", self.home / "cert.pem",
             "--url", f"smtp://localhost:{self.starttls}", "--mail-from",
             "orders@shop.example", "--mail-rcpt", "ann@dest.example",
             "--upload-file", "-", *more],
            MESSAGE.format(subject=subject), succeeds)
        if succeeds:
            self.arrived(subject)
        return said

    def msmtp(self, subject, *more, succeeds=True):
        said = self.run_client(
            ["msmtp", "--host=localhost", f"--port={self.starttls}",
             "--tls=on", "--tls-starttls=on",
             f"--tls-trust-file={self.home}/cert.pem",
             "--from=orders@shop.example", *more, "ann@dest.example"],
            MESSAGE.format(subject=subject), succeeds)
        if succeeds:
            self.arrived(subject)
        return said

    def gsasl(self, mechanism, *more):
        done = subprocess.run(
            ["gsasl", "--smtp", "--client", "--no-cb",
             f"--x509-ca-file={self.home}/cert.pem",
             f"--mechanism={mechanism}", *[str(m) for m in more],
             "localhost", str(self.starttls)],
            input="QUIT\r\n", text=True, capture_output=True, timeout=DEADLINE)
        return done.stdout + done.stderr

    def session(self, context=None):
        """An smtplib session after STARTTLS and EHLO."""
        context = context or ssl.create_default_context(
            cafile=self.home / "cert.pem")
        smtp = smtplib.SMTP("localhost", self.starttls, timeout=DEADLINE)
        self.addCleanup(smtp.close)
        smtp.starttls(context=context)
        smtp.ehlo()
        return smtp

    def say(self, smtp, *lines):
        """Send the lines of a login; code and text of the last reply, the
        text without the reference at its end."""
        for line in lines:
            code, text = smtp.docmd(line)
        return code, text.rsplit(b" (", 1)[0]

    def failures(self):
        return [e["reason"] for e in self.server.events("auth_failed")]


class Passwords(AuthCase):
    more = {"users": "  - {{name: \"Ann@Example.com\", password_hash_file: {home}/demo.hash}}\n"
                     "  - {{name: far, password_hash_file: {home}/demo.hash,"
                     " allow_from: [192.0.2.0/24]}}\n"
                     "  - {{name: gone, password_hash_file: {home}/demo.hash,"
                     " disabled: true}}\n"
                     "  - {{name: dovecot, password_hash: \"{{SCRAM-SHA-256}}"
                     "4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
                     "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
                     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\"}}\n"}

    def test_login_in_all_its_dialects(self):
        name, password = b64("demo"), b64(PASSWORD)
        for lines in (["AUTH LOGIN", name, password],
                      ["AUTH LOGIN " + name, password],
                      ["AUTH LOGIN =", name, password],
                      ["AUTH LOGIN ", name, password],
                      ["auth login", name, password],
                      ["Auth  Login  " + name + " ", password],
                      ["AUTH LOGIN", b64("ann@example.com"), password],
                      ["AUTH LOGIN", b64("DEMO"), password]):
            with self.subTest(lines[0]):
                self.assertEqual(self.say(self.session(), *lines)[0], 235)
        smtp = self.session()
        self.assertEqual(smtp.docmd("AUTH LOGIN"), (334, b"VXNlcm5hbWU6"))
        self.assertEqual(smtp.docmd(name), (334, b"UGFzc3dvcmQ6"))
        self.assertEqual(self.say(smtp, "*"),
                         (501, b"5.7.0 Authentication cancelled"))
        self.assertEqual(self.say(smtp, "AUTH LOGIN", ""),
                         (334, b"UGFzc3dvcmQ6"))
        self.assertEqual(self.say(smtp, password), DENIED)
        self.assertEqual(self.say(smtp, "AUTH LOGIN", name, password)[0], 235)

    def test_refusals_look_alike(self):
        for name, password in (("demo", "wrong"), ("nobody", PASSWORD),
                               ("gone", "wrong"), ("far", PASSWORD),
                               ("far", "wrong")):
            smtp = self.session()
            self.assertEqual(
                self.say(smtp, "AUTH PLAIN " + b64(f"\0{name}\0{password}")),
                DENIED)
        self.assertEqual(
            self.say(self.session(), "AUTH PLAIN " + b64(f"\0gone\0{PASSWORD}")),
            (525, b"5.7.13 User account disabled"))
        self.assertEqual(
            eventually(lambda: len(self.failures()) == 6 and self.failures(),
                       "all are logged"),
            ["wrong password", "unknown user", "wrong password",
             "may not log in from this address",
             "may not log in from this address", "account disabled"])

    def test_records_of_dovecot(self):
        self.assertEqual(self.say(
            self.session(), "AUTH PLAIN " + b64("\0dovecot\0pencil"))[0], 235)
        self.assertIn("235", self.gsasl(
            "SCRAM-SHA-256", "--authentication-id=dovecot",
            "--authorization-id=", "--password=pencil"))

    def test_no_secret_is_logged(self):
        secret = "hunter2-and-more"
        for lines in (["AUTH PLAIN " + b64(f"\0demo\0{secret}")],
                      ["AUTH PLAIN", b64(f"\0demo\0{secret}")],
                      ["AUTH PLAIN", b64(f"\0demo\0{secret}")[:-1]],
                      ["AUTH PLAIN", b64(f"demo\0{secret}")],
                      ["AUTH PLAIN", b64(f"\0demo\0{secret}\0")],
                      ["AUTH LOGIN", b64("demo"), b64(secret)],
                      ["AUTH LOGIN", b64("demo"), b64(secret) + "!"],
                      ["AUTH LOGIN " + b64("demo"), b64(secret + "\0")],
                      ["AUTH LOGIN", b64(secret), b64("demo")],
                      ["AUTH SCRAM-SHA-256", b64(f"n,,n=demo,{secret}")],
                      ["AUTH OAUTHBEARER", b64(f"n,,\1auth=Bearer {secret}\1\1")],
                      ["AUTH NTLM", b64(secret)],
                      ["AUTH PLAIN " + b64(secret) + " " + b64(secret)],
                      [b64(f"\0demo\0{secret}")]):
            self.say(self.session(), *lines)
        smtp = self.session()
        self.assertEqual(self.say(
            smtp, "AUTH PLAIN " + b64(f"\0demo\0{PASSWORD}"))[0], 235)
        self.assertEqual(self.say(
            smtp, "AUTH PLAIN " + b64(f"\0demo\0{secret}"))[0], 503)
        log = self.server.log()
        words = [secret, PASSWORD, b64(PASSWORD)]
        words += [b64(f"\0demo\0{w}")[8:24] for w in (secret, PASSWORD)]
        words += [b64(secret)[:12]]
        for word in words:
            # As a user's name it is what was tried to log in with.
            lines = [line for line in log.splitlines() if word in line and
                     f'"user.name":"{word}"' not in line]
            self.assertEqual(lines, [], word)


class Certificates(AuthCase):
    more = {"tls": "  client_auth: request\n  client_ca: {home}/ca.pem\n",
            "users": "  - {{name: robot, certificates: [\"dns:robot.shop.example\"]}}\n"
                     "  - {{name: printer, certificates: [\"{fingerprint}\"]}}\n"}

    def issue(self, name, subject, alternative):
        key, request, cert = (self.home / f"{name}.{end}"
                              for end in ("key", "csr", "crt"))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
                "-keyout", key, "-out", request)
        extensions = self.home / "extensions"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative
                              else "basicConstraints=CA:false\n")
        openssl("x509", "-req", "-in", request, "-CA", self.home / "ca.pem",
                "-CAkey", self.home / "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", extensions, "-out", cert)
        return cert, key

    def prepare(self):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", "/CN=Clients", "-keyout", self.home / "ca.key",
                "-out", self.home / "ca.pem")
        self.robot = self.issue("robot", "/CN=somebody",
                                "DNS:robot.shop.example,email:x@y.example")
        self.demo = self.issue("demo", "/CN=demo", None)
        self.printer = self.issue("printer", "/CN=old printer", None)
        self.stranger = self.issue("stranger", "/CN=stranger", None)
        out = openssl("x509", "-in", self.printer[0], "-noout", "-fingerprint",
                      "-sha256").decode()
        more = dict(Certificates.more)
        more["users"] = more["users"].replace(
            "{fingerprint}", "sha256:" + out.split("=")[1].strip())
        self.more = more

    def context(self, pair):
        context = ssl.create_default_context(cafile=self.home / "cert.pem")
        if pair:
            context.load_cert_chain(*pair)
        return context

    def test_only_certificates_of_users_are_offered_external(self):
        for pair, offered in ((None, False), (self.stranger, False),
                              (self.robot, True), (self.demo, True),
                              (self.printer, True)):
            smtp = self.session(self.context(pair))
            offers = smtp.esmtp_features["auth"].split()
            self.assertEqual("EXTERNAL" in offers, offered, pair)
            code = self.say(smtp, "AUTH EXTERNAL =")[0]
            self.assertEqual(code, 235 if offered else 504)
        users = [e["user.name"] for e in self.server.logged("auth_ok", 3)]
        self.assertEqual(users, ["robot", "demo", "printer"])

    def test_external_in_two_lines_and_as_oneself_only(self):
        smtp = self.session(self.context(self.robot))
        self.assertEqual(smtp.docmd("AUTH EXTERNAL"), (334, b""))
        self.assertEqual(self.say(smtp, "")[0], 235)
        smtp = self.session(self.context(self.robot))
        self.assertEqual(self.say(smtp, "AUTH EXTERNAL " + b64("demo")), DENIED)
        self.assertEqual(self.say(smtp, "AUTH EXTERNAL " + b64("robot"))[0], 235)

    def test_curl(self):
        cert, key = self.robot
        self.curl("curl-external", "--cert", cert, "--key", key,
                  "--user", "robot:", "--login-options", "AUTH=EXTERNAL")

    def test_msmtp(self):
        cert, key = self.robot
        self.msmtp("msmtp-external", "--auth=external", "--user=robot",
                   f"--tls-cert-file={cert}", f"--tls-key-file={key}")

    def test_gsasl(self):
        cert, key = self.robot
        said = self.gsasl("EXTERNAL", "--authorization-id=robot",
                          f"--x509-cert-file={cert}", f"--x509-key-file={key}")
        self.assertIn("235", said)


class Issuer:
    """An identity provider: a key, what it publishes, tokens."""

    def __init__(self, home):
        self.key_file = home / "issuer.key"
        self.kid = 0
        self.is_down = False
        self.fetched = 0
        self.rotate()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetched += 1
                body = issuer.jwks().encode()
                self.send_response(503 if issuer.is_down else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "cert.pem", home / "key.pem")
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def rotate(self):
        openssl("genrsa", "-out", self.key_file, "2048")
        self.kid += 1

    def jwks(self):
        out = openssl("rsa", "-in", self.key_file, "-noout", "-modulus").decode()
        modulus = bytes.fromhex(out.strip().split("=")[1])
        return json.dumps({"keys": [
            {"kty": "RSA", "use": "sig", "kid": f"key-{self.kid}",
             "n": b64url(modulus), "e": "AQAB"}]})

    def token(self, user="demo", **claims):
        header = {"alg": "RS256", "kid": f"key-{self.kid}", "typ": "JWT"}
        body = {"iss": "https://id.test.example", "aud": ["mail", "postern"],
                "preferred_username": user, "exp": time.time() + 300, **claims}
        text = ".".join(b64url(json.dumps(part).encode())
                        for part in (header, body))
        signature = openssl("dgst", "-sha256", "-sign", self.key_file,
                            data=text.encode())
        return text + "." + b64url(signature)


class TokenCase(AuthCase):
    """An issuer; where its keys are, keys() says in a line of oauth."""

    def prepare(self):
        self.issuer = Issuer(self.home)
        self.addCleanup(self.issuer.stop)
        self.more = {
            "auth": "  oauth:\n"
                    "    issuer: https://id.test.example\n"
                    "    audience: postern\n"
                    "    claim: preferred_username\n"
                    f"    {self.keys()}\n",
            "http": "  ca_file: {home}/cert.pem\n",
            "users": "  - {{name: gone, disabled: true}}\n"}

    def bearer(self, token, smtp=None):
        smtp = smtp or self.session()
        message = f"n,,\1host=localhost\1port=25\1auth=Bearer {token}\1\1"
        return self.say(smtp, "AUTH OAUTHBEARER " + b64(message))


class Tokens(TokenCase):
    def keys(self):
        return f"jwks_url: {self.issuer.url}"

    def test_curl(self):
        for name in ("OAUTHBEARER", "XOAUTH2"):
            self.curl(f"curl-{name}", "--user", "demo:", "--oauth2-bearer",
                      self.issuer.token(), "--login-options", f"AUTH={name}")
            self.curl("never", "--user", "demo:", "--oauth2-bearer",
                      self.issuer.token(aud="other"), "--login-options",
                      f"AUTH={name}", succeeds=False)
        self.assertEqual(
            eventually(lambda: len(self.failures()) == 2 and self.failures(),
                       "both are logged"), ["token for another audience"] * 2)
        self.assertEqual(self.issuer.fetched, 1)

    def test_msmtp(self):
        for name in ("oauthbearer", "xoauth2"):
            for token, succeeds in ((self.issuer.token(), True),
                                    (self.issuer.token("other"), False)):
                file = self.home / "token"
                file.write_text(token)
                self.msmtp(f"msmtp-{name}", f"--auth={name}", "--user=demo",
                           f"--passwordeval=cat {file}", succeeds=succeeds)

    def test_refusals(self):
        good = self.issuer.token()
        head, body, signature = good.split(".")
        none = b64url(b'{"alg":"none","kid":"key-1"}')
        hmac = b64url(b'{"alg":"HS256","kid":"key-1"}')
        for token in (self.issuer.token("nobody"),
                      self.issuer.token(exp=time.time() - 120),
                      self.issuer.token(nbf=time.time() + 120),
                      self.issuer.token(iss="https://id.test.example/"),
                      f"{head}.{body}.", f"{none}.{body}.",
                      f"{hmac}.{body}.{signature}", "x" * 7000):
            smtp = self.session()
            code, text = self.bearer(token, smtp)
            self.assertEqual((code, base64.b64decode(text)),
                             (334, b'{"status":"invalid_token"}'), token)
            self.assertEqual(self.say(smtp, b64("\1")), DENIED)
            self.assertEqual(self.bearer(good, smtp)[0], 235)
        message = "user=demo\1auth=Bearer x\1\1"
        code, text = self.say(self.session(), "AUTH XOAUTH2", b64(message))
        self.assertEqual(json.loads(base64.b64decode(text))["status"], "401")
        self.assertEqual(self.bearer(self.issuer.token("gone")),
                         (525, b"5.7.13 User account disabled"))
        log = self.server.log()
        for part in (signature[:40], body[:40], "x" * 40):
            self.assertNotIn(part, log)

    def test_keys_are_rotated(self):
        old = self.issuer.token()
        self.assertEqual(self.bearer(old)[0], 235)
        self.issuer.rotate()
        eventually(lambda: self.bearer(self.issuer.token())[0] == 235,
                   "the new key is found")
        self.assertEqual(self.bearer(old)[0], 334)

    def test_no_keys_is_not_the_clients_fault(self):
        self.issuer.is_down = True
        self.assertEqual(self.bearer(self.issuer.token()),
                         (454, b"4.7.0 Temporary authentication failure"))
        failed = self.server.logged("issuer_keys_failed")
        self.assertIn("status 503", failed[0]["reason"])
        self.issuer.is_down = False
        eventually(lambda: self.bearer(self.issuer.token())[0] == 235,
                   "the issuer is back")


class TokensByFile(TokenCase):
    def keys(self):
        self.file = self.home / "jwks.json"
        self.file.write_text(self.issuer.jwks())
        return f"jwks_file: {self.file}"

    def test_keys_are_rotated(self):
        self.assertEqual(self.bearer(self.issuer.token())[0], 235)
        self.issuer.rotate()
        new = self.home / "new.json"
        new.write_text(self.issuer.jwks())
        os.rename(new, self.file)
        eventually(lambda: self.bearer(self.issuer.token())[0] == 235,
                   "the new key is found")


class Imap(socketserver.StreamRequestHandler):
    """Enough of a server for saslauthd's rimap: it knows one password."""

    def handle(self):
        self.wfile.write(b"* OK ready\r\n")
        while line := self.rfile.readline():
            tag, verb, rest = (line.strip().split(b" ", 2) + [b"", b""])[:3]
            if verb.upper() != b"LOGIN":
                self.wfile.write(tag + b" OK done\r\n")
            elif rest == b'"ldap" "%s"' % PASSWORD.encode():
                self.wfile.write(tag + b" OK in\r\n")
            else:
                self.wfile.write(tag + b" NO out\r\n")


class Saslauthd(AuthCase):
    def prepare(self):
        self.folder = self.home / "saslauthd"
        self.folder.mkdir()
        os.chmod(self.folder, 0o755)
        imap = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Imap)
        imap.daemon_threads = True
        threading.Thread(target=imap.serve_forever, daemon=True).start()
        self.addCleanup(imap.server_close)
        self.addCleanup(imap.shutdown)
        self.imap_port = imap.server_address[1]
        self.start_daemon()
        self.addCleanup(self.stop_daemon)
        self.more = {
            "auth": f"  saslauthd: {self.folder}/mux\n",
            "users": "  - {{name: ldap}}\n  - {{name: other}}\n"}

    def start_daemon(self):
        # On its way out it ends its whole process group: not ours.
        self.daemon = subprocess.Popen(
            ["saslauthd", "-d", "-a", "rimap", "-n", "1", "-O",
             f"127.0.0.1/{self.imap_port}", "-m", self.folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        eventually(lambda: (self.folder / "mux").exists(), "saslauthd listens")

    def stop_daemon(self):
        self.daemon.terminate()
        self.daemon.wait(DEADLINE)

    def plain(self, name, password):
        return self.say(self.session(),
                        "AUTH PLAIN " + b64(f"\0{name}\0{password}"))

    def test_passwords_are_verified_there(self):
        smtp = self.session()
        offers = smtp.esmtp_features["auth"].split()
        self.assertIn("LOGIN", offers)
        self.assertNotIn("SCRAM-SHA-256", offers)
        self.assertEqual(self.plain("ldap", PASSWORD)[0], 235)
        self.assertEqual(self.plain("ldap", "wrong"), DENIED)
        self.assertEqual(self.plain("other", PASSWORD), DENIED)
        self.assertEqual(self.plain("nobody", PASSWORD), DENIED)
        self.assertEqual(self.plain("demo", PASSWORD)[0], 235)
        subject = "swaks-saslauthd"
        self.run_client(
            ["swaks", "--server", "127.0.0.1", "--port", self.starttls, "--tls",
             "--auth", "LOGIN", "--auth-user", "ldap", "--auth-password",
             PASSWORD, "--from", "orders@shop.example", "--to",
             "ann@dest.example", "--header", f"Subject: {subject}"])
        self.arrived(subject)

    def test_a_daemon_that_is_down_is_not_the_clients_fault(self):
        self.stop_daemon()
        self.assertEqual(self.plain("ldap", PASSWORD),
                         (454, b"4.7.0 Temporary authentication failure"))
        self.assertEqual(self.plain("demo", PASSWORD)[0], 235)
        (self.folder / "mux").unlink(missing_ok=True)
        self.start_daemon()
        # Its socket has a name before it listens.
        eventually(lambda: self.plain("ldap", PASSWORD)[0] == 235,
                   "the daemon is asked again")


if __name__ == "__main__":
    unittest.main()
