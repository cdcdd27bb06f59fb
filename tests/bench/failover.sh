#!/usr/bin/env bash
# The failover drill: steady mail, and the first of two providers fails in one
# way after the other. Prints for each what was lost or came twice, what it cost
# in latency, and which provider carried how much, second by second.
# usage: tests/bench/failover.sh [--rate N] [--only FAULT]
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target all | tail -1
exec /usr/bin/python3 tests/bench/failover.py "$@"
