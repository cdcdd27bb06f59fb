"""Every message of tests/corpus, through the whole server, for every provider.

What the sandbox has of it is held against what Python's email package makes of
the message (intended.py): whole messages byte for byte but for the fields a
submission server adds and removes and parts encoded for the provider
(reencoded.py), fields of JSON one by one. What a provider
may differ by, and what it refuses, is in arrived.py; what came of it all is the
table in providers/README.md, which POSTERN_TEST_UPDATE=1 writes anew.
"""
import concurrent.futures
import configparser
import email.utils
import functools
import http.client
import json
import os
import pathlib
import re
import sys
import unittest

import arrived
import corpus_table
import intended
import reencoded
from harness import BUILD, PASSWORD, Case

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "corpus"
sys.path.insert(0, str(CORPUS))
import families  # pylint: disable=wrong-import-position

SENDER = "orders@shop.example"


def tidied(raw):
    """Without folds of nothing and spaces before colons, as the server has it."""
    header, end, body = raw.partition(b"\r\n\r\n")
    header = re.sub(rb"\r\n[ \t]+(?=\r\n|$)", b"", header)
    header = re.sub(rb"(?m)^([!-9;-~]+)[ \t]+:", rb"\1:", header)
    header = re.sub(rb"^From ", b"X-Mailbox-Line: From ", header)
    return header + end + body


class Letter:
    """A message of the corpus and its envelope."""

    def __init__(self, name, raw, envelope):
        self.name = name
        self.raw = re.sub(rb"\r?\n", b"\r\n", raw)
        self.sender = envelope.get("sender", SENDER)
        self.options = envelope.get("options", "")
        self.refused = envelope.get("refused")
        self.mail = intended.parse(tidied(self.raw))
        left = reencoded.remainder(tidied(self.raw))
        self.mail.longest_line = max(map(len, left.split(b"\r\n")))
        self.mail.is_utf8 = "\ufffd" not in left.decode("utf-8", "replace")
        self.traits = intended.traits(intended.message_of(self.raw))
        named = self.mail.to + self.mail.cc + self.mail.bcc
        self.recipients = envelope["recipients"].split() if "recipients" in envelope \
            else list(dict.fromkeys(address for _, address in named))
        self.needs_utf8 = "SMTPUTF8" in self.options

    def meant(self, group):
        """As these of the recipients are to see it."""
        mail, left = self.mail.copy(), {a.lower(): a for a in group}
        for who in ("to", "cc"):
            setattr(mail, who, [(name, left.pop(a.lower())) for name, a in
                                getattr(mail, who) if a.lower() in left])
        mail.bcc = [("", address) for address in left.values()]
        for file in mail.files:
            file.content_id = file.content_id if file.is_inline else ""
            for name in ("charset", "method"):
                value = getattr(file, name)
                if re.fullmatch(r"[!#-'*+.\w^`{|}~-]+", value, re.ASCII):
                    file.type += f"; {name}={value}"
        return mail


def load():
    envelopes = configparser.ConfigParser(interpolation=None)
    envelopes.read(CORPUS / "envelopes.ini", encoding="utf-8")
    texts = {path.stem: path.read_bytes() for path in CORPUS.glob("*.eml")}
    texts.update(families.messages())
    unknown = set(envelopes.sections()) - set(texts)
    assert not unknown, f"envelopes of no message: {unknown}"
    return [Letter(name, raw, envelopes[name] if name in envelopes else {})
            for name, raw in sorted(texts.items())]


# --- one session per provider ---

class Session:
    def __init__(self, case, provider, user):
        self.provider, self.last, self.senders = provider, "", set()
        self.smtp = case.client(login=False)
        self.smtp.login(user, PASSWORD)
        self.sandbox = http.client.HTTPConnection("127.0.0.1", case.sandbox.port)
        case.addCleanup(self.sandbox.close)

    def get(self, path):
        self.sandbox.request("GET", path)
        return self.sandbox.getresponse().read()

    def submit(self, letter):
        """The reply to the message, or to what kept it from being sent."""
        body = "" if letter.raw.isascii() else " BODY=8BITMIME"
        commands = [f"MAIL FROM:<{letter.sender}>{body} {letter.options}".rstrip()] + \
            [f"RCPT TO:<{address}>" for address in letter.recipients] + ["DATA"]
        self.smtp.send("".join(c + "\r\n" for c in commands).encode())
        replies = [self.smtp.getreply() for _ in commands]
        if replies[-1][0] == 354:
            self.smtp.send(re.sub(rb"(?m)^\.", b"..", letter.raw) + b".\r\n")
            replies.append(self.smtp.getreply())
        else:
            self.smtp.rset()
        code, text = next((r for r in replies if r[0] >= 400), replies[-1])
        return code, text.decode()

    def came(self):
        """(recipients, bytes) of what the sandbox has got since."""
        after = f"&after={self.last}" if self.last else ""
        found = json.loads(self.get(
            f"/_sandbox/messages?provider={self.provider}{after}"))
        if found:
            self.last = found[-1]["id"]
        self.senders = {m["sender"] for m in found}
        return [(m["recipients"], self.get(f"/_sandbox/messages/{m['id']}/raw"))
                for m in found]


