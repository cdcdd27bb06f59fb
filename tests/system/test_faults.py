"""Every way a provider fails, for each module.

A row of the table is one fault; a sandbox of its own has it for all requests.
Each module meets each row as a provider of its own (a cell), with a healthy
one behind it on the route. What is expected follows from the class of the
result alone: the client's reply in both modes, the ledger, the breaker, the
pace, and that a message goes on or stays.
"""
import collections
import concurrent.futures
import dataclasses
import datetime
import email.utils
import re
import socket
import threading
import time
import traceback
import unittest

from harness import PASSWORD, Case, Sandbox, eventually, http

PROVIDERS = {
    "ses": "region: us-east-1, access_key_id: SANDBOXACCESSKEYID01, "
           "secret_access_key: sandbox-secret-access-key",
    "sendgrid": "api_key: SG.sandbox-key",
    "mailgun": "domain: shop.example, api_key: key-sandbox",
    "msgraph": "tenant: shop.example, client_id: postern, client_secret: "
               "sandbox-secret, authority: \"{healthy}/msgraph\"",
    "gmail": "user: orders@shop.example, service_account_key_file: {key}, "
             "token_url: \"{healthy}/gmail/token\"",
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
}
# Others document that after an error of their own nothing was taken, and all
# but sparkpost that this is so after one of a gateway.
AMBIGUOUS = {"gmail", "msgraph", "postmark", "brevo", "sendlayer", "resend", "mandrill",
             "mailjet", "mailersend",
             "smtp2go",
             "mailtrap",
             "scaleway",
             "azure"}
OWN_ERROR = {module: "unknown" if module in AMBIGUOUS else "transient"
             for module in PROVIDERS}
