"""Keys that are fetched: from STS with a web identity, from the agent of a
container, from the metadata of an instance.

A fake of all three hands out temporary keys and tells the sandbox, whose SES
takes nothing but a signature with one of them, its token, and before its end.
"""
import datetime
import http.server
import json
import os
import secrets
import shutil
import signal
import subprocess
import threading
import unittest
import urllib.parse

from harness import POSTERN, Case, eventually, http as ask

ROLE = "arn:aws:iam::123456789012:role/postern"
STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <Audience>sts.amazonaws.com</Audience>
    <Credentials>
      <SessionToken>{Token}</SessionToken>
      <SecretAccessKey>{SecretAccessKey}</SecretAccessKey>
      <Expiration>{Expiration}</Expiration>
      <AccessKeyId>{AccessKeyId}</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
STS_ERROR = """<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code>
<Message>{}</Message></Error></ErrorResponse>"""


# Out of the way: what is tried again when is the business of the keys here.
BREAKER = "breaker: {failures: 1000, min_calls: 10000, open: 1s, open_max: 1s, " \
    "account_retry: 1s}"
# Short lives leave little between the last use and the end: SES is this much
# more patient, as a machine under load is slow.
SLACK_MS = 3000


class Aws:
    """What hands out keys. Its attributes say how it behaves."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.lifetime_s = 3600
        self.down = False      # every answer is 503
        self.denied = False    # nobody may assume the role
        self.web_token = None  # the one STS takes
        self.pod_token = None  # the one the agent takes
        self.issued = []       # keys, as AWS shows them
        self.refused = 0       # requests without what they need
        self.requests = []     # "METHOD path"
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.serve(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def issue(self):
        end = datetime.datetime.now(datetime.timezone.utc) + \
            datetime.timedelta(seconds=self.lifetime_s)
        keys = {"Code": "Success",
                "AccessKeyId": "ASIA" + secrets.token_hex(8).upper(),
                "SecretAccessKey": secrets.token_urlsafe(30),
                "Token": secrets.token_urlsafe(300) + "//==",
                "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.tell(keys, self.lifetime_s * 1000 + SLACK_MS)
        self.issued.append(keys)
        return keys

    def tell(self, keys, expires_in_ms):
        status, answer = ask(f"{self.sandbox.url}/_sandbox/ses-keys", "POST",
                             {"key_id": keys["AccessKeyId"],
                              "secret": keys["SecretAccessKey"],
                              "token": keys["Token"],
                              "expires_in_ms": expires_in_ms})
        assert status < 300, answer

    def expire_all(self):
        """SES takes none of them any more, whatever they say of their end."""
        for keys in list(self.issued):
            self.tell(keys, -1000)

    def serve(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length).decode()
        self.requests.append(f"{request.command} {request.path}")
        status, text = (503, "down") if self.down else \
            self.answer(request.command, request.path, request.headers, body)
        self.refused += status in (400, 401, 404)
        data = text.encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def answer(self, method, path, headers, body):
        if path == "/sts/" and method == "POST":
            return self.sts(dict(urllib.parse.parse_qsl(body)))
        if path == "/agent" and method == "GET":
            if headers.get("Authorization") != self.pod_token:
                return 401, '{"code":"AccessDenied","message":"who are you?"}'
            return 200, json.dumps(self.issue())
        if path == "/latest/api/token" and method == "PUT":
            ttl = headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            return (200, "IMDS-TOKEN==") if ttl else (400, "")
        if path.startswith("/latest/meta-data/") and method == "GET":
            if headers.get("X-aws-ec2-metadata-token") != "IMDS-TOKEN==":
                return 401, ""
            rest = path.removeprefix("/latest/meta-data/iam/security-credentials/")
            if rest == "postern-role":
                return 200, json.dumps(self.issue())
            return (200, "postern-role") if rest == "" else (404, "")
        return 404, ""

    def sts(self, form):
        wanted = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15",
                  "RoleArn": ROLE, "RoleSessionName": "postern"}
        if any(form.get(k) != v for k, v in wanted.items()):
            return 400, STS_ERROR.format("ValidationError", "what is this?")
        if form.get("WebIdentityToken") != self.web_token:
            return 400, STS_ERROR.format("InvalidIdentityToken", "an old token")
        if self.denied:
            return 403, STS_ERROR.format("AccessDenied", "you may not")
        return 200, STS.format(**self.issue())


class Identity(Case):
    """Starts by hand, once the fake is there."""

    credentials = "auto"
    ask_account = "false"
    threads = 1
    settings = {"providers": "ses, sendgrid"}

    def start(self, **settings):
        if not hasattr(self, "aws"):
            self.aws = Aws(self.sandbox)
            self.addCleanup(self.aws.close)
            before = dict(os.environ)
            self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
            for name in [n for n in os.environ if n.startswith("AWS_")]:
                del os.environ[name]
            os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
            os.environ.update(self.environment())
        super().start(**settings)

    def config(self, **settings):
        path = super().config(**settings)
        text = path.read_text()
        begin = text.index("region: us-east-1,")
        end = text.index("timeout:", begin)
        # Fetched when mail needs them, not before for what SES may send.
        text = text[:begin] + f"credentials: {self.credentials}, {BREAKER}, " + \
            f"ask_account: {self.ask_account}, " + text[end:]
        # Each worker has keys of its own: with one they can be counted.
        path.write_text(text.replace("threads: 2", f"threads: {self.threads}"))
        return path

    def environment(self):
        raise NotImplementedError

    def stop(self):
        log = self.server.log() if self.server else ""
        super().stop()
        for keys in self.aws.issued:
            for name in ("SecretAccessKey", "Token"):
                self.assertNotIn(keys[name], log, "a secret is in the log")
        for token in (self.aws.web_token, self.aws.pod_token):
            self.assertFalse(token and token in log, "a token is in the log")

    def deliver(self, by="ses"):
        code, text = self.send(self.client())
        self.assertEqual(code, 250, text)
        self.assertIn(f"accepted by {by}", text)

    def deliver_until(self, condition, what):
        """Mail goes out by SES all the time, until something has happened."""
        smtps = [self.client() for _ in range(4)]

        def step():
            for smtp in smtps:
                code, text = self.send(smtp)
                self.assertEqual(code, 250, text)
                self.assertIn("accepted by ses", text)
            return condition()
        eventually(step, what)

    def assert_nothing_was_refused(self):
        self.assertEqual(self.sandbox.counts()["ses"]["rejected"], 0)
        self.assertEqual(self.aws.refused, 0)


class ServiceAccount(Identity):
    """Of a pod: a role, and a volume with a token."""

    def sts_url(self):
        return f"{self.aws.url}/sts"

    def environment(self):
        """A volume as kubelet makes it: ..data is a link that moves."""
        self.volume = self.home / "serviceaccount"
        self.volume.mkdir()
        self.write_token("first")
        (self.volume / "token").symlink_to("..data/token")
        return {"AWS_ROLE_ARN": ROLE, "AWS_REGION": "us-east-1",
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.volume / "token"),
                "AWS_ENDPOINT_URL_STS": self.sts_url()}

    def write_token(self, name):
        version = self.volume / f"..{name}"
        version.mkdir()
        token = f"eyJhbGciOiJSUzI1NiJ9.{name}.{secrets.token_urlsafe(200)}"
        (version / "token").write_text(token + "\n")
        link = self.volume / "..new"
        link.symlink_to(version.name)
        self.aws.web_token = token
        link.rename(self.volume / "..data")


class WebIdentity(ServiceAccount):
    def test_one_fetch_serves_many(self):
        for _ in range(5):
            self.deliver()
        self.assertEqual(len(self.aws.issued), 1)
        self.assert_nothing_was_refused()
        _, metrics = ask(f"{self.stats}/metrics")
        self.assertRegex(metrics, r'credentials_fetches_total\{provider="ses",'
                                  r'result="ok"\} 1\n')

    def test_keys_change_while_mail_flows(self):
        self.aws.lifetime_s = 6
        self.deliver_until(lambda: len(self.aws.issued) >= 6, "keys have changed")
        self.assert_nothing_was_refused()

    def test_a_token_that_kubelet_replaces_is_used(self):
        self.aws.lifetime_s = 6
        self.deliver_until(lambda: self.aws.issued, "keys are issued")
        self.write_token("second")
        before = len(self.aws.issued)
        self.deliver_until(lambda: len(self.aws.issued) >= before + 2,
                           "keys are issued for the new token")

    def test_keys_that_ses_calls_expired_are_replaced_once(self):
        self.deliver()
        self.aws.expire_all()
        self.deliver()
        self.assertEqual(len(self.server.logged("credentials_stale")), 1)
        self.assertEqual(self.sandbox.counts()["ses"]["rejected"], 1)
        # And if the new ones are no better: the next provider, and no hurry.
        for _ in range(3):
            self.aws.expire_all()
            self.deliver(by="sendgrid")
        self.assertEqual(len(self.aws.issued), 2)
        self.assertIn("ExpiredTokenException",
                      self.server.logged("failover")[-1]["reason"])

    def test_keys_that_were_taken_away_are_replaced(self):
        self.deliver()
        ask(f"{self.sandbox.url}/_sandbox/ses-keys", "DELETE")
        self.deliver()
        self.assertEqual(len(self.aws.issued), 2)

    def test_a_role_that_is_denied_is_an_account_fault(self):
        self.aws.denied = True
        self.deliver(by="sendgrid")
        failed = self.server.logged("credentials_failed")[0]
        self.assertEqual(failed["class"], "account")
        attempt = self.server.logged("attempt")[0]
        self.assertEqual((attempt["provider"], attempt["class"]), ("ses", "account"))
        for word in ("no credentials", "web identity", ROLE, "403", "AccessDenied",
                     "you may not"):
            self.assertIn(word, attempt["reason"])
        self.assertEqual(self.sandbox.counts()["ses"]["requests"], 0)

    def test_sts_that_is_down_comes_back(self):
        self.aws.down = True
        self.deliver(by="sendgrid")
        self.assertEqual(self.server.logged("failover")[0]["class"], "transient")
        asked = len(self.aws.requests)
        for _ in range(10):  # not for every message
            self.deliver(by="sendgrid")
        self.assertLess(len(self.aws.requests), asked + 10)
        self.aws.down = False
        smtp = self.client()

        def by_ses():
            return "accepted by ses" in self.send(smtp)[1]
        eventually(by_ses, "SES is used again")

    def test_a_token_that_is_missing_is_named(self):
        (self.volume / "token").unlink()
        self.deliver(by="sendgrid")
        failed = self.server.logged("credentials_failed")[0]
        self.assertIn(f"{self.volume}/token: No such file", failed["reason"])

    def test_a_reload_keeps_what_there_is(self):
        self.deliver()
        self.aws.down = True
        for name in "cert.pem", "key.pem", "demo.hash":
            shutil.chown(self.home / name, "nobody")  # whom it became
        path = self.home / "postern.yaml"
        path.write_text(path.read_text().replace("max_age: 1h", "max_age: 2h"))
        self.server.child.send_signal(signal.SIGHUP)
        self.server.logged("reload_ok")
        self.deliver()
        self.assertEqual(len(self.aws.issued), 1)

    def test_check_names_the_source_and_asks_nobody(self):
        done = subprocess.run([POSTERN, "check", "-c", self.home / "postern.yaml"],
                              text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"provider ses: credentials from web identity {ROLE}",
                      done.stdout)
        self.assertEqual(self.aws.requests, [])


class TwoWorkers(ServiceAccount):
    threads = 2

    def test_keys_change_while_mail_flows(self):
        self.aws.lifetime_s = 6
        self.deliver_until(lambda: len(self.aws.issued) >= 6, "keys have changed")
        self.assert_nothing_was_refused()


class NobodyThere(ServiceAccount):
    def sts_url(self):
        return "http://127.0.0.1:9"

    def test_what_cannot_be_reached_is_transient(self):
        self.deliver(by="sendgrid")
        attempt = self.server.logged("attempt")[0]
        self.assertEqual(attempt["class"], "transient")
        self.assertIn("no answer", attempt["reason"])


class Container(Identity):
    credentials = "container"

    def environment(self):
        self.token_file = self.home / "pod-token"
        self.replace("pod-1")
        return {"AWS_REGION": "us-east-1",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.aws.url}/agent",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file)}

    def replace(self, token):
        self.aws.pod_token = token + secrets.token_urlsafe(40)
        self.token_file.write_text(self.aws.pod_token)

    def test_the_agent_is_asked(self):
        self.deliver()
        self.assertIn("GET /agent", self.aws.requests)
        self.assert_nothing_was_refused()

    def test_its_token_is_read_anew(self):
        self.aws.lifetime_s = 6
        self.deliver_until(lambda: self.aws.issued, "keys are issued")
        self.replace("pod-2")
        before = len(self.aws.issued)
        self.deliver_until(lambda: len(self.aws.issued) >= before + 2,
                           "keys are issued for the new token")


class Instance(Identity):
    def environment(self):
        return {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "",
                "HOME": str(self.home),
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.aws.url}

    def test_the_metadata_of_the_instance_is_asked(self):
        self.deliver()
        roles = "/latest/meta-data/iam/security-credentials/"
        self.assertEqual(self.aws.requests[:3],
                         ["PUT /latest/api/token", f"GET {roles}",
                          f"GET {roles}postern-role"])
        self.assert_nothing_was_refused()

    def test_a_shared_file_goes_first(self):
        keys = self.aws.issue()
        (self.home / ".aws").mkdir()
        (self.home / ".aws/credentials").write_text(
            f"[default]\naws_access_key_id = {keys['AccessKeyId']}\n"
            f"aws_secret_access_key = {keys['SecretAccessKey']}\n"
            f"aws_session_token = {keys['Token']}\n")
        self.deliver()
        self.assertEqual(self.aws.requests, [])


if __name__ == "__main__":
    unittest.main()
