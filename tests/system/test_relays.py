"""Mail servers that hand their mail to Postern: Postfix and Exim.

Each runs from a directory of the test, logs in as a user of Postern, and gets
the letter (letter.py) as its own users would hand it over. Postfix is the
installed one. Exim, whose package cannot stand beside Postfix's, is unpacked
into the build folder; where its user is missing, nss_wrapper knows it.
"""
import os
import pathlib
import pwd
import re
import subprocess
import unittest

import letter
from harness import BUILD, Case, PASSWORD, eventually


def run(argv, stdin=b"", env=None, timeout=60, **how):
    done = subprocess.run([str(a) for a in argv], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, env={**os.environ, **(env or {})}, **how)
    return done.returncode, done.stdout.decode(errors="replace")


@unittest.skipUnless(os.geteuid() == 0, "mail servers change their users: run as root")
class Relay(Case):
    settings = {"providers": "ses", "user_extra": ', senders: ["@shop.example"]'}

    def listeners(self):
        return ((self.starttls, False), (self.implicit, True))

    def check_arrival(self):
        eventually(self.sandbox.messages, "the letter arrives")
        letter.check(self, self.sandbox)


POSTFIX = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
inet_interfaces = loopback-only
myhostname = relay.test
mydestination =
alias_maps =
smtputf8_enable = yes
relayhost = [localhost]:{port}
smtp_host_lookup = native
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{[localhost]:{port}=demo:{password}}}
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = encrypt
smtp_tls_wrappermode = {wrapper}
smtp_tls_CAfile = {home}/../cert.pem
smtp_tls_loglevel = 1
debug_peer_list = localhost, 127.0.0.1
"""


class Postfix:
    """Its own instance: configuration, queue, log. Stopped by the test."""

    def __init__(self, test, port, implicit, password):
        self.home = test.home / f"postfix.{port}"
        config = self.home / "etc"
        config.mkdir(parents=True)
        for name in ("queue", "data"):
            (self.home / name).mkdir()
        os.chown(self.home / "data", pwd.getpwnam("postfix").pw_uid, -1)
        (config / "main.cf").write_text(POSTFIX.format(
            home=self.home, port=port, password=password,
            wrapper="yes" if implicit else "no"))
        master = pathlib.Path("/usr/share/postfix/master.cf.dist").read_text()
        services = [line for line in master.splitlines()
                    if not re.match(r"(smtp +inet|#| |$)", line)]
        # Not in a chroot: there is no /etc in this one.
        services = [re.sub(r"^(\S+ +\S+ +\S+ +\S+ +)\S+", r"\1n", line)
                    for line in services]
        (config / "master.cf").write_text("\n".join(services) + "\n")
        self.config = config
        code, output = run(["postfix", "-c", config, "start"])
        test.assertEqual(code, 0, output + self.log())
        test.addCleanup(run, ["postfix", "-c", config, "stop"])

    def log(self):
        path = self.home / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, *options, sender=letter.SENDER, recipients=letter.EVERYONE):
        return run(["sendmail", "-C", self.config, "-i", "-f", sender, *options,
                    "--", *recipients], letter.letter().as_bytes())

    def says(self, words):
        eventually(lambda: words in self.log(), f"Postfix logs: {words}")


class WithPostfix(Relay):
    def test_relays(self):
        for port, implicit in self.listeners():
            with self.subTest(implicit=implicit):
                self.sandbox.forget()
                postfix = Postfix(self, port, implicit, PASSWORD)
                code, output = postfix.send()
                self.assertEqual(code, 0, output)
                self.check_arrival()
                postfix.says("status=sent (250 2.0.0 Ok: ")
                self.assertRegex(postfix.log(), r"> .*: MAIL FROM:<\S+> "
                                 r"SIZE=\d+ BODY=8BITMIME")

    def test_asks_for_reports(self):
        postfix = Postfix(self, self.starttls, False, PASSWORD)
        postfix.send("-N", "failure,delay", "-V", "order+4711")
        self.check_arrival()
        log = postfix.log()
        self.assertRegex(log, r"> .*MAIL FROM:.* ENVID=order\+2B4711")
        self.assertRegex(log, r"> .*RCPT TO:<ann@dest\.example> "
                         r"ORCPT=rfc822;ann@dest\.example NOTIFY=FAILURE,DELAY")
        postfix.says("status=sent (250 2.0.0 Ok: ")

    def test_returns_what_no_provider_can_carry(self):
        postfix = Postfix(self, self.starttls, False, PASSWORD)
        postfix.send(recipients=["jörg@dest.example"])
        postfix.says("status=bounced")
        self.assertRegex(postfix.log(), r"55[03] 5\.6\.7 ")
        self.assertEqual(self.sandbox.messages(), [])

    def test_says_what_was_wrong(self):
        postfix = Postfix(self, self.starttls, False, "wrong")
        postfix.send()
        postfix.says("SASL authentication failed")
        postfix.says("535 5.7.8 Authentication credentials invalid")
        self.assertEqual(self.sandbox.messages(), [])

    def test_returns_what_was_refused(self):
        postfix = Postfix(self, self.starttls, False, PASSWORD)
        postfix.send(sender="mallory@else.example")
        postfix.says("status=bounced")
        postfix.says("550 5.7.1 Sender address not allowed for user")
        self.assertEqual(self.sandbox.messages(), [])


class Utf8(Relay):
    """Addresses that are not ASCII, and a provider that takes them."""

    settings = {"providers": "raw"}

    def config(self, **settings):
        path = super().config(**settings)
        raw = f'  - {{name: raw, type: raw, url: "{self.sandbox.url}/raw"}}\n'
        path.write_text(path.read_text().replace(
            "\nproviders:\n", "\nproviders:\n" + raw))
        return path

    def check_utf8(self):
        eventually(self.sandbox.messages, "the letter arrives")
        self.assertEqual(self.sandbox.messages()[0]["recipients"],
                         ["jörg@dest.example"])

    def test_postfix(self):
        postfix = Postfix(self, self.starttls, False, PASSWORD)
        postfix.send(recipients=["jörg@dest.example"])
        self.check_utf8()
        self.assertRegex(postfix.log(), "> .*MAIL FROM:.* SMTPUTF8")

    def test_exim(self):
        exim = Exim(self, self.starttls, False, PASSWORD)
        output = exim.speak("MAIL FROM:<orders@shop.example> SMTPUTF8",
                            "RCPT TO:<jörg@dest.example>")
        self.check_utf8()
        self.assertRegex(output, r"MAIL FROM:<\S+>.* SMTPUTF8")


EXIM = """
primary_hostname = relay.test
spool_directory = {home}
log_file_path = {home}/%slog
exim_user = nobody
exim_group = nogroup
deliver_drop_privilege = true
local_from_check = false
exim_path = {program}
keep_environment = LD_PRELOAD : ^NSS_WRAPPER_
tls_advertise_hosts =
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
acl_smtp_rcpt = accept
begin routers
everything:
  driver = manualroute
  transport = postern
  route_list = * localhost byname
  self = send
