"""TLS of the real daemon, seen by stock tools: what each policy offers, which
certificate is shown, who may come in with one, and certificates that are
replaced while sessions are open."""
import grp
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

import harness
from harness import DEADLINE, POSTERN, eventually, http

# s_client's own names.
VERSIONS = {"-tls1": "TLSv1", "-tls1_1": "TLSv1.1", "-tls1_2": "TLSv1.2",
            "-tls1_3": "TLSv1.3"}
GOOD_SUITES = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"}

# For `openssl ca`: the only command that revokes, and that sets any date.
AUTHORITY = """\
[ca]
default_ca = this
[this]
database = {where}/index
new_certs_dir = {where}
serial = {where}/serial
certificate = {where}/{name}.pem
private_key = {where}/{name}.key
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


def openssl(*words, feed="", check=True):
    done = subprocess.run(["openssl", *[str(w) for w in words]], input=feed,
                          text=True, capture_output=True, timeout=DEADLINE)
    if check and done.returncode != 0:
        raise AssertionError(f"openssl {words}: {done.stdout}{done.stderr}")
    return done


class Tls(harness.Case):
    """A server whose files its account may read, as they must to be renewed."""

    listeners = ""  # more of them, as YAML
    tls = ""        # more keys of tls

    def setUp(self):
        self.account = grp.getgrnam("nogroup").gr_gid if os.getuid() == 0 else None
        super().setUp()

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text()
        text = text.replace("listeners:\n", "listeners:\n" + self.listeners, 1)
        text = text.replace("tls:\n  cert", "tls:\n" + self.tls + "  cert", 1)
        path.write_text(self.more(text))
        self.share(self.home / "key.pem")
        return path

    def more(self, text):
        """The last word on the configuration."""
        return text

    def share(self, path):
        """Readable for the server when it is no longer root."""
        if self.account is not None:
            os.chown(path, -1, self.account)
        os.chmod(path, 0o640)

    def port(self, listener):
        return next(e["port"] for e in self.server.events("listening")
                    if e["listener"] == listener)

    def certify(self, name, days="2", key="ec", names=None, where=None):
        """A self-signed pair NAME.pem, NAME.key."""
        where = where or self.home
        kind = ["-newkey", "rsa:2048"] if key == "rsa" else [
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-x509", *kind, "-nodes", "-days", days,
                "-subj", f"/CN={name}", "-addext",
                "subjectAltName=" + ",".join(f"DNS:{n}" for n in names or [name]),
                "-keyout", where / f"{name}.key", "-out", where / f"{name}.pem")
        self.share(where / f"{name}.key")
        return where / f"{name}.pem", where / f"{name}.key"

    def certify_late(self, where):
        """The pair cert.pem, key.pem in where, expired long ago."""
        (where / "ca.cnf").write_text(AUTHORITY.format(where=where, name="late"))
        (where / "index").write_text("")
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj",
                "/CN=late.test", "-keyout", where / "late.key",
                "-out", where / "late.csr")
        openssl("ca", "-config", where / "ca.cnf", "-batch", "-notext",
                "-selfsign", "-create_serial", "-in", where / "late.csr",
                "-startdate", "20250101000000Z", "-enddate", "20250201000000Z",
                "-out", where / "late.pem")
        self.share(where / "late.key")
        return where / "late.pem", where / "late.key"

    def connect(self, port, *words, feed="QUIT\r\n"):
        """One session of s_client; its whole output."""
        done = openssl("s_client", "-connect", f"127.0.0.1:{port}", *words,
                       "-ign_eof", feed=feed, check=False)
        return done.stdout + done.stderr

    def shown(self, port, name=None):
        """(common name, kind of key) of the certificate a client is shown."""
        words = ["-servername", name] if name else ["-noservername"]
        text = self.connect(port, *words)
        subject = re.search(r"^subject=.*CN ?= ?(\S+)", text, re.M)
        kind = re.search(r"Peer signature type: (\S+)", text)
        self.assertTrue(subject and kind, text)
        return subject[1], "rsa" if "RSA" in kind[1] else "ec"

    def gauge(self, name, **labels):
        """Value of a sample of /metrics, or None."""
        wanted = "postern_" + name
        for line in http(self.stats + "/metrics")[1].splitlines():
            if line.startswith(wanted) and all(
                    f'{k}="{v}"' in line for k, v in labels.items()):
                return float(line.rsplit(" ", 1)[1])
        return None

    def events(self, name):
        return self.server.events(name)

    def logged(self, name):
        return self.server.logged(name)


class Policies(Tls):
    listeners = """\
  - {name: modern, address: "127.0.0.1:0", tls: implicit, tls_policy: modern}
  - {name: legacy, address: "127.0.0.1:0", tls: implicit, tls_policy: legacy}
