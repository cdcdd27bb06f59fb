"""Messages travel: acceptance modes, failover, faults, quotas, restart."""
import base64
import contextlib
import http.server as http_server
import json
import smtplib
import socket
import sqlite3
import struct
import threading
import unittest

from harness import Case, eventually, http


class Hybrid(Case):
    def test_the_verdict_of_the_provider_reaches_the_client(self):
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        self.assertIn("accepted by sendgrid", text)
        record = self.final(self.queue_id(text))
        self.assertEqual(record["attempts"][0]["class"], "accepted")
        self.assertTrue(record["attempts"][0]["provider_id"])

    def test_a_failing_provider_is_replaced_at_once(self):
        for status in (500, 429, 401):
            with self.subTest(status=status):
                self.sandbox.heal()
                self.sandbox.fault("sendgrid", status=status)
                code, text = self.send(self.client())
                self.assertEqual(code, 250, text)
                record = self.final(self.queue_id(text))
                tried = [(a["provider"], a["class"]) for a in record["attempts"]]
                expected = {500: "transient", 429: "throttled", 401: "account"}
                self.assertEqual(tried, [("sendgrid", expected[status]),
                                         ("ses", "accepted")])
        self.assertTrue(self.server.logged("failover"))

    def test_a_refused_message_is_refused_to_the_client(self):
        self.sandbox.fault("sendgrid", status=400)
        code, text = self.send(self.client())
        self.assertGreaterEqual(code, 500, text)
        self.assertEqual(self.sandbox.counts().get("ses", {}).get("requests", 0), 0)

    def test_bcc_stays_blind(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        for rcpt in ("ann@dest.example", "carl@dest.example"):
            smtp.rcpt(rcpt)
        self.sandbox.fault("sendgrid", status=503)
        code, _ = smtp.data("From: orders@shop.example\r\nTo: ann@dest.example\r\n"
                            "Bcc: carl@dest.example\r\nSubject: x\r\n\r\nx\r\n")
        self.assertEqual(code, 250)
        got = self.sandbox.messages(provider="ses")[0]
        self.assertEqual(sorted(got["recipients"]),
                         ["ann@dest.example", "carl@dest.example"])
        self.assertNotIn("carl", self.sandbox.raw(got["id"]))


class Refusals(Case):
    """What providers and modules say no to, and who learns of it."""

    BAD_ADDRESS = {"errors": [{"message": "Does not contain a valid address.",
                               "field": "personalizations.0.to.0.email"}]}
    MERGE = "mail merge by X-SMTPAPI (sub, section) is not supported"

    def send_merge(self):
        """A message that the sendgrid module refuses to build."""
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        code, text = smtp.data(
            "From: orders@shop.example\r\nTo: ann@dest.example\r\n"
            'X-SMTPAPI: {"sub": {"-name-": ["Ann"]}}\r\n\r\nHello -name-\r\n')
        return code, text.decode()

    def restart(self, **settings):
        self.stop()
        self.start(**settings)

    def test_one_bad_recipient_costs_the_others_nothing(self):
        to = ("good1@dest.example", "bad@dest.example", "good2@dest.example")
        self.sandbox.fault("sendgrid", match="bad@", status=400,
                           body=self.BAD_ADDRESS)
        for mode in ("hybrid", "queued", "direct"):
            with self.subTest(mode=mode):
                self.restart(mode=mode)
                before = len(self.sandbox.messages())
                code, text = self.send(self.client(), to=to)
                self.assertEqual(code, 250, text)
                if mode != "direct":
                    record = self.final(self.queue_id(text), ("sent", "failed"))
                    states = {r["address"]: r["state"] for r in record["recipients"]}
                    self.assertEqual(states, {to[0]: "sent", to[1]: "failed",
                                              to[2]: "sent"})
                    classes = [a["class"] for a in record["attempts"]]
                    self.assertEqual(classes, ["rejected"] * 3 +
                                     ["accepted", "rejected", "accepted"])
                    self.assertIn("valid address", record["attempts"][0]["reason"])
                got = self.sandbox.messages()[before:]
                self.assertEqual(sorted(m["recipients"] for m in got),
                                 [[to[0]], [to[2]]])

    def test_the_only_recipient_is_refused_to_the_client(self):
        self.sandbox.fault("sendgrid", match="bad@", status=400,
                           body=self.BAD_ADDRESS)
        code, text = self.send(self.client(), to=("bad@dest.example",))
        self.assertEqual((code, text[:5]), (550, "5.1.1"))
        self.assertIn("sendgrid answered 400: personalizations.0.to.0.email: "
                      "Does not contain a valid address.", text)

    def test_an_answer_without_words_is_a_sentence(self):
        self.sandbox.fault("sendgrid", status=400, body="<html>")
        code, text = self.send(self.client())
        self.assertEqual(code, 554)
        self.assertRegex(text, r"^5\.6\.0 sendgrid answered 400 \(")

    def test_what_cannot_be_built_is_refused_before_it_is_accepted(self):
        for mode in ("hybrid", "direct"):
            with self.subTest(mode=mode):
                self.restart(mode=mode, providers="sendgrid")
                code, text = self.send_merge()
                self.assertEqual(code, 554)
                self.assertIn("5.6.0 " + self.MERGE, text)
        self.assertEqual(self.sandbox.messages(), [])

    def test_what_cannot_be_built_later_is_told_by_the_ledger(self):
        self.restart(mode="queued", providers="sendgrid")
        code, text = self.send_merge()
        self.assertEqual(code, 250)
        record = self.final(self.queue_id(text), ("failed",))
        self.assertEqual([(a["class"], a["reason"]) for a in record["attempts"]],
                         [("rejected", self.MERGE)])

    def test_a_line_too_long_for_ses_is_encoded_or_told(self):
        """What the client has signed stays as it is, so it is refused."""
        signed = "hello\r\nDKIM-Signature: v=1; h=from:to"
        line = "x" * 999 + "\r\n"
        for mode, expected in (("hybrid", 554), ("queued", 250)):
            with self.subTest(mode=mode):
                self.restart(mode=mode, providers="ses")
                self.accepted(body=line)
                code, text = self.send(self.client(), subject=signed, body=line)
                self.assertEqual(code, expected)
                if code == 250:
                    record = self.final(self.queue_id(text), ("failed",))
                    text = record["attempts"][0]["reason"]
                self.assertIn("longer than 998 octets, which ses does not", text)

    def test_a_signed_line_that_ses_does_not_take_goes_elsewhere(self):
        self.restart(providers="ses, sendgrid", provider_extra=", allow_altering: [dkim]")
        signed = "hello\r\nDKIM-Signature: v=1; h=from:to"
        code, text = self.send(self.client(), subject=signed, body="x" * 999 + "\r\n")
        self.assertEqual(code, 250, text)
        record = self.final(self.queue_id(text))
        self.assertEqual(record["recipients"][0]["provider"], "sendgrid")

    def accepted(self, **message):
        code, text = self.send(self.client(), **message)
        self.assertEqual(code, 250, text)
        self.final(self.queue_id(text))


class Unknown(Case):
    settings = {"timeout": "1s", "sync_budget": "500ms"}

    def test_no_answer_is_never_tried_elsewhere(self):
        self.sandbox.fault("sendgrid", hang="after-body", count=1)
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        record = self.final(self.queue_id(text))
        self.assertEqual([(a["provider"], a["class"]) for a in record["attempts"]],
                         [("sendgrid", "unknown"), ("sendgrid", "accepted")])

    def test_a_success_cut_off_is_never_tried_elsewhere(self):
        """A gateway breaks off once; the status may have been the provider's."""
        answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"]

        class Provider(http_server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.wfile.write(answers.pop() if answers else
                                 b"HTTP/1.1 202 Accepted\r\nX-Message-Id: 7\r\n"
                                 b"Content-Length: 0\r\n\r\n")
                self.close_connection = True

            def log_message(self, *_):
                pass

        server = http_server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            self.stop()
            self.start(sandbox=f"http://127.0.0.1:{server.server_port}",
                       **self.settings)
            code, text = self.send(self.client())
            self.assertEqual(code, 250, text)
            record = self.final(self.queue_id(text))
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        self.assertEqual([(a["provider"], a["class"]) for a in record["attempts"]],
                         [("sendgrid", "unknown"), ("sendgrid", "accepted")])
        self.assertEqual(record["attempts"][0]["reason"],
                         "sendgrid answered 200: the answer was cut off")


class Queued(Case):
    settings = {"mode": "queued"}

    def test_is_acknowledged_when_durable(self):
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        self.assertIn("queued as", text)
        queue_id = self.queue_id(text)
        eventually(lambda: len(self.record(queue_id)["attempts"]) >= 6,
                   "all providers are tried twice")
        self.sandbox.heal()
        self.final(queue_id)

    def test_a_restart_resumes_delivery(self):
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        smtp = self.client()
        ids = [self.queue_id(self.send(smtp, f"m{i}")[1]) for i in range(20)]
        self.stop()
        self.sandbox.heal()
        self.start(**self.settings)
        for queue_id in ids:
            self.final(queue_id)
        subjects = sorted(m["subject"] for m in self.sandbox.messages())
        self.assertEqual(subjects, sorted(f"m{i}" for i in range(20)))

    def test_an_unreachable_provider_is_named_in_the_log(self):
        self.sandbox.stop()
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        queue_id = self.queue_id(text)
        eventually(lambda: len(self.record(queue_id)["attempts"]) >= 3, "all tried")
        attempt = self.server.logged("attempt")[0]
        self.assertEqual(attempt["class"], "transient")
        self.assertIn("onnect", attempt["reason"])

    def test_old_mail_expires(self):
        self.stop()
        self.start(mode="queued", max_age="1s")
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250)
        self.final(self.queue_id(text), states=("failed",))


class Direct(Case):
    settings = {"mode": "direct"}

    def test_temporary_trouble_is_a_temporary_reply(self):
        for name in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(name, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 451, text)
        self.sandbox.heal()
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.sandbox.messages()), 1)