begin transports
postern:
  driver = smtp
  port = {port}
  protocol = {protocol}
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates = {home}/../cert.pem
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *
begin retry
* * F,1h,10m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^demo^{password}
"""


def unpack_exim():
    """Into the build folder, once; the program."""
    target = BUILD / "exim"
    program = target / "usr/sbin/exim4"
    if not program.exists():
        target.mkdir(exist_ok=True)
        code, output = run(["apt-get", "download", "-qq", "exim4-daemon-light"],
                           cwd=target, timeout=300)
        if code != 0:
            raise unittest.SkipTest("Exim cannot be fetched: " + output)
        for package in target.glob("*.deb"):
            run(["dpkg", "-x", package, target])
        program.chmod(0o755)  # with setuid the loader would not preload
    return program


class Exim:
    """Delivers in the foreground and shows the dialog."""

    def __init__(self, test, port, implicit, password):
        self.program = unpack_exim()
        self.home = test.home / f"exim.{port}"
        self.home.mkdir()
        os.chown(self.home, pwd.getpwnam("nobody").pw_uid, -1)
        self.config = self.home / "exim.conf"
        self.config.write_text(EXIM.format(
            home=self.home, program=self.program, port=port,
            password=password, protocol="smtps" if implicit else "smtp"))
        nobody = pwd.getpwnam("nobody")
        users, groups = self.home / "passwd", self.home / "group"
        users.write_text(pathlib.Path("/etc/passwd").read_text() +
                         f"Debian-exim:x:{nobody.pw_uid}:{nobody.pw_gid}::/:/bin/false\n")
        groups.write_text(pathlib.Path("/etc/group").read_text() +
                          f"Debian-exim:x:{nobody.pw_gid}:\n")
        self.env = {"LD_PRELOAD": "libnss_wrapper.so",
                    "NSS_WRAPPER_PASSWD": str(users),
                    "NSS_WRAPPER_GROUP": str(groups)}

    def send(self, *options, sender=letter.SENDER, recipients=letter.EVERYONE):
        code, output = run(
            [self.program, "-C", self.config, "-odf", "-v", "-i", "-f", sender,
             *options, "--", *recipients], letter.letter().as_bytes(), self.env)
        return output

    def speak(self, *commands):
        """The letter as one SMTP client of Exim hands it over."""
        content = letter.letter().as_bytes().replace(b"\r\n.", b"\r\n..")
        lines = ["EHLO client.test", *commands, "DATA"]
        dialog = "\r\n".join(lines).encode() + b"\r\n" + content + \
            b"\r\n.\r\nQUIT\r\n"
        return run([self.program, "-C", self.config, "-odf", "-v", "-bs"], dialog,
                   self.env)[1]


class WithExim(Relay):
    def test_asks_for_reports(self):
        output = Exim(self, self.starttls, False, PASSWORD).speak(
            "MAIL FROM:<orders@shop.example> RET=HDRS ENVID=order+2B4711",
            *(f"RCPT TO:<{r}> NOTIFY=FAILURE,DELAY" for r in letter.EVERYONE))
        self.check_arrival()
        self.assertRegex(output, r"MAIL FROM:\S+ .*RET=HDRS ENVID=order\+2B4711")
        self.assertRegex(output, r"RCPT TO:<ann@dest\.example> NOTIFY=FAILURE,DELAY")

    def test_relays(self):
        for port, implicit in self.listeners():
            with self.subTest(implicit=implicit):
                self.sandbox.forget()
                output = Exim(self, port, implicit, PASSWORD).send()
                self.check_arrival()
                self.assertRegex(output, r"MAIL FROM:<\S+> SIZE=\d+")
                self.assertRegex(output, r"BDAT \d+ LAST")

    def test_says_what_was_wrong(self):
        output = Exim(self, self.starttls, False, "wrong").send()
        self.assertIn("535 5.7.8 Authentication credentials invalid", output)
        self.assertEqual(self.sandbox.messages(), [])

    def test_returns_what_was_refused(self):
        exim = Exim(self, self.starttls, False, PASSWORD)
        output = exim.send(sender="mallory@else.example")
        self.assertIn("550 5.7.1 Sender address not allowed for user", output)
        self.assertEqual(self.sandbox.messages(), [])


if __name__ == "__main__":
    unittest.main()
