# shellcheck shell=bash
# Sets name servers and the search domain in whatever looks after them on a node.
#
# Needs lib/common.sh and lib/others.sh. Changes one of: a systemd-resolved drop-in, resolvconf's settings, /etc/resolv.conf.

# dns_query NAME: a DNS question for its address, as \x escapes.
dns_query() {
    local label labels escapes='\x64\x6c\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00' i
    IFS=. read -ra labels <<<"$1"
    for label in "${labels[@]}"; do
        escapes+=$(printf '\\x%02x' "${#label}")
        for ((i = 0; i < ${#label}; i++)); do
            escapes+=$(printf '\\x%02x' "'${label:i:1}")
        done
    done
    printf '%s' "$escapes"'\x00\x00\x01\x00\x01'
}

# answers SERVER NAME [PORT]: whether it answers a question for the name with an address or "no such
# name". Silence, a refusal or a failure do not count. Plain bash: a bare node has no DNS tools.
answers() {
    local reply query
    query=$(dns_query "$2")
    # shellcheck disable=SC2016 # expanded by the inner shell
    reply=$(timeout 3 bash -c '
        exec 3<>"/dev/udp/$1/$2" || exit 1
        printf "$3" >&3
        head -c 4 <&3 | od -An -v -t x1' dlws "$1" "${3:-53}" "$query" 2>/dev/null) || return 1
    [[ $reply =~ ^\ 64\ 6c\ [89a-f].\ .[03]$ ]]
}

valid_server() { [[ $1 =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ || $1 =~ ^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+$ ]]; }
valid_domain() { [[ $1 =~ ^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$ ]]; }

# usable_servers NAME SERVER...: sets USABLE to those that answer; stops if servers were given and none does.
usable_servers() {
    local name=$1 server
    shift
    USABLE=()
    for server in "$@"; do
        valid_server "$server" || die "not the address of a name server: $server" "correct dns_server in config.yaml"
        if answers "$server" "$name" || answers "$server" "$name"; then
            USABLE+=("$server")
        else
            warn "name server $server does not answer on this node; it is not used"
        fi
    done
    [ $# -eq 0 ] || [ "${#USABLE[@]}" -gt 0 ] ||
        die "none of the name servers answers on this node: $*; nothing was changed" \
            "correct dns_server in config.yaml, or let this node reach them on UDP port 53"
}

# known_name: a name that resolves today, of those that this machine is configured to use.
known_name() {
    local name
    while read -r name; do
        if getent ahostsv4 "$name" >/dev/null; then
            printf '%s\n' "$name"
            return 0
        fi
    done < <(cat "$DLWS_ROOT"/etc/apt/sources.list "$DLWS_ROOT"/etc/apt/sources.list.d/*.{list,sources} \
        2>/dev/null | sed -nE 's#^[^\#]*https?://([^/: ]+).*#\1#p' | sort -u | head -n 3)
}

# resolved_dropin DOMAIN SERVER...
resolved_dropin() {
    local domain=$1
    shift
    echo '[Resolve]'
    [ $# -eq 0 ] || echo "DNS=$*"
    [ -z "$domain" ] || echo "Domains=$domain"
}

# with_resolver DOMAIN SERVER...: resolv.conf on standard input, with the domain first in its search list
# and the servers before its own. The C library reads three servers.
with_resolver() {
    awk -v domain="$1" -v servers="${*:2}" '
        BEGIN { n = split(servers, own, " "); for (i = 1; i <= n; i++) { server[++count] = own[i]; seen[own[i]] = 1 }
                if (domain != "") { search = domain; have[domain] = 1 } }
        $1 == "search" || $1 == "domain" {
            for (i = 2; i <= NF; i++) if (!($i in have)) { search = search (search == "" ? "" : " ") $i; have[$i] = 1 }
            next }
        $1 == "nameserver" { if (!($2 in seen)) { server[++count] = $2; seen[$2] = 1 }; next }
        { rest[++lines] = $0 }
        END { for (i = 1; i <= lines; i++) print rest[i]
              if (search != "") print "search " search
              for (i = 1; i <= count && i <= 3; i++) print "nameserver " server[i] }'
}

uses_resolved() {
    [[ $(readlink -f "$DLWS_ROOT/etc/resolv.conf") == "$DLWS_ROOT"/run/systemd/resolve/* ]] &&
        systemctl is-active --quiet systemd-resolved
}

uses_resolvconf() {
    [[ $(readlink -f "$DLWS_ROOT/etc/resolv.conf") == "$DLWS_ROOT"/run/resolvconf/* ]] &&
        command -v resolvconf >/dev/null
}


# A bind-mounted resolv.conf, as containers have it, can be written and not be replaced.
set_resolv_conf() {
    local path=$DLWS_ROOT/etc/resolv.conf new who
    who=$(resolv_writer)
    who=${who#resolver=}
    new=$(with_resolver "$@" <"$path")
    [ "$new" != "$(cat "$path")" ] || return 0
    ! differs file "$path" "has other content${who:+: $who writes this file}" || return 0
    cp -pL "$path" "$path.dlws-before"
    if mountpoint -q "$path"; then
        printf '%s\n' "$new" >"$path"
        changed "wrote $path"
    else
        write_file "$path" 0644 <<<"$new"
    fi
    [ -z "$who" ] || warn "$who writes $path, and may do so again: set the name servers there, too"
}

restore_resolv_conf() { cat "$DLWS_ROOT/etc/resolv.conf.dlws-before" >"$DLWS_ROOT/etc/resolv.conf"; }

set_resolved() {
    local dropin=$DLWS_ROOT/etc/systemd/resolved.conf.d/dlws.conf text before=$DLWS_CHANGES
    text=$(resolved_dropin "$@")
    checking || rm -f "$dropin.before"
    checking || [ ! -f "$dropin" ] || cp -p "$dropin" "$dropin.before"
    write_file "$dropin" 0644 <<<"$text"
    checking || [ "$DLWS_CHANGES" -eq "$before" ] || systemctl restart systemd-resolved
}

restore_resolved() {
    local dropin=$DLWS_ROOT/etc/systemd/resolved.conf.d/dlws.conf
    rm -f "$dropin"
    [ ! -f "$dropin.before" ] || mv "$dropin.before" "$dropin"
    systemctl restart systemd-resolved
}

# resolvconf puts "head" before and "base" behind what the network's own configuration says.
set_resolvconf() {
    local folder=$DLWS_ROOT/etc/resolvconf/resolv.conf.d before=$DLWS_CHANGES domain=$1 part
    shift
    for part in head base; do
        ! checking || continue
        cp -p "$folder/$part" "$folder/$part.dlws-before" 2>/dev/null || : >"$folder/$part.dlws-before"
    done
    [ $# -eq 0 ] || write_file "$folder/head" 0644 <<<"$(printf 'nameserver %s\n' "$@")"
    [ -z "$domain" ] || write_file "$folder/base" 0644 <<<"search $domain"
    checking || [ "$DLWS_CHANGES" -eq "$before" ] || resolvconf -u
}

restore_resolvconf() {
    local folder=$DLWS_ROOT/etc/resolvconf/resolv.conf.d part
    for part in head base; do
        cat "$folder/$part.dlws-before" >"$folder/$part"
    done
    resolvconf -u
}

# set_resolver DOMAIN SERVER...
set_resolver() {
    local domain=$1 way=resolv_conf name
    shift
    if [ -z "$domain" ] && [ $# -eq 0 ]; then return 0; fi
    [ -z "$domain" ] || valid_domain "$domain" || die "not a domain: $domain" "correct network.domain in config.yaml"
    usable_servers "${domain:-localhost}" "$@"
    if uses_resolved; then way=resolved; elif uses_resolvconf; then way=resolvconf; fi
    name=$(known_name)
    "set_$way" "$domain" "${USABLE[@]}"
    if [ -z "$name" ] || checking; then return 0; fi
    getent ahostsv4 "$name" >/dev/null || getent ahostsv4 "$name" >/dev/null || {
        "restore_$way"
        die "with the new name servers $name does not resolve any more; the old settings are back" \
            "let the cluster's name servers forward what they do not know, or correct dns_server in config.yaml"
    }
}
