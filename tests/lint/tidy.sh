#!/usr/bin/env bash
# clang-tidy over the server and the modules; slow, so CI runs it apart from
# the tests. usage: tidy.sh [REGEX of paths]
set -eu
cd "$(dirname "$0")/../.."
cmake --preset tidy >/dev/null
run-clang-tidy -quiet -j "$(nproc)" -p .build/tidy "${1:-$PWD/(src|providers)/.*}" 2>/dev/null |
    grep -E '(warning|error):' | sort -u && exit 1
echo "tidy: ok"
