#!/usr/bin/env bash
# Build and test everything: install what is missing, build, run all tests.
# usage: tests/run.sh [PRESET...]   default: dev; others: asan, tsan
# POSTERN_TEST_EXCLUDE: a regular expression of tests to leave out.
# Last line: N passed, N failed. Exit 1 when something failed.
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/packages.sh build test demo
[ $# -gt 0 ] || set -- dev

jobs=$(nproc)
passed=0
failed=0
for preset in "$@"; do
    echo "== $preset: build"
    cmake --preset "$preset" >/dev/null
    cmake --build --preset "$preset" -j "$jobs" | tail -n 3
    echo "== $preset: test"
    log=.build/$preset/tests.log
    # One more than processors: many tests wait most of their time.
    ctest --test-dir ".build/$preset" -j "$((jobs + 1))" --output-on-failure \
        -E "${POSTERN_TEST_EXCLUDE:-^$}" 2>&1 | tee "$log" || true
    summary=$(grep -E '^[0-9]+% tests passed' "$log" | tail -1)
    total=$(sed -nE 's/.* out of ([0-9]+).*/\1/p' <<<"$summary")
    bad=$(sed -nE 's/.*, ([0-9]+) tests? failed.*/\1/p' <<<"$summary")
    [ -n "$total" ] || { echo "no test ran"; total=0; bad=1; }
    passed=$((passed + total - bad))
    failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
