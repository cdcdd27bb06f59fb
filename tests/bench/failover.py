"""The drill of failover.sh: two sandboxes behind one server, mail at a steady
rate in mode hybrid, so that the reply is the provider's verdict. The breaker
has its defaults but for times that make a drill of half a minute of them."""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request

BIN = pathlib.Path(".build/release").resolve()
FAIL_AT, HEAL_AT, END_AT = 5, 15, 40
TIMEOUT = 3
FAULTS = {
    "503": dict(status=503),
    "hang": dict(hang="after-body"),
    "429": dict(status=429, headers={"Retry-After": "4"}),
    "401": dict(status=401),
    "reset": dict(reset="before-body"),
    "refused": None,  # the process is gone
}

options = argparse.ArgumentParser()
options.add_argument("--rate", type=int, default=500)
options.add_argument("--only", choices=FAULTS)
options = options.parse_args()


class Sandbox:
    def __init__(self, home, name):
        self.archive = home / name
        self.archive.mkdir()
        self.port_file = home / f"{name}.port"
        self.port = 0
        self.start()

    def start(self):
        self.port_file.unlink(missing_ok=True)
        self.child = subprocess.Popen(
            [BIN / "postern", "sandbox", "--address", f"127.0.0.1:{self.port}",
             "--smtp-port", "0",
             "--port-file", self.port_file, "--archive", self.archive],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (self.port_file.exists() and self.port_file.read_text().strip()):
            time.sleep(0.02)
        self.port = int(self.port_file.read_text())

    def kill(self):
        self.child.kill()
        self.child.wait()

    def faults(self, method, body=None):
        data = body and json.dumps({"provider": "raw", "count": -1, **body})
        urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_sandbox/faults", method=method,
            data=data and data.encode())).read()

    def arrived(self):
        """(time, queue id) of every message that was taken."""
        for path in self.archive.iterdir():
            found = re.search(r"\bid ([0-9a-z]{26})\b", path.read_text())
            if found:  # else cut off with the process, and not answered
                yield path.stat().st_mtime, found.group(1)


def config(home, first, second):
    (home / "postern.yaml").write_text(f"""
hostname: drill.example
user: nobody
listeners:
  - {{name: drill, address: "127.0.0.1:0", tls: none, allow_insecure: true,
      allow_unauthenticated: true, user: app}}
users: [{{name: app, password_hash_file: {home}/hash}}]
providers:
  - {{name: first, type: raw, url: "http://127.0.0.1:{first.port}/raw",
      timeout: {TIMEOUT}s, breaker: {{open: 2s, open_max: 8s, account_retry: 4s}}}}
  - {{name: second, type: raw, url: "http://127.0.0.1:{second.port}/raw"}}
queue: {{sync_budget: 30s, unknown_delay: 2s, retry: {{base: 1s, cap: 5s}}}}
spool: {{path: {home}/spool, min_free: 0}}
stats: {{address: "127.0.0.1:0"}}
log: {{level: info, format: json}}
smtp: {{limits: {{max_messages_per_session: 100000, sessions_per_ip: 10000,
        sessions_per_user: 10000, connects_per_ip: 0}}}}
shutdown: {{lame_duck: 0s}}
""")
    return home / "postern.yaml"


def serve(home, path):
    log = open(home / "server.log", "wb")
    child = subprocess.Popen([BIN / "postern", "serve", "-c", path], stderr=log)
    while True:
        text = (home / "server.log").read_text()
        if '"event":"ready"' in text:
            break
        if child.poll() is not None:
            raise SystemExit(text)
        time.sleep(0.02)
    events = [json.loads(line) for line in text.splitlines()]
    port = next(e["port"] for e in events if e["event"] == "listening")
    stats = next(e["stats_port"] for e in events if e["event"] == "ready")
    return child, port, f"http://127.0.0.1:{stats}"


def waiting(stats):
    text = urllib.request.urlopen(f"{stats}/metrics").read().decode()
    return int(re.search(r"^postern_spool_messages (\d+)", text, re.M).group(1))


def at(start, second):
    time.sleep(max(0, start + second - time.time()))


