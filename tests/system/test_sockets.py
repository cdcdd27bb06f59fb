"""Listening sockets: of the file system, of names, of the service manager;
and restarts during which no client is refused."""
import contextlib
import os
import pwd
import re
import signal
import smtplib
import socket
import threading
import unittest

from harness import (Case, DEADLINE, POSTERN, Process, eventually)

LISTENERS = """
  - {{name: submission, address: "127.0.0.1:0", tls: starttls}}
  - {{name: submissions, address: "localhost:0", tls: implicit}}
  - {{name: fast, address: "127.0.0.1:0", tls: none, allow_insecure: true,
      allow_unauthenticated: true, user: demo}}
  - {{name: local, address: "unix:{home}/run/smtp.sock", socket_mode: "0666",
      tls: none, allow_unauthenticated: true, user: demo}}
"""
MESSAGE = ("From: orders@shop.example\r\nTo: ann@dest.example\r\n"
           "Subject: hello\r\n\r\nhi\r\n")


class Sockets(Case):
    def setUp(self):
        self.extra_env = {}
        super().setUp()

    def config(self, **settings):
        run = self.home / "run"
        if not run.exists():
            run.mkdir(mode=0o755)
            if os.geteuid() == 0:
                os.chown(run, pwd.getpwnam("nobody").pw_uid, -1)
        path = super().config(**settings)
        before, rest = path.read_text().split("listeners:\n", 1)
        after = rest[rest.index("tls:\n"):]
        path.write_text(before + "listeners:" + LISTENERS.format(home=self.home) +
                        after)
        return path

    def port(self, listener):
        return next(e["port"] for e in self.server.events("listening")
                    if e["listener"] == listener)

    def spawn(self, *argv, **more):
        """Another server process; the caller waits for it."""
        return Process(argv or [POSTERN, "serve", "-c", self.home / "postern.yaml",
                                "--takeover"],
                       self.home / f"server.{os.urandom(4).hex()}.log", **more)

    def adopt(self, server):
        """From now on that one is the server of the test."""
        eventually(lambda: server.events("ready") or
                   server.child.poll() is not None, "the server is ready")
        self.assertIsNone(server.child.poll(), server.log())
        self.server = server
        self.stats = ("http://127.0.0.1:"
                      f"{server.events('ready')[0]['stats_port']}")


class OfFiles(Sockets):
    def deliver(self):
        with contextlib.closing(smtplib.SMTP()) as smtp:
            smtp.sock = socket.socket(socket.AF_UNIX)
            smtp.sock.settimeout(DEADLINE)
            smtp.sock.connect(str(self.home / "run/smtp.sock"))
            self.assertEqual(smtp.getreply()[0], 220)
            smtp.ehlo("app.example")
            code, text = self.send(smtp)
            self.assertEqual(code, 250, text)
            return self.queue_id(text)

    def test_takes_mail_without_tls(self):
        self.final(self.deliver())
        self.assertEqual(
            self.server.logged("message_accepted")[0]["client.address"], "local")
        warned = {e["listener"] for e in self.server.events("insecure_listener")
                  if "login" not in e["what"]}
        self.assertEqual(warned, {"fast"})

    def test_permissions_and_end(self):
        path = self.home / "run/smtp.sock"
        self.assertEqual(path.stat().st_mode & 0o777, 0o666)
        self.stop()
        self.assertFalse(path.exists())

    def test_a_file_left_behind_is_replaced(self):
        self.kill()
        self.assertTrue((self.home / "run/smtp.sock").exists())
        self.start()
        self.deliver()


class OfNames(Sockets):
    def test_all_addresses_of_a_name(self):
        for family, address in ((socket.AF_INET, "127.0.0.1"),
                                (socket.AF_INET6, "::1")):
            if family == socket.AF_INET6 and not any(
                    info[4][0] == "::1"
                    for info in socket.getaddrinfo("localhost", 0)):
                continue
            with socket.socket(family) as s:
                s.settimeout(DEADLINE)
                s.connect((address, self.port("submissions")))


class Clients(threading.Thread):
    """Submits one message after another until told to stop."""

    def __init__(self, port):
        super().__init__()
        self.port, self.is_over = port, False
        self.accepted, self.tried, self.turned_away, self.failures = [], 0, 0, []

    def session(self, f):
        """What one connection hears, until a 421 or the end."""
        for say in (None, "EHLO app.example", "MAIL FROM:<orders@shop.example>",
                    "RCPT TO:<ann@dest.example>", "DATA", MESSAGE + ".", "QUIT"):
            if say:
                f.write((say + "\r\n").encode())
                f.flush()
            lines = [f.readline().decode()]
            while lines[-1][3:4] == "-":
                lines.append(f.readline().decode())
            text = lines[-1]
            if text.startswith("421 4.3.2"):
                self.turned_away += 1
                return
            if text[:1] not in ("2", "3"):
                self.failures.append((say, text))
                return
            found = re.search(r"\b[0-9a-z]{26}\b", text)
            if say and say.startswith("From:") and found:
                self.accepted.append(found[0])

    def run(self):
        while not self.is_over:
            self.tried += 1
            try:
                with socket.create_connection(
                        ("127.0.0.1", self.port), DEADLINE) as s:
                    s.settimeout(DEADLINE)
                    self.session(s.makefile("rwb"))
            except OSError as error:
                self.failures.append(("connection", repr(error)))