"""

    def speaks(self, listener):
        """The versions a client can have."""
        found = set()
        for option, version in VERSIONS.items():
            text = self.connect(self.port(listener), option,
                                "-cipher", "DEFAULT:@SECLEVEL=0")
            if f"New, {version}, Cipher" in text or \
                    re.search(rf"Protocol\s+: {re.escape(version)}$", text, re.M) \
                    and "220 " in text:
                found.add(version)
        return found

    def scan(self, listener):
        done = subprocess.run(
            ["sslscan", "--no-colour", "--xml=-", f"127.0.0.1:{self.port(listener)}"],
            capture_output=True, timeout=4 * DEADLINE, check=True)
        return ElementTree.fromstring(done.stdout).find("ssltest")

    def test_each_listener_speaks_its_policy(self):
        self.assertEqual(self.speaks("modern"), {"TLSv1.3"})
        self.assertEqual(self.speaks("submissions"), {"TLSv1.2", "TLSv1.3"})
        self.assertEqual(self.speaks("legacy"), set(VERSIONS.values()))
        warned = [e for e in self.events("insecure_listener")
                  if e["listener"] == "legacy"]
        self.assertEqual(len(warned), 1, warned)
        failed = self.logged("tls_failed")
        self.assertTrue(all("too old" in e["reason"] for e in failed), failed)

    def test_starttls_speaks_the_same(self):
        for option, good in [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]:
            text = self.connect(self.starttls, "-starttls", "smtp", option,
                                "-cipher", "DEFAULT:@SECLEVEL=0")
            self.assertEqual("221 2.0.0" in text, good, text)

    def test_a_scanner_finds_nothing_below_the_policy(self):
        for listener, versions in [("submissions", {"1.2", "1.3"}), ("modern", {"1.3"})]:
            report = self.scan(listener)
            enabled = {p.get("version") for p in report.iter("protocol")
                       if p.get("enabled") == "1"}
            self.assertEqual(enabled, versions, listener)
            suites = {c.get("cipher") for c in report.iter("cipher")
                      if c.get("sslversion") == "TLSv1.2"}
            self.assertLessEqual(suites, GOOD_SUITES)
            groups = {g.get("name").split()[0] for g in report.iter("group")}
            self.assertEqual(groups, {"x25519", "secp256r1", "secp384r1"})
            self.assertTrue(all(c.get("supported") == "0"
                                for c in report.iter("compression")))
            self.assertTrue(all(r.get("supported") == "0"
                                for r in report.iter("renegotiation")))

    def test_versions_and_failures_are_counted(self):
        self.connect(self.port("legacy"), "-tls1", "-cipher", "DEFAULT:@SECLEVEL=0")
        self.connect(self.port("modern"), "-tls1_2")
        self.client(implicit=True).quit()
        self.client().quit()
        count = lambda **labels: self.gauge("smtp_tls_sessions_total", **labels)
        eventually(lambda: count(listener="legacy", version="TLSv1") == 1
                   and count(listener="submissions", version="TLSv1.3",
                             mode="implicit") == 1
                   and count(listener="submission", version="TLSv1.3",
                             mode="starttls") == 1
                   and self.gauge("smtp_tls_failures_total", reason="version") == 1,
                   "handshakes are counted")

    def test_there_is_no_second_handshake(self):
        peer = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.implicit}",
             "-tls1_2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.addCleanup(peer.stdout.close)
        self.addCleanup(peer.kill)
        while not (line := peer.stdout.readline()).startswith("220 "):
            self.assertTrue(line, "no greeting")
        peer.stdin.write("R\n")  # s_client's word for it
        peer.stdin.flush()
        text = peer.communicate(timeout=DEADLINE)[0]
        self.assertIn("RENEGOTIATING", text)
        self.assertIn("no renegotiation", text)
        self.client(implicit=True).quit()

    def test_plaintext_where_tls_begins_is_explained(self):
        with socket.create_connection(("127.0.0.1", self.implicit), DEADLINE) as s:
            s.sendall(b"EHLO app.example\r\n")
            while s.recv(4096):
                pass
        event = eventually(lambda: self.events("tls_failed"), "it is logged")[0]
        self.assertEqual(event["kind"], "protocol")
        self.assertIn("not TLS", event["reason"])

    def test_a_browser_is_sent_away(self):
        text = self.connect(self.implicit, "-alpn", "h2,http/1.1")
        self.assertNotIn("220 ", text)
        self.assertIn("220 ", self.connect(self.implicit, "-alpn", "smtp,h2"))
        self.assertIn("220 ", self.connect(self.implicit, "-alpn", "other"))

    def test_the_end_is_said_on_both_sides(self):
        context = ssl._create_unverified_context()
        raw = socket.create_connection(("127.0.0.1", self.implicit), DEADLINE)
        with context.wrap_socket(raw, suppress_ragged_eofs=False) as s:
            s.sendall(b"QUIT\r\n")
            heard = b""
            while chunk := s.recv(4096):  # raises where close_notify is missing
                heard += chunk
            self.assertIn(b"221", heard)
            s.unwrap().close()

    def test_a_client_that_just_goes_is_no_failure(self):
        context = ssl._create_unverified_context()
        for _ in range(3):
            raw = socket.create_connection(("127.0.0.1", self.implicit), DEADLINE)
            s = context.wrap_socket(raw)
            s.recv(4096)
            s.sendall(b"QUIT\r\n")
            s.recv(4096)
            s.close()  # without close_notify
        eventually(lambda: self.gauge("smtp_connections_active",
                                      listener="submissions") == 0, "all are gone")
        self.assertEqual(self.events("tls_failed"), [])

    def test_tickets_are_good_at_every_worker(self):
        ticket = self.home / "ticket"
        self.connect(self.implicit, "-sess_out", ticket)
        text = self.connect(self.implicit, "-sess_in", ticket, "-early_data",
                            self.home / "cert.pem")
        self.assertNotIn("Early data was accepted", text)
        reused = 0
        for _ in range(8):  # the kernel spreads them over two workers
            text = self.connect(self.implicit, "-sess_in", ticket, "-sess_out", ticket)
            reused += "Reused, TLSv1.3" in text
        self.assertEqual(reused, 8)


class Names(Tls):
    """Three names, one of them with a certificate of each kind."""

    def more(self, text):
        pairs = [self.certify("one.test"),
                 self.certify("two.test"),
                 self.certify("any.test", names=["*.any.test"])]
        rsa = self.home / "rsa"
        rsa.mkdir(exist_ok=True)
        os.chmod(rsa, 0o755)
        pairs.append(self.certify("two.test", key="rsa", where=rsa))
        rows = "".join(f"    - {{cert: {c}, key: {k}}}\n" for c, k in pairs)
        return re.sub(r"  certificates: .*\n", "  certificates:\n" + rows, text)

    def test_the_name_decides(self):
        self.assertEqual(self.shown(self.implicit), ("one.test", "ec"))
        self.assertEqual(self.shown(self.implicit, "nobody.test"), ("one.test", "ec"))
        self.assertEqual(self.shown(self.implicit, "two.test"), ("two.test", "ec"))
        self.assertEqual(self.shown(self.implicit, "x.any.test"), ("any.test", "ec"))
        for scheme, kind in [("RSA-PSS+SHA256", "rsa"), ("ECDSA+SHA256", "ec")]:
            text = self.connect(self.implicit, "-servername", "two.test",
                                "-sigalgs", scheme)
            self.assertIn("220 ", text)
            self.assertRegex(text, "Peer signature type: .*" +
                             ("RSA" if kind == "rsa" else "ECDSA"))

    def test_every_certificate_has_its_date(self):
        for name in ["one.test", "two.test", "any.test"]:
            self.assertGreater(self.gauge("tls_certificate_not_after_timestamp_seconds",
                                          file=self.home / f"{name}.pem"), 1.7e9)


class Clients(Tls):
    listeners = """\
  - {name: request, address: "127.0.0.1:0", tls: implicit, client_auth: request}
  - {name: require, address: "127.0.0.1:0", tls: implicit, client_auth: require}