GATEWAY_ERROR = OWN_ERROR | {"sparkpost": "unknown"}
WITH_TOKEN = {"msgraph", "gmail"}
BACKUP = "mailgun"
PAUSE_S = 60
SLOW_DOWN = {"message": "slow down"}
PAGE = "<html><body>Welcome to the hotel's network</body></html>"
# More than sockets buffer; a file, as some take less text than that.
LARGE = ("x" * 78 + "\r\n") * (3_500_000 // 80)
A_FILE = ("large\r\nMIME-Version: 1.0\r\nContent-Type: text/csv\r\n"
          "Content-Disposition: attachment; filename=x.csv")
# In base64 it is as large; more is not taken.
LARGEST = {"msgraph": LARGE[:2_900_000 // 80 * 80]}
# These take less than sockets buffer.
NEVER_LARGE = {"scaleway"}


@dataclasses.dataclass
class Row:
    """A fault and the class of what comes of it, by module when they differ."""
    fault: dict
    result: object
    status: int = 0
    # Of a message that is still being written when it happens.
    large: str = ""
    # What a provider is left alone for, where it says for how long.
    has_pause: bool = True
    # The client's reply to what is rejected.
    code: int = 554


def by_date():
    return email.utils.formatdate(time.time() + PAUSE_S, usegmt=True)


ROWS = {
    "pause-seconds": Row({"status": 429, "body": SLOW_DOWN, "headers": {
        "Retry-After": str(PAUSE_S)}}, "throttled", 429),
    "pause-date": Row({"status": 429, "body": SLOW_DOWN, "headers": {
        "Retry-After": "{date}"}}, "throttled", 429),
    "error-500": Row({"status": 500}, OWN_ERROR, 500),
    "error-502": Row({"status": 502, "body": PAGE}, GATEWAY_ERROR, 502),
    "error-503": Row({"status": 503}, "transient", 503),
    "error-401": Row({"status": 401}, "account", 401),
    "error-400": Row({"status": 400}, "rejected", 400),
    "redirect": Row({"status": 307, "headers": {"Location": "{healthy}/raw"}},
                    "account", 307),
    "page": Row({"status": 200, "body": PAGE}, "account", 200),
    # The last byte of a small request has left before anybody can refuse it.
    "hang-before": Row({"hang": "before-body"}, "unknown", large="transient"),
    "hang-after": Row({"hang": "after-body"}, "unknown"),
    "reset-before": Row({"reset": "before-body"}, "unknown", large="transient"),
    "reset-within": Row({"reset": "mid-body"}, "unknown", large="transient"),
    "reset-after": Row({"reset": "after-body"}, "unknown"),
    # A 202 that says it all has no body to be cut.
    "cut": Row({"cut": True}, {
        module: "accepted" if module in ("sendgrid", "msgraph", "mailersend")
        else "unknown" for module in PROVIDERS}),
    "cut-page": Row({"cut": True, "status": 200, "body": PAGE},
                    "unknown", 200),
    "slow": Row({"byte_ms": 1000}, "unknown"),
    "no-listener": Row({}, "transient"),
    "no-tls": Row({}, "transient"),
}
FAILURES = 3  # in a row open the breaker

# In the words of SMTP, which knows exactly what was sent: until the dot
# nothing is taken. It names no time to wait.
ROWS_OF_MAIL = {
    "pause": Row({"status": 450, "body": "4.7.1 you are too fast"}, "throttled", 450,
                 has_pause=False),
    "limit": Row({"status": 452, "at": "MAIL", "body": "4.3.1 rate limit exceeded"},
                 "throttled", 452, has_pause=False),
    "error-451": Row({"status": 451}, "transient", 451),
    "leaves": Row({"status": 421}, "transient", 421),
    "closed": Row({"status": 421, "at": "connect"}, "transient", 421),
    "busy-mailbox": Row({"status": 450, "at": "RCPT"}, "transient", 450),
    "wrong-login": Row({"status": 535, "at": "AUTH"}, "account", 535),
    "no-login": Row({"status": 530, "at": "MAIL"}, "account", 530),
    "error-554": Row({"status": 554}, "rejected", 554),
    "too-large": Row({"status": 552, "at": "MAIL"}, "rejected", 552, code=552),
    "nobody": Row({"status": 550, "at": "RCPT", "body": "5.1.1 nobody of that name"},
                  "rejected", 550, code=550),
    "no-data": Row({"status": 554, "at": "DATA"}, "rejected", 554),
    "hang-before": Row({"hang": "before-body"}, "transient", large="transient"),
    "hang-after": Row({"hang": "after-body"}, "unknown"),
    "reset-before": Row({"reset": "before-body"}, "transient", large="transient"),
    "reset-within": Row({"reset": "mid-body"}, "unknown", large="transient"),
    "reset-after": Row({"reset": "after-body"}, "unknown"),
    "cut": Row({"cut": True}, "unknown"),
    "cut-error": Row({"cut": True, "status": 554}, "unknown"),
    "slow": Row({"byte_ms": 1000}, "unknown"),
    "late": Row({"delay_ms": 30000, "accept": True}, "unknown"),
    "no-listener": Row({}, "transient"),
    "no-tls": Row({}, "transient"),
}


class Faults(Case):
    """As many modules as a configuration has room for."""
    settings = {"sync_budget": "8s", "timeout": "1s"}
    modules = "ses", "sendgrid", "mailgun"
    rows = ROWS
    # Rows whose breaker is open, whose is closed, and who is not up, or is.
    told = "hang-after", "pause-date", "page", "error-400"

    def setUp(self):
        self.sandboxes, self.local = {}, threading.local()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.no_port = unused.getsockname()[1]
        super().setUp()

    def url(self, row, module):
        url = self.sandbox.of(module)
        if row == "no-listener":
            return re.sub(r":\d+", f":{self.no_port}", url)
        if row == "no-tls":  # it speaks none
            return url.replace("://", "s://")
        if row not in self.sandboxes:
            home = self.home / row
            home.mkdir()
            sandbox = self.sandboxes[row] = Sandbox(home)
            self.addCleanup(sandbox.stop)
            fault = dict(self.rows[row].fault)
            if "headers" in fault:
                fault["headers"] = {
                    name: value.format(healthy=self.sandbox.url, date=by_date())
                    for name, value in fault["headers"].items()}
            for each in self.modules:
                sandbox.fault(each, **fault)
        return self.sandboxes[row].of(module)

    def config(self, **settings):
        path = super().config(**settings)
        providers, routes = "", ""
        given = {"healthy": self.sandbox.url,
                 "key": self.sandbox.service_account(self.home)}
        for row in self.rows:
            for module in self.modules:
                cell = f"{row}-{module}"
                providers += (
                    f"  - {{name: {cell}, type: {module}, "
                    f"{self.settings_of(row, module).format(**given)}, "
                    "timeout: 1s, "
                    f"url: \"{self.url(row, module)}\", breaker: {{failures: "
                    f"{FAILURES}, open: 10m, open_max: 10m}}}}\n")
                routes += (f"  - {{name: {cell}, match: {{recipient: "
                           f"[\"@{cell}.example\"]}}, "
                           f"providers: [{cell}, {BACKUP}]}}\n")
        text = path.read_text().replace("providers:\n", "providers:\n" + providers)
        text = text.replace("routes:\n", "routes:\n" + routes)
        text = text.replace("users:\n", "users:\n  - {name: direct, mode: direct, "
                            f"password_hash_file: {self.home}/demo.hash}}\n")
        path.write_text(text.replace("unknown_delay: 300ms", "unknown_delay: 1h"))
        return path

    @staticmethod
    def settings_of(_row, module):
        return PROVIDERS[module]

    # --- one cell ---

    def submit(self, user, cell, body="x\r\n", subject="hello"):
        smtp = getattr(self.local, user, None)
        if not smtp:
            smtp = self.client(login=False)
            smtp.login(user, PASSWORD)
            setattr(self.local, user, smtp)
        return self.send(smtp, subject, (f"ann@{cell}.example",), body)

    def look(self, cell):
        return next(p for p in http(f"{self.stats}/api/v1/stats")[1]["providers"]
                    if p["name"] == cell)

    def check_reply(self, mode, cell, result, reply):
        code, text = reply
        direct = mode == "direct"
        expected = {
            "accepted": (250, f"accepted by {cell}"),
            "rejected": (self.rows[cell.rpartition("-")[0]].code, f"{cell} answered"),
            "unknown": (451, "4.") if direct else (250, "queued as"),
        }.get(result, (250, f"accepted by {BACKUP}"))
        self.assertEqual(code, expected[0], text)
        self.assertIn(expected[1], text)

    def check_ledger(self, cell, result, status, queue_id):
        """What is to be read of it for ever after."""
        end = {"rejected": "failed", "unknown": "pending"}.get(result, "sent")
        record = eventually(lambda: self.settled(queue_id, end), end)
        rows = [(a["provider"], a["class"]) for a in record["attempts"]]
        moved = result in ("transient", "throttled", "account")
        self.assertEqual(rows, [(cell, result)] +
                         [(BACKUP, "accepted")] * moved)
        first = record["attempts"][0]
        self.assertEqual(first["status"], status)
        self.assertEqual(first["provider_id"] != "", result == "accepted")
        if result != "accepted":
            self.assertRegex(first["reason"], r"\w+ \w+")
        self.assertEqual(record["recipients"][0]["outcome_unknown"],
                         result == "unknown")

    def settled(self, queue_id, state):
        record = self.record(queue_id)
        return record["attempts"] and \
            record["recipients"][0]["state"] == state and record

    def check_straight_to_backup(self, cell):
        """A gate that is shut costs nothing and leaves no row."""
        before = self.look(cell)["attempts"]
        code, text = self.submit("demo", cell)
        self.assertEqual(code, 250)
        self.assertIn(f"accepted by {BACKUP}", text)
        record = self.final(self.queue_id(text))
        self.assertEqual([a["provider"] for a in record["attempts"]], [BACKUP])
        self.assertEqual(self.look(cell)["attempts"], before)

    def check_health(self, cell, result, has_pause):
        health = self.look(cell)["health"]
        is_open = result in ("transient", "unknown", "account")
        self.assertEqual(health["breaker"], "open" if is_open else "closed")
        if result == "throttled" and has_pause:
            ahead = datetime.datetime.fromisoformat(health["next_try"]) - \
                datetime.datetime.now(datetime.timezone.utc)
            self.assertGreater(ahead.total_seconds(), PAUSE_S - 40)
            self.assertLess(ahead.total_seconds(), PAUSE_S * 1.5)
        if is_open or (result == "throttled" and has_pause):
            self.assertTrue(health["reason"] and health["next_try"])
            self.check_straight_to_backup(cell)

    def queue_id_of(self, reply):
        return self.queue_id(reply[1])

    def run_cell(self, row_name, module):
        row, cell = self.rows[row_name], f"{row_name}-{module}"
        result = row.result
        if not isinstance(result, str):
            result = result[module]
        calls = collections.Counter()
        # What a single call teaches: an account that is refused, a pause.
        learns_at_once = result in ("account", "throttled")

        reply = self.submit("demo", cell)
        calls[result] += 1
        self.check_reply("hybrid", cell, result, reply)
        if reply[0] == 250:
            # A status that came whole is kept, whatever became of the rest.
            status = row.status
            if row_name == "cut":
                status = {"sendgrid": 202, "brevo": 201, "msgraph": 202, "mailersend": 202,
                          "azure": 202, "smtp": 0}.get(module, 200)
            self.check_ledger(cell, result, status, self.queue_id_of(reply))
        if not learns_at_once:
            self.check_reply("direct", cell, result, self.submit("direct", cell))
            calls[result] += 1
        if row.large and module not in NEVER_LARGE:
            reply = self.submit("demo", cell, LARGEST.get(module, LARGE),
                                A_FILE)
            calls[row.large] += 1
            self.assertEqual(reply[0], 250, reply)
            self.check_ledger(cell, row.large, 0, self.queue_id_of(reply))
        elif not learns_at_once:
            self.submit("demo", cell)
            calls[result] += 1
        self.check_health(cell, result, row.has_pause)
        attempts = self.look(cell)["attempts"]
        self.assertEqual({k: n for k, n in attempts.items() if n}, calls)
        if row.fault:
            counts = self.sandboxes[row_name].counts()[module]
            # Once more with a token that is fresh.
            again = row_name == "error-401" and module in WITH_TOKEN
            self.assertEqual(counts["requests"], calls.total() + again)

    # --- all of them ---

    def test_class_reply_ledger_breaker_and_pace_are_as_designed(self):
        def run(cell):
            try:
                self.run_cell(*cell)
            except Exception:  # pylint: disable=broad-exception-caught
                return f"{cell}: {traceback.format_exc()}"
            return None
        # The slowest first.
        cells = sorted(((row, module) for row in self.rows
                        for module in self.modules),
                       key=lambda cell: not self.rows[cell[0]].large)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            wrong = [text for text in pool.map(run, cells) if text]
        self.assertEqual(wrong, [], "\n".join(wrong))
        # Where a redirect points nobody went.
        self.assertEqual(self.sandbox.counts()["raw"]["requests"], 0)
        self.check_metrics()

    def check_metrics(self):
        text = http(f"{self.stats}/metrics")[1]
        one, last = self.modules[0], self.modules[-1]
        broken, paused, down, up = self.told
        for name, wanted in (
                (f'deliveries_total{{provider="{broken}-{one}",result="unknown"}}',
                 FAILURES),
                (f'provider_breaker_state{{provider="{broken}-{one}"}}', 2),
                (f'provider_breaker_state{{provider="{paused}-{one}"}}', 0),
                (f'provider_up{{provider="{down}-{last}"}}', 0),
                (f'provider_up{{provider="{up}-{last}"}}', 1)):
            found = re.search(rf"^postern_{re.escape(name)} (\S+)$", text, re.M)
            self.assertTrue(found, name)
            self.assertEqual(float(found.group(1)), wanted, name)


class FaultsOfFields(Faults):
    modules = "postmark", "brevo", "sendlayer"


class FaultsOfOthers(Faults):
    modules = "resend", "mailjet", "mailersend"


class FaultsOfMore(Faults):
    modules = "smtp2go", "mailtrap", "scaleway"


class FaultsOfRawMessages(Faults):
    modules = "mandrill", "sparkpost"


class FaultsOfClouds(Faults):
    modules = "msgraph", "gmail", "azure"


class FaultsOfMail(Faults):
    modules = ("smtp",)
    rows = ROWS_OF_MAIL
    told = "hang-after", "pause", "wrong-login", "error-554"

    @staticmethod
    def settings_of(row, _module):
        how = "" if row == "no-tls" else "tls: none, "
        return f"{how}user: sandbox, password: sandbox"


if __name__ == "__main__":
    unittest.main()
