"""SIGHUP: everything that can change changes, and a bad file changes nothing."""
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import threading
import unittest

from harness import (DEADLINE, HARDENING, PASSWORD, Case, eventually, http,
                     make_certificate, password_hash)

RELOADS = int(os.environ.get("POSTERN_RELOADS", "200"))


class Reload(Case):
    settings = {"mode": "queued"}

    def start(self, **settings):
        # What is read again must be readable to who the server became.
        for name in "cert.pem", "key.pem", "demo.hash":
            shutil.chown(self.home / name, "nobody")
        super().start(**settings)

    def edit(self, *pairs):
        path = self.home / "postern.yaml"
        text = path.read_text()
        for old, new in pairs:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path.write_text(text)

    def hangup(self, event="reload_ok"):
        """SIGHUP, and the event that says how it ended."""
        seen = len(self.server.events(event))
        self.server.child.send_signal(signal.SIGHUP)
        eventually(lambda: len(self.server.events(event)) > seen, event)
        return self.server.events(event)[-1]

    def metric(self, name):
        text = http(f"{self.stats}/metrics")[1]
        found = re.search(rf"^postern_{re.escape(name)} (\S+)$", text, re.M)
        return float(found.group(1)) if found else None

    def config_hash(self):
        text = http(f"{self.stats}/metrics")[1]
        return re.search(r'config_hash_info\{hash="([0-9a-f]+)"\}', text).group(1)

    def connect(self, port):
        smtp = smtplib.SMTP("localhost", port, timeout=DEADLINE)
        self.addCleanup(smtp.close)
        return smtp

    def greeting(self):
        smtp = smtplib.SMTP(timeout=DEADLINE)
        self.addCleanup(smtp.close)
        return smtp.connect("localhost", self.starttls)[1]

    def port_of(self, name):
        return [e["port"] for e in self.server.events("listening")
                if e["listener"] == name][-1]


