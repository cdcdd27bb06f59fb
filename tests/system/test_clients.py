"""Stock clients, over STARTTLS and over TLS from the start.

Each sends the letter (letter.py) in its own way, and says clearly when the
password is wrong or the sender is not the user's.
"""
import os
import pathlib
import shutil
import smtplib
import ssl
import subprocess
import unittest

import letter
from harness import BUILD, Case, PASSWORD

BAD_PASSWORD = "5.7.8 Authentication credentials invalid"
BAD_SENDER = "5.7.1 Sender address not allowed for user"
HERE = pathlib.Path(__file__).resolve().parent


class Attempt:
    """One try to send: where, as whom, from whom."""

    def __init__(self, home, port, implicit, password=PASSWORD,
                 sender=letter.SENDER):
        self.home, self.port, self.implicit = home, port, implicit
        self.password, self.sender = password, sender
        self.cert = home / "cert.pem"

    def run(self, argv, stdin=None, env=None):
        """(exit code, all it said)."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run(
            [str(a) for a in argv], input=stdin or b"", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60, cwd=self.home,
            env={**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8",
                 **(env or {})})
        return done.returncode, done.stdout.decode(errors="replace")


# --- the clients: each sends the letter and returns (exit code, output) ---

def swaks(a, mechanism="PLAIN", *options):
    return a.run(
        ["swaks", "--server", "127.0.0.1", "--port", a.port, *options,
         "--tls-on-connect" if a.implicit else "--tls", "--auth", mechanism,
         "--auth-user", "demo", "--auth-password", a.password, "--from",
         a.sender, "--to", ",".join(letter.EVERYONE), "--ehlo", "client.test",
         "--data", "@" + str(letter.write(a.home / "letter.eml"))])


def swaks_login(a):
    return swaks(a, "LOGIN")


def swaks_pipelining(a):
    return swaks(a, "PLAIN", "--pipeline")


def curl(a):
    argv = ["curl", "-sS", "--ssl-reqd", "--cacert", a.cert, "--url",
            f"{'smtps' if a.implicit else 'smtp'}://localhost:{a.port}",
            "--user", f"demo:{a.password}", "--mail-from", a.sender, "-v",
            "--upload-file", letter.write(a.home / "letter.eml")]
    for recipient in letter.EVERYONE:
        argv += ["--mail-rcpt", recipient]
    return a.run(argv)


def msmtp(a, mechanism="plain"):
    return a.run(
        ["msmtp", "--host=localhost", f"--port={a.port}", "--tls=on",
         f"--tls-starttls={'off' if a.implicit else 'on'}",
         f"--tls-trust-file={a.cert}", f"--auth={mechanism}", "--user=demo",
         f"--passwordeval=echo {a.password}", f"--from={a.sender}", "-t"],
        letter.letter().as_bytes())


def msmtp_scram(a):
    return msmtp(a, "scram-sha-256")


def python(a):
    context = ssl.create_default_context(cafile=a.cert)
    try:
        if a.implicit:
            smtp = smtplib.SMTP_SSL("localhost", a.port, context=context)
        else:
            smtp = smtplib.SMTP("localhost", a.port)
            smtp.starttls(context=context)
        with smtp:
            smtp.login("demo", a.password)
            smtp.send_message(letter.letter(), from_addr=a.sender)
    except smtplib.SMTPException as error:
        return 1, str(error)
    return 0, ""


def perl(a):
    return a.run(
        ["perl", HERE / "send.pl", a.port, int(a.implicit), a.cert, a.password,
         a.sender, letter.write(a.home / "letter.eml"), *letter.EVERYONE])


def nodemailer(a):
    """It builds the message itself."""
    return a.run(
        ["node", HERE / "node" / "send.js", a.port, int(a.implicit), a.cert,
         a.password, a.sender, letter.write_file(a.home), letter.SUBJECT,
         letter.TEXT, ",".join(letter.TO), ",".join(letter.CC),
         ",".join(letter.BCC)],
        env={"NODE_PATH": str(BUILD / "node" / "node_modules")})


def s_nail(a):
    """It builds the message itself."""
    scheme = "smtps" if a.implicit else "smtp"
    settings = {
        "v15-compat": None, "sendwait": None, "ttycharset": "utf-8",
        "sendcharsets": "utf-8", "from": f"Bestellungen Köln <{a.sender}>",
        "mta": f"{scheme}://demo:{a.password}@localhost:{a.port}",
        "smtp-auth": "plain", "tls-verify": "strict", "tls-ca-file": a.cert,
        "hostname": "client.test"}
    if not a.implicit:
        settings["smtp-use-starttls"] = None
    argv = ["s-nail", "-:/", "-s", letter.SUBJECT,
            "-a", letter.write_file(a.home)]
    for key, value in settings.items():
        argv += ["-S", key if value is None else f"{key}={value}"]
    for option, addresses in (("-c", letter.CC), ("-b", letter.BCC)):
        argv += [option, ",".join(addresses)]
    return a.run(argv + letter.TO, letter.TEXT)


def mutt(a):
    """It builds the message itself."""
    scheme = "smtps" if a.implicit else "smtp"
    (a.home / "muttrc").write_text(
        f'set smtp_url="{scheme}://demo@localhost:{a.port}/"\n'
        f'set smtp_pass="{a.password}"\n'
        f'set from="{a.sender}" realname="Bestellungen Köln"\n'
        f'set certificate_file="{a.cert}"\n'
        'set smtp_authenticators="plain" use_envelope_from=yes\n'
        'set ssl_starttls=yes ssl_force_tls=yes ssl_usesystemcerts=no\n'
        f'set copy=no charset=utf-8 hostname=client.test tmpdir="{a.home}"\n')
    return a.run(["mutt", "-n", "-F", "muttrc", "-s", letter.SUBJECT,
                  "-a", letter.write_file(a.home), "-c", letter.CC[0],
                  "-b", letter.BCC[0], "--", *letter.TO], letter.TEXT)


def install_nodemailer():
    """Into the build folder, once per lock file."""
    target = BUILD / "node"
    wanted = (HERE / "node" / "package-lock.json").read_bytes()
    have = target / "package-lock.json"
    if (target / "node_modules").is_dir() and have.read_bytes() == wanted:
        return
    target.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "node" / name, target)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                   cwd=target, check=True, timeout=300)


class StockClients(Case):
    settings = {"providers": "ses", "user_extra": ', senders: ["@shop.example"]'}

    def both(self, client, judge, **how):
        """On both kinds of listener: try, and judge(exit code, output)."""
        for name, port, implicit in (("starttls", self.starttls, False),
                                     ("implicit", self.implicit, True)):
            with self.subTest(name, **how):
                self.sandbox.forget()
                judge(*client(Attempt(self.home, port, implicit, **how)))

    def delivers(self, client):
        def judge(code, output):
            self.assertEqual(code, 0, output)
            letter.check(self, self.sandbox)
        self.both(client, judge)

    def says(self, client, words, **how):
        """It fails, in the words of the server."""
        def judge(code, output):
            self.assertNotEqual(code, 0, output)
            self.assertIn(words, output)
            self.assertEqual(self.sandbox.messages(), [])
        self.both(client, judge, **how)

    def works(self, client, bad_password=BAD_PASSWORD):
        self.delivers(client)
        self.says(client, bad_password, password="wrong")
        self.says(client, BAD_SENDER, sender="mallory@else.example")

    def test_swaks(self):
        self.works(swaks)
        self.delivers(swaks_login)

    def test_swaks_pipelining(self):
        self.works(swaks_pipelining)

    def test_curl(self):
        self.works(curl)

    def test_msmtp(self):
        self.works(msmtp)
        self.delivers(msmtp_scram)
        self.says(msmtp_scram, BAD_PASSWORD, password="wrong")

    def test_python(self):
        self.works(python)

    def test_perl(self):
        self.works(perl)

    def test_nodemailer(self):
        install_nodemailer()
        self.works(nodemailer)

    def test_s_nail(self):
        self.works(s_nail)

    def test_mutt(self):
        self.works(mutt, bad_password="SASL authentication failed")

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
