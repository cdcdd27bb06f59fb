"""What the sandbox says of a message: decoded, the same for every provider.

One rich and hostile message goes through the whole server to every provider
the sandbox has; what it says of each is held against what Python's email
package makes of the message, within what that provider may differ by
(arrived.py).
"""
import html.parser
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


class Markup(html.parser.HTMLParser):
    """What a browser would see of a page: its elements and its text."""

    VOID = {"meta", "link", "br", "input"}
    KNOWN = VOID | set("html head title body header h1 h2 a p table tr th td ul li form "
                       "label select option button pre iframe details summary span".split())

    def __init__(self, raw):
        super().__init__()
        self.open, self.text, self.links, self.faults, self.cells = [], "", [], [], []
        self.feed(raw.decode())
        self.close()
        self.faults += [f"<{tag}> is left open" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        if tag not in self.KNOWN:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.faults.append(f"{name} of <{tag}>")
            if name in ("href", "src", "action"):
                self.links.append(value)
                self.faults += [] if value.startswith("/") else [f"to {value}"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> ends nothing")

    def handle_data(self, data):
        self.text += data
        if self.open[-1:] == ["td"]:
            self.cells.append(data)

    def handle_comment(self, data):
        self.faults.append(f"a comment: {data}")


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

    def page(self, path):
        """A page, well-formed, without a trace of the message's own markup."""
        status, headers, raw = self.get(path)
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assert_harmless(headers)
        self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])
        markup = Markup(raw)
        self.assertEqual(markup.faults, [], path)
        for link in markup.links:
            if not link.startswith("/_sandbox/page/faults"):
                self.assertEqual(self.get(link)[0], 200, link)
        return markup

    def check_page(self, entry, mail):
        path = f"/_sandbox/page/{entry['id']}"
        markup = self.page(path)
        for shown in (mail.subject, mail.text, mail.html, entry["provider_id"],
                      *(address for _, address in mail.to + mail.cc + mail.bcc),
                      *(name for name, _ in mail.sender + mail.to + mail.cc),
                      *(file.name for file in mail.files)):
            self.assertIn(shown.replace("\r\n", "\n"), markup.text.replace("\r\n", "\n"))
        _, headers, frame = self.get(f"{path}/html")
        self.assertRegex(headers["Content-Security-Policy"], "; sandbox$")
        self.assert_harmless(headers)
        ids = [i for i, f in enumerate(mail.files) if f.name in ("pic.png", "pic@shop.example")]
        at, = ids
        self.assertEqual(frame.decode(), mail.html if not self.is_shown(mail, at) else
                         mail.html.replace("cid:pic@shop.example",
                                           f"/_sandbox/messages/{entry['id']}/parts/{at}"))

    @staticmethod
    def is_shown(mail, at):
        return mail.files[at].content_id or mail.files[at].name == "pic@shop.example"

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
                self.check_page(entry, got)
        listed = self.page("/")
        for name in self.providers:
            self.assertIn(name, listed.cells)
        self.assertEqual(listed.text.count("alert(1)"), len(self.sandbox.messages()))
        self.assertEqual(self.page("/?provider=brevo").text.count("alert(1)"), 1)
        self.assertNotIn("alert(", self.page("/?before=" + min(
            m["id"] for m in self.sandbox.messages())).text)

    def post(self, path, body, **headers):
        self.asked.request("POST", path, body, {
            "Content-Type": "application/x-www-form-urlencoded", **headers})
        answer = self.asked.getresponse()
        return answer.status, answer.read()

    def test_faults_are_set_by_a_form_of_the_page_only(self):
        form = "provider=brevo&fault=%7B%22status%22%3A503%7D&count=2"
        path, own = "/_sandbox/page/faults", f"http://127.0.0.1:{self.sandbox.port}"
        self.page("/")
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                        {"Origin": "http://evil.example"}, {"Origin": "null"}):
            self.assertEqual(self.post(path, form, **headers)[0], 403, headers)
            self.assertEqual(self.post("/_sandbox/faults", '{"status":503}', **headers)[0], 403)
        self.assertNotIn("brevo: ", self.page("/").text)
        self.assertEqual(self.post(path, form, Origin=own)[0], 303)
        self.assertEqual(self.post(path, form.replace("brevo", ""),
                                   **{"Sec-Fetch-Site": "same-origin"})[0], 303)
        self.assertRegex(self.page("/").text, "brevo: left 2 status 503 how answer")
        self.assertRegex(self.page("/").text, "all providers: left 2 status 503")
        for bad in ("", "fault=1", form.replace("503", "7"), form.replace("brevo", "nobody"),
                    form.replace("=2", "=x")):
            self.assertEqual(self.post(path, bad)[0], 400, bad)
        self.assertEqual(self.post(path, "clear=1")[0], 303)
        self.assertIn("None.", self.page("/").text)

    def test_a_large_message_makes_no_large_page(self):
        self.page("/")
        line = "<b>0123456789</b>\r\n" * 1000
        for kind, body in (
                ("message/rfc822", "Subject: large\r\n" + "X-A: 1\r\n" * 1000 +
                 "Content-Type: text/html\r\n\r\n" + line * 150),
                ("application/json", json.dumps({
                    "to": [f"a{i}@dest.example" for i in range(1000)], "subject": "s" * 10**6,
                    "text": line * 200, "html": line * 200, "more": ["x" * 10**6] * 3})),
                ("text/plain", "\x00\x1b" + line * 500)):
            self.asked.request("POST", "/raw", body, {"Content-Type": kind})
            came = json.loads(self.asked.getresponse().read())["id"]
            path = f"/_sandbox/page/{came}"
            page = self.get(path)[2]
            self.assertIn(b"are shown]", page)
            self.assertLess(len(page), 10**6)
            self.assertLessEqual(len(self.get(f"{path}/html")[2]), 10**6)
        self.assertLess(len(self.get("/")[2]), 10**5)


if __name__ == "__main__":
    unittest.main()
