#!/usr/bin/env bash
# Install what is missing, Debian 12 and later. usage: packages.sh SET...
# Sets: build (compile), demo (submit a message by hand), test (everything
# the test suite and the checks use), bench (measuring).
set -euo pipefail

declare -A packages=(
    [build]="gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libssl-dev
        libcurl4-openssl-dev libjansson-dev libsasl2-dev libsasl2-modules
        libgmime-3.0-dev libyaml-dev libsqlite3-dev libmicrohttpd-dev
        libcrypt-dev libseccomp-dev"
    [demo]="openssl curl swaks libnet-ssleay-perl jq ca-certificates"
    [test]="check clang clang-format clang-tidy libclang-rt-dev cppcheck
        python3 python3-botocore python3-jsonschema swaks libnet-ssleay-perl
        msmtp curl openssl jq gsasl sasl2-bin sslscan haproxy nghttp2-proxy prometheus systemd binutils procps git s-nail mutt
        libio-socket-ssl-perl libauthen-sasl-perl nodejs npm postfix
        libnss-wrapper fail2ban faketime"
    [bench]="linux-perf valgrind openssl"
)

missing=()
for set in "$@"; do
    for package in ${packages[$set]}; do
        if [ "$package" = libclang-rt-dev ]; then
            # The sanitizer runtimes of the default clang carry its version.
            version=$(apt-cache depends clang 2>/dev/null |
                sed -nE 's/.*Depends: clang-([0-9]+)$/\1/p' | head -1)
            package=libclang-rt-${version:-14}-dev
        fi
        case $package in # what also comes from elsewhere
            nodejs) command -v node >/dev/null && continue ;;
            npm) command -v npm >/dev/null && continue ;;
        esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
            grep -q 'ok installed' || missing+=("$package")
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || {
        echo "run as root, or install these first: ${missing[*]}" >&2
        exit 1
    }
fi
export DEBIAN_FRONTEND=noninteractive
${sudo:-} apt-get update -qq
${sudo:-} apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
