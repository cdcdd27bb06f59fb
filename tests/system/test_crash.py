"""kill -9 under load: what was acknowledged is there, and sent but once.

One server is ended again and again, at moments drawn by lot, while clients in
all three modes submit, operators meddle with the queue and the providers fail
in every way. Three ledgers are held against each other afterwards: what the
clients were told, what the providers took, what the server says it did.

POSTERN_CRASH_ROUNDS sets the number of rounds (default 20).
"""
import collections
import contextlib
import dataclasses
import email
import email.policy
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from harness import (DEADLINE, PASSWORD, POSTERN, Case, Process, eventually,
                     http)

ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "20"))
SETTLE_EVERY = 20  # rounds, after which everything must have come to its end
CLIENTS = ("demo", "demo", "queued", "queued", "direct")
BAD_ADDRESS = {"errors": [{"message": "Does not contain a valid address.",
                           "field": "personalizations.0.to.0.email"}]}
# One of these befalls a provider for some requests. None of them takes a
# message and says that it did not: of that nobody can know.
FAULTS = (
    {"status": 503}, {"status": 503, "headers": {"Retry-After": "1"}},
    {"status": 429, "headers": {"Retry-After": "1"},
     "body": {"message": "not so fast"}},
    {"status": 401}, {"hang": "after-body"},
    {"hang": "after-body", "accept": True}, {"reset": "before-body"},
    {"reset": "after-body"}, {"reset": "after-body", "accept": True},
    {"delay_ms": 100}, {"delay_ms": 900},
)
# What must never be in a log of a process that was only killed.
ALARMS = ("store_failed", "store_suspicious", "store_lost", "load_failed",
          "message_damaged", "accept_failed", "start_failed", "reload_failed",
          "Sanitizer", "Assertion")


@dataclasses.dataclass
class Mail:
    """What one client offered, and what it heard."""
    subject: str
    user: str
    to: tuple
    body: str
    is_later: bool = False  # waits in the queue for operators
    notify: str = ""
    code: int = 0  # of the reply; 0: none came
    queue_id: str = ""
    done: str = ""  # by an operator, acknowledged
    begun: str = ""  # likewise, not acknowledged
    copies: dict = dataclasses.field(  # recipient -> [(provider, id)]
        default_factory=lambda: collections.defaultdict(list))
    reports: dict = dataclasses.field(  # (recipient, action) -> [Message-ID]
        default_factory=lambda: collections.defaultdict(list))

    @property
    def is_stored(self):
        return self.user != "direct"


