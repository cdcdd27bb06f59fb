"""What backlog.py and durable.py share: a server, the sink, load, figures."""
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import time
import urllib.request

BIN = pathlib.Path(".build/release").resolve()
CONFIG = """
hostname: bench.example
user: nobody
listeners:
  - {{name: bench, address: "127.0.0.1:0", tls: {tls}, mode: queued{open}}}
tls: {{certificates: [{{cert: {home}/cert.pem, key: {home}/key.pem}}]}}
users: [{{name: bench, password_hash_file: {home}/hash}}]
providers: [{{name: sink, type: raw, url: "http://127.0.0.1:{sink}/raw"}}]
queue: {{max_messages: 0, max_bytes: 0}}
spool: {{path: {spool}, min_free: 0}}
admin: {{socket: ""}}
stats: {{address: "127.0.0.1:0"}}
log: {{level: info, format: json}}
smtp: {{limits: {{max_messages_per_session: 1000000, sessions_per_ip: 10000,
        sessions_per_user: 10000, connects_per_ip: 0}}}}
shutdown: {{lame_duck: 0s}}
"""


def median(values):
    return statistics.median(values) if values else float("nan")


def run_json(*argv):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


class Home:
    """A directory with what every server needs; removed at the end."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(
            prefix="postern-bench.", dir=os.environ.get("TMPDIR", "/var/tmp")))
        self.path.chmod(0o711)
        (self.path / "hash").write_text(subprocess.run(
            [BIN / "postern", "passwd", "--iterations", "4096"], input="bench\n",
            text=True, check=True, capture_output=True).stdout)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-keyout", self.path / "key.pem",
             "-out", self.path / "cert.pem"], check=True, capture_output=True)
        for name in ("hash", "key.pem"):
            (self.path / name).chmod(0o600)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Sink:
    """Counts what arrives, and when."""

    def __init__(self, home, port):
        self.port = port
        self.child = subprocess.Popen([BIN / "tests/bench/sink", str(port),
                                       home / "tally"])
        while not (home / "tally").exists() or (home / "tally").stat().st_size < 24:
            time.sleep(0.01)
        with open(home / "tally", "r+b") as f:
            self.tally = mmap.mmap(f.fileno(), 24)

    def look(self):
        return struct.unpack("QQQ", self.tally[:])

    def forget(self):
        self.tally[:] = bytes(24)

    def wait(self, count, seconds=600):
        end = time.monotonic() + seconds
        while self.look()[0] < count:
            if time.monotonic() > end:
                raise SystemExit(f"only {self.look()[0]} of {count} arrived")
            time.sleep(0.005)
        return self.look()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()


class Server:
    """One process, from exec to its end."""

    def __init__(self, home, name, sink, tls="none", program="postern"):
        path, self.log_path = home / f"{name}.yaml", home / f"{name}.log"
        self.spool = home / f"{name}.spool"
        path.write_text(CONFIG.format(
            home=home, sink=sink.port, spool=self.spool, tls=tls,
            open=", allow_insecure: true, allow_unauthenticated: true, user: bench"
            if tls == "none" else ""))
        self.log_file = open(self.log_path, "wb")
        self.began_ns = time.monotonic_ns()
        self.child = subprocess.Popen([BIN / program, "serve", "-c", path],
                                      stderr=self.log_file)
        self.pid = self.child.pid
        ready = self.wait_for("ready")
        self.ready_s = (time.monotonic_ns() - self.began_ns) / 1e9
        self.port = self.wait_for("listening")["port"]
        self.stats_url = f"http://127.0.0.1:{ready['stats_port']}"

    def wait_for(self, event):
        while True:
            with open(self.log_path, errors="replace") as f:
                for line in f:
                    if f'"event":"{event}"' in line and line.endswith("\n"):
                        return json.loads(line)
            if self.child.poll() is not None:
                raise SystemExit(self.log_path.read_text())
            time.sleep(0.002)

    def memory_mb(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return [int(re.search(rf"^{k}:\s+(\d+)", text, re.M).group(1)) / 1024
                for k in ("VmRSS", "VmHWM")]

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def io_kb(self):
        """(read, written), of files; page cache or not."""
        text = pathlib.Path(f"/proc/{self.pid}/io").read_text()
        return [int(re.search(rf"^{k}: (\d+)", text, re.M).group(1)) / 1000
                for k in ("read_bytes", "write_bytes")]

    def settle(self):
        """Until what was accepted is delivered and its CPU time stands still."""
        still, last = 0, -1.0
        while still < 4:
            time.sleep(0.1)
            now = self.cpu_s()
            still, last = (still + 1 if now - last < 0.011 else 0), now

    def store(self):
        with urllib.request.urlopen(f"{self.stats_url}/api/v1/stats") as answer:
            return json.load(answer)["store"]

    def load(self, messages, size, connections=16):
        """Submit; the generator's report, with accepts in each commit."""
        before = self.store()
        argv = [BIN / "tests/bench/loadgen", "--port", self.port, "--pid", self.pid,
                "--messages", messages, "--size", size, "--connections", connections,
                "--per-connection", 100, "--pipelining", "--seconds", 600]
        if "starttls" in (self.spool.parent / (self.spool.stem + ".yaml")).read_text():
            argv += ["--user", "bench", "--password", "bench"]
        else:
            argv += ["--tls", "none"]
        report = run_json(*argv)
        after = self.store()
        commits = after["commits"] - before["commits"]
        report["batch"] = messages / commits if commits else 0
        report["commits"] = commits
        return report

    def stop(self, how=signal.SIGTERM):
        self.child.send_signal(how)
        self.child.wait()
        self.log_file.close()


def forget_pages(folder):
    """The page cache of a stopped server's files, as after a restart of the host."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
