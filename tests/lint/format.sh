#!/usr/bin/env bash
# Every C file is as clang-format would write it.
set -u
cd "$(dirname "$0")/../.." || exit 2
mapfile -t files < <(find src include providers tests -name '*.[ch]' | sort)
clang-format --dry-run -Werror "${files[@]}" && echo "format: ok (${#files[@]} files)"