class Changes(Reload):
    def test_users_come_change_and_go(self):
        old = self.client()
        self.assertEqual(self.send(old)[0], 250)
        self.edit(("{name: demo,", "{name: other,"))
        self.hangup()
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.client()
        fresh = self.client(login=False)
        fresh.login("other", PASSWORD)
        self.assertEqual(self.send(fresh)[0], 250)
        # Who was removed may finish nothing more, and is told so.
        code, text = self.send(old)
        self.assertEqual(code, 421, text)
        self.assertIn("removed or disabled", text)
        (self.home / "demo.hash").write_text(password_hash("another") + "\n")
        self.hangup()
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.client(login=False).login("other", PASSWORD)
        self.client(login=False).login("other", "another")

    def test_providers_and_routes_serve_the_next_message(self):
        smtp = self.client()
        first = self.queue_id(self.send(smtp)[1])
        self.assertEqual(self.final(first)["attempts"][0]["provider"], "sendgrid")
        self.edit(("providers: [sendgrid, ses, mailgun]", "providers: [ses]"))
        self.hangup()
        # The session is old, the message is new.
        second = self.queue_id(self.send(smtp)[1])
        self.assertEqual(self.final(second)["attempts"][0]["provider"], "ses")

    def test_counters_stay_with_their_names(self):
        smtp = self.client()
        for _ in range(3):
            self.final(self.queue_id(self.send(smtp)[1]))
        sent = 'deliveries_total{provider="%s",result="accepted"}'
        self.assertEqual(self.metric(sent % "sendgrid"), 3)
        text = (self.home / "postern.yaml").read_text()
        start, end = text.index("  - {name: sendgrid"), text.index("  - {name: ses")
        block = text[start:end]
        self.edit((block, ""), ("providers: [sendgrid, ses", "providers: [ses"),
                  ("providers:\n", "providers:\n" +
                   block.replace("name: sendgrid", "name: new")))
        self.edit(("providers: [ses", "providers: [new, ses"))
        self.hangup()
        self.assertIsNone(self.metric(sent % "sendgrid"))
        self.assertEqual(self.metric(sent % "new"), 0)
        self.assertEqual(self.metric(sent % "ses"), 0)
        self.final(self.queue_id(self.send(smtp)[1]))
        self.assertEqual(self.metric(sent % "new"), 1)
        self.edit(("name: new", "name: sendgrid"), ("[new, ses", "[sendgrid, ses"))
        self.hangup()
        self.assertEqual(self.metric(sent % "sendgrid"), 3)

    def test_listeners_come_and_go_and_others_stay_open(self):
        kept, leaving = self.client(), self.client(implicit=True)
        line = '  - {name: submissions, address: "127.0.0.1:0", tls: implicit}\n'
        third = line.replace("submissions", "third").replace("implicit", "starttls")
        self.edit((line, third))
        self.hangup()
        self.assertEqual(self.server.logged("listener_closed")[0]["listener"],
                         "submissions")
        with self.assertRaises(OSError):
            self.connect(self.implicit)
        self.assertEqual(self.connect(self.port_of("third")).ehlo()[0], 250)
        self.assertEqual(self.connect(self.starttls).ehlo()[0], 250)
        self.assertEqual(self.send(kept)[0], 250)
        self.assertEqual(self.send(leaving)[0], 250)

    def test_limits_and_banner_are_for_the_next_session(self):
        old = self.client()
        self.edit(("log: {", "smtp: {banner: Fresh, limits: "
                   "{max_message_size: 64KiB}}\nlog: {"))
        self.hangup()
        self.assertIn(b"ESMTP Fresh", self.greeting())
        fresh = self.client()
        self.assertEqual(fresh.esmtp_features["size"], "65536")
        self.assertEqual(self.send(old, body="x" * 990 + "\r\n" * 1)[0], 250)
        code, text = self.send(fresh, body=("x" * 900 + "\r\n") * 80)
        self.assertEqual(code, 552, text)
        self.assertEqual(
            self.send(old, body=("x" * 900 + "\r\n") * 80)[0], 250)

    def test_certificates_are_read_again(self):
        def serial():
            smtp = self.client(login=False)
            return smtp.sock.getpeercert(True)
        before, old = serial(), self.client()
        make_certificate(self.home)
        for name in "cert.pem", "key.pem":
            shutil.chown(self.home / name, "nobody")
        self.hangup()
        self.assertNotEqual(serial(), before)
        self.assertEqual(self.send(old)[0], 250)

    def test_addresses_are_logged_as_it_says_now(self):
        self.assertEqual(self.send(self.client())[0], 250)
        self.assertIn("orders@", str(self.server.logged("message_accepted")))
        self.edit(("format: json", "format: json, addresses: domain"))
        self.hangup()
        self.assertEqual(self.send(self.client())[0], 250)
        self.assertEqual(self.server.logged("message_accepted", 2)[-1]["sender"],
                         "*@shop.example")

    def test_permissions_of_a_socket(self):
        path = self.home / "spool/smtp.sock"
        line = "  - {name: submissions,"
        local = (f"  - {{name: local, address: \"unix:{path}\", tls: none, "
                 "allow_unauthenticated: true, user: demo")
        self.edit((line, f"{local}}}\n{line}"))
        self.hangup()
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        self.edit((local, local + ", socket_mode: \"0606\""))
        self.hangup()
        self.assertEqual(path.stat().st_mode & 0o777, 0o606)

    def first_line(self, port, header=b""):
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as s:
            return self.said(s, header)

    @staticmethod
    def said(s, header=b""):
        s.settimeout(DEADLINE)
        s.sendall(header)
        return s.makefile("rb").readline()

    def test_who_stands_at_the_door_of_a_proxy(self):
        header = b"PROXY TCP4 127.0.0.9 127.0.0.1 1000 25\r\n"
        plain = self.client()
        without, behind = "tls: starttls}", ("tls: starttls, proxy_protocol: required, "
                                             "proxy_trusted: [127.0.0.1]}")
        self.edit((without, behind))
        self.hangup()
        self.assertEqual(self.first_line(self.starttls, b"EHLO a\r\n"), b"")
        with socket.create_connection(("127.0.0.1", self.starttls), DEADLINE) as old, \
                socket.create_connection(("127.0.0.1", self.starttls), DEADLINE) as new:
            self.assertTrue(self.said(old, header).startswith(b"220"))
            self.edit((behind, without))
            self.hangup()
            # One that waits is let in as the file says now; or not at all.
            self.assertTrue(self.said(new, header).startswith(b"220"))
            self.assertTrue(self.said(old, b"NOOP\r\n").startswith(b"250"))
        self.assertTrue(self.first_line(self.starttls).startswith(b"220"))
        self.assertEqual(self.send(plain)[0], 250)
        self.edit((without, "tls: starttls, allow_from: [192.0.2.1]}"))
        self.hangup()
        self.assertFalse(self.first_line(self.starttls).startswith(b"220"))
        self.assertEqual(self.send(plain)[0], 250)

    def test_a_vanished_provider_leaves_its_mail_to_the_others(self):
        self.sandbox.fault("sendgrid", status=503)
        self.edit(("providers: [sendgrid, ses, mailgun]", "providers: [sendgrid]"))
        self.hangup()
        smtp = self.client()
        queue_id = self.queue_id(self.send(smtp)[1])
        eventually(lambda: self.record(queue_id)["attempts"], "it is tried")
        self.edit(("providers: [sendgrid]", "providers: [mailgun]"))
        self.hangup()
        self.assertEqual(self.final(queue_id)["attempts"][-1]["provider"],
                         "mailgun")

    def test_mail_of_a_vanished_user_is_held(self):
        self.sandbox.fault("sendgrid", status=503)
        self.edit(("providers: [sendgrid, ses, mailgun]", "providers: [sendgrid]"))
        self.hangup()
        queue_id = self.queue_id(self.send(self.client())[1])
        eventually(lambda: self.record(queue_id)["attempts"], "it is tried")
        self.edit(("{name: demo,", "{name: other,"))
        self.hangup()
        self.final(queue_id, states=("held",))
        reason = self.server.logged("held")[0]["reason"]
        self.assertEqual(reason, "user demo is no longer configured")

    def test_an_unknown_outcome_at_a_vanished_provider_is_held(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        self.edit(("timeout: 10s", "timeout: 1s"),
                  ("unknown_delay: 300ms", "unknown_delay: 2s"))
        self.hangup()
        queue_id = self.queue_id(self.send(self.client())[1])
        eventually(lambda: self.record(queue_id)["attempts"], "it is tried")
        text = (self.home / "postern.yaml").read_text()
        start, end = text.index("  - {name: sendgrid"), text.index("  - {name: ses")
        self.edit((text[start:end], ""), ("[sendgrid, ses", "[ses"))
        self.hangup()
        self.final(queue_id, states=("held",))
        self.assertIn("no longer configured", self.server.logged("held")[0]["reason"])


class Rollback(Reload):
    # A connection on which it asks may open at any time, and is kept.
    settings = Reload.settings | {"provider_extra": ", ask_account: false"}

    def test_a_bad_file_changes_nothing(self):
        before, good = self.config_hash(), (self.home / "postern.yaml").read_text()
        bad = [
            ("mode: queued", "mode: quued"),
            ("providers: [sendgrid,", "providers: [sendgird,"),
            ("{home}/cert.pem".format(home=self.home), "/nonexistent"),
            ('tls: implicit}', 'tls: implicit}\n  - {name: bad, '
             'address: "192.0.2.1:2525", tls: starttls}'),
            ("queue:\n", "queue: {\n"),
        ]
        for old, new in bad:
            self.edit((old, new))
            self.hangup("reload_failed")
            self.assertEqual(self.config_hash(), before)
            self.assertEqual(self.metric("config_last_reload_successful"), 0)
            self.assertEqual(self.send(self.client())[0], 250)
            self.assertEqual(self.send(self.client(implicit=True))[0], 250)
            (self.home / "postern.yaml").write_text(good)
        problems = self.server.logged("config_problem")
        lines = good.splitlines()
        self.assertTrue(problems[0]["file"].endswith("postern.yaml"))
        self.assertIn("mode: queued", lines[problems[0]["line"] - 1])
        self.assertEqual(problems[0]["key"], "queue.mode")
        stamp = self.metric("config_last_reload_success_timestamp_seconds")
        self.assertEqual(self.hangup()["hash"], before)
        self.assertEqual(self.metric("config_last_reload_successful"), 1)
        self.assertGreater(
            self.metric("config_last_reload_success_timestamp_seconds"), stamp)

    def test_a_file_that_is_not_there_changes_nothing(self):
        path, aside = self.home / "postern.yaml", self.home / "aside"
        before, text = self.config_hash(), path.read_text()

        def refused(why):
            self.hangup("reload_failed")
            self.assertIn(why, self.server.logged("config_problem")[-1]["problem"])
            self.assertEqual(self.config_hash(), before)
            self.assertEqual(self.send(self.client())[0], 250)
        path.rename(aside)
        refused("No such file")
        path.mkdir()
        refused("directory")
        path.rmdir()
        path.write_text("")
        refused("")
        path.write_text(text[:len(text) // 2])
        refused("")
        if os.geteuid() == 0:
            path.chmod(0o600)
            refused("Permission denied")
            path.unlink()
        aside.rename(path)
        self.hangup()

    def open_files_now(self):
        """What its descriptors are of; sockets by their inodes."""
        found, fds = set(), f"/proc/{self.server.child.pid}/fd"
        for fd in os.listdir(fds):
            try:
                found.add((fd, os.readlink(f"{fds}/{fd}")))
            except FileNotFoundError:
                pass
        return found

    def test_what_was_opened_for_it_is_closed(self):
        path = self.home / "spool/smtp.sock"
        line = "  - {name: submissions,"
        self.edit((line, f'''  - {{name: new, address: "127.0.0.1:0"}}
  - {{name: file, address: "unix:{path}", tls: none}}
  - {{name: bad, address: "192.0.2.1:2525"}}
{line}'''))
        before = self.open_files_now()
        reason = self.hangup("reload_failed")["reason"]
        self.assertIn("listener bad: cannot listen on 192.0.2.1:2525", reason)
        eventually(lambda: self.open_files_now() <= before, "all is closed")
        self.assertFalse(path.exists())
        self.assertEqual([e["listener"] for e in self.server.events("listening")],
                         ["submission", "submissions"])

    def test_what_needs_a_restart_is_named_and_the_rest_applies(self):
        self.edit((f"path: {self.home}/spool", f"path: {self.home}/other"),
                  ("threads: 2", "threads: 3"), ("log: {", "smtp: {banner: New}\nlog: {"))
        self.hangup()
        keys = {e["key"] for e in self.server.logged("restart_needed", 2)}
        self.assertEqual(keys, {"spool.path", "threads"})
        self.assertIn(b"ESMTP New", self.greeting())
        self.hangup()
        self.assertEqual(len(self.server.logged("restart_needed", 4)), 4)


class Watch(Reload):
    def test_a_change_is_seen_without_a_signal(self):
        os.chmod(self.home, 0o755)  # or its changes are seen by the minute
        self.edit(("log: {", "reload: {watch: true}\nlog: {"))
        self.hangup()
        data = self.home / "..data"
        (self.home / "v1").mkdir(mode=0o755)
        path = self.home / "postern.yaml"
        path.rename(self.home / "v1" / "postern.yaml")
        data.symlink_to("v1")
        path.symlink_to("..data/postern.yaml")
        eventually(lambda: [e for e in self.server.events("reload_start")
                            if e["trigger"] == "watch"], "the move is seen")
        before = self.config_hash()
        (self.home / "v2").mkdir(mode=0o755)
        (self.home / "v2" / "postern.yaml").write_text(
            path.read_text().replace("mode: queued", "mode: hybrid"))
        fresh = self.home / "..fresh"
        fresh.symlink_to("v2")
        fresh.rename(data)
        eventually(lambda: self.config_hash() != before, "the swap is seen")


class Load(Reload):
    """Many reloads, each with another file, while mail flows."""

    def senders(self, count):
        stop, failures, sent = threading.Event(), [], []

        def run():
            try:
                while not stop.is_set():
                    smtp = self.client()
                    for _ in range(5):
                        code, text = self.send(smtp)
                        if code != 250:
                            raise AssertionError(f"{code} {text}")
                        sent.append(self.queue_id(text))
                    smtp.quit()
            except Exception as error:  # the main thread tells
                failures.append(repr(error))
        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()

        def end():
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            return sent
        self.addCleanup(stop.set)
        return end

    def figures(self):
        """Descriptors, and kilobytes of memory of its own."""
        proc = pathlib.Path(f"/proc/{self.server.child.pid}")
        status = (proc / "status").read_text()
        return (len(os.listdir(proc / "fd")),
                int(re.search(r"RssAnon:\s+(\d+)", status).group(1)))

    def test_no_session_fails_and_nothing_grows(self):
        end = self.senders(3)
        variants = [("name: third", "mode: queued"), ("name: fourth", "mode: hybrid")]
        self.edit(('tls: implicit}', 'tls: implicit}\n  - {name: third, '
                   'address: "127.0.0.1:0", tls: starttls}'))
        early = None
        for i in range(RELOADS):
            for old, new in zip(variants[i % 2], variants[(i + 1) % 2]):
                self.edit((old, new))
            self.hangup()
            if i == RELOADS // 4:
                early = self.figures()
        sent = end()
        late = self.figures()
        self.assertGreater(len(sent), 20)
        for queue_id in sent:
            self.final(queue_id)
        self.assertLess(late[0], early[0] + 24, "descriptors")
        if HARDENING == "on":  # sanitizers keep what was freed
            self.assertLess(late[1], early[1] * 1.3 + 16384, "memory")
        self.assertEqual(self.server.events("reload_failed"), [])


if __name__ == "__main__":
    unittest.main()
