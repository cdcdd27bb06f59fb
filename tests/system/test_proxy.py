"""Behind a load balancer: HAProxy's PROXY headers, and XCLIENT of swaks."""
import contextlib
import smtplib
import socket
import ssl
import subprocess
import unittest

from harness import (Case, DEADLINE, PASSWORD, Process, eventually, http)

CLIENT = "127.0.0.2"  # another address than the proxy's
LISTENERS = """
  - {{name: submission, address: "127.0.0.1:0", proxy_protocol: required,
      proxy_trusted: [127.0.0.1], allow_from: [127.0.0.1, 127.0.0.2, 127.0.0.4]}}
  - {{name: submissions, address: "127.0.0.1:0", tls: implicit,
      proxy_protocol: required, proxy_trusted: [127.0.0.1]}}
  - {{name: xclient, address: "127.0.0.1:0", xclient_trusted: [127.0.0.0/8],
      xclient_login: true, allow_from: [127.0.0.1, 198.51.100.0/24]}}
smtp: {{limits: {{sessions_per_ip: {per_ip}, exempt: []}}, timeouts: {{proxy_header: {header}}}}}
"""
HAPROXY = """
global
    stats socket {home}/haproxy.sock mode 600
defaults
    mode tcp
    timeout connect 20s
    timeout client 60s
    timeout server 60s
"""
BLOCK = """
listen {name}
    bind 127.0.0.1:{port}
    {option}
    server postern 127.0.0.1:{to} {how}
"""


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as s:
        return s.getsockname()[1]


