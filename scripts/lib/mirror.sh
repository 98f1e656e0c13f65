# shellcheck shell=bash
# Points the distribution's own apt sources at DLWS_APT_MIRROR. Other repositories stay as they are.
#
# Needs lib/common.sh and lib/packages.sh. Changes /etc/apt/sources.list and sources.list.d, only when
# DLWS_APT_MIRROR is set; each changed file is kept beside itself as *.save, and put back if apt cannot
# fetch its lists from the mirror.

# mirror_url: the mirror of this distribution. A bare host gets the usual path. Slashes may be escaped
# by backslashes, as older configurations had to.
mirror_url() {
    local url=${DLWS_APT_MIRROR//\\/}
    url=${url%/}
    [[ $url =~ ^https?://[A-Za-z0-9.:_-]+(/[A-Za-z0-9._~/-]*)?$ ]] ||
        die "apt_mirror_url is not an address: $DLWS_APT_MIRROR" "write it as https://HOST or https://HOST/PATH"
    if [[ $url =~ ^https?://[^/]+$ ]]; then
        url=$url/$(os_field ID)
        # Ubuntu keeps everything but amd64 in an archive of its own.
        [ "$(os_field ID)/$(dpkg --print-architecture)" != ubuntu/arm64 ] || url+=-ports
    fi
    printf '%s\n' "$url"
}

# mirrored URL: apt sources on standard input, with the distribution's archives replaced. An archive is
# the distribution's own when its path is just /debian, /ubuntu or /ubuntu-ports: repositories of others
# have longer paths, and Debian's security archive lies apart and stays. Both formats, comments kept.
mirrored() {
    sed -E "/^[[:space:]]*(deb|deb-src|URIs:)[[:space:]]/s#[a-z+]+://[^/ ]+/(debian|ubuntu|ubuntu-ports)/?([[:space:]]|\$)#$1\2#g"
}

use_mirror() {
    local url file
    local -a rewritten=()
    [ -n "${DLWS_APT_MIRROR:-}" ] || return 0
    url=$(mirror_url)
    for file in "$DLWS_ROOT"/etc/apt/sources.list "$DLWS_ROOT"/etc/apt/sources.list.d/*.{list,sources}; do
        if [ ! -f "$file" ] || cmp -s "$file" <(mirrored "$url" <"$file"); then continue; fi
        if differs file "$file" "names other archives than $url"; then continue; fi
        cp -p "$file" "$file.save"
        edit_file "$file" mirrored "$url"
        rewritten+=("$file")
    done
    [ "${#rewritten[@]}" -gt 0 ] || return 0
    ! apt_update || return 0
    for file in "${rewritten[@]}"; do
        cp -p "$file.save" "$file"
    done
    die "apt cannot use the mirror $url; the node's own sources are back" "correct apt_mirror_url in config.yaml"
}
