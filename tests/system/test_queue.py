"""What operators do with the queue, through the commands."""
import json
import subprocess
import unittest

from harness import POSTERN, Case, eventually, http


class Queue(Case):
    settings = {"mode": "queued", "providers": "sendgrid, ses"}
    patience = "1h"  # retries do not come by themselves

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text().replace(
            "retry: {base: 200ms, cap: 1s}",
            f"retry: {{base: {self.patience}, cap: {self.patience}}}")
        path.write_text(text.replace("timeout: 10s", "timeout: 30s"))
        return path

    def queue(self, *words, code=0, stdin=subprocess.DEVNULL):
        """A command; its stdout. stderr is kept in self.said."""
        done = subprocess.run(
            [POSTERN, "queue", *map(str, words), "--socket",
             self.home / "admin" / "admin.sock"], text=True,
            capture_output=True, timeout=120, stdin=stdin)
        self.said = done.stderr
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def entries(self, *words):
        return [json.loads(line)
                for line in self.queue(*words, "-o", "json").splitlines()]

    def fail_all(self):
        for provider in "sendgrid", "ses":
            self.sandbox.fault(provider, status=503)

    def submit(self, **more):
        code, text = self.send(self.client(), **more)
        self.assertEqual(code, 250, text)
        return self.queue_id(text)

    def waiting(self, attempts=2, **more):
        """A message that nobody takes now, after its first round."""
        queue_id = self.submit(**more)
        eventually(lambda: all(
            r["state"] == "pending" and r["attempts"] == attempts
            for r in self.record(queue_id)["recipients"]), "it waits")
        return queue_id

    def states(self, queue_id):
        return {r["state"] for r in self.record(queue_id)["recipients"]}


class Look(Queue):
    def test_what_waits_is_listed_and_shown(self):
        self.assertEqual(self.queue("ls"), "")
        self.fail_all()
        first = self.waiting(subject="one")
        second = self.waiting(to=("bob@dest.example", "cy@dest.example"))
        entries = self.entries("ls")
        self.assertEqual([e["queue_id"] for e in entries], [second, first])
        self.assertEqual(entries[0]["queue_name"], "deferred")
        self.assertEqual(entries[0]["user"], "demo")
        self.assertEqual([r["address"] for r in entries[0]["recipients"]],
                         ["bob@dest.example", "cy@dest.example"])
        self.assertGreater(entries[0]["message_size"], 100)
        self.assertIn("+1", self.queue("ls").splitlines()[0])
        shown = json.loads(self.queue("show", first, "-o", "json"))
        self.assertEqual({a["class"] for a in shown["attempts"]}, {"transient"})
        self.assertIn("ann@dest.example", self.queue("show", first))
        self.queue("show", "01h00000000000000000000000", code=3)
        self.queue("show", "nonsense", code=1)

    def test_filters_and_pages(self):
        self.fail_all()
        ids = [self.waiting(to=(f"r{i}@dest.example",)) for i in range(3)]
        self.queue("hold", ids[1])

        def found(*words):
            return [e["queue_id"] for e in self.entries("ls", *words)]
        self.assertEqual(found("--state", "held"), [ids[1]])
        self.assertEqual(found("--recipient", "R2@DEST.example"), [ids[2]])
        self.assertEqual(found("--user", "demo", "--state", "pending"),
                         [ids[2], ids[0]])
        self.assertEqual(found("--provider", "ses", "--recipient",
                               "r0@dest.example"), [ids[0]])
        self.assertEqual(found("--user", "other"), [])
        self.assertEqual(found("--limit", "2"), [ids[2], ids[1]])
        self.queue("ls", "--state", "odd", code=1)
        self.assertIn("there is no state", self.said)

    def test_finished_messages_are_found(self):
        done = self.submit()
        record = self.final(done)
        self.assertEqual(self.entries("ls"), [])
        given = record["attempts"][-1]["provider_id"]
        own = record["message_id"]
        self.assertIn("@", own)
        for words in (["--provider-id", given], ["--message-id", own],
                      ["--message-id", f"<{own}>"], ["--recipient", "ann@dest.example"],
                      ["--sender", "orders@shop.example"], ["--state", "sent"], []):
            found = self.entries("find", *words)
            self.assertEqual([e["queue_id"] for e in found], [done])
        self.assertEqual(self.entries("find", "--provider-id", given + "x"), [])


