"""See backlog.sh. Two spools, one with the backlog and one without, take turns:
some messages are made due, and many a little later (evenly among those of the
backlog), when the start is over and all that waits is known; the server
starts after a kill, delivers them, then takes new mail. With --cold nothing of
the spool is in the page cache then, as after a restart of the machine. With
--drain all of them become due while the server runs, in no order, as after an
outage: what is measured is how fast they leave."""
import argparse
import collections
import shutil
import signal

from rig import BIN, Home, Server, Sink, forget_pages, median, run_json

FILLED_PER_S = 15000  # --drain: at least; what is due later counts from then
FIRST = 100  # messages, due when the server starts
START_S = 25  # after which the others are

options = argparse.ArgumentParser()
options.add_argument("--messages", type=int, default=1000000)
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--load", type=int, default=20000)
options.add_argument("--size", type=int, default=2048)
options.add_argument("--cold", action="store_true")
options.add_argument("--drain", action="store_true")
options = options.parse_args()


def fill(spool, *what):
    run_json(BIN / "tests/bench/fill", "--path", spool, "--size", options.size, *what)
    shutil.chown(spool, "nobody")
    for path in spool.rglob("*"):
        shutil.chown(path, "nobody")


def turn(home, sink, name, rows):
    spool = home / f"{name}.spool"
    if name == "empty":
        fill(spool, "--messages", options.load + FIRST)
    fill(spool, "--release", FIRST)
    fill(spool, "--release", options.load, "--later", START_S)
    if options.cold:
        forget_pages(spool)
    sink.forget()
    server = Server(home, name, sink)
    _, first_ns, _ = sink.wait(1)
    rows["ready s"].append(server.ready_s)
    rows["first delivery s"].append((first_ns - server.began_ns) / 1e9)
    sink.wait(FIRST)
    server.settle()
    sink.forget()
    cpu, written = server.cpu_s(), server.io_kb()[1]
    # A few find no place at the provider in time, and come much later.
    count, first_ns, last_ns = sink.wait(options.load * 99 // 100)
    rows["delivered /s"].append((count - 1) * 1e9 / (last_ns - first_ns))
    server.settle()
    rows["CPU s/1000 delivered"].append((server.cpu_s() - cpu) * 1000 / count)
    rows["KB written/message"].append((server.io_kb()[1] - written) / count)
    rows["RSS MB"].append(server.memory_mb()[0])
    report = server.load(options.load, options.size)
    rows["accepted /s"].append(report["messages_per_s"])
    rows["CPU s/1000 accepted and delivered"].append(report["cpu_s_per_1000"])
    rows["peak RSS MB"].append(server.memory_mb()[1])
    if report["refused"] or report["broken"]:
        raise SystemExit(f"{name}: {report}")
    server.stop(signal.SIGKILL)


def drain(home, sink, name, rows):
    spool = home / f"{name}.spool"
    shutil.rmtree(spool, ignore_errors=True)
    count = options.load if name == "empty" else options.messages
    fill(spool, "--messages", count, "--spread", 1,
         "--later", START_S + count // FILLED_PER_S)
    if options.cold:
        forget_pages(spool)
    sink.forget()
    server = Server(home, name, sink)
    sink.wait(1)
    if name != "empty":
        sink.wait(options.load)  # all of them have become due
        sink.forget()
    cpu, written = server.cpu_s(), server.io_kb()[1]
    count, first_ns, last_ns = sink.wait(options.load * 99 // 100)
    rows["delivered /s"].append((count - 1) * 1e9 / (last_ns - first_ns))
    rows["CPU s/1000 delivered"].append((server.cpu_s() - cpu) * 1000 / count)
    rows["KB written/message"].append((server.io_kb()[1] - written) / count)
    rows["peak RSS MB"].append(server.memory_mb()[1])
    server.stop(signal.SIGKILL)


with Home() as home, Sink(home, 18081) as sink:
    rows = {name: collections.defaultdict(list) for name in ("backlog", "empty")}
    if not options.drain:
        fill(home / "backlog.spool", "--messages", options.messages)
    for _ in range(options.rounds):
        for name in rows:
            (drain if options.drain else turn)(home, sink, name, rows[name])
    print(f"{options.messages} messages of {options.size} bytes, medians of "
          f"{options.rounds} rounds of {options.load} messages"
          f"{', cold' if options.cold else ''}")
    print(f"{'':36}{'backlog':>10}{'empty':>10}{'ratio':>8}")
    for key in rows["backlog"]:
        a, b = (median(rows[name][key]) for name in rows)
        print(f"{key:36}{a:10.4g}{b:10.4g}{a / b:8.2f}")