class Proxied(Case):
    per_ip, header = 50, "5s"

    def config(self, **settings):
        path = super().config(**settings)
        before, rest = path.read_text().split("listeners:\n", 1)
        after = rest[rest.index("tls:\n"):]
        path.write_text(before + "listeners:" + LISTENERS.format(
            per_ip=self.per_ip, header=self.header) + after)
        return path

    def port(self, listener):
        return next(e["port"] for e in self.server.events("listening")
                    if e["listener"] == listener)

    def haproxy(self, how, listener="submission", option=""):
        """Start one; the port it listens on."""
        port = free_port()
        path = self.home / "haproxy.cfg"
        path.write_text(HAPROXY.format(home=self.home) + BLOCK.format(
            name="mail", port=port, option=option, to=self.port(listener), how=how))
        proxy = Process(["haproxy", "-db", "-f", path], self.home / "haproxy.log")
        self.addCleanup(proxy.stop)

        def runs():
            self.assertIsNone(proxy.child.poll(), proxy.log())
            with contextlib.suppress(OSError):
                return self.haproxy_state()
        eventually(runs, "haproxy runs")
        return port

    def haproxy_state(self):
        """Its row about us: (status, check_status)."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(str(self.home / "haproxy.sock"))
            s.sendall(b"show stat\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        names = text.splitlines()[0].lstrip("# ").split(",")
        for line in text.splitlines()[1:]:
            row = dict(zip(names, line.split(",")))
            if row.get("svname") == "postern":
                return row["status"], row["check_status"]

    def metric(self, name):
        text = http(f"{self.stats}/metrics")[1]
        return next((float(line.split()[-1]) for line in text.splitlines()
                     if line.startswith(name + " ")), None)

    def submit(self, port, implicit=False):
        """One message from CLIENT through the proxy."""
        context = ssl.create_default_context(cafile=self.home / "cert.pem")
        kind = smtplib.SMTP_SSL if implicit else smtplib.SMTP
        extra = {"context": context} if implicit else {}
        smtp = kind("localhost", port, timeout=DEADLINE,
                    source_address=(CLIENT, 0), **extra)
        with contextlib.closing(smtp):
            if not implicit:
                smtp.starttls(context=context)
            smtp.login("demo", PASSWORD)
            code, text = self.send(smtp)
            self.assertEqual(code, 250, text)

    def assert_client_was_seen(self, event):
        found = self.server.logged(event)
        self.assertTrue(found, event)
        for e in found:
            self.assertEqual(e["client.address"], CLIENT)
            self.assertEqual(e["network.peer.address"], "127.0.0.1")


class Headers(Proxied):
    def test_version_1(self):
        self.submit(self.haproxy("send-proxy"))
        self.assert_client_was_seen("auth_ok")
        self.assert_client_was_seen("message_accepted")

    def test_version_2(self):
        self.submit(self.haproxy("send-proxy-v2"))
        self.assert_client_was_seen("message_accepted")

    def test_version_2_with_checksum_and_more(self):
        self.submit(self.haproxy(
            "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority,ssl"))
        self.assert_client_was_seen("message_accepted")

    def test_tls_behind_version_1(self):
        self.submit(self.haproxy("send-proxy", "submissions"), implicit=True)
        self.assert_client_was_seen("message_accepted")

    def test_tls_behind_version_2(self):
        self.submit(self.haproxy("send-proxy-v2 proxy-v2-options crc32c",
                                 "submissions"), implicit=True)
        self.assert_client_was_seen("message_accepted")

    def checks(self, option, expected):
        self.haproxy("send-proxy-v2 check check-send-proxy inter 50ms",
                     option=option)
        eventually(lambda: len(self.server.events("proxy_header")) > 5,
                   "several checks")
        self.assertEqual(self.haproxy_state(), ("UP", expected))
        for e in self.server.events("proxy_header"):
            self.assertNotIn("network.peer.address", e)
        self.assertEqual(self.server.events("proxy_error"), [])
        noisy = [line for line in self.server.log().splitlines()
                 if '"level":"debug"' not in line and "client.address" in line]
        self.assertEqual(noisy, [])
        self.assertEqual(self.metric(
            'postern_smtp_connections_total{listener="submission"}'), 0)

    def test_checks_that_only_connect_are_no_sessions(self):
        self.checks("", "L4OK")

    def test_checks_that_say_ehlo_are_no_sessions(self):
        self.checks("option smtpchk EHLO check.example", "L7OK")

    def test_allow_from_sees_the_client(self):
        port = self.haproxy("send-proxy-v2")
        with socket.create_connection(("127.0.0.1", port), DEADLINE,
                                      source_address=("127.0.0.9", 0)) as s:
            self.assertRegex(s.makefile().read(), r"^554 5.7.1 Access denied \(")

    def test_without_a_header_nothing_is_said(self):
        with socket.create_connection(
                ("127.0.0.1", self.port("submission")), DEADLINE) as s:
            s.settimeout(DEADLINE)
            s.sendall(b"EHLO client.example\r\n")
            self.assert_closed_silently(s)
        self.assertEqual(self.errors("missing"), 1)

    def test_a_wrong_checksum_is_refused(self):
        header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13" + bytes(12) + b"\x03\0\x04" + bytes(4)
        with socket.create_connection(
                ("127.0.0.1", self.port("submission")), DEADLINE) as s:
            s.settimeout(DEADLINE)
            s.sendall(header)
            self.assert_closed_silently(s)
        self.assertEqual(self.errors("checksum"), 1)

    def test_a_peer_that_is_no_proxy_hears_nothing(self):
        with socket.create_connection(
                ("127.0.0.1", self.port("submission")), DEADLINE,
                source_address=("127.0.0.3", 0)) as s:
            s.settimeout(DEADLINE)
            self.assert_closed_silently(s)
        self.assertEqual(self.errors("untrusted"), 1)

    def assert_closed_silently(self, s):
        try:
            self.assertEqual(s.recv(100), b"")
        except ConnectionResetError:
            pass

    def errors(self, reason):
        return self.metric('postern_proxy_protocol_errors_total{'
                           f'listener="submission",reason="{reason}"}}')


class Limits(Proxied):
    per_ip, header = 1, "1s"

    def greeting(self, port, address):
        s = socket.create_connection(("127.0.0.1", port), DEADLINE,
                                     source_address=(address, 0))
        self.addCleanup(s.close)
        return s.makefile().readline()

    def test_clients_are_counted_not_the_proxy(self):
        port = self.haproxy("send-proxy-v2")
        self.assertRegex(self.greeting(port, CLIENT), "^220 ")
        self.assertRegex(self.greeting(port, "127.0.0.4"), "^220 ")
        self.assertRegex(self.greeting(port, CLIENT),
                         "^421 4.7.0 Too many connections from 127.0.0.2")

    def test_a_header_that_does_not_come(self):
        with socket.create_connection(
                ("127.0.0.1", self.port("submission")), DEADLINE) as s:
            s.settimeout(DEADLINE)
            s.sendall(b"PROXY TCP4 ")
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(s.recv(100), b"")
        told = eventually(lambda: self.server.events("proxy_error"), "an event")
        self.assertEqual(told[0]["reason"], "late")


class Xclient(Proxied):
    def swaks(self, *extra):
        return subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{self.port('xclient')}", "--tls",
             "--from", "orders@shop.example", "--to", "ann@dest.example",
             "--h-From", "orders@shop.example", "--timeout", f"{DEADLINE:.0f}",
             *extra], capture_output=True, text=True, check=False)

    def test_names_the_client_and_who_it_is(self):
        done = self.swaks("--xclient-addr", "198.51.100.7", "--xclient-name",
                          "spike.example", "--xclient-login", "demo")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\n",
                      done.stdout)
        accepted, = self.server.logged("message_accepted")
        self.assertEqual(accepted["client.address"], "198.51.100.7")
        self.assertEqual(accepted["network.peer.address"], "127.0.0.1")
        self.assertEqual(accepted["user.name"], "demo")

    def test_the_client_it_names_must_be_allowed(self):
        done = self.swaks("--xclient-addr", "203.0.113.1", "--xclient-login", "demo")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("554 5.7.1 Access denied", done.stdout)


if __name__ == "__main__":
    unittest.main()
