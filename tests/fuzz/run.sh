#!/usr/bin/env bash
# Fuzz for a while: build with Clang, run each target from its kept corpus and
# fresh seeds, two at a time. usage: run.sh SECONDS [TARGET...]
# Prints per target what was run, what it covers and the size of its corpus.
# Exit 1 when something was found; the input is then in .build/fuzz/work, which
# also collects the inputs that reached something new.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
out=.build/fuzz
work=$out/work
if [ $# -eq 0 ]; then
    mapfile -t targets < <(sed -nE 's/^postern_fuzz\(([a-z]+).*/\1/p' tests/fuzz/CMakeLists.txt)
    set -- "${targets[@]}"
fi

{
    cmake --preset fuzz -DPOSTERN_WERROR=ON &&
        cmake --build --preset fuzz -j "$(nproc)" --target "${@/#/fuzz_}"
} >"$out.log" 2>&1 || { tail -n 40 "$out.log"; exit 1; }
tests/fuzz/seeds.py "$work/seeds"

fuzz() { # fuzz TARGET
    local kept=tests/fuzz/corpus/$1 seeds=() dir
    mkdir -p "$work/$1" # what it finds; the other folders are only read
    for dir in "$kept" "$work/seeds/$1"; do
        [ -d "$dir" ] && seeds+=("$dir")
    done
    case $1 in
        config) seeds+=(tests/config/bad conf) ;;
        header | mime) seeds+=(tests/provider) ;;
        prepare) seeds+=(tests/provider/ses) ;;
        classify) seeds+=(tests/provider/{ses,sendgrid,mailgun,msgraph,gmail,postmark,brevo,sendlayer,resend,mandrill,sparkpost,mailjet,mailersend,smtp2go,mailtrap,scaleway,azure,smtp}) ;;
    esac
    "$out/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/$1." "$work/$1" "${seeds[@]}" >"$work/$1.log" 2>&1
}
report() { # report TARGET: its numbers, or what it found
    local log=$work/$1.log runs covered
    runs=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+)/\1/p' "$log")
    covered=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -1)
    if [ -e "$work/$1.ok" ]; then
        echo "ok      $1: $runs runs, $covered"
    else
        echo "FOUND   $1: $(ls -t "$work/$1".*-* 2>/dev/null | head -1)"
        tail -n 40 "$log"
    fi
}

running=0
for target in "$@"; do
    rm -f "$work/$target.ok"
    [ "$running" -lt 2 ] || { wait -n; running=$((running - 1)); }
    { fuzz "$target" && touch "$work/$target.ok"; } &
    running=$((running + 1))
done
wait
failed=0
for target in "$@"; do
    report "$target"
    [ -e "$work/$target.ok" ] || failed=1
done
exit $failed
