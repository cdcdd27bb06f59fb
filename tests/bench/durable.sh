#!/usr/bin/env bash
# What durability costs: the same server in mode queued with its queue on disk
# and with its queue in memory, and beside them append + fdatasync of the same
# bytes in batches as large as the server's commits were.
# usage: tests/bench/durable.sh [--messages N] [--rounds N] [--connections N]
#                               [--tls none|starttls]
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target postern bench_memory_twin bench_loadgen bench_sink bench_append | tail -1
exec /usr/bin/python3 tests/bench/durable.py "$@"
