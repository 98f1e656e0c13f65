# shellcheck shell=bash
# Copies images from registry to registry: copy.sh check|copy. Standard input is a line with Docker's config.json,
# then two lines for each image: its name, and the one that it gets. `check` prints the names of those that differ.
set -uo pipefail
umask 077
work=$(mktemp -d /run/dlws-copy.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=
IFS= read -r config
printf '%s\n' "$config" >"$work/auth.json"

# Prints the digest of what a name stands for; says in the file `log` why it cannot.
digest() {
    skopeo inspect --raw --authfile "$work/auth.json" -- "docker://$1" >"$work/raw" 2>"$work/log" </dev/null &&
        sha256sum <"$work/raw"
}

# What skopeo knows an image by: it refuses a name with a tag and a digest.
known() {
    local name=${1%%@*}
    case $1 in
        *@*) case ${name##*/} in *:*) name=${name%:*} ;; esac && printf '%s@%s' "$name" "${1#*@}" ;;
        *) printf '%s' "$1" ;;
    esac
}

tell() {
    local said
    said=$(tr '\n' ' ' <"$work/log")
    [ "${#said}" -le 600 ] || said=...${said: -600}
    printf 'failed: %s: %s\n' "$1" "${said:-it says nothing}" >&2
    failed=1
}

while IFS= read -r from && IFS= read -r to; do
    source=$(known "$from")
    want=$(digest "$source") || { tell "$from" && continue; }
    if has=$(digest "$to") && [ "$has" = "$want" ]; then continue; fi
    if [ "$1" = check ]; then
        printf '%s\n' "$from"
        continue
    fi
    echo "copying $from"
    if skopeo --insecure-policy copy --all --preserve-digests --authfile "$work/auth.json" -- \
        "docker://$source" "docker://$to" >/dev/null 2>"$work/log" </dev/null; then
        echo "changed: copied $from to $to"
    else
        tell "$from"
    fi
done
[ -z "$failed" ]
