"""Hostile clients from several addresses, and what fail2ban makes of the log."""
import base64
import json
import pathlib
import select
import shlex
import shutil
import socket
import subprocess
import unittest

from harness import DEADLINE, POSTERN, PASSWORD, Case, Process, eventually, http

FILTER = pathlib.Path(__file__).parents[2] / "deploy/fail2ban/filter.d/postern.conf"
VICTIM = "203.0.113.9"
LISTENERS = """listeners:
  - {name: plain, address: "127.0.0.1:0", tls: none, allow_insecure: true,
     allow_plaintext_auth: true}
  - {name: plain6, address: "[::1]:0", tls: none, allow_insecure: true,
     allow_plaintext_auth: true}
"""


class Peer:
    """A client that says anything, from an address of its choice."""

    def __init__(self, port, source="127.0.0.1"):
        self.sock = socket.create_connection(
            ("::1" if ":" in source else "127.0.0.1", port), timeout=DEADLINE,
            source_address=(source, 0))
        self.lines = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """The next reply's last line; "" at the end."""
        while True:
            line = self.lines.readline().decode()
            if line[3:4] != "-":
                return line.strip()

    def say(self, line):
        self.send(line + "\r\n" if isinstance(line, str) else line + b"\r\n")
        return self.reply()

    def login(self, user, password):
        text = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.say(f"AUTH PLAIN {text}")

    def has_reply(self):
        return bool(select.select([self.sock], [], [], 0)[0])

    def close(self):
        self.lines.close()
        self.sock.close()


class Abuse(Case):
    auth = "failure_delay: 0ms"
    smtp = "{limits: {exempt: []}}"
    log_format = "json"

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text().replace("listeners:\n", LISTENERS, 1)
        text = text.replace("  failure_delay: 0ms\n", f"  {self.auth}\n")
        text = text.replace("format: json", f"format: {self.log_format}")
        path.write_text(f"{text}\nsmtp: {self.smtp}\n")
        return path

    def events(self, name):
        if self.log_format == "json":
            return self.server.events(name)
        lines = [shlex.split(line) for line in self.server.log().splitlines()]
        return [dict(word.split("=", 1) for word in words[2:]) for words in lines
                if words[2:3] == [f"event={name}"]]

    def start(self, **settings):
        self.server = Process([POSTERN, "serve", "-c", self.config(**settings)],
                              self.home / "server.log")
        eventually(lambda: self.events("ready") or
                   self.server.child.poll() is not None, "the server is ready")
        self.assertIsNone(self.server.child.poll(), self.server.log())
        self.ports = {e["listener"]: int(e["port"]) for e in self.events("listening")}
        self.stats = f"http://127.0.0.1:{self.events('ready')[0]['stats_port']}"

    def peer(self, source="127.0.0.1", greeting="220", listener=None):
        port = self.ports[listener or ("plain6" if ":" in source else "plain")]
        peer = Peer(port, source)
        self.addCleanup(peer.close)
        if greeting:
            line = peer.reply()
            self.assertTrue(line.startswith(greeting), line)
        return peer

    def assert_served(self, source):
        """A client there logs in and has a message delivered."""
        peer = self.peer(source)
        for line in ["EHLO app.example", None, "MAIL FROM:<orders@shop.example>",
                     "RCPT TO:<ann@dest.example>"]:
            reply = peer.say(line) if line else peer.login("demo", PASSWORD)
            self.assertTrue(reply.startswith("2"), reply)
        self.assertTrue(peer.say("DATA").startswith("354"))
        reply = peer.say("From: orders@shop.example\r\nSubject: x\r\n\r\nhi\r\n.")
        self.assertTrue(reply.startswith("250 2.0.0"), reply)
        peer.close()

    def metric(self, name, **labels):
        text = http(f"{self.stats}/metrics")[1]
        want = ",".join(f'{k}="{v}"' for k, v in labels.items())
        for line in text.splitlines():
            if line.startswith(f"postern_{name}{{{want}}} "):
                return float(line.split()[-1])
        self.fail(f"no {name}{{{want}}}")


