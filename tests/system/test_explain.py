"""What `postern explain` says is what the server does."""
import json
import os
import subprocess
import unittest

from harness import Case, POSTERN

PLAIN = """From: Shop <orders@shop.example>
To: "Ann O'Hara" <ann@dest.example>
Cc: bob@dest.example
Bcc: cid@dest.example
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Return-Path: <x@shop.example>
X-Campaign: a1

It's a body.
"""

SIGNED = """From: orders@shop.example
To: ann@dest.example
Content-Type: multipart/signed; protocol="application/pgp-signature";
 boundary=b

--b
Content-Type: text/plain

signed
--b
Content-Type: application/pgp-signature

x
--b--
"""

RULES = """
  - {name: large, match: {min_size: 50KB}, providers: [ses]}
  - {name: news, match: {sender: ["@news.example"]}, providers: [mailgun]}
  - {name: invoices, match: {header: "Subject: *rechnung*"}, providers: [ses]}
  - {name: partner, match: {recipient: ["@partner.example"]}, providers: [mailgun, ses]}
"""
SECRETS = ("SG.sandbox-key", "key-sandbox", "sandbox-secret-access-key",
           "from-the-environment")


class Explain(Case):
    settings = {"providers": "sendgrid, ses, mailgun", "routes_before": RULES,
                "user_extra": ', senders: ["@shop.example", "@news.example"], '
                "controls: [provider]",
                "sendgrid_extra": ", budget: {per_day: 7}"}

    def run_it(self, text, *args, code=0, **env):
        path = self.home / "message.eml"
        path.write_text(text)
        done = subprocess.run(
            [POSTERN, "explain", path, "-c", self.home / "postern.yaml", *args],
            text=True, capture_output=True, env={**os.environ, **env})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for secret in SECRETS:
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done.stdout if code in (0, 1) else done.stderr

    def explain(self, text, *args, code=0, **env):
        return json.loads(self.run_it(text, "--json", *args, code=code, **env))


