#!/usr/bin/env bash
# What each module's translation costs on one core: build the request and read
# its body, nothing sent. Prints the table of README.md. usage: translate.sh
# [MODULE...]: only these, beside raw.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release | tail -1
bin=$PWD/.build/release
key=$(sed -n 's/^ *"service_account_key": \(".*"\),*$/\1/p' \
    tests/provider/gmail/plain.json)
# raw first: the others are compared with it.
settings=(
    'raw={"url":"http://127.0.0.1/"}'
    'azure={"endpoint":"https://shop.communication.azure.com","access_key":"c2VjcmV0LWtleQ=="}'
    'brevo={"api_key":"k"}'
    "gmail={\"user\":\"a@shop.example\",\"service_account_key\":$key}"
    'mailersend={"api_key":"k"}'
    'mailgun={"api_key":"k","domain":"shop.example"}'
    'mailjet={"api_key":"k","secret_key":"s"}'
    'mailtrap={"api_token":"k"}'
    'mandrill={"api_key":"k"}'
    'msgraph={"tenant":"t","client_id":"c","client_secret":"s"}'
    'postmark={"server_token":"k"}'
    'resend={"api_key":"k"}'
    'scaleway={"secret_key":"k","project_id":"p"}'
    'sendgrid={"api_key":"k"}'
    'sendlayer={"api_key":"k"}'
    'ses={"region":"eu-west-1","credentials":"static","access_key_id":"k","secret_access_key":"s"}'
    'smtp={"url":"smtp://127.0.0.1"}'
    'smtp2go={"api_key":"k"}'
    'sparkpost={"api_key":"k"}'
)
for module in "$bin"/modules/*.so; do
    name=$(basename "$module" .so)
    [[ " ${settings[*]} webhook=" == *" $name="* || $name == raw ]] ||
        echo "no settings for $name: add them" >&2
done
chosen=("${settings[0]}")
for one in "${settings[@]:1}"; do
    name=${one%%=*}
    if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then chosen+=("$one"); fi
done
"$bin/tests/bench/translate" "$bin/modules" "${chosen[@]}"