class Networks(Abuse):
    auth = "{failure_delay: 0ms, network_failures: {per_minute: 4}}"
    smtp = ("{limits: {exempt: [], sessions_per_ip: 3, connects_per_ip: 9/hour,"
            " sessions_per_user: 2}}")

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text()
        path.write_text(text.replace("auth:\n  {", "auth: {"))
        return path

    def test_a_guessing_network_is_locked_out_and_others_are_not(self):
        attacker = self.peer("127.0.0.2")
        attacker.say("EHLO bad.example")
        for _ in range(3):
            self.assertTrue(attacker.login("demo", "wrong").startswith("535 5.7.8"))
        second = self.peer("127.0.0.2")
        second.say("EHLO bad.example")
        self.assertTrue(attacker.login("demo", "wrong").startswith("535 5.7.8"))
        self.assertTrue(attacker.reply().startswith("421 4.7.0 Too many failed auth"))
        self.assertEqual(attacker.reply(), "")
        # Right or wrong makes no difference any more.
        self.assertTrue(second.login("demo", PASSWORD).startswith("421 4.7.0"))
        self.peer("127.0.0.2", greeting="421 4.7.0 Too many failed authentications")
        self.assert_served("127.0.0.3")
        self.assertEqual(self.metric("smtp_connections_refused_total",
                                     listener="plain", reason="network_failures"), 1)
        self.assertEqual(self.metric("auth_attempts_total", mech="PLAIN",
                                     result="bad_credentials"), 4)
        self.assertEqual(self.metric("auth_attempts_total", mech="other",
                                     result="limited"), 1)

    def test_a_crowd_from_one_address_leaves_room_for_others(self):
        crowd = [self.peer("127.0.0.2") for _ in range(3)]
        self.peer("127.0.0.2", greeting="421 4.7.0 Too many connections from 127.0.0.2")
        self.assert_served("127.0.0.3")
        for _ in range(6):
            crowd.pop(0).close()
            eventually(lambda: self.metric("smtp_connections_active",
                                           listener="plain") == len(crowd),
                       "one of the crowd has left")
            crowd.append(self.peer("127.0.0.2"))
        crowd.pop(0).close()
        eventually(lambda: self.metric("smtp_connections_active", listener="plain") == 2,
                   "one more has left")
        self.peer("127.0.0.2", greeting="421 4.7.0 Too many connections")
        self.assert_served("127.0.0.3")
        eventually(lambda: {(e["client.address"], e["kind"])
                            for e in self.events("abuse_limit")} ==
                   {("127.0.0.2", "sessions_per_ip"), ("127.0.0.2", "connects_per_ip")},
                   "the log says who was turned away and why")

    def test_a_user_has_so_many_sessions(self):
        peers = [self.peer(f"127.0.0.{i}") for i in range(2, 5)]
        for peer in peers:
            peer.say("EHLO app.example")
        for peer in peers[:2]:
            self.assertTrue(peer.login("demo", PASSWORD).startswith("235"))
        self.assertIn("421 4.7.0 Too many sessions of this user",
                      peers[2].login("demo", PASSWORD))
        self.assertTrue(peers[0].say("QUIT").startswith("221"))
        peers[0].close()
        eventually(lambda: self.metric("smtp_connections_active", listener="plain") == 1,
                   "two have left")
        self.assert_served("127.0.0.5")


class Penalty(Abuse):
    auth = "failure_delay: 10s"  # longer than being served takes

    def test_only_who_fails_waits(self):
        guesser = self.peer("127.0.0.2")
        guesser.say("EHLO bad.example")
        text = base64.b64encode(b"\0demo\0wrong").decode()
        guesser.send(f"AUTH PLAIN {text}\r\n")
        eventually(lambda: self.events("auth_failed"), "the guess is seen")
        self.assert_served("127.0.0.2")
        self.assertFalse(guesser.has_reply())
        self.assertTrue(guesser.reply().startswith("535 5.7.8"))


class Slow(Abuse):
    smtp = ("{limits: {exempt: []}, timeouts: {command: 1s, first_command: 1s,"
            " auth_step: 1s, data_idle: 1s, tls_handshake: 1s}}")

    def test_who_stands_still_is_let_go_in_every_state(self):
        login = base64.b64encode(f"\0demo\0{PASSWORD}".encode()).decode()
        steps = ["EHLO slow.example", f"AUTH PLAIN {login}",
                 "MAIL FROM:<orders@shop.example>", "RCPT TO:<ann@dest.example>", "DATA"]
        peers = {"silent": self.peer("127.0.0.2"), "half": self.peer("127.0.0.2")}
        peers["half"].send("EHL")
        for count in range(1, len(steps) + 1):
            peer = peers[steps[count - 1].split()[0]] = self.peer("127.0.0.2")
            for line in steps[:count]:
                self.assertIn(peer.say(line)[:1], "23")
        peers["content"] = self.peer("127.0.0.2")
        for line in steps:
            peers["content"].say(line)
        peers["content"].send("From: a@b.example\r\nSubj")
        peers["login"] = self.peer("127.0.0.2")
        peers["login"].say("EHLO slow.example")
        self.assertTrue(peers["login"].say("AUTH LOGIN").startswith("334"))
        shaking = self.peer("127.0.0.2", greeting=None, listener="submissions")
        shaking.send(b"\x16\x03\x01")
        self.assert_served("127.0.0.3")
        for state, peer in peers.items():
            with self.subTest(state):
                self.assertTrue(peer.reply().startswith("421 4.4.2 Timeout"))
                self.assertEqual(peer.reply(), "")
        self.assertEqual(shaking.sock.recv(1), b"")


