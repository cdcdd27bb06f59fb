"""What single providers do with a message, seen from both ends.

Each module against its sandbox, through the whole server: who is shown to
whom, recipients a provider does not use, tries that are recognised.
"""
import email
import json
import unittest

from harness import Case

PROVIDERS = {
    "msgraph": "tenant: shop.example, client_id: postern, client_secret: "
               "sandbox-secret, authority: \"{sandbox}/msgraph\"",
    "gmail": "user: orders@shop.example, service_account_key_file: {key}, "
             "token_url: \"{sandbox}/gmail/token\"",
    "postmark": "server_token: sandbox",
    "brevo": "api_key: xkeysib-sandbox",
    "sendlayer": "api_key: sandbox",
    "resend": "api_key: re_sandbox",
    "mandrill": "api_key: md-sandbox",
    "sparkpost": "api_key: sandbox",
    "mailjet": "api_key: sandbox, secret_key: sandbox",
    "mailersend": "api_key: mlsn.sandbox",
    "smtp2go": "api_key: api-sandbox",
    "mailtrap": "api_token: sandbox",
    "scaleway": "secret_key: sandbox, allow_short: true, "
                "project_id: 6170692e-7363-616c-6577-61792e636f6d",
    "azure": "endpoint: \"https://shop.communication.azure.com\", "
             "access_key: c2FuZGJveC1henVyZS1hY2Nlc3Mta2V5",
    "smtp": "tls: none, user: sandbox, password: sandbox",
}
RAW = {"mandrill", "sparkpost", "msgraph", "gmail", "smtp"}  # they take the message itself
MAIL = """From: Shop <orders@shop.example>
{header}Subject: hello
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Grüße
--b
Content-Type: application/pdf; name="bill.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQK
--b--
""".replace("\n", "\r\n")


class Providers(Case):
    def config(self, **settings):
        path = super().config(**settings)
        given = {"sandbox": self.sandbox.url,
                 "key": self.sandbox.service_account(self.home)}
        providers = "".join(
            f"  - {{name: {name}, type: {name}, "
            f"{keys.format(**given)}, timeout: 1s, "
            f"url: \"{self.sandbox.of(name)}\"}}\n"
            for name, keys in PROVIDERS.items())
        routes = "".join(
            f"  - {{name: {name}, match: {{recipient: [\"@{name}.example\"]}}, "
            f"providers: [{name}]}}\n" for name in PROVIDERS)
        text = path.read_text().replace("providers:\n", "providers:\n" + providers)
        path.write_text(text.replace("routes:\n", "routes:\n" + routes))
        return path

    def submit(self, to, header=""):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        for address in to:
            self.assertEqual(smtp.rcpt(address)[0], 250)
        code, text = smtp.data(MAIL.format(header=header).encode())
        self.assertEqual(code, 250, text)
        return self.final(self.queue_id(text.decode()), ("sent", "failed"))

    def came(self, provider):
        return [(sorted(m["recipients"]), self.sandbox.raw(m["id"]))
                for m in self.sandbox.messages(provider=provider)]

    def test_text_and_files_arrive(self):
        for name in PROVIDERS:
            record = self.submit([f"ann@{name}.example"],
                                 f"To: Ann <ann@{name}.example>\r\n")
            self.assertNotEqual(record["attempts"][0]["provider_id"], "")
            message = self.sandbox.messages(provider=name)[0]
            self.assertEqual(message["text"].rstrip(), "Grüße")
            self.assertEqual(message["subject"], "hello")
            self.assertIn("JVBERi0xLjQK", json.dumps(self.came(name)[0][1]))

    def test_blind_copies_are_shown_to_nobody(self):
        for name in PROVIDERS:
            to = [f"ann@{name}.example", f"bob@{name}.example"]
            record = self.submit(to, "To: undisclosed-recipients:;\r\n")
            self.assertEqual([r["state"] for r in record["recipients"]],
                             ["sent"] * 2)
            for recipients, request in self.came(name):
                shown = self.shown(name, request)
                for address in to:
                    self.assertEqual(address in shown, name not in RAW and
                                     recipients == [address])

    def shown(self, name, request):
        if name in RAW:
            request = dict(email.message_from_string(request))
        request, = request.get("Messages", [request])
        request = request.get("recipients", request)
        members = {key.lower(): value for key, value in request.items()}
        return json.dumps([members.get("to"), members.get("cc")])

    def test_one_of_several_is_not_used_any_more(self):
        for name in ("postmark", "sendlayer", "mandrill", "sparkpost",
                     "mailjet", "mailersend",
                     "smtp2go",
                     "mailtrap",
                     "scaleway",
                     "smtp"):
            to = [f"ann@{name}.example", f"inactive@{name}.example",
                  f"bob@{name}.example"]
            record = self.submit(to, f"To: {', '.join(to)}\r\n")
            self.assertEqual({r["address"]: r["state"]
                              for r in record["recipients"]},
                             {to[0]: "sent", to[1]: "failed", to[2]: "sent"})

    def test_what_looks_like_a_template_arrives(self):
        line = "{{ in Go }} {{{raw}}} {\"a\":{}} }}"
        self.submit(["ann@sparkpost.example"], f"X-Line: {line}\r\n")
        message = email.message_from_string(self.came("sparkpost")[0][1])
        self.assertEqual(message["X-Line"], line)

    def test_a_try_that_was_lost_is_made_with_the_same_key(self):
        self.sandbox.fault("brevo", count=1, hang="after-body", accept=True)
        self.sandbox.fault("brevo", count=1, status=400, body={
            "code": "duplicate_request", "message": "seen"})
        smtp = self.client()
        code, text = self.send(smtp, to=("ann@brevo.example",))
        self.assertEqual(code, 250, text)
        record = self.final(self.queue_id(text))
        self.assertEqual([a["class"] for a in record["attempts"]],
                         ["unknown", "accepted"])
        self.assertEqual(len(self.came("brevo")), 1)

    def test_a_try_that_was_lost_is_the_same_operation(self):
        """Azure knows it again; the sandbox only shows that it could."""
        self.sandbox.fault("azure", count=1, hang="after-body", accept=True)
        smtp = self.client()
        code, text = self.send(smtp, to=("ann@azure.example",))
        self.assertEqual(code, 250, text)
        record = self.final(self.queue_id(text))
        self.assertEqual([a["class"] for a in record["attempts"]],
                         ["unknown", "accepted"])
        ids = {m["provider_id"] for m in self.sandbox.messages(provider="azure")}
        self.assertEqual(ids, {record["attempts"][1]["provider_id"]})

    def test_who_is_not_in_the_envelope_gets_nothing(self):
        """Where the header decides it must not name those of other calls."""
        for name in ("msgraph", "gmail"):
            to, others = f"ann@{name}.example", f"bob@{name}.example"
            self.submit([to], f"To: {to}\r\nCc: Bob <{others}>,\r\n"
                        f"\tx@{name}.example\r\n")
            (recipients, message), = self.came(name)
            self.assertEqual(recipients, [to])
            self.assertNotIn(others, message)

    def test_a_token_that_is_not_taken_is_fetched_anew(self):
        for name in ("msgraph", "gmail"):
            self.submit([f"ann@{name}.example"])
            self.sandbox.fault(name, count=1, status=401)
            record = self.submit([f"ann@{name}.example"])
            self.assertEqual(record["recipients"][0]["state"], "sent")
            self.assertEqual(record["attempts"][-1]["provider"], name)
            self.assertEqual(len(self.came(name)), 2)


if __name__ == "__main__":
    unittest.main()