# --- what came, held against what was meant ---

REMOVED = {b"bcc", b"resent-bcc", b"return-path", b"content-length",
           b"authentication-results"}


def header_of(raw):
    """(fields, body): each field one item, with its folds."""
    header, _, body = raw.partition(b"\r\n\r\n")
    header = header.removesuffix(b"\r\n")  # nothing follows it
    return re.split(rb"\r\n(?![ \t])", header), body


def value_of(fields, name):
    """Of the first field of that name; None when there is none."""
    return next((f.partition(b":")[2] for f in fields
                 if f.partition(b":")[0].strip().lower() == name), None)


def fixed(raw, got):
    """raw with the changes a submission server makes (RFC 6409 8)."""
    sent, body = header_of(tidied(raw))
    have, _ = header_of(got)
    is_signed = value_of(sent, b"dkim-signature") is not None
    out, seen = have[:1], set()
    for item in sent:
        name, _, value = item.partition(b":")
        name = name.lower()
        if name in REMOVED or name.startswith(b"x-postern-"):
            continue
        if name in (b"date", b"message-id"):
            if name in seen:
                continue
            seen.add(name)
            if not is_signed and not is_good(name, value):
                out.append(name_of(item) + b":" + value_of(have, name))
                if name == b"message-id" and value.strip():
                    out.append(b"X-Original-Message-ID:" + value)
                continue
        out.append(item)
    for name in (b"Date", b"Message-ID"):
        # What is missing is not added to what somebody has signed.
        if name.lower() not in seen and not is_signed:
            out.append(name + b":" + (value_of(have, name.lower()) or b" missing"))
    return b"\r\n".join(out) + b"\r\n\r\n" + body


def is_good(name, value):
    """Whether a Date, or a Message-ID, is one; else it is replaced."""
    if name == b"date":
        return email.utils.parsedate(value.decode("latin-1")) is not None
    return re.fullmatch(rb"\s*<[^<>\s]+@[^<>\s]+>\s*", value) is not None


def name_of(item):
    """As the server writes it when it replaces the field."""
    return {b"date": b"Date", b"message-id": b"Message-ID"}[
        item.partition(b":")[0].lower()]


def simple(mail):
    """Comparable: how many signs stand for unreadable bytes is nobody's rule."""
    def text(value):
        return re.sub("\ufffd+", "\ufffd", value)

    def people(pairs):
        return [(text(name), address) for name, address in pairs]
    return {
        "subject": text(mail.subject), "from": people(mail.sender),
        "reply-to": people(mail.reply_to), "to": people(mail.to),
        "cc": people(mail.cc), "bcc": sorted(people(mail.bcc)),
        "text": text(mail.text), "html": text(mail.html),
        "files": sorted((text(f.name), f.type, f.content_id, f.is_inline, f.data)
                        for f in mail.files),
        "fields": sorted(mail.fields)}


def where(meant, got):
    """The first difference of two texts, with a little before it."""
    at = next((i for i, (a, b) in enumerate(zip(meant, got)) if a != b),
              min(len(meant), len(got)))
    begin = max(at - 60, 0)
    return f"meant {meant[begin:at + 200]!r}\n      got   {got[begin:at + 200]!r}"


def differences(meant, got):
    a, b = simple(meant), simple(got)
    return [f"{key}: {where(str(a[key]), str(b[key]))}" for key in a if a[key] != b[key]]


