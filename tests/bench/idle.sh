#!/usr/bin/env bash
# What idle sessions cost the server: SESSIONS with implicit TLS and a login
# that stay open; then a tenth of them, each after a message of 50 KB.
# usage: tests/bench/idle.sh [SESSIONS]   default: 10000
set -euo pipefail
cd "$(dirname "$0")/../.."
sessions=${1:-10000}
cmake --preset release >/dev/null
cmake --build --preset release | tail -1
bin=$PWD/.build/release
ulimit -n "$(ulimit -Hn)"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/postern-bench.XXXXXX")
server=
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$work"
}
trap finish EXIT
chmod 711 "$work"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
echo bench | "$bin/postern" passwd >"$work/hash"
chmod 600 "$work/hash" "$work/key.pem"
cat >"$work/postern.yaml" <<YAML
hostname: bench.example
user: nobody
listeners: [{name: bench, address: "127.0.0.1:18465", tls: implicit, mode: queued}]
tls: {certificates: [{cert: $work/cert.pem, key: $work/key.pem}]}
users: [{name: bench, password_hash_file: $work/hash}]
providers: [{name: none, type: raw, url: "http://127.0.0.1:9/raw"}]
spool: {path: $work/spool, min_free: 0}
admin: {socket: ""}
stats: {address: "127.0.0.1:18466"}
log: {level: error}
smtp: {limits: {sessions_total: 100000, sessions_per_user: 100000, connects_per_ip: 0, stress: false}}
shutdown: {lame_duck: 0s, grace: 1s}
YAML
for bytes in 0 50000; do
    [ "$bytes" -eq 0 ] || sessions=$((sessions / 10))
    "$bin/postern" serve -c "$work/postern.yaml" &
    server=$!
    for _ in $(seq 200); do
        curl -fs http://127.0.0.1:18466/readyz >/dev/null && break
        sleep 0.05
    done
    echo "== $sessions sessions, message of $bytes bytes before they idle"
    "$bin/tests/bench/idle" 18465 "$server" "$sessions" "$bytes"
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    rm -rf "$work/spool"
done
