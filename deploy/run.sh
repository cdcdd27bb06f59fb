#!/usr/bin/env bash
# Try Postern: install what is missing, build, start a sandbox of the
# providers and the server, send a message through both by SMTP with TLS and a
# password, then make the first provider fail and watch the second take over.
# Stays up until Ctrl-C; --once ends by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
once=false
[ "${1:-}" = --once ] && once=true

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "error: $*" >&2; exit 1; }

say "1. install what is missing"
deploy/packages.sh build demo

say "2. build"
cmake -S . -B .build/run -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DBUILD_TESTING=OFF >/dev/null
cmake --build .build/run -- --quiet
postern=$PWD/.build/run/postern

export POSTERN_DEMO_DIR
POSTERN_DEMO_DIR=$(mktemp -d "${TMPDIR:-/tmp}/postern-demo.XXXXXX")
chmod 711 "$POSTERN_DEMO_DIR" # the server gives up root on its way
pids=()
finish() {
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$POSTERN_DEMO_DIR"
}
trap finish EXIT
trap 'exit 130' INT TERM

stats=http://127.0.0.1:8587
sandbox=http://127.0.0.1:8025
# Poll a condition for at most ten seconds.
until_true() {
    local what=$1
    shift
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    cat "$POSTERN_DEMO_DIR"/*.log >&2
    die "$what"
}

say "3. a certificate and a user (postern passwd)"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$POSTERN_DEMO_DIR/key.pem" -out "$POSTERN_DEMO_DIR/cert.pem" 2>/dev/null
password=$(openssl rand -hex 16)
"$postern" passwd <<<"$password" >"$POSTERN_DEMO_DIR/demo.hash"
chmod 600 "$POSTERN_DEMO_DIR/demo.hash" "$POSTERN_DEMO_DIR/key.pem"
echo "user demo, hash $(cut -c1-24 "$POSTERN_DEMO_DIR/demo.hash")..."

say "4. start the sandbox of the providers and the server"
"$postern" check -c conf/sandbox.yaml
"$postern" sandbox --address 127.0.0.1:8025 2>"$POSTERN_DEMO_DIR/sandbox.log" &
pids+=($!)
"$postern" serve -c conf/sandbox.yaml 2>"$POSTERN_DEMO_DIR/server.log" &
pids+=($!)
until_true "the sandbox did not start" curl -fs "$sandbox/_sandbox/counts"
until_true "the server did not start" curl -fs "$stats/readyz"
grep -E 'event=(listening|ready)' "$POSTERN_DEMO_DIR/server.log"

# A message as a shop would send it: text, html, an attachment, a name that
# is not ASCII. $1 is its subject.
message() {
    cat <<MAIL
From: Example Shop <orders@shop.example>
To: =?utf-8?q?Ann_M=C3=BCller?= <ann@dest.example>, Bob <bob@dest.example>
Subject: $1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

Thanks, your order is on its way.

--inner
Content-Type: text/html; charset=utf-8

<p>Thanks, your order is <b>on its way</b>.</p>

--inner--
--outer
Content-Type: application/pdf
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=invoice.pdf

JVBERi0xLjQKJSVFT0YK
--outer--
MAIL
}
# Submit one message; prints the dialog and leaves the queue id in $id.
submit() {
    message "$1" >"$POSTERN_DEMO_DIR/message.eml"
    shift
    swaks --server 127.0.0.1 "$@" \
        --auth PLAIN --auth-user demo --auth-password "$password" \
        --from orders@shop.example --to ann@dest.example,bob@dest.example \
        --data "@$POSTERN_DEMO_DIR/message.eml" --suppress-data |
        grep -E '^( ->|<-| ~>|<~|<\*\*|===)' |
        sed -E 's/^( ~> AUTH PLAIN ).*/\1.../' | tee "$POSTERN_DEMO_DIR/dialog"
    id=$(sed -nE 's/.*250 2\.0\.0 Ok: (queued as )?([0-9a-z]{26}).*/\2/p' "$POSTERN_DEMO_DIR/dialog" | tail -1)
    [ -n "$id" ] || die "the message was not accepted"
}
is_final() {
    curl -fs "$stats/api/v1/messages/$id" |
        jq -e 'all(.recipients[]; .state == "sent")'
}
show_record() {
    until_true "message $id did not reach its end" is_final
    echo
    echo "GET $stats/api/v1/messages/$id"
    curl -fs "$stats/api/v1/messages/$id" | jq .
}

say "5. submit a message: STARTTLS, AUTH, two recipients, an attachment"
submit 'Order 42' --port 2525 --tls
show_record
echo "what the provider got:"
curl -fs "$sandbox/_sandbox/messages?limit=1" | jq .

say "6. the first provider fails (503): the second takes over"
curl -fs -X POST "$sandbox/_sandbox/faults" \
    -d '{"provider":"sendgrid","count":-1,"status":503}' | jq -c .
submit 'Order 43' --port 2465 --tls-on-connect
show_record
grep -E 'event=failover' "$POSTERN_DEMO_DIR/server.log" | tail -1
curl -fs -X DELETE "$sandbox/_sandbox/faults" >/dev/null

say "7. figures"
curl -fs "$stats/metrics" |
    grep -E '^postern_(messages_received_total|deliveries_total|failovers_total)' | grep -v ' 0$'
echo
if $once; then
    say "done: both messages were delivered, the second through another provider"
    exit 0
fi
cat <<TEXT
Up and running until Ctrl-C.
  submission   127.0.0.1:2525 (STARTTLS), 127.0.0.1:2465 (implicit TLS)
               user demo, password $password
  stats        $stats/api/v1/stats   $stats/metrics   $stats/readyz
  sandbox      $sandbox/   $sandbox/_sandbox/messages
TEXT
wait