class WithoutAGap(Sockets):
    @contextlib.contextmanager
    def clients(self, count=4):
        crowd = [Clients(self.port("fast")) for _ in range(count)]
        for c in crowd:
            c.start()
        try:
            yield crowd
        finally:
            for c in crowd:
                c.is_over = True
            for c in crowd:
                c.join()

    def judge(self, crowd):
        self.assertEqual([f for c in crowd for f in c.failures], [])
        accepted = [i for c in crowd for i in c.accepted]
        self.assertGreater(len(accepted), 10)
        self.assertEqual(len(set(accepted)), len(accepted))
        for queue_id in accepted:
            self.final(queue_id)

    def some_more(self, crowd):
        before = sum(len(c.accepted) for c in crowd)
        eventually(lambda: sum(len(c.accepted) for c in crowd) > before + 5 or
                   any(c.failures for c in crowd), "clients go on")

    def test_three_takeovers(self):
        with self.clients() as crowd:
            self.some_more(crowd)
            for _ in range(3):
                old, new = self.server, self.spawn()
                self.adopt(new)
                self.assertEqual(old.child.wait(DEADLINE), 0, old.log())
                old.log_file.close()
                self.assertIn("handed_over", old.log())
                self.assertEqual(new.events("listening")[0]["socket"], "taken over")
                self.some_more(crowd)
        self.judge(crowd)
        self.assertTrue((self.home / "run/smtp.sock").exists())

    def test_a_takeover_with_other_permissions(self):
        path = self.home / "postern.yaml"
        path.write_text(path.read_text().replace('"0666"', '"0606"'))
        old = self.server
        self.adopt(self.spawn())
        self.assertEqual(old.child.wait(DEADLINE), 0, old.log())
        old.log_file.close()
        mode = (self.home / "run/smtp.sock").stat().st_mode
        self.assertEqual(mode & 0o777, 0o606)

    def test_takeover_of_nobody_is_a_start(self):
        self.stop()
        self.adopt(self.spawn())
        self.assertTrue(self.server.logged("takeover_nobody"))
        self.assertEqual(self.server.events("listening")[0]["socket"], "opened")

    def test_a_takeover_that_fails_changes_nothing(self):
        with self.clients() as crowd:
            self.some_more(crowd)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(DEADLINE)
                s.connect(str(self.home / "spool/takeover.sock"))
                text, fds, _, _ = socket.recv_fds(s, 512, 64)
                self.assertGreater(len(fds), 0)
                for fd in fds:
                    os.close(fd)
            self.some_more(crowd)
        self.judge(crowd)
        self.assertEqual(self.server.events("handed_over"), [])

    def test_others_may_not_ask(self):
        path = self.home / "spool/takeover.sock"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def start_activated(self, listening):
        script = ('LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=fast exec "$@" '
                  f'3<&{listening.fileno()}')
        server = self.spawn("sh", "-c", script, "sh", POSTERN, "serve", "-c",
                            self.home / "postern.yaml",
                            pass_fds=[listening.fileno()])
        self.adopt(server)
        sources = {e["listener"]: e["socket"] for e in server.events("listening")}
        self.assertEqual(sources["fast"], "service manager")
        self.assertEqual(sources["submission"], "opened")

    def test_socket_activation(self):
        self.stop()
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as listening:
            self.start_activated(listening)
            with self.clients() as crowd:
                for _ in range(2):
                    self.some_more(crowd)
                    self.stop()
                    self.start_activated(listening)
                self.some_more(crowd)
            self.judge(crowd)

    def test_who_waits_at_a_stop_is_told(self):
        server = self.server.child
        port = self.port("fast")
        server.send_signal(signal.SIGSTOP)
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(socket.create_connection(
                ("127.0.0.1", port), DEADLINE)) for _ in range(50)]
            server.send_signal(signal.SIGTERM)
            server.send_signal(signal.SIGCONT)
            for s in waiting:
                s.settimeout(DEADLINE)
                lines = s.makefile().readlines()
                self.assertRegex(lines[-1], r"^421 4\.3\.2 Shutting down")
        self.stop()

    def test_what_the_service_manager_hears(self):
        self.stop()
        path = self.home / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(str(path))
            path.chmod(0o666)
            heard.settimeout(DEADLINE)
            self.adopt(self.spawn(POSTERN, "serve", "-c",
                                  self.home / "postern.yaml",
                                  env={"NOTIFY_SOCKET": str(path)}))
            states = [heard.recv(500).decode()]
            while not states[-1].startswith("READY=1\n"):
                states.append(heard.recv(500).decode())
            self.stop()
            while not states[-1].startswith("STOPPING=1\n"):
                states.append(heard.recv(500).decode())
            self.assertRegex(states[-1], r"(?m)^EXTEND_TIMEOUT_USEC=15000000$")
            self.assertRegex(states[-1], r"(?m)^STATUS=draining$")


if __name__ == "__main__":
    unittest.main()
