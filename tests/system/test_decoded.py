"""What the sandbox says of a message: decoded, the same for every provider.

One rich and hostile message goes through the whole server to every provider
the sandbox has; what it says of each is held against what Python's email
package makes of the message, within what that provider may differ by
(arrived.py).
"""
import http.client
import json
import unittest

import arrived
import intended
import test_corpus
from harness import PASSWORD, Case

SENDER = "orders@shop.example"
TO = [f"{name}@dest.example" for name in ("ann", "bob", "cid", "dan")]
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
BILL = b"%PDF-1.4\r\n\0" + bytes(range(256)) * 8
MAIL = """\
From: "Shop \\"of <b>all</b>\\" & Söhne" <orders@shop.example>
Reply-To: Hilfe <help@shop.example>
To: "Ann <script>alert(1)</script>" <ann@dest.example>, bob@dest.example
Cc: =?utf-8?q?Cid_=3Ci=3E?= <cid@dest.example>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_=3Cimg_src=3Dx_onerror=3Dalert=281=29=3E?= "&amp;"
X-Order: <42> "&"
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Grüße </pre><script>alert(2)</script> & 10 €
--a
Content-Type: multipart/related; boundary=r

--r
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<h1 onclick="alert(3)">Grüße</h1></iframe><script>alert(4)</script>
<img src="cid:pic@shop.example"><img src="https://out.example/x.png">
--r
Content-Type: image/png; name="pic.png"
Content-ID: <pic@shop.example>
Content-Disposition: inline; filename="pic.png"
Content-Transfer-Encoding: base64

{picture}
--r--
--a--
--m
Content-Type: application/pdf
Content-Disposition: attachment;
 filename*0*=utf-8''%3Cb%3ERechnung%20;
 filename*1*=M%C3%A4rz%3C!--.pdf
Content-Transfer-Encoding: base64

{bill}
--m--
"""


def rich():
    text = MAIL.format(picture=intended.codecs.encode(PICTURE, "base64").decode(),
                       bill=intended.codecs.encode(BILL, "base64").decode())
    return text.encode().replace(b"\n", b"\r\n")


class Decoded(Case):
    settings = {"sync_budget": "60s", "durability": "none"}

    def setUp(self):
        self.asked = None
        super().setUp()

    def get(self, path):
        """(status, headers, bytes), over one connection."""
        if self.asked is None:
            self.asked = http.client.HTTPConnection("127.0.0.1", self.sandbox.port)
            self.addCleanup(self.asked.close)
        self.asked.request("GET", path)
        answer = self.asked.getresponse()
        return answer.status, answer.headers, answer.read()

    def config(self, **settings):
        path, text = super().config(**settings), ""
        key = self.sandbox.service_account(self.home)
        self.providers = sorted(self.sandbox.counts())
        unknown = set(self.providers) - set(arrived.PROVIDERS)
        assert not unknown, f"arrived.py says nothing of {unknown}"
        for name in self.providers:
            keys = arrived.PROVIDERS[name].settings.format(
                sandbox=self.sandbox.url, key=key)
            text += (f"  - {{name: {name}-here, type: {name}, allow_altering: [inline], "
                     f"timeout: 30s, url: \"{self.sandbox.of(name)}\", {keys}}}\n")
        whole = path.read_text().replace("providers:\n", "providers:\n" + text, 1)
        routes = "".join(
            f"  - {{name: {name}, match: {{header: [\"X-To: {name}\"]}}, "
            f"providers: [{name}-here]}}\n" for name in self.providers)
        path.write_text(whole.replace("routes:\n", "routes:\n" + routes, 1))
        return path

    def submit(self):
        """The message by every provider; by its name, what came."""
        smtp = self.client(login=False)
        smtp.login("demo", PASSWORD)
        for name in self.providers:
            raw = f"X-To: {name}\r\n".encode() + rich()
            smtp.mail(SENDER, ["BODY=8BITMIME"])
            for address in TO:
                self.assertEqual(smtp.rcpt(address)[0], 250)
            code, text = smtp.data(raw)
            self.assertEqual(code, 250, (name, text))
            self.final(self.queue_id(text.decode()))
        came = {m["provider"]: m for m in self.sandbox.messages()}
        self.assertEqual(sorted(came), self.providers)
        return came

    def decoded(self, entry):
        """As a Mail."""
        path = f"/_sandbox/messages/{entry['id']}"
        got = json.loads(self.get(path)[2])["decoded"]
        self.assertIsNone(got["error"])
        people = {key: [(p["name"], p["address"]) for p in got[key]]
                  for key in ("reply_to", "to", "cc", "bcc")}
        mail = intended.Mail(
            sender=[(p["name"], p["address"]) for p in got["from"]], **people,
            subject=got["subject"], text=got["text"] or "",
            html=got["html"] or "",
            fields=[(name, value) for name, value in got["headers"]
                    if intended.PASSING.match(name) and not intended.STEERING.match(name)])
        for i, part in enumerate(got["parts"]):
            status, headers, data = self.get(f"{path}/parts/{i}")
            self.assertEqual((status, part["index"], part["size"]), (200, i, len(data)))
            self.assert_harmless(headers)
            self.assertRegex(headers["Content-Disposition"], "^attachment; filename")
            mail.files.append(intended.File(name=part["name"], type=part["type"] or "",
                                            data=data, content_id=part["content_id"] or "",
                                            is_inline=part["disposition"] == "inline"))
            if part["name"] == part["content_id"]:  # SMTP2GO has no other
                mail.files[-1].content_id = ""
        self.assertEqual(self.get(f"{path}/parts/{len(mail.files)}")[0], 404)
        return mail

    def assert_harmless(self, headers):
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotIn("script", headers["Content-Security-Policy"])

    def test_every_provider_shows_the_same_message(self):
        letter = test_corpus.Letter("rich", rich(), {"recipients": " ".join(TO)})
        for name, entry in self.submit().items():
            meant = letter.meant(TO)
            meant.fields.append(("X-To", name))
            for _, change in arrived.PROVIDERS[name].laws:
                change(meant)
            got = self.decoded(entry)
            with self.subTest(name):
                self.assertEqual(test_corpus.differences(meant, got), [])


if __name__ == "__main__":
    unittest.main()
