# shellcheck shell=sh
# How a registry at URL answers one who trusts the CA in the file $2 alone: a status, or why there is none.
[ -r "$2" ] || { echo "it does not trust the registry yet"; exit 0; }
command -v curl >/dev/null || { echo "it has no curl to ask with"; exit 0; }
said=$(curl --silent --show-error --noproxy '*' --connect-timeout 5 --max-time 15 --cacert "$2" \
    --output /dev/null --write-out '%{http_code}' -- "$1" 2>&1) || :
printf '%s\n' "$said" | head -n 1