class Quota(Case):
    settings = {"user_extra": ", daily: 3", "mode": "queued"}

    def stored(self):
        path = f"file:{self.home}/spool/store.db?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
            return db.execute("SELECT sum(messages) FROM quota").fetchone()[0]

    def test_also_of_what_is_stored_nowhere(self):
        self.check_direct(self.stop)

    def test_a_crash_forgets_no_more_of_it_than_the_last_second(self):
        def crash():
            eventually(lambda: self.stored() == 2, "it is in the spool")
            self.kill()
        self.check_direct(crash)

    def check_direct(self, end):
        self.stop()
        self.start(**{**self.settings, "mode": "direct"})
        smtp = self.client()
        for _ in range(2):
            self.assertEqual(self.send(smtp)[0], 250)
        end()
        self.start(**{**self.settings, "mode": "direct"})
        smtp = self.client()
        self.assertEqual(self.send(smtp)[0], 250)
        code, text = self.send(smtp)
        self.assertEqual(code, 451)
        self.assertTrue(text.startswith("4.7.1 Daily quota of 3"), text)

    def test_the_daily_count_holds_and_survives_a_restart(self):
        smtp = self.client()
        for _ in range(2):
            self.assertEqual(self.send(smtp)[0], 250)
        self.stop()
        self.start(**self.settings)
        smtp = self.client()
        self.assertEqual(self.send(smtp)[0], 250)
        code, text = self.send(smtp)
        self.assertEqual(code, 451)
        self.assertIn("uota", text)


