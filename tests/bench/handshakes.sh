#!/usr/bin/env bash
# New connections with TLS, full and resumed, for RSA-2048 and ECDSA P-256:
# Postern beside a floor that does nothing but OpenSSL, in interleaved rounds.
# Prints connections per CPU second of the server, medians.
# usage: tests/bench/handshakes.sh [--rounds N] [--connections N] [--threads N]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=5 connections=4000 threads=8
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=$2 ;;
        --connections) connections=$2 ;;
        --threads) threads=$2 ;;
        *) echo "usage: $0 [--rounds N] [--connections N] [--threads N]" >&2; exit 2 ;;
    esac
    shift 2
done
if [ -z "${POSTERN_BUILD:-}" ]; then
    deploy/packages.sh build demo test >/dev/null
    cmake --preset release >/dev/null
    cmake --build --preset release | tail -1
fi
bin=${POSTERN_BUILD:-$PWD/.build/release}

work=$(mktemp -d "${TMPDIR:-/var/tmp}/postern-bench.XXXXXX")
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
chmod 711 "$work"
certify() { # certify NAME REQ-OPTIONS...
    local name=$1
    shift
    openssl req -x509 "$@" -nodes -days 2 -subj /CN=localhost \
        -keyout "$work/$name.key" -out "$work/$name.pem" 2>/dev/null
}
certify rsa -newkey rsa:2048
certify ecdsa -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
echo bench | "$bin/postern" passwd >"$work/hash"
chmod 600 "$work/hash"

workers=$(nproc)
listening() { # listening PORT
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    echo "nothing listens on $1" >&2
    exit 1
}
serve() { # serve KIND PORT: Postern on PORT, the floor on PORT + 1
    mkdir -p "$work/spool-$1"
    cat >"$work/$1.yaml" <<YAML
hostname: bench.example
user: nobody
listeners: [{name: bench, address: "127.0.0.1:$2", tls: implicit}]
tls: {certificates: [{cert: $work/$1.pem, key: $work/$1.key}]}
users: [{name: bench, password_hash_file: $work/hash}]
providers: [{name: none, type: raw, url: "http://127.0.0.1:9/raw"}]
spool: {path: $work/spool-$1, min_free: 0}
admin: {socket: ""}
stats: {address: ""}
log: {level: error}
smtp: {limits: {exempt: [127.0.0.0/8], sessions_per_ip: 10000}}
shutdown: {lame_duck: 0s}
YAML
    "$bin/postern" serve -c "$work/$1.yaml" &
    pids+=($!)
    eval "postern_$1=$!"
    "$bin/tests/bench/handshakes" floor "$(($2 + 1))" "$work/$1.pem" "$work/$1.key" "$workers" &
    pids+=($!)
    eval "floor_$1=$!"
    listening "$2"
    listening "$(($2 + 1))"
}
serve rsa 18465
serve ecdsa 18475

load() { # load NAME KEY KIND PORT PID
    result=$("$bin/tests/bench/handshakes" load "$4" "$5" "$connections" "$3" "$threads")
    [ "$round" -eq 0 ] || echo "$1 $2 $3 $result" >>"$work/results"
}
for round in $(seq 0 "$rounds"); do # round 0 warms up
    for kind in full resumed; do
        load postern rsa $kind 18465 "$postern_rsa"
        load floor rsa $kind 18466 "$floor_rsa"
        load postern ecdsa $kind 18475 "$postern_ecdsa"
        load floor ecdsa $kind 18476 "$floor_ecdsa"
    done
done

python3 - "$work/results" <<'PY'
import collections, json, statistics, sys
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    name, key, kind, text = line.split(" ", 3)
    rows[key, kind, name].append(json.loads(text))
med = lambda runs, what: statistics.median(r[what] for r in runs)
print(f"{'key':6} {'handshake':10} {'Postern/CPU s':>14} {'floor/CPU s':>12} {'ratio':>6} {'Postern/s':>10}")
for key in ["rsa", "ecdsa"]:
    for kind in ["full", "resumed"]:
        mine, floor = rows[key, kind, "postern"], rows[key, kind, "floor"]
        a, b = med(mine, "per_cpu_s"), med(floor, "per_cpu_s")
        print(f"{key:6} {kind:10} {a:14.0f} {b:12.0f} {a / b:6.2f} {med(mine, 'per_s'):10.0f}")
        for name, runs in [("Postern", mine), ("floor", floor)]:
            bad = sum(r["failed"] for r in runs)
            share = sum(r["resumed"] for r in runs) / max(1, sum(r["connections"] for r in runs))
            if bad or (kind == "resumed") != (share > 0.9):
                print(f"  {name}: {bad} failed, {share:.0%} resumed")
PY
