#!/usr/bin/env bash
# clang-tidy over the server and the modules; slow, so CI runs it apart from
# the tests. usage: tidy.sh [REGEX of paths]
set -eu
cd "$(dirname "$0")/../.."
cmake --preset tidy >/dev/null
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Its exit code also counts what other headers say; the findings decide.
run-clang-tidy -quiet -j "$(nproc)" -p .build/tidy "${1:-$PWD/(src|providers)/.*}" \
    >"$log" 2>/dev/null || true
[ -s "$log" ] || { echo "clang-tidy did not run"; exit 1; }
if grep -E '(warning|error):' "$log" | sort -u | grep .; then
    exit 1
fi
echo "tidy: ok"
