#!/usr/bin/env bash
# Is every row of the table of replies shown by a test? rows.txt says which one;
# a row that is not must be said to be pending. Prints these and every lie.
set -u
cd "$(dirname "$0")" || exit 2
bad=0
say() { echo "rows.txt: row $1"; bad=1; }

declare -A scripts known
while IFS=: read -r file text; do
    read -ra numbers < <(sed -E 's/^# rows? ([0-9 ]+).*/\1/' <<<"$text")
    for row in "${numbers[@]}"; do
        scripts[$row]=${scripts[$row]:-$file}
    done
done < <(grep -HE '^# rows? [0-9]+' ./*.smtp)

pending=0
while IFS=$'\t' read -r row shown what; do
    [ -z "${known[$row]+x}" ] || say "$row: stands there twice"
    known[$row]=1
    case $shown in
        dialog)
            [ -n "${scripts[$row]+x}" ] || say "$row: no script shows: $what" ;;
        pending)
            [ -n "${scripts[$row]+x}" ] && echo "row $row: shown by ${scripts[$row]}" && continue
            echo "row $row: pending: $what"
            pending=$((pending + 1)) ;;
        never) ;;
        *:*)
            grep -qsE "(START_TEST\(|def )${shown#*:}\b" "../${shown%%:*}" ||
                say "$row: there is no $shown" ;;
        *) say "$row: shown by what? ($shown)" ;;
    esac
done < <(grep -v '^#' rows.txt)

for row in "${!scripts[@]}"; do
    [ -n "${known[$row]+x}" ] || say "$row of ${scripts[$row]}: not in the table"
done
echo "${#known[@]} rows, $pending pending"
exit $bad
