#!/usr/bin/env bash
# What each module's translation costs on one core: build the request and read
# its body, nothing sent. Prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release | tail -1
bin=$PWD/.build/release
"$bin/tests/bench/translate" "$bin/modules" \
    'raw={"url":"http://127.0.0.1/"}' \
    'ses={"region":"eu-west-1","credentials":"static","access_key_id":"k","secret_access_key":"s"}' \
    'mailgun={"api_key":"k","domain":"shop.example"}' \
    'sendgrid={"api_key":"k"}'
