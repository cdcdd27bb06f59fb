#!/usr/bin/env bash
# cppcheck over our own code; clang-tidy runs in the `tidy` preset.
set -u
cd "$(dirname "$0")/../.." || exit 2
cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr \
    --suppress=missingIncludeSystem --suppress=unknownMacro --error-exitcode=1 \
    -D_GNU_SOURCE -DPOSTERN_VERSION='"x"' -DPOSTERN_MODULE_DIR='"x"' \
    -Iinclude -Isrc -Iproviders src providers && echo "static: ok"
