#!/usr/bin/env bash
# Postern against the floor, in one run on one machine: the same load, the
# same TLS, the same HTTP sink. Prints a table; figures are medians of ROUNDS
# interleaved runs.
# usage: tests/bench/run.sh [--rounds N] [--size BYTES] [--messages N]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=5 size=2048 messages=20000 connections=16
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=$2 ;;
        --size) size=$2 ;;
        --messages) messages=$2 ;;
        --connections) connections=$2 ;;
        *) echo "usage: $0 [--rounds N] [--size B] [--messages N] [--connections N]" >&2; exit 2 ;;
    esac
    shift 2
done
deploy/packages.sh build demo test >/dev/null
cmake --preset release >/dev/null
cmake --build --preset release | tail -1
bin=$PWD/.build/release

work=$(mktemp -d "${TMPDIR:-/var/tmp}/postern-bench.XXXXXX")
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
chmod 711 "$work"
trap finish EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
echo bench | "$bin/postern" passwd >"$work/hash"
chmod 600 "$work/hash" "$work/key.pem"

"$bin/tests/bench/sink" 18080 &
pids+=($!)
threads=$(nproc)
"$bin/tests/bench/floor" 18025 18080 "$work/cert.pem" "$work/key.pem" "$threads" &
floor=$!
pids+=("$floor")
serve() { # serve MODE PORT: starts a server, its pid in $server
    mkdir -p "$work/$1"
    cat >"$work/$1.yaml" <<YAML
hostname: bench.example
user: nobody
listeners:
  - {name: bench, address: "127.0.0.1:$2", tls: starttls, mode: $1}
tls: {certificates: [{cert: $work/cert.pem, key: $work/key.pem}]}
users: [{name: bench, password_hash_file: $work/hash}]
providers: [{name: sink, type: raw, url: "http://127.0.0.1:18080/raw"}]
spool: {path: $work/$1/spool, min_free: 0}
admin: {socket: ""}
stats: {address: "127.0.0.1:$(($2 + 1))"}
log: {level: warn}
smtp: {limits: {max_messages_per_session: 100000, sessions_per_ip: 10000, sessions_per_user: 10000}}
shutdown: {lame_duck: 0s}
YAML
    "$bin/postern" serve -c "$work/$1.yaml" &
    server=$!
    pids+=("$server")
    for _ in $(seq 200); do
        curl -fs "http://127.0.0.1:$(($2 + 1))/readyz" >/dev/null && return
        sleep 0.05
    done
    echo "the server did not start" >&2
    exit 1
}
serve direct 18125; direct=$server
serve queued 18225; queued=$server
serve hybrid 18325; hybrid=$server

load() { # load PORT PID
    "$bin/tests/bench/loadgen" --port "$1" --pid "$2" --user bench --password bench \
        --messages "$messages" --size "$size" --connections "$connections" \
        --per-connection 20 --pipelining --seconds 300
}
for round in $(seq 0 "$rounds"); do # round 0 warms up
    for row in "floor 18025 $floor" "direct 18125 $direct" "hybrid 18325 $hybrid" "queued 18225 $queued"; do
        read -r name port pid <<<"$row"
        # Let a queue from the run before drain: it is not this run's work.
        result=$(load "$port" "$pid")
        [ "$round" -eq 0 ] || echo "$name $result" >>"$work/results"
    done
done

python3 - "$work/results" <<'PY'
import collections, json, statistics, sys
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    name, text = line.split(" ", 1)
    rows[name].append(json.loads(text))
base = statistics.median(r["cpu_s_per_1000"] for r in rows["floor"])
print(f"{'':8} {'msg/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU s/1000':>11} {'x floor':>8} {'RSS MB':>7}")
for name, runs in rows.items():
    med = lambda key: statistics.median(r[key] for r in runs)
    cpu = med("cpu_s_per_1000")
    print(f"{name:8} {med('messages_per_s'):8.0f} {med('p50_ms'):8.2f} {med('p99_ms'):8.2f} "
          f"{cpu:11.4f} {cpu / base:8.2f} {med('peak_rss_mb'):7.1f}")
    bad = sum(r["refused"] + r["broken"] for r in runs)
    if bad:
        print(f"{name}: {bad} messages failed")
PY
