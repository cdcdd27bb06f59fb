"""What large messages cost: a file, and next to no memory."""
import base64
import contextlib
import hashlib
import os
import socket
import ssl
import threading
import unittest

from harness import DEADLINE, HARDENING, Case, eventually, http

MEGABYTE = 1000 * 1000
IS_SANITIZED = HARDENING == "off"  # their memory is not ours


def lines(size):
    """Text of about that size that no two messages share."""
    raw = os.urandom(size * 3 // 4 * 76 // 78)
    text = base64.encodebytes(raw).decode()
    return text.replace("\n", "\r\n")


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Large(Case):
    limits = "max_message_size: 64MiB, sessions_per_user: 100"

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text().replace(
            "routes:\n", "  - {name: down, type: raw, "
            f'url: "http://127.0.0.1:{closed_port()}/", '
            "breaker: {failures: 1000, min_calls: 1000}}\nroutes:\n")
        path.write_text(text + f"smtp:\n  limits: {{{self.limits}}}\n")
        return path

    def anonymous_kb(self):
        with open(f"/proc/{self.server.child.pid}/status") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
        raise AssertionError("no RssAnon")

    @contextlib.contextmanager
    def growth_below(self, kilobytes):
        """Watch the server's memory while the block runs."""
        # What is made once for all is there before.
        self.send(self.client(), body=lines(MEGABYTE))
        before = peak = self.anonymous_kb()
        stop = threading.Event()

        def watch():
            nonlocal peak
            while not stop.wait(0.005):
                peak = max(peak, self.anonymous_kb())
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
        print(f"memory grew by {peak - before} KB")
        if not IS_SANITIZED:
            self.assertLess(peak - before, kilobytes)

    def body_files(self):
        return list((self.home / "spool" / "bodies").glob("*.msg"))


class Memory(Large):
    settings = {"mode": "queued", "providers": "down"}

    def test_forty_megabytes_take_less_than_one(self):
        with self.growth_below(1024):
            code, text = self.send(self.client(), body=lines(40 * MEGABYTE))
            self.assertEqual(code, 250, text)
            queue_id = self.queue_id(text)
            # Also when it is tried again, which reads it from the spool.
            eventually(lambda: len(self.record(queue_id)["attempts"]) >= 3,
                       "it is tried again and again")

    def test_twenty_at_once_take_as_little_each(self):
        body = lines(10 * MEGABYTE)
        clients = [self.client() for _ in range(20)]
        answers = []
        threads = [threading.Thread(
            target=lambda c=c: answers.append(self.send(c, body=body)))
            for c in clients]
        with self.growth_below(20 * 512):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual({code for code, _ in answers}, {250})
        self.assertEqual(len(answers), 20)

    def test_a_client_that_leaves_leaves_nothing(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        smtp.docmd("DATA")
        smtp.send(b"From: orders@shop.example\r\n\r\n" + b"half of it\r\n" * 100000)
        eventually(self.body_files, "it is in a file")
        smtp.close()
        eventually(lambda: not self.body_files(), "the file is gone")


class Pressed(Large):
    settings = {"mode": "queued", "providers": "down"}
    limits = "content_memory: 0"

    def test_above_the_bound_messages_go_to_the_spool_at_once(self):
        code, text = self.send(self.client(), body=lines(20000))
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.body_files()), 1)


class GivenBack(Large):
    """What a load has left behind does not keep clients out once it is gone."""

    open_files = 4096
    limits = ("content_memory: 1GiB, sessions_per_user: 0, sessions_per_ip: 2000, "
              "connects_per_ip: 0")

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text().replace(
            "tls: implicit}", "tls: implicit, allow_unauthenticated: true, "
            "user: demo}", 1)
        path.write_text(text + "memory: {limit: 48MiB, soft: 80%, hard: 95%}\n")
        return path

    def pressed(self):
        return 'postern_pressure{what="memory"} 1' in http(f"{self.stats}/metrics")[1]

    def half_a_message(self):
        s = self.context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.implicit), DEADLINE))
        self.addCleanup(s.close)
        s.sendall(b"EHLO x\r\nMAIL FROM:<orders@shop.example>\r\n"
                  b"RCPT TO:<ann@dest.example>\r\nDATA\r\n"
                  b"From: orders@shop.example\r\n\r\n" + b"half of it\r\n" * 600)
        return s

    @unittest.skipIf(IS_SANITIZED, "their memory is not ours")
    def test_memory_freed_by_clients_that_left_is_free(self):
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        clients = []
        with contextlib.suppress(OSError):  # then nobody is let in any more
            while len(clients) < 1500:
                clients.append(self.half_a_message())
        eventually(self.pressed, f"{len(clients)} messages are too much")
        for client in clients:
            client.close()
        eventually(lambda: not self.pressed(), "there is memory again")
        self.server.logged("pressure_end")