class Again(Queue):
    """What a client sends again that never saw the answer."""
    settings = {"mode": "queued", "providers": "sendgrid, ses",
                "extra": "duplicates: {policy: drop}\n"}

    def letter(self, number, to=("ann@dest.example",)):
        smtp = self.client()
        smtp.mail("orders@shop.example")
        for address in to:
            smtp.rcpt(address)
        code, text = smtp.data(
            "From: orders@shop.example\r\n"
            f"Message-ID: <{number}@shop.example>\r\n\r\nhi\r\n")
        self.assertEqual(code, 250, text)
        return text.decode()

    def test_it_is_sent_once_also_over_a_crash(self):
        both = ("ann@dest.example", "bob@dest.example")
        self.fail_all()
        first = self.queue_id(self.letter(1, both))
        self.assertIn(f"queued as {first}", self.letter(1, both[::-1]))
        self.assertEqual(self.server.logged("duplicate")[0]["first"], first)
        self.kill()
        self.start(**self.settings)
        self.assertIn(f"queued as {first}", self.letter(1, both))
        dropped = self.server.logged("duplicate")[0]
        self.assertEqual((dropped["first"], dropped["action"]),
                         (first, "dropped"))
        self.sandbox.heal()
        self.queue("retry", first)
        self.final(first)
        self.assertIn(f"{first} accepted by", self.letter(1, both))
        other = self.queue_id(self.letter(1))
        self.final(other)
        self.assertEqual(len(self.sandbox.messages()), 2)
        metrics = http(f"{self.stats}/metrics")[1]
        self.assertIn('postern_messages_duplicate_total{action="dropped"} 2',
                      metrics)


class Dead(Queue):
    """What failed is kept for a while, and sent after all."""
    settings = {"mode": "queued", "providers": "sendgrid, ses",
                "extra": "dsn: {providers: [mailgun], "
                         "from: mailer-daemon@shop.example}\n"}

    def failed(self, **more):
        for provider in "sendgrid", "ses":
            self.sandbox.fault(provider, status=400)
        queue_id = self.submit(**more)
        self.final(queue_id, states=("bounced",))
        return queue_id

    def dead(self, *words):
        return [e["queue_id"]
                for e in self.entries("ls", "--state", "dead", *words)]

    def metric(self, what):
        text = http(f"{self.stats}/metrics")[1]
        return next(line.split()[1] for line in text.splitlines()
                    if line.startswith(f'postern_{what}{{state="dead"}}'))

    def reports(self):
        return len(self.sandbox.messages(provider="mailgun"))

    def test_it_is_listed_and_sent_after_all_over_a_crash(self):
        first, second = self.failed(), self.failed(to=("bob@dest.example",))
        self.assertEqual(self.entries("ls"), [])
        self.assertEqual(self.dead(), [second, first])
        self.assertEqual(self.dead("--recipient", "bob@dest.example"), [second])
        self.assertEqual(self.metric("queue_messages"), "2")
        self.kill()
        self.start(**self.settings)
        self.assertEqual(self.dead(), [second, first])
        self.assertGreater(int(self.metric("queue_bytes")), 500)
        self.assertEqual(self.entries("ls", "--state", "dead")[0]["queue_name"], "dead")
        # It fails once more, and its sender hears of it once more.
        self.assertEqual(eventually(lambda: self.reports() == 2, "reports"), True)
        self.sandbox.fault("sendgrid", status=400)
        self.queue("requeue", first, "--reason", "mended?")
        self.assertEqual(eventually(lambda: self.reports() == 3, "a report"), True)
        self.final(first, states=("bounced",))
        self.sandbox.heal()
        self.queue("requeue", "--recipient", "ann@dest.example")
        self.assertIn("1 changed", self.queue("requeue", "--all"))
        for queue_id in first, second:
            record = self.final(queue_id)
            self.assertIn("requeue", [a["reason"] for a in record["attempts"]
                                      if a["class"] == "operator"][0])
            self.assertEqual(record["recipients"][0]["attempts"], 1)
        self.assertEqual(self.dead(), [])
        self.assertEqual(len(self.sandbox.messages(provider="sendgrid")), 2)
        self.queue("requeue", first, code=1)
        self.assertIn("in a state for that", self.said)

    def test_it_is_no_message_that_waits(self):
        queue_id = self.failed()
        self.queue("retry", queue_id, code=1)
        self.queue("retry", "--state", "dead", code=1)
        self.assertIn("only be requeued", self.said)

    def test_what_is_not_kept_is_refused(self):
        self.stop()
        self.start(**{**self.settings, "mode": "hybrid"})
        for provider in "sendgrid", "ses":
            self.sandbox.fault(provider, status=400)
        code, text = self.send(self.client())
        self.assertEqual(code, 554, text)  # the client heard it
        self.assertEqual(self.dead(), [])
        queue_id = self.entries("find", "--state", "failed")[0]["queue_id"]
        self.queue("requeue", queue_id, code=1)
        self.assertIn("send it again", self.said)


