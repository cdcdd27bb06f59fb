#!/usr/bin/env bash
# The layers, as a test: includes point down only, each library has one home,
# names banned by the conventions do not appear, and files and the top level
# keep their shape. Prints every violation; exit 1 when there is one.
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0
say() { echo "$1"; bad=1; }

# What each folder of src/ may include besides itself and postern/.
declare -A may=(
    [base]=""
    [config]="base"
    [mail]="base"
    [loop]="base"
    [net]="base config loop"
    [http]="base loop"
    [auth]="base config loop"
    [policy]="base config"
    [store]="base loop mail"
    [provider]="base mail http"
    [route]="base config mail"
    [health]="base config"
    [deliver]="base config mail loop http policy store provider route health"
    [smtp]="base config mail loop net auth policy store deliver"
    [admin]="base config deliver loop policy provider store health"
    [sandbox]="base loop net mail admin"
    [cli]="base config mail loop net http auth store provider route deliver smtp sandbox"
    [server]="base config mail loop net http auth policy store provider route health deliver smtp admin cli"
)
for path in src/*/; do
    dir=$(basename "$path")
    [ -n "${may[$dir]+x}" ] || { say "src/$dir: no row in the table of layers"; continue; }
    while IFS=: read -r file line text; do
        used=$(sed -E 's|.*<([a-z]+)/.*|\1|' <<<"$text")
        case " $dir postern ${may[$dir]} " in
            *" $used "*) ;;
            *) [ -d "src/$used" ] && say "$file:$line: $dir may not include <$used/...>" ;;
        esac
    done < <(grep -nHE '^#include <[a-z]+/' "$path"*.[ch] 2>/dev/null)
done
grep -nHE '^#include <[a-z]+/' include/postern/*.h | grep -v '<postern/' |
    while read -r hit; do echo "$hit: public headers include postern/ only"; done | grep . && bad=1
grep -nHE '^#include <(base|config|mail|loop|net|http|auth|policy|store|provider|route|deliver|smtp|admin)/' \
    providers/*.[ch] providers/common/*.[ch] 2>/dev/null |
    while read -r hit; do echo "$hit: modules include postern/ and common/ only"; done | grep . && bad=1

# library header, homes as a pattern over paths
one_home() {
    while IFS= read -r hit; do
        file=${hit%%:*}
        [[ $file =~ ^($2)$ ]] || say "$hit: <$1> belongs in $2"
    done < <(grep -rnHE "^#include <$1" src providers --include='*.[ch]')
}
one_home 'uv\.h' 'src/(loop|net|http)/.*'
one_home 'openssl/' 'src/net/tls[a-z_]*\.[ch]|src/base/(hash|rsa)\.c|src/auth/password\.c|src/auth/jwk\.c'
one_home 'curl/' 'src/http/.*'
one_home 'sasl/' 'src/auth/sasl[a-z_]*\.[ch]'
one_home 'sqlite3\.h' 'src/store/.*'
one_home 'gmime/' 'src/mail/mime(_leaves|_library|_stream)?\.c'
one_home 'microhttpd\.h' 'src/admin/httpd[a-z_]*\.[ch]'
one_home 'yaml\.h' 'src/config/.*'
one_home 'jansson\.h' '(src/(config|admin|sandbox|cli)|providers)/.*|src/auth/jw[kt]\.c'
one_home 'seccomp\.h' 'src/server/confine\.c'
one_home 'crypt\.h' 'src/auth/password\.c'

while IFS= read -r hit; do
    say "$hit: banned function"
done < <(grep -rnHE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|alloca|gets|isalpha|isdigit|isspace|toupper|tolower)\(' \
    src providers include --include='*.[ch]')
while IFS= read -r hit; do
    say "$hit: left open"
done < <(grep -rnHE '\b(TODO|FIXME|XXX|HACK)\b' src providers include deploy --include='*')
while read -r lines file; do
    [ "$file" = total ] || [ "$lines" -le 600 ] || say "$file: $lines lines, 600 are the limit"
done < <(find src include providers -name '*.[ch]' -print0 | xargs -0 wc -l)
for dir in $(git ls-files 2>/dev/null | grep / | cut -d/ -f1,2 | sort -u); do
    case $dir in src/*|tests/*|deploy/*) ;; *) continue ;; esac
    [ ! -d "$dir" ] || [ -f "$dir/README.md" ] || [ -f "$(dirname "$dir")/README.md" ] ||
        say "$dir: no README.md"
done
for entry in $(git ls-tree --name-only HEAD 2>/dev/null); do
    case $entry in
        src|include|providers|conf|tests|deploy|CMakeLists.txt|CMakePresets.json|README.md|LICENSE|.*) ;;
        *) say "$entry: not part of the top level" ;;
    esac
done
[ $bad -eq 0 ] && echo "layers: ok"
exit $bad