class Rate(Case):
    settings = {"user_extra": ", rate: 2/hour", "mode": "queued"}

    def test_the_rate_is_refused_with_the_time_to_wait(self):
        smtp = self.client()
        self.assertEqual(self.send(smtp)[0], 250)
        self.assertEqual(self.send(smtp)[0], 250)
        code, text = self.send(smtp)
        self.assertEqual(code, 450)
        self.assertRegex(text, r"4\.7\.1 .*[0-9]+ ?s")


class FewDescriptors(Case):
    open_files = 128
    workers = 2

    def config(self, **settings):
        path = super().config(**settings)
        path.write_text(path.read_text().replace(
            "threads: 2", f"threads: {self.workers}"))
        return path

    def mail_goes(self):
        try:
            return self.send(self.client())[0] == 250
        except OSError:  # of which smtplib's are
            return False  # those who left are not gone yet

    def test_clients_cannot_take_what_the_store_and_the_probes_need(self):
        self.assertTrue(self.server.events("few_descriptors"))
        crowd = [socket.create_connection(("127.0.0.1", self.starttls), timeout=30)
                 for _ in range(self.open_files - 18)]
        greetings = [s.makefile("rb").readline()[:3] for s in crowd]
        self.assertIn(b"421", greetings)
        self.assertEqual(http(f"{self.stats}/livez")[0], 200)
        for sock in crowd[:20]:
            sock.close()
        eventually(self.mail_goes, "mail goes again")
        for sock in crowd[20:]:
            sock.close()


class FewDescriptorsManyWorkers(FewDescriptors):
    """Most are taken before the first client comes."""
    open_files = 256
    workers = 12