class Act(Queue):
    def operator_rows(self, queue_id):
        return [a["reason"] for a in self.record(queue_id)["attempts"]
                if a["class"] == "operator"]

    def test_retry_makes_it_due_now(self):
        self.fail_all()
        queue_id = self.waiting()
        self.sandbox.heal()
        self.assertIn("retry, 1 recipients", self.queue(
            "retry", queue_id, "--reason", "they are back"))
        record = self.final(queue_id)
        self.assertEqual(record["recipients"][0]["attempts"], 3)
        self.assertRegex(self.operator_rows(queue_id)[0],
                         r"^operator \(uid \d+\): retry: they are back$")
        self.assertEqual(self.server.logged("operator")[0]["queue_id"], queue_id)
        self.queue("retry", queue_id, code=3)
        self.assertIn("no message in the queue", self.said)

    def test_hold_lasts_until_release_and_over_a_crash(self):
        self.fail_all()
        queue_id = self.waiting()
        self.queue("hold", queue_id)
        self.assertEqual(self.states(queue_id), {"held"})
        self.queue("retry", queue_id, code=1)
        self.assertIn("in a state for that", self.said)
        self.kill()
        self.start(**self.settings)
        self.sandbox.heal()
        self.assertEqual(self.states(queue_id), {"held"})
        self.queue("release", queue_id)
        self.final(queue_id)

    def test_expire_fails_and_rm_drops(self):
        self.fail_all()
        expired, dropped = self.waiting(), self.waiting()
        for verb, queue_id in ("expire", expired), ("rm", dropped):
            self.queue(verb, queue_id, code=2)
            self.assertIn("--yes", self.said)
            self.assertEqual(self.states(queue_id), {"pending"})
            self.queue(verb, queue_id, "--yes", "--reason", "old")
        self.final(expired, states=("failed", "bounced"))
        self.assertEqual(self.states(dropped), {"dropped"})
        self.assertEqual([e for e in self.entries("ls")
                          if e["queue_id"] in (expired, dropped)], [])
        self.assertEqual(len(self.operator_rows(dropped)), 1)

    def test_what_is_at_work_is_left_alone(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        queue_id = self.submit()
        eventually(lambda: self.states(queue_id) == {"started"}, "it is at work")
        eventually(lambda: self.sandbox.counts(), "it is asked")
        for verb in "retry", "hold", "release":
            self.queue(verb, queue_id, code=1)
            self.assertIn("being delivered", self.said)
        self.kill()

    def test_many_by_a_filter(self):
        self.fail_all()
        # One more would open the breakers.
        ids = [self.waiting(to=(f"r{i}@dest.example",)) for i in range(4)]
        self.queue("hold", code=2)
        self.assertIn("4 matched, 0 changed", self.queue("hold", "--all", "--dry-run"))
        self.assertIn("1 matched, 1 changed", self.queue(
            "hold", "--recipient", "r3@dest.example"))
        self.assertIn("3 matched, 3 changed", self.queue("hold", "--user", "demo"))
        self.assertEqual({s for i in ids for s in self.states(i)}, {"held"})
        self.sandbox.heal()
        self.assertIn("4 matched, 4 changed", self.queue("release", "--all"))
        for queue_id in ids:
            self.final(queue_id)


class Unknown(Queue):
    settings = {**Queue.settings, "on_unknown": "hold"}

    def config(self, **settings):
        path = super().config(**settings)
        path.write_text(path.read_text().replace("timeout: 30s", "timeout: 1s"))
        return path

    def held(self):
        self.sandbox.fault("sendgrid", hang="after-body")
        queue_id = self.submit()
        self.final(queue_id, states=("held",))
        self.sandbox.heal()
        return queue_id

    def test_release_asks_the_same_provider(self):
        queue_id = self.held()
        self.assertTrue(self.record(queue_id)["recipients"][0]["outcome_unknown"])
        self.assertIn("outcome unknown at  sendgrid", self.queue("show", queue_id))
        self.sandbox.fault("sendgrid", status=503)
        self.queue("release", queue_id)
        eventually(lambda: len([a for a in self.record(queue_id)["attempts"]
                                if a["provider"]]) == 2, "it is tried again")
        tried = {a["provider"] for a in self.record(queue_id)["attempts"]}
        self.assertEqual(tried, {"sendgrid", ""})

    def test_a_forced_retry_goes_anywhere(self):
        queue_id = self.held()
        self.sandbox.fault("sendgrid", status=503)
        self.queue("retry", queue_id, "--force", code=2)
        self.queue("retry", queue_id, "--force", "--yes")
        record = self.final(queue_id)
        self.assertEqual(record["attempts"][-1]["provider"], "ses")


class Reports(Queue):
    settings = {**Queue.settings, "providers": "sendgrid",
                "extra": "dsn: {providers: [ses], from: mailer@shop.example}\n"}

    def expired(self, verb):
        self.sandbox.fault("sendgrid", status=503)
        queue_id = self.waiting(attempts=1)
        self.queue(verb, queue_id, "--yes", "--reason", "between us")
        return queue_id

    def reports(self):
        return self.sandbox.messages(provider="ses")

    def test_who_expires_a_message_has_its_sender_told(self):
        queue_id = self.expired("expire")
        self.final(queue_id, states=("bounced",))
        report = eventually(self.reports, "the report arrives")[0]
        text = self.sandbox.raw(report["id"])
        self.assertIn("Status: 4.4.7", text)
        self.assertIn("503", text)
        self.assertNotIn("between us", text)
        self.assertNotIn("operator", text)

    def test_who_drops_it_has_nobody_told(self):
        queue_id = self.expired("rm")
        self.final(queue_id, states=("dropped",))
        self.assertEqual(self.reports(), [])


if __name__ == "__main__":
    unittest.main()
