#!/usr/bin/env bash
# What a backlog costs: memory, the time from start to the first delivery, and
# the rates of accepting and delivering, beside those of an empty queue.
# usage: tests/bench/backlog.sh [--messages N] [--rounds N] [--load N] [--size B]
#                               [--cold] [--drain]
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target postern bench_fill bench_loadgen bench_sink | tail -1
exec /usr/bin/python3 tests/bench/backlog.py "$@"