class Delivery(Large):
    """Byte for byte, however it came and whenever it goes."""

    settings = {"providers": "ses"}

    def check_arrived(self, body):
        message = eventually(self.sandbox.messages, "it arrives")[-1]
        self.assertTrue(self.sandbox.raw(message["id"]).endswith("\r\n\r\n" + body))
        eventually(lambda: not self.body_files(), "its file is removed")

    def restart(self, **settings):
        self.stop()
        self.start(**{**self.settings, **settings})

    def test_in_every_mode(self):
        for mode in ("hybrid", "queued", "direct"):
            with self.subTest(mode=mode):
                self.restart(mode=mode)
                body = lines(2 * MEGABYTE)
                code, text = self.send(self.client(), subject=mode, body=body)
                self.assertEqual(code, 250, text)
                self.final(self.queue_id(text))
                self.check_arrived(body)

    def test_after_a_restart(self):
        self.restart(mode="queued")
        self.sandbox.fault("ses", status=503)
        body = lines(2 * MEGABYTE)
        code, text = self.send(self.client(), body=body)
        self.assertEqual(code, 250, text)
        self.restart(mode="queued")
        self.assertEqual(len(self.body_files()), 1)
        self.sandbox.heal()
        self.final(self.queue_id(text))
        self.check_arrived(body)

    def test_in_chunks(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        head = b"From: orders@shop.example\r\nTo: ann@dest.example\r\n\r\n"
        body = lines(3 * MEGABYTE)
        content = head + body.encode()
        for at in range(0, len(content), 700000):
            piece = content[at:at + 700000]
            smtp.send(b"BDAT %d\r\n" % len(piece) + piece)
            self.assertEqual(smtp.getreply()[0], 250)
        code, text = smtp.docmd("BDAT 0 LAST")
        self.assertEqual(code, 250, text)
        self.final(self.queue_id(text.decode()))
        self.check_arrived(body)

    def test_taken_apart_for_a_provider_that_wants_fields(self):
        self.restart(providers="sendgrid")
        body = lines(MEGABYTE)
        code, text = self.send(self.client(), body=body)
        self.assertEqual(code, 250, text)
        self.final(self.queue_id(text))
        eventually(lambda: not self.body_files(), "its file is removed")


class Attached(Large):
    """A provider that wants fields gets a file decoded while it is sent."""

    settings = {"providers": "sendgrid"}

    def message_with(self, data):
        text = base64.encodebytes(data).decode().replace("\n", "\r\n")
        return (
            "--b\r\nContent-Type: text/plain\r\n\r\nsee the file\r\n"
            "--b\r\nContent-Type: application/octet-stream\r\n"
            "Content-Disposition: attachment; filename=big.bin\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{text}--b--\r\n")

    def send_file(self, data):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        code, text = smtp.data(
            "From: orders@shop.example\r\nTo: ann@dest.example\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
            self.message_with(data))
        self.assertEqual(code, 250, text)
        self.final(self.queue_id(text.decode()))

    def arrived(self):
        newest = self.sandbox.messages()[-1]
        parts = self.sandbox.raw(newest["id"])["attachments"]
        self.assertEqual([p["filename"] for p in parts], ["big.bin"])
        return base64.b64decode(parts[0]["content"], validate=True)

    def test_the_largest_file_takes_less_than_four_megabytes(self):
        # SendGrid takes messages of 30 MB, encoded.
        data = os.urandom(21_800_000)
        with self.growth_below(4096):
            self.send_file(data)
        self.assertEqual(hashlib.sha256(self.arrived()).hexdigest(),
                         hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    unittest.main()