@unittest.skipUnless(shutil.which("fail2ban-regex"), "needs fail2ban")
class Fail2ban(Abuse):
    """Who would be banned; nobody may have another banned."""

    names = [
        f"a event=auth_failed client.address={VICTIM}",
        f'a" event=auth_failed client.address={VICTIM}',
        f'a","client.address":"{VICTIM}',
        f'a"}}\n{{"ts":"2026-01-01T00:00:00.000Z","level":"warn",'
        f'"event":"auth_failed","client.address":"{VICTIM}"}}',
        f"a\r\n2026-01-01T00:00:00.000Z warn event=auth_failed client.address={VICTIM} ",
        f"a postern[1]: 2026-01-01T00:00:00Z warn event=auth_failed"
        f" client.address={VICTIM} ",
        f"a\u2028 warn event=auth_failed client.address={VICTIM}",
        f"2026-01-01T00:00:00.000Z warn event=abuse_limit client.address={VICTIM}",
    ]

    def be_hostile(self, source):
        """Fail to log in with names that look like lines of a log."""
        for name in self.names:
            peer = self.peer(source)
            peer.say("EHLO x event=auth_failed client.address=" + VICTIM)
            self.assertIn(peer.login(name, "x")[:3], ("535", "501"))
            peer.close()

    def be_clever(self, source):
        """Log in well, and put the same into everything else."""
        peer = self.peer(source)
        for name in self.names:
            peer.send(f"EHLO {name}\r\n".encode())
        peer.say("NOOP")
        peer.say("EHLO fine.example")
        peer = self.peer(source)
        peer.say(f"EHLO x event=auth_failed client.address={VICTIM}")
        self.assertTrue(peer.login("demo", PASSWORD).startswith("235"))
        for name in self.names[:3]:
            local = name.replace('"', '\\"')
            peer.say(f'MAIL FROM:<"{local}"@shop.example>')
            peer.say(f'RCPT TO:<"{local}"@dest.example>')
            peer.say("DATA")
            peer.say(f"From: orders@shop.example\r\nSubject: {name}\r\n"
                     f"Message-ID: <{name}@x>\r\n\r\n{name}\r\n.")
            peer.say("RSET")
        peer.close()

    def banned(self):
        log = self.server.log_path
        self.stop()
        done = subprocess.run(["fail2ban-regex", "-o", "ip", log, FILTER],
                              capture_output=True, text=True, check=False)
        return set(done.stdout.split())

    def check(self):
        self.be_hostile("127.0.0.2")
        self.be_clever("127.0.0.4")
        self.peer("::1").say("EHLO six.example")
        peer = self.peer("::1")
        peer.say("EHLO six.example")
        self.assertTrue(peer.login("demo", "wrong").startswith("535"))
        eventually(lambda: len(self.events("auth_failed")) == len(self.names) + 1,
                   "every failure is in the log, once")
        self.assertEqual(self.banned(), {"127.0.0.2", "::1"})

    def test_json(self):
        self.check()


class Fail2banText(Fail2ban):
    log_format = "text"

    def test_text(self):
        self.check()

    test_json = None


class Fail2banJournal(unittest.TestCase):
    """The journal gives the date apart, and a name in front of the line."""

    def test_lines_of_the_journal(self):
        if not shutil.which("fail2ban-regex"):
            self.skipTest("needs fail2ban")
        hostile = f"x postern[1]: 2026Z warn event=auth_failed client.address={VICTIM} "
        text = ("2026-01-01T00:00:00.000Z warn event=auth_failed"
                f" client.address=192.0.2.7 user.name={json.dumps(hostile)}")
        record = ('{"ts":"2026-01-01T00:00:00.000Z","level":"warn",'
                  '"event":"abuse_limit","client.address":"2001:db8::7",'
                  f'"user.name":{json.dumps(hostile)}}}')
        good = text.replace("warn event=auth_failed client.address=192.0.2.7",
                            "info event=auth_ok client.address=192.0.2.8")
        for line, want in [(text, "192.0.2.7"), (record, "2001:db8::7"), (good, "")]:
            done = subprocess.run(
                ["fail2ban-regex", "-d", "{NONE}", "-o", "ip",
                 f"mail.example.com postern[77]: {line}", FILTER],
                capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout.strip(), want, line)


if __name__ == "__main__":
    unittest.main()
