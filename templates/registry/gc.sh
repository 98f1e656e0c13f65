# shellcheck shell=bash
# Removes what no tag leads to from the registry in the directory STORE, or says what it would remove.
#   gc.sh check|run STORE [force]
# Prints: manifest REPOSITORY@DIGEST | blobs NUMBER BYTES | upload REPOSITORY | readonly
# With `run` the registry serves, but takes nothing, while files go. Exit 75: something is being pushed.
# garbage-collect's own --delete-untagged is not used: it takes the parts of manifest lists for untagged.
set -euo pipefail
mode=$1 root=$2/docker/registry/v2 force=${3-}
unit=dlws-registry@main.service config=/etc/dlws/registry/main.yml
dropin=/run/systemd/system/$unit.d/readonly.conf readonly=/run/dlws-registry/readonly.yml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

restart() {
    local end=$((SECONDS + 30)) port
    port=$(sed -n 's/^ *addr: ":\([0-9]*\)"$/\1/p' "$config")
    systemctl daemon-reload
    systemctl is-active --quiet "$unit" || return 0
    systemctl restart "$unit"
    until (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "the registry does not answer after a restart" >&2
            return 1
        fi
        sleep 0.2
    done
}

serve_again() {
    [ -e "$dropin" ] || return 0
    rm -rf "$dropin" "$readonly"
    restart
}

serve_readonly() {
    systemctl is-active --quiet "$unit" || return 0
    install -d -m 750 -o root -g docker-registry "${readonly%/*}"
    sed 's/^\( *readonly: {enabled: \)false}/\1true}/' "$config" >"$readonly"
    grep -q 'readonly: {enabled: true}' "$readonly"
    chown root:docker-registry "$readonly"
    chmod 640 "$readonly"
    mkdir -p "${dropin%/*}"
    printf '[Service]\nExecStart=\nExecStart=/usr/bin/docker-registry serve %s\n' "$readonly" >"$dropin"
    restart
}

# Whatever an upload has written in the last hour; what is older was given up.
uploads() {
    find repositories -path '*/_uploads/*' -type f -mmin -60 |
        sed 's|^repositories/||; s|/_uploads/.*|| ; s|^|upload |' | LC_ALL=C sort -u
}

# The digests that the manifests named on standard input name.
named_in() {
    local digest hex
    while read -r digest; do
        hex=${digest#sha256:}
        grep -aoE 'sha256:[0-9a-f]{64}' "blobs/sha256/${hex:0:2}/$hex/data" 2>/dev/null || true
    done | LC_ALL=C sort -u
}

# Sorted lists: `kept`, the manifests that tags lead to, and `used`, all that is used by them.
survey() {
    export LC_ALL=C
    find repositories -path '*/_manifests/revisions/sha256/*/link' |
        sed -n 's|^repositories/\(.*\)/_manifests/revisions/sha256/\([0-9a-f]*\)/link$|\1@sha256:\2|p' |
        sort >"$work/revisions"
    sed 's/.*@//' "$work/revisions" | sort -u >"$work/manifests"
    find repositories -path '*/_manifests/tags/*/current/link' -exec awk 1 {} + | sort -u >"$work/new"
    : >"$work/kept"
    cp "$work/new" "$work/used"
    while [ -s "$work/new" ]; do
        sort -u -o "$work/kept" "$work/kept" "$work/new"
        named_in <"$work/new" >"$work/named"
        sort -u -o "$work/used" "$work/used" "$work/named"
        comm -12 "$work/named" "$work/manifests" | comm -23 - "$work/kept" >"$work/next"
        mv "$work/next" "$work/new"
    done
    awk -F @ 'NR == FNR { kept[$1]; next } !($2 in kept)' "$work/kept" "$work/revisions" >"$work/gone"
    find blobs/sha256 -name data -printf '%s %h\n' 2>/dev/null | sed 's|^\([0-9]*\) .*/|\1 sha256:|' |
        awk 'NR == FNR { used[$1]; next } !($2 in used) { n++; size += $1 }
            END { printf "blobs %d %.0f\n", n, size }' "$work/used" - >"$work/blobs"
}

tell() {
    sed 's/^/manifest /' "$work/gone"
    cat "$work/blobs"
}

refuse_uploads() {
    [ "$force" != force ] && [ -n "$(uploads)" ] || return 0
    uploads
    exit 75
}

[ ! -d "$root/repositories" ] || cd "$root"
if [ "$mode" = check ]; then
    [ ! -e "$dropin" ] || echo readonly
    [ -d repositories ] || { echo 'blobs 0 0' && exit 0; }
    survey
    tell
    uploads
    exit 0
fi
trap 'rm -rf "$work"; serve_again' EXIT
[ -d repositories ] || exit 0
refuse_uploads
serve_readonly
refuse_uploads
survey
while IFS=@ read -r name digest; do
    rm -rf "repositories/$name/_manifests/revisions/sha256/${digest#sha256:}" \
        "repositories/$name/_manifests/tags/"*"/index/sha256/${digest#sha256:}"
done <"$work/gone"
if ! runuser -u docker-registry -- /usr/bin/docker-registry garbage-collect "$config" \
    >"$work/said" 2>&1 </dev/null; then
    tail -n 5 "$work/said" >&2
    exit 1
fi
tell