class Clients(Case):
    """What goes wrong at the client's end."""

    def test_wrong_password_and_unknown_user_look_the_same(self):
        replies = []
        for user, password in (("demo", "open-sesame"), ("nobody", "open-sesame")):
            smtp = self.client(login=False)
            smtp.ehlo()
            code, text = self.try_login(smtp, user, password)
            replies.append((code, text.decode().split(" (")[0]))
        self.assertEqual(replies[0], replies[1])
        self.assertEqual(replies[0][0], 535)
        failed = eventually(lambda: len(self.server.events("auth_failed")) == 2 and
                            self.server.events("auth_failed"), "both are logged")
        self.assertEqual(failed[0]["client.address"], "127.0.0.1")
        self.assertNotIn("sesame", self.server.log())

    MESSAGE = (b"From: orders@shop.example\r\nTo: ann@dest.example\r\n"
               b"Subject: x\r\n\r\nx\r\n.\r\n")

    def submit_slowly(self):
        """A client whose message is with a provider that takes its time."""
        self.sandbox.fault("sendgrid", delay_ms=1500, count=1)
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        self.assertEqual(smtp.docmd("DATA")[0], 354)
        smtp.sock.sendall(self.MESSAGE)
        return smtp

    def test_who_stops_sending_still_gets_the_verdict(self):
        smtp = self.submit_slowly()
        socket.socket.shutdown(smtp.sock, socket.SHUT_WR)
        code, text = smtp.getreply()
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.server.logged("message_accepted")), 1)
        self.assertEqual(self.server.events("message_rejected"), [])

    def test_a_message_that_goes_on_without_its_client_was_accepted(self):
        smtp = self.submit_slowly()
        eventually(lambda: self.sandbox.counts().get("sendgrid", {}).get("requests"),
                   "the provider is asked")
        smtp.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        smtp.sock.close()
        smtp.file.close()
        accepted = eventually(lambda: self.server.events("message_accepted"),
                              "it is said to be accepted")
        self.assertEqual(accepted[0]["client.state"], "gone")
        self.final(accepted[0]["queue_id"])
        self.assertEqual(len(self.sandbox.messages()), 1)
        self.assertEqual(self.server.events("message_rejected"), [])

    @staticmethod
    def try_login(smtp, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return smtp.docmd("AUTH", "PLAIN " + token)

    def test_no_mail_without_tls_and_login(self):
        smtp = smtplib.SMTP("localhost", self.starttls)
        smtp.ehlo()
        self.assertEqual(smtp.docmd("MAIL", "FROM:<a@b.example>")[0], 530)
        self.assertNotIn("auth", smtp.esmtp_features)
        smtp.close()
        smtp = self.client(login=False)
        smtp.ehlo()
        self.assertEqual(smtp.docmd("MAIL", "FROM:<a@b.example>")[0], 530)

    def test_a_client_that_vanishes_mid_data_leaves_nothing(self):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        smtp.rcpt("ann@dest.example")
        smtp.docmd("DATA")
        smtp.send("Subject: half\r\n\r\nhalf a mess")
        smtp.sock.close()
        smtp.sock = None
        code, text = self.send(self.client(), "whole")
        self.assertEqual(code, 250)
        self.final(self.queue_id(text))
        self.assertEqual([m["subject"] for m in self.sandbox.messages()], ["whole"])

    def test_starttls_injection_is_refused(self):
        sock = socket.create_connection(("127.0.0.1", self.starttls))
        sock.settimeout(30)
        reader = sock.makefile("rb")
        reader.readline()
        sock.sendall(b"EHLO x\r\n")
        while reader.readline()[3:4] == b"-":
            pass
        sock.sendall(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n")
        self.assertTrue(reader.readline().startswith(b"554"))
        self.assertEqual(reader.read(), b"")
        sock.close()

    def test_probes_and_metrics_answer(self):
        self.assertEqual(http(f"{self.stats}/livez")[0], 200)
        eventually(lambda: http(f"{self.stats}/readyz")[0] == 200, "ready")
        self.send(self.client())
        status, text = http(f"{self.stats}/metrics")
        self.assertEqual(status, 200)
        self.assertIn('postern_deliveries_total{provider="sendgrid"', text)
        status, stats = http(f"{self.stats}/api/v1/stats")
        self.assertEqual(status, 200)
        self.assertEqual(stats["schema_version"], 1)

    def test_a_large_message_arrives_whole(self):
        body = "".join(f"line {i:07d} " + "x" * 60 + "\r\n" for i in range(30000))
        code, text = self.send(self.client(implicit=True), body=body)
        self.assertEqual(code, 250, text)
        self.final(self.queue_id(text))
        got = self.sandbox.messages(provider="sendgrid")[0]
        raw = self.sandbox.raw(got["id"])
        sent = raw if isinstance(raw, dict) else json.loads(raw)
        self.assertEqual(sent["content"][0]["value"].replace("\r\n", "\n").rstrip(),
                         body.replace("\r\n", "\n").rstrip())


if __name__ == "__main__":
    unittest.main()
