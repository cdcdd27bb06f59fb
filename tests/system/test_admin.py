"""The admin socket: who may use it, when it is there, stats and reload."""
import contextlib
import json
import os
import socket
import shutil
import stat
import subprocess
import unittest

from harness import POSTERN, Case, Process, eventually, http


class Admin(Case):
    settings = {"mode": "queued"}

    def start(self, **settings):
        super().start(**settings)
        self.socket = self.home / "admin" / "admin.sock"

    def postern(self, *words, code=0):
        """A command; its stdout. stderr is kept in self.said."""
        done = subprocess.run([POSTERN, *map(str, words)], text=True,
                              capture_output=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        self.said = done.stderr
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def raw(self, text):
        """Bytes to the socket; all that comes until it is closed."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(self.socket))
            s.sendall(text.encode())
            parts = []
            with contextlib.suppress(ConnectionResetError):
                while data := s.recv(65536):
                    parts.append(data)
        return b"".join(parts).decode()


class Socket(Admin):
    def test_it_is_there_while_the_server_is_and_nobody_elses(self):
        mode = os.stat(self.socket).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.stop()
        self.assertFalse(self.socket.exists())

    def test_a_dead_process_leaves_no_obstacle(self):
        self.kill()
        self.assertTrue(self.socket.exists())
        self.start(**self.settings)
        self.assertEqual(self.server.events("admin_unavailable"), [])
        self.postern("stats", "--socket", self.socket)

    def test_a_successor_has_it_too(self):
        log = self.home / "successor.log"
        successor = Process([POSTERN, "serve", "-c", self.home / "postern.yaml",
                             "--takeover"], log)
        eventually(lambda: successor.events("ready"), "the successor is ready")
        old, self.server = self.server, successor
        self.assertEqual(old.child.wait(timeout=60), 0)
        old.log_file.close()
        self.assertEqual(successor.events("admin_unavailable"), [])
        self.postern("stats", "--socket", self.socket)

    def test_a_server_without_it_serves(self):
        self.stop()
        folder = self.home / "admin"
        folder.rmdir()
        folder.write_text("in the way")
        self.start(**self.settings)
        self.assertEqual(len(self.server.logged("admin_unavailable")), 1)
        self.assertEqual(self.send(self.client())[0], 250)
        self.postern("stats", "--socket", self.socket, code=4)

    def test_what_operators_do_is_not_at_the_address_for_statistics(self):
        status, answer = http(f"{self.stats}/api/v1/reload", "POST")
        self.assertEqual((status, answer["error"]), (403, "only at the admin socket"))
        self.assertEqual(self.server.events("reload_start"), [])

    def test_any_name_leads_there_and_methods_are_checked(self):
        head = "Host: elsewhere.example\r\nConnection: close\r\n\r\n"
        self.assertIn(" 200 ", self.raw(f"GET /livez HTTP/1.1\r\n{head}"))
        answer = self.raw(f"GET /api/v1/reload HTTP/1.1\r\n{head}")
        self.assertIn(" 405 ", answer)
        self.assertIn("Allow: POST", answer)

    def test_what_is_too_large_is_refused(self):
        answer = self.raw("POST /api/v1/reload HTTP/1.1\r\nHost: a\r\n"
                          "Content-Length: 9000000\r\n\r\n")
        self.assertIn(" 413 ", answer)
        long = "x" * 40000
        answer = self.raw(f"GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n")
        self.assertNotIn(" 200 ", answer)


class Stats(Admin):
    def test_for_people_and_for_programs(self):
        config = self.home / "postern.yaml"
        self.final(self.queue_id(self.send(self.client())[1]))
        text = self.postern("stats", "-c", config)
        self.assertIn("mail.test.example", text)
        self.assertIn("sendgrid", text)
        lines = self.postern("stats", "-c", config, "-o", "json").splitlines()
        self.assertEqual(len(lines), 1)
        self.assertEqual(json.loads(lines[0])["hostname"], "mail.test.example")

    def test_exit_codes(self):
        self.postern("stats", "--frob", code=2)
        self.postern("stats", "-o", "xml", code=2)
        self.postern("stats", "--socket", code=2)
        self.postern("stats", "--socket", self.home / "nothing", code=4)
        self.assertIn("nobody answers", self.said)


class Reload(Admin):
    def start(self, **settings):
        for name in "cert.pem", "key.pem", "demo.hash":
            if os.geteuid() == 0:
                shutil.chown(self.home / name, "nobody")
        super().start(**settings)

    def edit(self, old, new):
        path = self.home / "postern.yaml"
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def test_it_answers_when_the_file_is_in_use(self):
        self.edit("mode: queued", "mode: hybrid")
        text = self.postern("reload", "--socket", self.socket)
        done = self.server.logged("reload_ok")[-1]
        self.assertIn(done["hash"], text)

    def test_a_bad_file_is_explained_as_by_check(self):
        self.edit("mode: queued", "mode: quued")
        self.postern("reload", "--socket", self.socket, code=1)
        self.assertIn("queue.mode", self.said)
        lines = self.postern("reload", "--socket", self.socket, "-o", "json",
                             code=1).splitlines()
        check = self.postern("check", "--json", "-c", self.home / "postern.yaml",
                             code=78).splitlines()
        self.assertEqual([json.loads(l) for l in lines],
                         [json.loads(l) for l in check])

    def test_each_who_asks_is_answered(self):
        asks = [subprocess.Popen([POSTERN, "reload", "--socket", self.socket],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(8)]
        for ask in asks:
            out, said = ask.communicate(timeout=120)
            self.assertEqual(ask.returncode, 0, said)
            self.assertIn(b"is in use", out)


if __name__ == "__main__":
    unittest.main()
