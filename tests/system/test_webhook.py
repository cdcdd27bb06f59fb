"""Programs hear what became of mail: signed events, posted to a real server."""
import base64
import hashlib
import hmac
import json
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import Case, eventually, http

KEY = bytes(range(32))
OLD = bytes(range(100, 124))


def secret(key):
    return "whsec_" + base64.b64encode(key).decode()


class Receiver:
    """Keeps each event that is signed well; answers as it is told to."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen, self.bad, self.statuses, self.status = [], [], [], 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/postern"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def fits(headers, body, key):
        signed = (f"{headers['webhook-id']}."
                  f"{headers['webhook-timestamp']}.").encode() + body
        code = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        return f"v1,{code.decode()}" in headers["webhook-signature"].split()

    def take(self, headers, body):
        with self.lock:
            is_fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
            if not is_fresh or not self.fits(headers, body, KEY) or \
                    headers["Content-Type"] != "application/json":
                self.bad.append((dict(headers), body))
            status = self.statuses.pop(0) if self.statuses else self.status
            self.seen.append((headers, json.loads(body), status))
            return status

    def events(self, kind=None):
        """Those it took, once each; a second time they must be the same."""
        with self.lock:
            assert not self.bad, self.bad
            found = {}
            for headers, event, status in self.seen:
                assert headers["webhook-id"] == event["id"], event
                assert found.setdefault(event["id"], event) == event, event
            taken = {e["id"] for _, e, s in self.seen if s < 300}
            return [e for i, e in found.items() if i in taken and
                    kind in (None, e["type"])]

    def calls(self):
        with self.lock:
            return len(self.seen)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Hooked(Case):
    more = ""

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        self.settings = {
            "mode": "queued",
            "provider_extra": ", breaker: {failures: 1000, min_calls: 1000}",
            "extra":
            f"webhook: {{url: '{self.receiver.url}', secret: {secret(KEY)}, "
            f"breaker: {{open: 100ms, open_max: 200ms, "
            f"account_retry: 200ms}}{self.more}}}\n"}
        super().setUp()

    def submit(self, to=("ann@dest.example",)):
        code, text = self.send(self.client(), to=to)
        self.assertEqual(code, 250, text)
        return self.queue_id(text)

    def told(self, kind, count=1):
        return eventually(
            lambda: len(self.receiver.events(kind)) >= count and
            self.receiver.events(kind), f"{count} {kind} arrive")


class Webhook(Hooked):
    def test_what_was_sent_is_told(self):
        queue_id = self.submit(("ann@dest.example", "bob@dest.example"))
        event = self.told("message.sent")[0]
        record = self.final(queue_id)
        data = event["data"]
        self.assertEqual(data["queue_id"], queue_id)
        self.assertEqual(data["user"], "demo")
        self.assertEqual(data["sender"], "orders@shop.example")
        for key in ("message_id", "created"):
            self.assertEqual(data[key], record[key])
        self.assertEqual(data["recipient_count"], 2)
        for i, recipient in enumerate(data["recipients"]):
            for key in ("address", "state", "attempts", "provider"):
                self.assertEqual(recipient[key], record["recipients"][i][key])
            for key in ("provider_id", "class", "status", "at"):
                self.assertEqual(recipient[key], record["attempts"][i][key])
        # It is seen, and is no mail.
        kept = self.final(event["id"])
        self.assertEqual(kept["kind"], "event")
        self.assertEqual(kept["recipients"][0]["provider"], "webhook")
        self.assertEqual(len(self.sandbox.messages()), 1)
        metrics = http(f"{self.stats}/metrics")[1]
        for result in ("queued", "delivered"):
            self.assertIn('postern_webhook_events_total{event="sent",'
                          f'result="{result}"}} 1', metrics)
        self.assertIn('postern_recipients_finished_total{outcome="sent"} 2',
                      metrics)

    def test_what_waits_is_told_once_and_then_its_end(self):
        for provider in ("sendgrid", "ses", "mailgun"):
            self.sandbox.fault(provider, status=503, count=2)
            self.sandbox.fault(provider, status=400)
        queue_id = self.submit()
        event = self.told("message.deferred")[0]
        recipient = event["data"]["recipients"][0]
        self.assertEqual(event["data"]["queue_id"], queue_id)
        self.assertEqual(recipient["state"], "pending")
        self.assertEqual(recipient["class"], "transient")
        self.assertTrue(recipient["next_attempt"])
        # All providers have had it: it is refused for good.
        event = self.told("message.failed")[0]
        recipient = event["data"]["recipients"][0]
        self.assertEqual(recipient["state"], "failed")
        self.assertEqual(recipient["class"], "rejected")
        self.assertEqual(recipient["status"], 400)
        self.assertEqual(recipient["enhanced_status"], "5.6.0")
        self.assertEqual(len(self.receiver.events("message.deferred")), 1)

    def test_an_event_is_posted_until_it_is_taken(self):
        self.receiver.statuses = [500, 404, 429, 503]
        queue_id = self.submit()
        event = self.told("message.sent")[0]
        self.assertEqual(event["data"]["queue_id"], queue_id)
        self.assertEqual(self.receiver.calls(), 5)
        record = self.final(event["id"])
        self.assertEqual([a["class"] for a in record["attempts"]],
                         ["transient", "account", "throttled", "transient",
                          "accepted"])

    def test_no_event_is_lost_by_a_kill(self):
        self.receiver.status = 503
        expected = set()
        for _ in range(3):
            smtp = self.client()
            for _ in range(10):
                code, text = self.send(smtp)
                self.assertEqual(code, 250, text)
                expected.add(self.queue_id(text))
            self.kill()  # at any point between outcome and event
            self.start(**self.settings)
        self.receiver.status = 200
        eventually(lambda: {e["data"]["queue_id"] for e in
                            self.receiver.events("message.sent")} == expected,
                   "each message is told of")
        self.assertEqual(len(self.receiver.events("message.sent")),
                         len(expected))


class Rotation(Hooked):
    more = f", previous_secret: {secret(OLD)}, events: [failed]"

    def test_two_keys_sign_while_one_follows_the_other(self):
        self.sandbox.fault("sendgrid", status=400)
        self.submit()
        self.told("message.failed")
        headers, event, _ = self.receiver.seen[0]
        body = json.dumps(event, separators=(",", ":"),
                          ensure_ascii=False).encode()
        self.assertEqual(len(headers["webhook-signature"].split()), 2)
        self.assertTrue(Receiver.fits(headers, body, OLD))
        # Nobody asked for others.
        self.sandbox.heal()
        self.final(self.submit())
        self.assertEqual(self.receiver.calls(), 1)


if __name__ == "__main__":
    unittest.main()
