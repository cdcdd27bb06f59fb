"""See durable.sh. Disk, memory and raw append take turns, so that what else the
machine does hits them alike; figures are medians of the rounds."""
import argparse
import collections

from rig import BIN, Home, Server, Sink, median, run_json

options = argparse.ArgumentParser()
options.add_argument("--messages", type=int, default=20000)
options.add_argument("--rounds", type=int, default=5)
options.add_argument("--connections", type=int, default=64)
options.add_argument("--tls", choices=("none", "starttls"), default="none")
options = options.parse_args()
SIZES = {"2 KB": (2048, 1), "50 KB": (51200, 4)}  # bytes, fewer messages


def measure(home, servers, size, messages, rows):
    for name, server in servers.items():
        report = server.load(messages, size, options.connections)
        if report["refused"] or report["broken"]:
            raise SystemExit(f"{name}: {report}")
        rows[name].append(report)
    batch = max(1, round(rows["disk"][-1]["batch"]))
    rows["raw"].append({**run_json(BIN / "tests/bench/append", home / "raw", size,
                                   batch, messages), "batch": batch})


def show(label, rows):
    print(f"{label:7}{'accepted /s':>12}{'p50 ms':>8}{'p99 ms':>8}{'CPU s/1000':>11}"
          f"{'batch':>7}{'x memory':>9}")
    rate = {name: median([r["messages_per_s"] for r in runs])
            for name, runs in rows.items()}
    ratio = {name: median([r["messages_per_s"] / m["messages_per_s"]
                           for r, m in zip(runs, rows["memory"])])
             for name, runs in rows.items()}
    for name, runs in rows.items():
        def cell(key, form):
            known = [r[key] for r in runs if key in r]
            return format(median(known), form) if known else ""
        print(f"{name:7}{rate[name]:12.0f}{cell('p50_ms', '.2f'):>8}"
              f"{cell('p99_ms', '.2f'):>8}{cell('cpu_s_per_1000', '.3f'):>11}"
              f"{cell('batch', '.1f'):>7}{ratio[name]:9.2f}")


with Home() as home, Sink(home, 18082) as sink:
    servers = {
        "disk": Server(home, "disk", sink, options.tls),
        "memory": Server(home, "memory", sink, options.tls,
                         program="postern_memory_twin"),
    }
    for label, (size, part) in SIZES.items():
        rows = collections.defaultdict(list)
        for _ in range(options.rounds + 1):
            measure(home, servers, size, options.messages // part, rows)
        # The first warms up.
        show(label, {name: runs[1:] for name, runs in rows.items()})
    for server in servers.values():
        server.stop()
