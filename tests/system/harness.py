"""A whole Postern for a test: sandbox, server, users, clients.

Everything runs on loopback with ports chosen by the kernel, in one temporary
directory, and ends with the test. Nothing sleeps for a fixed time: conditions
are polled until a deadline.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

BUILD = pathlib.Path(os.environ["POSTERN_BUILD"])
POSTERN = BUILD / "postern"
PASSWORD = "correct-horse-battery"
SANITIZER = re.search(r"^POSTERN_SANITIZE:STRING=(.*)$",
                      (BUILD / "CMakeCache.txt").read_text(), re.M)[1]
# Sanitizers make calls that a hardened server may not make.
HARDENING = "off" if SANITIZER else "on"
# In some containers temporary files are in memory.
DURABILITY = "none" if subprocess.run(
    ["stat", "-f", "-c", "%T", tempfile.gettempdir()], check=False, text=True,
    capture_output=True).stdout.strip() in ("tmpfs", "ramfs") else "full"
DEADLINE = float(os.environ.get("POSTERN_TEST_DEADLINE", "60"))


def eventually(condition, what):
    """The condition's first true value; fails the test after the deadline."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE:g} s: {what}")
        time.sleep(0.02)


def http(url, method="GET", body=None):
    """(status, decoded JSON or text)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            status, raw, kind = answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        status, raw, kind = error.code, error.read(), error.headers
    text = raw.decode()
    if "json" in kind.get("Content-Type", ""):
        return status, json.loads(text)
    return status, text


class Process:
    """A child with its stderr in a file; stopped and waited for at the end."""

    def __init__(self, argv, log, env=None, open_files=None, pass_fds=()):
        self.log_path = log
        self.log_file = open(log, "ab")
        self.child = subprocess.Popen(
            [str(a) for a in argv], stderr=self.log_file, stdout=self.log_file,
            stdin=subprocess.DEVNULL, pass_fds=pass_fds, env={**os.environ, **(env or {})},
            preexec_fn=open_files and (lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (open_files, open_files))))

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def events(self, name):
        """Log events of that name, decoded."""
        found = []
        for line in self.log().splitlines():
            if f'"event":"{name}"' in line:
                found.append(json.loads(line))
        return found

    def logged(self, name, count=1):
        """The same, when there are so many: the log is written behind."""
        return eventually(lambda: len(self.events(name)) >= count and
                          self.events(name), f"{name} is logged")

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.log_file.close()

    def stop(self, timeout=None):
        """SIGTERM and wait; the exit code."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(timeout or DEADLINE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError("did not end on SIGTERM:\n" + self.log()[-4000:])
        finally:
            self.log_file.close()
        return self.child.returncode


class Sandbox(Process):
    def __init__(self, home):
        port_file = home / "sandbox.port"
        super().__init__([POSTERN, "sandbox", "--address", "127.0.0.1:0",
                          "--port-file", port_file], home / "sandbox.log")
        self.port = int(eventually(
            lambda: port_file.exists() and port_file.read_text().strip(),
            "the sandbox writes its port"))
        self.url = f"http://127.0.0.1:{self.port}"
        # Said behind the file with the other port.
        self.smtp_url = eventually(
            lambda: re.search(r"^smtp +(smtp://[\d.]+:\d+)$", self.log(), re.M),
            "the sandbox names its port of SMTP")[1]

    def of(self, module):
        """The URL that a module finds its provider at."""
        return self.smtp_url if module == "smtp" else f"{self.url}/{module}"

    def fault(self, provider, **what):
        status, answer = http(f"{self.url}/_sandbox/faults", "POST",
                              {"provider": provider, "count": -1, **what})
        assert status < 300, answer

    def heal(self):
        http(f"{self.url}/_sandbox/faults", "DELETE")

    def limit(self, provider, calls, per_s):
        status, answer = http(f"{self.url}/_sandbox/limits", "POST",
                              {"provider": provider, "calls": calls, "per_s": per_s})
        assert status < 300, answer

    def messages(self, **query):
        query.setdefault("limit", 100000)
        words = "&".join(f"{k}={v}" for k, v in query.items())
        answer = http(f"{self.url}/_sandbox/messages?{words}")[1]
        return answer["messages"] if isinstance(answer, dict) else answer

    def forget(self):
        http(f"{self.url}/_sandbox/messages", "DELETE")

    def raw(self, message_id):
        return http(f"{self.url}/_sandbox/messages/{message_id}/raw")[1]

    def counts(self):
        return http(f"{self.url}/_sandbox/counts")[1]

    def service_account(self, home):
        """The key file of the account its Gmail knows."""
        path = home / "service-account.json"
        path.write_text(json.dumps(
            http(f"{self.url}/gmail/service-account.json")[1]))
        path.chmod(0o600)
        return path


def password_hash(password=PASSWORD, iterations=4096):
    done = subprocess.run([POSTERN, "passwd", "--iterations", str(iterations)],
                          input=password + "\n", text=True, check=True,
                          capture_output=True)
    return done.stdout.strip()


def make_certificate(home):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", home / "key.pem", "-out", home / "cert.pem"],
        check=True, capture_output=True)
    os.chmod(home / "key.pem", 0o600)


