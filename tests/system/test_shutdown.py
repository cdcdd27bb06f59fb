"""SIGTERM at awkward moments: clients get their reply, nothing is lost."""
import signal
import threading
import unittest

from harness import DEADLINE, Case, eventually


class Drain(Case):
    settings = {"sync_budget": "1s", "timeout": "2s"}

    def test_who_waits_for_a_verdict_gets_a_reply(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        smtp, replies = self.client(), []
        waiting = threading.Thread(target=lambda: replies.append(self.send(smtp)))
        waiting.start()
        eventually(self.sandbox_is_asked, "the request is on its way")
        self.stop()
        waiting.join()
        code, text = replies[0]
        self.assertEqual(code, 250, text)
        self.sandbox.heal()
        self.start(**self.settings)
        record = self.final(self.queue_id(text))
        self.assertEqual(record["attempts"][0]["class"], "unknown")

    def test_a_hangup_is_not_an_end(self):
        self.server.child.send_signal(signal.SIGHUP)
        eventually(lambda: self.server.events("reload_start"), "it is logged")
        self.assertEqual(self.send(self.client())[0], 250)

    def sandbox_is_asked(self):
        return self.sandbox.counts().get("sendgrid", {}).get("requests", 0) > 0


class Cut(Case):
    """The grace is over while a client waits."""

    settings = {"sync_budget": "1m", "timeout": "5m", "grace": "200ms"}

    def test_a_durable_message_is_answered_as_queued(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        smtp, replies = self.client(), []
        waiting = threading.Thread(target=lambda: replies.append(self.send(smtp)))
        waiting.start()
        eventually(lambda: self.sandbox.counts().get("sendgrid", {}).get(
            "requests", 0) > 0, "the request is on its way")
        self.stop()
        waiting.join()
        code, text = replies[0]
        self.assertEqual(code, 250, text)
        self.assertIn("queued as", text)
        self.sandbox.heal()
        self.start(**self.settings)
        self.final(self.queue_id(text))


class Flush(Case):
    """A spool that goes with the process."""

    settings = {"mode": "queued"}

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text()
        path.write_text(text.replace("lame_duck:", "flush: true, lame_duck:"))
        return path

    def submit(self):
        for provider in "sendgrid", "ses", "mailgun":
            self.sandbox.fault(provider, status=503)
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        queue_id = self.queue_id(text)
        eventually(lambda: self.record(queue_id)["attempts"], "it is tried")

    def test_what_waits_is_delivered_before_the_end(self):
        self.submit()
        self.server.child.terminate()
        eventually(lambda: self.server.events("drain_start"), "drain")
        self.sandbox.heal()
        self.stop()
        self.assertEqual(len(self.sandbox.messages()), 1)

    def test_what_is_left_shows_in_the_exit_code(self):
        self.submit()
        self.server.child.terminate()
        eventually(lambda: self.server.events("drain_start"), "drain")
        self.server.child.terminate()
        server, self.server = self.server, None
        self.addCleanup(server.kill)
        self.assertEqual(server.child.wait(timeout=DEADLINE), 3)
        self.assertEqual(server.events("mail_left")[0]["messages"], 1)


class Hurry(Case):
    """Everything is slow, and a second signal comes."""

    settings = {"mode": "queued", "timeout": "5m", "grace": "5m",
                "lame_duck": "500ms"}

    def check(self, signals):
        self.sandbox.fault("sendgrid", hang="after-body")
        smtp = self.client()  # stays connected
        code, text = self.send(smtp)
        self.assertEqual(code, 250, text)
        for event, number in signals:
            eventually(lambda name=event: self.server.events(name), event)
            self.server.child.send_signal(number)
        server, self.server = self.server, None
        self.addCleanup(server.kill)
        code = server.child.wait(timeout=DEADLINE)
        self.assertEqual(code, 0, server.log()[-4000:])
        self.sandbox.heal()
        self.start(**self.settings)
        record = self.final(self.queue_id(text))
        self.assertEqual([a["class"] for a in record["attempts"]],
                         ["unknown", "accepted"])

    def test_the_second_signal_ends_it_within_the_lame_duck(self):
        self.check([("ready", signal.SIGTERM), ("drain_start", signal.SIGTERM)])

    def test_the_second_signal_may_be_another(self):
        self.check([("ready", signal.SIGINT), ("drain_start", signal.SIGTERM)])


if __name__ == "__main__":
    unittest.main()