class Judge:
    """Of one provider: says what happened to a letter, or why it is wrong."""

    def __init__(self, name, session, altering=None):
        self.provider = arrived.PROVIDERS[name]
        self.session, self.altering = session, altering

    def __call__(self, letter):
        """(what happened, faults): ("arrives" or "refused", words)."""
        reply = self.session.submit(letter)
        came = self.session.came()
        what, faults = self.look(letter, reply, came, False)
        if not faults and self.altering and what[0] == "refused" and "5.6.3" in what[1]:
            reply = self.altering.submit(letter)
            changed, faults = self.look(letter, reply, self.session.came(), True)
            what += changed
        return what, faults

    def look(self, letter, reply, came, is_altering):
        words = letter.refused or self.refusal(letter, is_altering)
        if words:
            why = re.sub(r" \(\w{26}\)$", "", f"{reply[0]} {reply[1]}".replace("\n", " "))
            faults = [f"{len(came)} mails were sent"] if came else []
            if reply[0] < 500 or words not in why:
                faults.append(f"should be refused with {words!r}: {why}")
            return ("refused", why), faults
        if reply[0] != 250:
            return (), [f"should arrive: {reply[0]} {reply[1]}"]
        everyone = [a for recipients, _ in came for a in recipients]
        faults = [] if sorted(everyone) == sorted(letter.recipients) else \
            [f"went to {everyone} instead of {letter.recipients}"]
        if self.provider.tells_sender and self.session.senders != {letter.sender}:
            faults.append(f"from {self.session.senders}, not {letter.sender!r}")
        if any(len(r) > self.provider.limit for r, _ in came):
            faults.append("too many recipients in one call")
        if isinstance(self.provider, arrived.Whole):
            return ("arrives",), faults + [
                fault for group, got in came
                for fault in self.compare_bytes(letter, group, got)]
        return self.compare_fields(letter, came, faults)

    def refusal(self, letter, is_altering):
        if letter.needs_utf8 and not self.provider.carries_utf8:
            return "No provider can carry"
        return self.provider.refusal(letter, is_altering)

    def compare_bytes(self, letter, group, got):
        faults = []
        if isinstance(self.provider, arrived.Addressed):
            a, b = simple(letter.meant(group)), simple(intended.parse(got))
            faults = [f"{who}: meant {a[who]}, got {b[who]}"
                      for who in self.provider.fields if a[who] != b[who]]
        got = self.provider.without_own(got)
        meant = self.provider.without_own(fixed(letter.raw, got))
        if not got.startswith(b"Received: by mail.test.example "):
            return [f"no Received of ours at the top: {got[:200]!r}"]
        found = reencoded.difference(meant, got, self.provider.needs)
        return faults + ([where(*found)] if found else [])

    def compare_fields(self, letter, came, faults):
        altered = []
        for _, raw in came:
            for got in self.provider.read(raw):
                group = [a for _, a in got.to + got.cc + got.bcc]
                meant = letter.meant(group)
                self.provider.complete(meant, got)
                before = simple(meant)
                for words, change in self.provider.laws:
                    change(meant)
                    after = simple(meant)
                    if words and after != before and words not in altered:
                        altered.append(words)
                    before = after
                faults += differences(meant, got)
        return ("arrives", *altered), faults


class Corpus(Case):
    key = None  # file of a service account's
    settings = {"sync_budget": "60s", "durability": "none"}

    def config(self, **settings):
        path = super().config(**settings)
        users, providers, routes = "", "", ""
        self.key = self.sandbox.service_account(self.home)
        for name in sorted(self.modules()):
            for entry in (name, f"{name}-altering"):
                allowed = f"allow_altering: [{', '.join(arrived.ALTERING)}], " \
                    if entry != name else ""
                users += (f"  - {{name: {entry}, null_sender: allow, "
                          f"password_hash_file: {self.home}/demo.hash}}\n")
                routes += (f"  - {{name: {entry}, match: {{user: [{entry}]}}, "
                           f"providers: [{entry}]}}\n")
                if entry in ("sendgrid", "ses", "mailgun"):  # are there
                    continue
                providers += (f"  - {{name: {entry}, type: {name}, {allowed}timeout: 30s, "
                              f"url: \"{self.sandbox.of(name)}\", "
                              f"{self.settings_of(name)}}}\n")
        text = path.read_text()
        for section, rows in (("users", users), ("providers", providers), ("routes", routes)):
            text = text.replace(f"{section}:\n", f"{section}:\n{rows}", 1)
        path.write_text(text)
        return path

    def settings_of(self, name):
        return arrived.PROVIDERS[name].settings.format(
            sandbox=self.sandbox.url, key=self.key)

    @staticmethod
    @functools.cache
    def modules():
        """What is built, but for webhook, which takes no mail."""
        built = {path.stem for path in (BUILD / "modules").glob("*.so")} - {"webhook"}
        missing = built - set(arrived.PROVIDERS)
        assert not missing, f"arrived.py says nothing of {missing}"
        return built

    def run_provider(self, name, letters):
        judge = Judge(name, Session(self, name, name), Session(self, name, f"{name}-altering"))
        return {letter.name: judge(letter) for letter in letters}

    def test_each_message_arrives_as_it_was_meant(self):
        letters = load()
        self.assertGreaterEqual(len(letters), 270)
        with concurrent.futures.ThreadPoolExecutor(len(self.modules())) as pool:
            runs = {name: pool.submit(self.run_provider, name, letters)
                    for name in sorted(self.modules())}
        results = {name: run.result() for name, run in runs.items()}
        faults = sorted(f"{letter} by {name}: {fault}" for name, result in results.items()
                        for letter, (_, found) in result.items() for fault in found)
        self.assertEqual(len(faults), 0, "\n" + "\n".join(faults))
        outcomes = {name: {letter.name: result[letter.name][0] for letter in letters
                           if not letter.refused} for name, result in results.items()}
        self.assertEqual("", corpus_table.check(
            outcomes, is_update=bool(os.environ.get("POSTERN_TEST_UPDATE"))))


if __name__ == "__main__":
    unittest.main()