CONFIG = """
hostname: mail.test.example
user: nobody
threads: 2
hardening: {hardening}
listeners:
  - {{name: submission, address: "127.0.0.1:0", tls: starttls}}
  - {{name: submissions, address: "127.0.0.1:0", tls: implicit}}
tls:
  certificates: [{{cert: {home}/cert.pem, key: {home}/key.pem}}]
auth:
  failure_delay: 0ms
users:
  - {{name: demo, password_hash_file: {home}/demo.hash{user_extra}}}
providers:
  - {{name: sendgrid, type: sendgrid, url: "{sandbox}/sendgrid",
      api_key: SG.sandbox-key, timeout: {timeout}{provider_extra}{sendgrid_extra}}}
  - {{name: ses, type: ses, url: "{sandbox}/ses", region: us-east-1,
      access_key_id: SANDBOXACCESSKEYID01,
      secret_access_key: sandbox-secret-access-key, timeout: {timeout}{provider_extra}}}
  - {{name: mailgun, type: mailgun, url: "{sandbox}/mailgun",
      domain: shop.example, api_key: key-sandbox, timeout: {timeout}{provider_extra}}}
routes:
{routes_before}
  - {{name: all, providers: [{providers}], on_unknown: {on_unknown}{route_extra}}}
queue:
  mode: {mode}
  sync_budget: {sync_budget}
  retry: {{base: 200ms, cap: 1s}}
  unknown_delay: 300ms
  max_age: {max_age}
spool: {{path: {home}/spool, min_free: 0, durability: {durability}}}
stats: {{address: "127.0.0.1:0"}}
admin: {{socket: {home}/admin/admin.sock}}
log: {{level: debug, format: json{log_extra}}}
shutdown: {{lame_duck: {lame_duck}, grace: {grace}}}
{extra}
"""


class Case(unittest.TestCase):
    """A sandbox and a server for each test."""

    settings = {}
    open_files = None  # the server's limit, when a test wants one

    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-test."))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        os.chmod(self.home, 0o711)  # the server gives up root on its way
        make_certificate(self.home)
        (self.home / "demo.hash").write_text(password_hash() + "\n")
        os.chmod(self.home / "demo.hash", 0o600)
        self.sandbox = Sandbox(self.home)
        self.addCleanup(self.sandbox.stop)
        self.server = None
        self.start(**self.settings)
        self.addCleanup(self.stop)

    def config(self, **settings):
        values = dict(home=self.home, sandbox=self.sandbox.url, mode="hybrid",
                      sync_budget="5s", timeout="10s", max_age="1h",
                      providers="sendgrid, ses, mailgun", on_unknown="retry",
                      user_extra="", provider_extra="", hardening=HARDENING, log_extra="",
                      durability=DURABILITY, lame_duck="0s", grace="10s", extra="",
                      routes_before="", route_extra="", sendgrid_extra="")
        values.update(settings)
        path = self.home / "postern.yaml"
        path.write_text(CONFIG.format(**values))
        return path

    def start(self, **settings):
        path = self.config(**settings)
        self.server = Process([POSTERN, "serve", "-c", path],
                              self.home / f"server.{time.monotonic_ns()}.log",
                              open_files=self.open_files)
        eventually(lambda: self.server.events("ready") or
                   self.server.child.poll() is not None, "the server is ready")
        if self.server.child.poll() is not None:
            raise AssertionError("the server ended:\n" + self.server.log())
        ports = {e["listener"]: e["port"] for e in self.server.events("listening")}
        self.starttls, self.implicit = ports["submission"], ports["submissions"]
        stats = self.server.events("ready")[0]["stats_port"]
        self.stats = f"http://127.0.0.1:{stats}"

    def stop(self):
        """End the server; a crash or a sanitizer's report fails the test."""
        if self.server is None:
            return
        server, self.server = self.server, None
        code = server.stop()
        log = server.log()
        report = log.find("Sanitizer")
        self.assertEqual(report, -1, log[max(report - 100, 0):report + 8000])
        self.assertEqual(code, 0, log[-6000:])

    def kill(self):
        server, self.server = self.server, None
        server.kill()

    def client(self, implicit=False, login=True):
        context = ssl.create_default_context(cafile=self.home / "cert.pem")
        if implicit:
            smtp = smtplib.SMTP_SSL("localhost", self.implicit, context=context,
                                    timeout=DEADLINE)
            self.addCleanup(smtp.close)
        else:
            smtp = smtplib.SMTP("localhost", self.starttls, timeout=DEADLINE)
            self.addCleanup(smtp.close)
            smtp.starttls(context=context)
        if login:
            smtp.login("demo", PASSWORD)
        return smtp

    def send(self, smtp, subject="hello", to=("ann@dest.example",), body="hi\r\n"):
        """Submit by hand; the final reply (code, text)."""
        for call, arg in [(smtp.mail, "orders@shop.example")] + \
                [(smtp.rcpt, address) for address in to]:
            code, text = call(arg)
            if code >= 300:
                return code, text.decode()
        visible = ", ".join(to)
        code, text = smtp.data(
            f"From: Shop <orders@shop.example>\r\nTo: {visible}\r\n"
            f"Subject: {subject}\r\n\r\n{body}")
        return code, text.decode()

    @staticmethod
    def queue_id(text):
        words = text.replace("queued as ", "").split()
        return next(w for w in words if len(w) == 26)

    def record(self, queue_id):
        status, answer = http(f"{self.stats}/api/v1/messages/{queue_id}")
        self.assertEqual(status, 200, answer)
        return answer

    def final(self, queue_id, states=("sent",)):
        """The record once every recipient is in one of states."""
        def look():
            record = self.record(queue_id)
            return all(r["state"] in states for r in record["recipients"]) and record
        return eventually(look, f"{queue_id} ends {states}")


if __name__ == "__main__":
    raise SystemExit("run the test files, not the harness")
