"""The way out is HTTPS: HTTP/2 where it is offered, certificates checked.

nghttpx (Debian: nghttp2-proxy) stands before the sandbox as a provider's
front end would: TLS and HTTP/2 towards Postern.
"""
import shutil
import socket
import unittest

from harness import Case, Process, eventually


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@unittest.skipUnless(shutil.which("nghttpx"), "nghttpx is not installed")
class Https(Case):
    extra = ""

    def config(self, **settings):
        path = super().config(**settings)
        if not hasattr(self, "front"):
            self.port = free_port()
            self.access = self.home / "access.log"
            self.front = Process(
                ["nghttpx", "--conf=/dev/null", "--workers=1", "-f", f"127.0.0.1,{self.port}",
                 "-b", f"127.0.0.1,{self.sandbox.port}",
                 f"--accesslog-file={self.access}",
                 "--accesslog-format=$protocol_version $request $status",
                 self.home / "key.pem", self.home / "cert.pem"],
                self.home / "nghttpx.log")
            self.addCleanup(self.front.stop)
            eventually(self.is_up, "nghttpx listens")
        text = path.read_text().replace(self.sandbox.url,
                                        f"https://localhost:{self.port}")
        path.write_text(text + self.extra.format(home=self.home))
        return path

    def is_up(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False


class Trusted(Https):
    extra = "http: {{ca_file: {home}/cert.pem}}\n"

    def test_http2_is_used_where_it_is_offered(self):
        smtp = self.client()
        for i in range(5):
            code, text = self.send(smtp, f"m{i}")
            self.assertEqual(code, 250, text)
            self.assertIn("accepted by sendgrid", text)
        lines = eventually(lambda: self.access.exists() and
                           len(self.access.read_text().splitlines()) >= 5 and
                           self.access.read_text().splitlines(), "five requests")
        for line in lines:
            self.assertTrue(line.startswith("HTTP/2"), line)

    def test_the_signature_of_ses_holds_over_tls(self):
        self.sandbox.fault("sendgrid", status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        self.assertIn("accepted by ses", text)


class Untrusted(Https):
    settings = {"mode": "direct"}

    def test_a_certificate_nobody_vouches_for_is_refused(self):
        code, text = self.send(self.client())
        self.assertEqual(code, 451, text)
        self.assertEqual(self.sandbox.messages(), [])
        reasons = {e["reason"] for e in self.server.logged("attempt")}
        self.assertTrue(any("ertificate" in r or "SSL" in r for r in reasons), reasons)


if __name__ == "__main__":
    unittest.main()