"""
    tls = "  client_ca: {home}/ca.pem\n  crl: {home}/crl.pem\n"

    def more(self, text):
        return text.replace("{home}", str(self.home))

    def config(self, **settings):
        if not (self.home / "ca.pem").exists():
            self.make_authority()
        return super().config(**settings)

    def make_authority(self):
        (self.home / "ca.cnf").write_text(
            AUTHORITY.format(where=self.home, name="ca"))
        (self.home / "index").write_text("")
        (self.home / "serial").write_text("1000\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                "/CN=Clients", "-keyout", self.home / "ca.key",
                "-out", self.home / "ca.pem")
        self.list_revoked()

    def list_revoked(self):
        """Put the list in place in one step."""
        openssl("ca", "-config", self.home / "ca.cnf", "-gencrl",
                "-out", self.home / "crl.new")
        os.rename(self.home / "crl.new", self.home / "crl.pem")

    def issue(self, name):
        cert, key = self.home / f"{name}.pem", self.home / f"{name}.key"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", f"/CN={name}", "-addext",
                f"subjectAltName=email:{name}@shop.example",
                "-keyout", key, "-out", self.home / "request.pem")
        openssl("ca", "-config", self.home / "ca.cnf", "-batch", "-notext",
                "-in", self.home / "request.pem", "-out", cert)
        return "-cert", cert, "-key", key

    def test_require_lets_nobody_in_without_a_good_one(self):
        port = self.port("require")
        alice, stranger = self.issue("alice"), self.certify("stranger")
        self.assertIn("220 ", self.connect(port, *alice))
        self.assertNotIn("220 ", self.connect(port))
        self.assertNotIn("220 ", self.connect(
            port, "-cert", stranger[0], "-key", stranger[1]))
        reasons = {e["kind"] for e in self.logged("tls_failed")}
        self.assertEqual(reasons, {"unverified"})
        self.assertEqual(
            self.gauge("smtp_tls_failures_total", reason="unverified"), 2)

    def test_request_goes_on_without_an_identity(self):
        port = self.port("request")
        alice, stranger = self.issue("alice"), self.certify("stranger")
        self.assertIn("220 ", self.connect(port))
        self.assertIn("220 ", self.connect(port, *alice))
        self.assertEqual(self.events("client_certificate_unverified"), [])
        self.assertIn("220 ", self.connect(
            port, "-cert", stranger[0], "-key", stranger[1]))
        event = self.logged("client_certificate_unverified")[0]
        self.assertIn("self", event["reason"])

    def test_others_are_not_asked(self):
        self.assertIn("No client certificate CA names sent",
                      self.connect(self.implicit))
        self.assertIn("CN = Clients", self.connect(self.port("request")))

    def test_a_revocation_works_without_a_restart(self):
        port = self.port("require")
        alice, bob = self.issue("alice"), self.issue("bob")
        ticket = self.home / "ticket"
        self.assertIn("220 ", self.connect(port, *alice, "-sess_out", ticket))
        openssl("ca", "-config", self.home / "ca.cnf", "-revoke",
                self.home / "alice.pem")
        self.list_revoked()
        eventually(lambda: "220 " not in self.connect(port, *alice),
                   "alice is refused")
        self.assertNotIn("220 ", self.connect(port, *alice, "-sess_in", ticket))
        self.assertIn("220 ", self.connect(port, *bob))


class Renewal(Tls):
    """The certificate lies in a volume as kubelet makes it."""

    def more(self, text):
        if not (self.home / "tls").exists():
            (self.home / "tls").mkdir()
            os.chmod(self.home / "tls", 0o755)
            self.publish("old.test")
            for name in ["tls.crt", "tls.key"]:
                (self.home / "tls" / name).symlink_to(f"..data/{name}")
        return text.replace(f"{self.home}/cert.pem", f"{self.home}/tls/tls.crt") \
                   .replace(f"{self.home}/key.pem", f"{self.home}/tls/tls.key")

    def publish(self, name, days="2", key_of=None, is_late=False):
        """Write a new directory, then swap `..data` in one rename."""
        volume = self.home / "tls"
        where = volume / f"..{name}"
        where.mkdir()
        os.chmod(where, 0o755)
        cert, key = self.certify_late(where) if is_late else \
            self.certify(name, days, where=where)
        os.rename(cert, where / "tls.crt")
        os.rename(key, where / "tls.key")
        if key_of:
            shutil.copy(volume / f"..{key_of}" / "tls.key", where / "tls.key")
            self.share(where / "tls.key")
        (volume / "..data.tmp").symlink_to(where.name)
        os.rename(volume / "..data.tmp", volume / "..data")

    def client(self, *args, **kwargs):
        context = ssl._create_unverified_context()
        smtp = smtplib.SMTP_SSL("localhost", self.implicit, context=context,
                                timeout=DEADLINE)
        self.addCleanup(smtp.close)
        smtp.login("demo", harness.PASSWORD)
        return smtp

    def current(self):
        return self.gauge("tls_last_reload_successful")

    def not_after(self):
        return self.gauge("tls_certificate_not_after_timestamp_seconds")

    def test_a_renewed_certificate_is_shown_and_sessions_go_on(self):
        ticket = self.home / "ticket"
        self.connect(self.implicit, "-sess_out", ticket)
        smtp, before = self.client(), self.not_after()
        self.assertEqual(self.shown(self.implicit)[0], "old.test")
        self.publish("new.test", days="9")
        eventually(lambda: self.shown(self.implicit)[0] == "new.test",
                   "the new certificate is shown")
        for _ in range(8):  # both workers
            self.assertEqual(self.shown(self.implicit)[0], "new.test")
        self.assertEqual(self.send(smtp)[0], 250)
        self.assertGreater(self.not_after(), before + 6 * 86400)
        self.assertEqual(self.current(), 1)
        self.assertEqual(self.events("certificate_reload_failed"), [])
        self.assertIn("Reused, ", self.connect(self.implicit, "-sess_in", ticket))

    def test_a_key_of_another_certificate_changes_nothing(self):
        self.publish("new.test", key_of="old.test")
        event = eventually(lambda: self.events("certificate_reload_failed"),
                           "the failure is told")[0]
        self.assertIn("does not belong to", event["reason"])
        self.assertEqual(self.current(), 0)
        self.assertEqual(self.shown(self.implicit)[0], "old.test")
        self.send(self.client())
        self.publish("newer.test")
        eventually(lambda: self.shown(self.implicit)[0] == "newer.test" and
                   self.current() == 1, "a good one is used")
        self.assertEqual(len(self.logged("certificate_reload_failed")), 1)

    def test_an_expired_one_changes_nothing(self):
        self.publish("late.test", is_late=True)
        event = eventually(lambda: self.events("certificate_reload_failed"),
                           "the failure is told")[0]
        self.assertIn("expired at", event["reason"])
        self.share(self.home / "demo.hash")
        self.server.child.send_signal(signal.SIGHUP)
        self.assertIn("expired at", self.logged("reload_failed")[0]["reason"])
        self.assertEqual(self.shown(self.implicit)[0], "old.test")

    def test_a_key_only_root_may_read_is_told_at_once(self):
        if os.getuid() != 0:
            self.skipTest("the server has root to give up")
        self.stop()
        os.chmod(self.home / "tls/tls.key", 0o600)
        self.start()
        event = self.logged("certificate_not_readable")[0]
        self.assertTrue(event["file"].endswith("tls.key"), event)
        self.assertEqual(self.shown(self.implicit)[0], "old.test")

    def test_an_expired_one_at_the_start_is_warned_of(self):
        self.stop()
        self.publish("late.test", is_late=True)
        self.start()
        event = self.logged("certificate_not_valid")[0]
        self.assertIn("expired at", event["what"])
        done = subprocess.run([POSTERN, "check", "-c", self.home / "postern.yaml"],
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: tls.certificates[0].cert: expired at", done.stderr)


if __name__ == "__main__":
    unittest.main()