def drive(home, fault, first, port):
    """The load with the fault in it: its report, and when it began."""
    load = subprocess.Popen(
        [BIN / "tests/bench/loadgen", "--port", str(port), "--tls", "none",
         "--connections", "500", "--per-connection", "1000000",
         "--rate", str(options.rate), "--messages", str(options.rate * END_AT),
         "--seconds", str(END_AT + 60), "--trace", home / "trace"],
        stdout=subprocess.PIPE)
    start = time.time()
    at(start, FAIL_AT)
    if FAULTS[fault] is None:
        first.kill()
    else:
        first.faults("POST", FAULTS[fault])
    at(start, HEAL_AT)
    if FAULTS[fault] is None:
        first.start()
    else:
        first.faults("DELETE")
    return json.loads(load.communicate()[0]), start


def quantiles(ms):
    ms = sorted(ms) or [0]
    return (f"p50 {statistics.median(ms):7.1f}  p99 {ms[int(len(ms) * .99)]:7.1f}"
            f"  max {ms[-1]:7.1f}  of {len(ms)}")


def show(home, fault, report, start, sandboxes):
    arrived = [list(s.arrived()) for s in sandboxes]
    ids = collections.Counter(i for one in arrived for _, i in one)
    lost = report["messages"] - len(ids)
    twice = sum(ids.values()) - len(ids)
    print(f"\n== {fault}: {report['messages']} accepted, {report['refused']} refused, "
          f"{report['broken']} broken, lost {lost}, twice {twice}")
    rows = [tuple(map(float, line.split()))
            for line in (home / "trace").read_text().splitlines()]
    usual = statistics.median([ms for at, ms, _ in rows if at < FAIL_AT])
    slow = [ms for at, ms, _ in rows if FAIL_AT <= at < HEAL_AT and ms > 5 * usual + 50]
    for name, low, high in (("before", 1, FAIL_AT), ("first second", FAIL_AT, FAIL_AT + 1),
                            ("then", FAIL_AT + TIMEOUT + 1, HEAL_AT),
                            ("recovery", HEAL_AT, END_AT)):
        print(f"  {name:13} ms: "
              + quantiles([ms for at, ms, _ in rows if low <= at < high]))
    print(f"  affected (beyond 5 times the usual {usual:.1f} ms): "
          + quantiles([ms - usual for ms in slow]))
    for name, one in zip(("first", "second"), arrived):
        seconds = collections.Counter(int(t - start) for t, _ in one)
        print(f"  {name:7} per s: "
              + " ".join(f"{seconds[s]:3}" for s in range(END_AT + 1)))
    events = [json.loads(line) for line in (home / "server.log").read_text().splitlines()
              if '"breaker_' in line]
    print("  breaker: " + ", ".join(
        f"{e['provider']} {e['event'][8:]}" for e in events))
    return lost


def drill(fault):
    home = pathlib.Path(tempfile.mkdtemp(prefix="postern-drill."))
    children = []
    try:
        home.chmod(0o711)
        (home / "hash").write_text(subprocess.run(
            [BIN / "postern", "passwd"], input="drill\n", text=True, check=True,
            capture_output=True).stdout)
        (home / "hash").chmod(0o600)
        sandboxes = [Sandbox(home, "first"), Sandbox(home, "second")]
        server, port, stats = serve(home, config(home, *sandboxes))
        children = [server]
        report, start = drive(home, fault, sandboxes[0], port)
        end = time.time() + 60
        while waiting(stats) > 0 and time.time() < end:
            time.sleep(0.1)
        left = waiting(stats)
        if left:
            print(f"{left} are still in the queue")
        return show(home, fault, report, start, sandboxes)
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
            child.wait()
        for sandbox in sandboxes:
            sandbox.kill()
        shutil.rmtree(home, ignore_errors=True)


os.environ.setdefault("PYTHONUNBUFFERED", "1")
print(f"{options.rate} messages/s; the first provider fails from second {FAIL_AT} "
      f"to {HEAL_AT}; timeout {TIMEOUT} s")
lost = sum(drill(fault) for fault in ([options.only] if options.only else FAULTS))
raise SystemExit(1 if lost else 0)