class AsTheServer(Explain):
    def newest(self):
        return self.sandbox.messages()[-1]

    def paste(self, *args):
        """The command of the text, run by a shell."""
        text = self.run_it(PLAIN, *args)
        command = text[text.index("curl -X"):text.index("\n\nWhether")]
        self.assertNotIn("shortened", text)
        for provider, key in (("--provider sendgrid", "SG.sandbox-key"),
                              ("--provider mailgun", "key-sandbox")):
            if " ".join(args) == provider:
                command = command.replace("XXXXXXXXXXXXXXXX", key)
        done = subprocess.run(["bash", "-c", command + " -s -f"], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, command + done.stderr)
        return self.newest()

    def submit(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        for name in ("ann", "bob", "cid"):
            smtp.rcpt(f"{name}@dest.example")
        code, text = smtp.data(PLAIN.replace("\n", "\r\n"))
        self.assertEqual(code, 250, text)
        return self.newest()

    def test_a_message_names_its_provider(self):
        way, = self.explain("X-Postern-Provider: mailgun\n" + PLAIN)["ways"]
        self.assertEqual([o["provider"] for o in way["providers"]],
                         ["mailgun"])
        told = self.explain("X-Postern-Provider: other\n" + PLAIN, code=1)
        self.assertEqual(told["ways"][0]["providers"], [])
        told = self.explain("X-Postern-Tag: a\n" + PLAIN, code=1)
        self.assertIn("X-Postern-Tag not allowed", told["reason"])

    def test_the_command_does_what_the_server_would(self):
        sent = self.submit()
        pasted = self.paste("--provider", "sendgrid")
        for key in ("provider", "sender", "recipients", "subject"):
            self.assertEqual(pasted[key], sent[key])
        self.assertEqual(len(sent["recipients"]), 3)
        # Of the raw message only the date and our id differ.
        raw = self.sandbox.raw(self.paste("--provider", "mailgun")["id"])
        self.assertIn("It's a body.", raw)
        self.assertNotIn("cid@", raw)
        shown = self.explain(PLAIN)["ways"][0]["providers"]
        self.assertEqual([p["provider"] for p in shown], ["sendgrid", "ses", "mailgun"])
        body = json.loads(shown[0]["request"]["body"])
        self.assertEqual(body["subject"], "Grüße")
        self.assertEqual(body["headers"], {"X-Campaign": "a1"})
        self.assertEqual(shown[0]["request"]["body_bytes"], sent["size"])


class Ways(Explain):
    def test_rules_and_reasons(self):
        told = self.explain(PLAIN, "--to", "ann@dest.example", "--to",
                            "eve@partner.example", "--to", "nodot@localhost")
        self.assertTrue(told["accepted"])
        self.assertEqual(sorted(told["removed_fields"]), ["Bcc", "Return-Path"])
        self.assertIn("Message-ID", told["added_fields"])
        self.assertIn("no dot", told["refused_recipients"][0]["reason"])
        plain, partner = told["ways"]
        self.assertEqual((plain["route"], plain["routes_before"]),
                         ("all", ["min_size", "sender", "header", "recipient"]))
        self.assertEqual((partner["route"], partner["recipients"]),
                         ("partner", ["eve@partner.example"]))
        self.assertEqual([p["provider"] for p in partner["providers"]],
                         ["mailgun", "ses"])
        news = self.explain(PLAIN, "--from", "x@news.example")
        self.assertEqual(news["ways"][0]["route"], "news")
        text = self.run_it(PLAIN)
        for words in ("not routes[0] large: match.min_size", "1. sendgrid",
                      "header fields that do not go on: Received, Date",
                      "budget may be spent", "hybrid"):
            self.assertIn(words, text)

    def test_what_is_not_taken(self):
        for text, args, reason in (
                (PLAIN, ("--from", "x@other.example"), "may not send as"),
                (PLAIN.replace("Shop <orders@shop", "Eve <eve@other"),
                 ("--from", "x@shop.example"), "users[].senders"),
                (PLAIN.replace("body", "\0"), (), "NUL"),
                (PLAIN, ("--to", "x@[bad"), "none of its recipients")):
            told = self.explain(text, *args, code=1)
            self.assertFalse(told["accepted"])
            self.assertIn(reason, told["reason"])
        self.assertIn("no user", self.run_it(PLAIN, "--user", "x", code=2))
        self.assertIn("no provider", self.run_it(PLAIN, "--provider", "x", code=2))
        self.assertIn("--to", self.run_it("From: a@shop.example\n\nx\n", code=2))

    def test_all_are_compared(self):
        told = self.explain(SIGNED, "--all")["ways"][0]["providers"]
        by_name = {p["provider"]: p for p in told}
        self.assertEqual(by_name["sendgrid"]["verdict"], "not_carried")
        self.assertIn("signed", by_name["sendgrid"]["not_carried"])
        self.assertEqual(by_name["ses"]["verdict"], "built")
        self.assertEqual(by_name["mailgun"]["dropped_fields"], [])
        self.assertFalse(by_name["ses"]["reencoded"])
        told = self.explain(PLAIN + "x" * 999 + "\n", "--all")["ways"][0]["providers"]
        self.assertEqual({p["provider"] for p in told if p["reencoded"]}, {"ses", "mailgun"})
        self.assertIn("re-encoded: parts with", self.run_it(PLAIN + "\xfc\n", "--all"))
        # On its route the message passes over the first.
        text = self.run_it(SIGNED)
        self.assertIn("- sendgrid     passed over: the message is signed", text)
        self.assertIn("1. ses", text)
        many = [a for i in range(60) for a in ("--to", f"p{i}@dest.example")]
        ses = self.explain(PLAIN, *many, "--provider", "ses")["ways"][0]["providers"][0]
        self.assertEqual(ses["calls"], 2)
        self.assertEqual(len(json.loads(ses["request"]["body"])["Destination"]
                             ["ToAddresses"]), 50)

    def test_credentials_are_not_fetched(self):
        path = self.home / "postern.yaml"
        keys = "access_key_id: SANDBOXACCESSKEYID01,\n      " \
               "secret_access_key: sandbox-secret-access-key, "
        text = path.read_text()
        self.assertIn(keys, text)
        path.write_text(text.replace(keys, ""))
        ses = self.explain(PLAIN, "--provider", "ses", AWS_ACCESS_KEY_ID="AKIDENV",
                           AWS_SECRET_ACCESS_KEY="from-the-environment",
                           AWS_SESSION_TOKEN="from-the-environment")
        ses = ses["ways"][0]["providers"][0]
        self.assertEqual(ses["credentials"], "environment")
        self.assertIn("X-Amz-Security-Token: XXXXXXXXXXXXXXXX",
                      ses["request"]["headers"])
        # An instance would be asked: nothing listens there, and nobody waits.
        ses = self.explain(PLAIN, "--provider", "ses")["ways"][0]["providers"][0]
        self.assertEqual(ses["credentials"], "instance metadata")
        off = self.explain(PLAIN, "--provider", "ses", code=1,
                           AWS_EC2_METADATA_DISABLED="true")
        self.assertEqual(off["ways"][0]["providers"][0]["verdict"], "no_credentials")


if __name__ == "__main__":
    unittest.main()