class Crash(Case):
    settings = {
        "timeout": "1s", "sync_budget": "300ms", "grace": "1s",
        "provider_extra": ", breaker: {failures: 3, open: 200ms, "
                          "open_max: 500ms, account_retry: 300ms}",
        "extra": "dsn: {providers: [mailgun, ses], rate: 1000000/s, "
                 "from: mailer-daemon@shop.example}\n"}

    def setUp(self):
        self.random = random.Random()
        self.mails, self.newest, self.counts = {}, None, collections.Counter()
        self.acknowledged = threading.Semaphore(0)
        super().setUp()

    def config(self, **settings):
        path = super().config(**settings)
        users = "".join(
            f"  - {{name: {mode}, mode: {mode}, daily: 1000000, "
            f"password_hash_file: {self.home}/demo.hash}}\n"
            for mode in ("queued", "direct"))
        text = path.read_text()
        path.write_text(text.replace("users:\n", "users:\n" + users)
                        .replace("unknown_delay: 300ms", "unknown_delay: 100ms")
                        .replace("cap: 1s}", "cap: 1s, budget: 100%}")
                        .replace("level: debug", "level: info"))
        return path

    def start(self, **settings):
        for name in "cert.pem", "key.pem", "demo.hash":  # read by a reload
            shutil.chown(self.home / name, "nobody")
        super().start(**settings)

    # --- the clients ---

    def compose(self, user, number):
        dice, subject = self.random.random(), f"{user}{number}"
        mail = Mail(subject, user, (f"ann-{subject}@dest.example",), "")
        line = f"{subject} " + "x" * self.random.randrange(60) + "\r\n"
        mail.body = line * self.random.randrange(1, 40)
        if dice < 0.08:  # beyond 256 KiB it goes to a file of its own
            mail.body = line * (400_000 // len(line))
        elif dice < 0.3:
            mail.to = tuple(f"{name}-{subject}@dest.example"
                            for name in ("ann", "bad", "bob", "cy"))
        elif dice < 0.4:
            mail.notify = "SUCCESS,FAILURE"
        elif dice < 0.55 and mail.is_stored:
            mail.is_later = True
        return mail

    @staticmethod
    def submit(smtp, mail):
        options = [f"ENVID={mail.subject}", "RET=HDRS"]
        if mail.is_later:
            options.append("HOLDFOR=3600")
        replies = [smtp.mail("orders@shop.example", options)]
        for address in mail.to:
            replies.append(smtp.rcpt(
                address, [f"NOTIFY={mail.notify}"] if mail.notify else []))
        for code, text in replies:
            if code >= 300:
                return code, text
        return smtp.data(
            f"From: Shop <orders@shop.example>\r\nTo: {mail.to[0]}\r\n"
            f"Message-ID: <{mail.subject}@client.example>\r\n"
            f"Subject: {mail.subject}\r\n\r\n{mail.body}")

    def work(self, user, number, stop):
        """Send as fast as the server answers, until it dies."""
        with contextlib.suppress(OSError), self.client(login=False) as smtp:
            smtp.login(user, PASSWORD)
            while not stop.is_set():
                number += 1
                mail = self.compose(user, number)
                self.mails[mail.subject] = mail
                code, text = self.submit(smtp, mail)
                mail.code = code
                if code == 250:
                    mail.queue_id = self.queue_id(text.decode())
                    self.acknowledged.release()
                elif code == 421:
                    break
                else:
                    smtp.rset()

    # --- the operators ---

    def operate(self, *words):
        """A command; whether the server said that it is done."""
        return subprocess.run(
            [POSTERN, "queue", *words, "--socket",
             self.home / "admin" / "admin.sock"], capture_output=True,
            stdin=subprocess.DEVNULL, timeout=120, check=False).returncode == 0

    def meddle(self, stop):
        words = {"hold": ("hold",), "rm": ("rm", "--yes"),
                 "expire": ("expire", "--yes"), "retry": ("retry",)}
        while not stop.wait(0.02):
            for mail in list(self.mails.values()):
                if mail.is_later and mail.queue_id and not mail.begun:
                    mail.begun = self.random.choice(list(words))
                    if self.operate(*words[mail.begun], mail.queue_id):
                        mail.done = mail.begun
                    break

    # --- the rounds ---

    def harm_providers(self):
        self.sandbox.heal()
        self.sandbox.fault("sendgrid", match="bad-", status=400,
                           body=BAD_ADDRESS)
        for _ in range(self.random.randrange(4)):
            self.sandbox.fault(
                self.random.choice(("sendgrid", "ses", "mailgun")),
                **{**self.random.choice(FAULTS),
                   "count": self.random.randrange(1, 8)})

    def look_at_log(self, server):
        log = server.log()
        for word in ALARMS:
            at = log.find(word)
            self.assertEqual(at, -1, log[max(0, at - 500):at + 4000])
        os.unlink(server.log_path)

    def end(self):
        """The server's last moment is drawn by lot."""
        server, dice = self.server, self.random.random()
        self.assertIsNone(server.child.poll(), server.log()[-4000:])
        if dice < 0.1:
            self.stop()  # in order
        else:
            if dice < 0.3:
                server.child.send_signal(signal.SIGHUP)
            elif dice < 0.5:
                server.child.terminate()
            if dice < 0.5:
                self.pause(0.2)
            self.kill()
        self.look_at_log(server)

    def die_young(self):
        """Killed while it reads what the last one left."""
        server = Process([POSTERN, "serve", "-c", self.home / "postern.yaml"],
                         self.home / f"server.{time.monotonic_ns()}.log")
        self.pause(0.3)
        server.kill()
        self.look_at_log(server)

    def pause(self, at_most):
        threading.Event().wait(self.random.uniform(0, at_most))

    def run_round(self, number):
        stop = threading.Event()
        self.harm_providers()
        threads = [threading.Thread(target=self.meddle, args=(stop,))]
        for k, user in enumerate(CLIENTS):
            first = (number * len(CLIENTS) + k) * 100_000
            threads.append(threading.Thread(
                target=self.work, args=(user, first, stop)))
        for thread in threads:
            thread.start()
        try:
            for _ in range(self.random.randrange(1, 30)):
                self.assertTrue(self.acknowledged.acquire(timeout=DEADLINE),
                                "work is going on")
            self.pause(0.1)
            self.end()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        while self.random.random() < 0.15:
            self.die_young()
        self.start(**self.settings)
        self.collect()

    # --- what the providers have ---

    def collect(self):
        """Note what they have taken since the last look."""
        query = {"after": self.newest} if self.newest else {}
        for letter in self.sandbox.messages(**query):
            self.newest = letter["id"]
            raw = self.sandbox.raw(letter["id"])
            if letter["recipients"] == ["orders@shop.example"]:
                self.note_report(raw)
            else:
                self.note_copy(letter, raw)

    def note_copy(self, letter, raw):
        mail = self.mails[letter["subject"]]
        if letter["provider"] == "sendgrid":
            sent = raw if isinstance(raw, dict) else json.loads(raw)
            body = sent["content"][0]["value"]
            self.assertEqual(body.splitlines(), mail.body.splitlines())
        else:
            self.assertTrue(raw.endswith("\r\n\r\n" + mail.body), mail.subject)
        for address in letter["recipients"]:
            self.assertIn(address, mail.to)
            mail.copies[address].append(
                (letter["provider"], letter["provider_id"].strip("<>")))

    def note_report(self, raw):
        report = email.message_from_string(raw, policy=email.policy.default)
        _, status, _ = report.iter_parts()
        about, *blocks = status.iter_parts()
        mail = self.mails[about["Original-Envelope-Id"]]
        for block in blocks:
            address = block["Final-Recipient"].split(";")[1].strip()
            mail.reports[address, block["Action"]].append(
                report["Message-ID"].strip("<>"))

    # --- what the server says ---

    def find(self, message_id):
        """Queue ids of the messages with that Message-ID."""
        found = subprocess.run(
            [POSTERN, "queue", "find", "--message-id", message_id, "-o", "json",
             "--socket", self.home / "admin" / "admin.sock"],
            capture_output=True, text=True, timeout=120, check=True).stdout
        return [json.loads(line)["queue_id"] for line in found.splitlines()]

    def settle(self):
        """All mail comes to its end; then nobody may contradict another."""
        self.sandbox.heal()
        for mail in self.mails.values():
            if mail.is_stored and not mail.queue_id:
                mail.queue_id = (self.find(f"{mail.subject}@client.example")
                                 or [""])[0]
            if mail.is_later and mail.queue_id:
                self.check_operation(mail)
                if not self.operate("retry", mail.queue_id):
                    self.operate("release", mail.queue_id)
        for mail in self.mails.values():
            if mail.queue_id and mail.is_stored:
                self.await_reports(mail, self.end_of(mail))
        self.collect()
        for mail in self.mails.values():
            self.counts["offered"] += 1
            self.counts["acknowledged"] += mail.code == 250
            if mail.is_stored:
                self.check_stored(mail)
            else:
                self.check_direct(mail)
        self.check_quota()
        self.mails.clear()

    def end_of(self, mail):
        """Its record when all recipients are final."""
        try:
            return self.final(mail.queue_id,
                              ("sent", "bounced", "failed", "dropped"))
        except AssertionError as error:
            raise AssertionError(
                f"{mail}\n{self.record(mail.queue_id)}\n"
                f"{self.server.log()[-4000:]}") from error

    def check_operation(self, mail):
        states = {r["state"] for r in self.record(mail.queue_id)["recipients"]}
        expected = {"hold": {"held"}, "rm": {"dropped"},
                    "expire": {"failed", "bounced"}}.get(mail.done)
        if expected:
            self.assertLessEqual(states, expected, mail)
        self.counts["operations"] += mail.done != ""

    def owed(self, mail, record):
        for recipient in record["recipients"]:
            if recipient["state"] == "bounced":
                yield recipient["address"], "failed"
            elif recipient["state"] == "sent" and mail.notify:
                yield recipient["address"], "relayed"

    def await_reports(self, mail, record):
        def are_here():
            self.collect()
            return all(mail.reports[what] for what in self.owed(mail, record))
        eventually(are_here, f"reports: {mail}\n{record}")

    def check_stored(self, mail):
        if not mail.queue_id:
            self.assertNotEqual(mail.code, 250, f"lost: {mail}")
            self.assertFalse(mail.copies, f"unknown here, and sent: {mail}")
            return
        record = self.record(mail.queue_id)
        for recipient in record["recipients"]:
            self.check_recipient(mail, record, recipient)
        if mail.code >= 500:
            self.assertFalse(mail.copies, f"refused, and sent: {mail}")
        for what, ids in mail.reports.items():
            self.assertIn(what, set(self.owed(mail, record)))
            self.check_reports(ids)

    def check_recipient(self, mail, record, recipient):
        address, state = recipient["address"], recipient["state"]
        copies = mail.copies.get(address, [])
        rows = [a for a in record["attempts"] if a["recipient"] == address]
        explained = collections.Counter(
            a["provider"] for a in rows
            if a["class"] in ("accepted", "unknown"))
        where = f"{mail.subject} {address} {state}: {copies}, {rows}"
        # Nobody has it but who may, and as often at most.
        self.assertLessEqual(
            collections.Counter(p for p, _ in copies), explained, where)
        tried = [a for a in rows if a["class"] != "operator"]
        for k, row in enumerate(tried):
            if row["class"] == "accepted":
                self.assertIn((row["provider"], row["provider_id"]), copies)
            if row["class"] == "unknown":  # it stays where it may be already
                self.assertEqual({a["provider"] for a in tried[k:]},
                                 {row["provider"]}, where)
        if state == "sent":
            self.assertTrue(copies, f"lost: {where}")
            self.assertEqual(rows[-1]["class"], "accepted", where)
        elif mail.code == 250:
            # The rest is for who asked for it, and the sender was told.
            self.assertTrue(
                mail.begun == "rm" if state == "dropped" else
                state == "bounced" and (address.startswith("bad-") or
                                        mail.begun == "expire"), where)
        if mail.done in ("rm", "expire"):
            self.assertFalse(copies, where)
        self.counts["recipients"] += 1
        self.counts["duplicates"] += max(0, len(copies) - 1)
        self.counts["unknown"] += any(a["class"] == "unknown" for a in rows)

    def check_reports(self, ids):
        """One report, and that as often as its own ledger explains."""
        self.assertEqual(len(set(ids)), 1, "two reports of the same")
        if len(ids) > 1:
            queue_id, = self.find(ids[0])
            rows = self.record(queue_id)["attempts"]
            self.assertLessEqual(len(ids), len(
                [a for a in rows if a["class"] in ("accepted", "unknown")]))
            self.counts["duplicates"] += len(ids) - 1
        self.counts["reports"] += 1

    def check_direct(self, mail):
        """Nothing is stored: 250 says that a provider has it."""
        for address in mail.to:
            copies = len(mail.copies.get(address, []))
            self.assertLessEqual(copies, 1, mail)
            if mail.code == 250 and not address.startswith("bad-"):
                self.assertEqual(copies, 1, f"lost: {mail}")

    def check_quota(self):
        today = time.time() // 86400
        for user in ("queued", "direct"):
            used = next(u["messages_today"] for u in http(
                f"{self.stats}/api/v1/stats")[1]["users"] if u["name"] == user)
            for mail in self.mails.values():
                if mail.user == user:
                    self.counts[today, user, "least"] += mail.code == 250
                    self.counts[today, user, "most"] += 1
            if user == "queued" and self.began == today:
                self.assertGreaterEqual(used, self.counts[today, user, "least"])
                self.assertLessEqual(used, self.counts[today, user, "most"])

    # --- the test ---

    def check_spool(self):
        """After the end: nothing is left over, and SQLite finds no fault."""
        self.assertEqual(list((self.home / "spool/bodies").glob("*.msg")), [])
        with contextlib.closing(sqlite3.connect(
                self.home / "spool/store.db")) as db:
            self.assertEqual(
                db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(db.execute(
                "SELECT count(*) FROM body").fetchall(), [(0,)])

    def test_nothing_acknowledged_is_lost(self):
        self.began = time.time() // 86400
        for number in range(ROUNDS):
            self.run_round(number)
            if (number + 1) % SETTLE_EVERY == 0 or number + 1 == ROUNDS:
                self.settle()
                print(f"{number + 1} rounds: " + ", ".join(
                    f"{self.counts[name]} {name}" for name in (
                        "offered", "acknowledged", "recipients", "reports",
                        "operations", "unknown", "duplicates")) +
                    ", 0 lost, 0 unexplained", flush=True)
        self.stop()
        self.check_spool()


if __name__ == "__main__":
    unittest.main()
