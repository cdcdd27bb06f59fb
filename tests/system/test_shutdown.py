"""Signals at awkward moments: clients get their reply, nothing is lost."""
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from harness import DEADLINE, POSTERN, SANITIZER, Case, Process, eventually


class Drain(Case):
    settings = {"sync_budget": "1s", "timeout": "2s"}

    def test_who_waits_for_a_verdict_gets_a_reply(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        smtp, replies = self.client(), []
        waiting = threading.Thread(target=lambda: replies.append(self.send(smtp)))
        waiting.start()
        eventually(self.sandbox_is_asked, "the request is on its way")
        self.stop()
        waiting.join()
        code, text = replies[0]
        self.assertEqual(code, 250, text)
        self.sandbox.heal()
        self.start(**self.settings)
        record = self.final(self.queue_id(text))
        self.assertEqual(record["attempts"][0]["class"], "unknown")

    def test_a_hangup_is_not_an_end(self):
        self.server.child.send_signal(signal.SIGHUP)
        eventually(lambda: self.server.events("reload_start"), "it is logged")
        self.assertEqual(self.send(self.client())[0], 250)

    def sandbox_is_asked(self):
        return self.sandbox.counts().get("sendgrid", {}).get("requests", 0) > 0


class Cut(Case):
    """The grace is over while a client waits."""

    settings = {"sync_budget": "1m", "timeout": "5m", "grace": "200ms"}

    def test_a_durable_message_is_answered_as_queued(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        smtp, replies = self.client(), []
        waiting = threading.Thread(target=lambda: replies.append(self.send(smtp)))
        waiting.start()
        eventually(lambda: self.sandbox.counts().get("sendgrid", {}).get(
            "requests", 0) > 0, "the request is on its way")
        self.stop()
        waiting.join()
        code, text = replies[0]
        self.assertEqual(code, 250, text)
        self.assertIn("queued as", text)
        self.sandbox.heal()
        self.start(**self.settings)
        self.final(self.queue_id(text))


class Flush(Case):
    """A spool that goes with the process."""

    settings = {"mode": "queued"}

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text()
        path.write_text(text.replace("lame_duck:", "flush: true, lame_duck:"))
        return path

    def submit(self):
        for provider in "sendgrid", "ses", "mailgun":
            self.sandbox.fault(provider, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        queue_id = self.queue_id(text)
        eventually(lambda: self.record(queue_id)["attempts"], "it is tried")

    def test_what_waits_is_delivered_before_the_end(self):
        self.submit()
        self.server.child.terminate()
        eventually(lambda: self.server.events("drain_start"), "drain")
        self.sandbox.heal()
        self.stop()
        self.assertEqual(len(self.sandbox.messages()), 1)

    def test_what_is_left_shows_in_the_exit_code(self):
        self.submit()
        self.server.child.terminate()
        eventually(lambda: self.server.events("drain_start"), "drain")
        self.server.child.terminate()
        server, self.server = self.server, None
        self.addCleanup(server.kill)
        self.assertEqual(server.child.wait(timeout=DEADLINE), 3)
        self.assertEqual(server.events("mail_left")[0]["messages"], 1)


class Hurry(Case):
    """Everything is slow, and a second signal comes."""

    settings = {"mode": "queued", "timeout": "5m", "grace": "5m",
                "lame_duck": "500ms"}

    def check(self, signals):
        self.sandbox.fault("sendgrid", hang="after-body")
        smtp = self.client()  # stays connected
        code, text = self.send(smtp)
        self.assertEqual(code, 250, text)
        for event, number in signals:
            eventually(lambda name=event: self.server.events(name), event)
            self.server.child.send_signal(number)
        server, self.server = self.server, None
        self.addCleanup(server.kill)
        code = server.child.wait(timeout=DEADLINE)
        self.assertEqual(code, 0, server.log()[-4000:])
        self.sandbox.heal()
        self.start(**self.settings)
        record = self.final(self.queue_id(text))
        self.assertEqual([a["class"] for a in record["attempts"]],
                         ["unknown", "accepted"])

    def test_the_second_signal_ends_it_within_the_lame_duck(self):
        self.check([("ready", signal.SIGTERM), ("drain_start", signal.SIGTERM)])

    def test_the_second_signal_may_be_another(self):
        self.check([("ready", signal.SIGINT), ("drain_start", signal.SIGTERM)])


def make_readable(home):
    """What a reload reads, to who the server became."""
    for name in "cert.pem", "key.pem", "demo.hash":
        shutil.chown(home / name, "nobody")


class Starting(Case):
    """Not there yet: it waits for one that serves the spool to end."""

    def setUp(self):
        super().setUp()
        self.stop()
        make_readable(self.home)
        self.before = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.before.close)
        path = self.home / "spool/takeover.sock"
        self.before.bind(str(path))
        self.before.listen()
        self.before.settimeout(DEADLINE)

    @contextlib.contextmanager
    def starting(self, *wrapper):
        server = Process([*wrapper, POSTERN, "serve", "--takeover", "-c",
                          self.home / "postern.yaml"],
                         self.home / "starting.log")
        self.addCleanup(server.kill)
        peer = self.before.accept()[0]
        with peer:
            peer.settimeout(DEADLINE)
            peer.send(b"e")
            self.assertEqual(peer.recv(8), b"go")
            server.logged("takeover_waiting")
            yield server

    def check_stop(self, server, pid, number):
        os.kill(pid, number)
        if SANITIZER == "thread":
            # It takes a signal aside that comes on the way into poll, and
            # about once in 300 times forgets it there.
            try:
                server.child.wait(5)
            except subprocess.TimeoutExpired:
                os.kill(pid, number)
        self.assertEqual(server.child.wait(DEADLINE), 0, server.log())

    def test_a_stop_is_obeyed_at_once(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.starting() as server:
                self.check_stop(server, server.child.pid, number)

    def test_a_hangup_waits_for_its_turn(self):
        with self.starting() as server:
            server.child.send_signal(signal.SIGHUP)
        server.logged("ready")
        server.logged("reload_ok")
        self.assertEqual(server.stop(), 0)

    def test_the_first_process_of_a_container_hears_it_too(self):
        wrapper = ["unshare", "--pid", "--fork", "--kill-child"]
        if subprocess.run([*wrapper, "true"], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest("may not make a PID namespace")
        with self.starting(*wrapper) as server:
            pid = server.child.pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                first = int(f.read())
            self.check_stop(server, first, signal.SIGTERM)


class Late(Case):
    """Signals that come again and again, to the very end."""

    # ThreadSanitizer runs the handler of one within that of another, though
    # both were blocked there: libuv's lock is then waited for by its holder.
    NUMBERS = [signal.SIGTERM]
    if SANITIZER != "thread":
        NUMBERS += [signal.SIGHUP, signal.SIGINT]

    def is_gone(self, child):
        for number in self.NUMBERS * 10000:
            child.send_signal(number)
        return child.poll() is not None

    def test_none_of_them_changes_the_exit_code(self):
        server, self.server = self.server, None
        self.addCleanup(server.kill)
        server.child.terminate()
        eventually(lambda: self.is_gone(server.child), "the end")
        self.assertEqual(server.child.wait(), 0, server.log()[-4000:])
        self.assertTrue(server.events("drain_end"))


class WhileReloading(Case):
    """A worker has not heard of the new configuration yet."""

    SEIZE, INTERRUPT, DETACH, ALL = 0x4206, 0x4207, 17, 0x40000000

    @contextlib.contextmanager
    def worker_stopped(self):
        """As a debugger stops one thread."""
        pid = self.server.child.pid
        for tid in map(int, os.listdir(f"/proc/{pid}/task")):
            with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
                if f.read() == "postern/w1\n":
                    break
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        if ptrace(self.SEIZE, tid, None, None) != 0:
            self.skipTest("may not stop a thread")
        ptrace(self.INTERRUPT, tid, None, None)
        os.waitpid(tid, self.ALL)
        try:
            yield
        finally:
            ptrace(self.DETACH, tid, None, None)

    def test_the_reload_ends_and_the_server_too(self):
        path = self.home / "postern.yaml"
        path.write_text(path.read_text().replace("log: {", "reload: "
                        "{watch: true}\nlog: {").replace(
                            "name: submissions", "name: others"))
        make_readable(self.home)
        with self.worker_stopped():
            self.server.child.send_signal(signal.SIGHUP)
            # The others have it.
            self.server.logged("listener_closed")
            self.server.child.terminate()
            self.server.logged("drain_start")
        self.server.logged("reload_ok")
        self.stop()


if __name__ == "__main__":
    unittest.main()
