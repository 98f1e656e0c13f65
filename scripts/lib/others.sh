# shellcheck shell=sh
# What others on a node write that is ours there, too. check, verify and scripts ask it; it changes nothing.
#
# Each function prints lines KEY=VALUE, or nothing. DLWS_ROOT stands before all paths.

# cni_files: the configurations of container networks.
cni_files() {
    for file in "${DLWS_ROOT-}"/etc/cni/net.d/*.conf "${DLWS_ROOT-}"/etc/cni/net.d/*.conflist \
        "${DLWS_ROOT-}"/etc/cni/net.d/*.json; do
        [ ! -e "$file" ] || printf 'cni=%s\n' "$(printf %s "${file##*/}" | tr '\n\r' '  ')"
    done
}

# cloud_hosts: whether cloud-init writes /etc/hosts anew at each start. It reads its files in the order of
# their names and then what the machine was given as user data; the last word counts.
cloud_hosts() {
    set -- "${DLWS_ROOT-}/etc/cloud"
    if [ ! -d "$1" ] || [ -e "$1/cloud-init.disabled" ]; then return 0; fi
    for file in "$1/cloud.cfg" "$1"/cloud.cfg.d/*.cfg "${DLWS_ROOT-}/var/lib/cloud/instance/cloud-config.txt"; do
        [ ! -f "$file" ] || set -- "$@" "$file"
    done
    shift
    [ $# -gt 0 ] || return 0
    awk '/^manage_etc_hosts:/ { gsub(/["\047]/, ""); last = tolower($2); from = FILENAME }
        END { if (last ~ /^(true|yes|on|localhost|template)$/)
                print "cloud_hosts=" (from ~ /cloud-config\.txt$/ ? "user-data" : "files") }' "$@" 2>/dev/null
}

# resolv_writer: the program that wrote /etc/resolv.conf last and will again, by what it leaves there.
resolv_writer() {
    [ -f "${DLWS_ROOT-}/etc/resolv.conf" ] || return 0
    awk 'NR <= 5 && /^[#;].*[Gg]enerated (by|from) / {
            sub(/.*[Gg]enerated (by|from) +/, ""); sub(/ .*/, ""); sub(/.*\//, ""); sub(/[.,]+$/, "")
            if ($0 ~ /^[A-Za-z0-9()._-]+$/) { print "resolver=" $0; exit } }' \
        "${DLWS_ROOT-}/etc/resolv.conf" 2>/dev/null
}

# lost_routes: the routes of our pod network that are gone, what is in their place, and who may have taken
# them.
lost_routes() {
    [ -f "${DLWS_ROOT-}/etc/dlws/pod-network" ] || return 0
    while read -r kind target _; do
        [ "$kind" = route ] || continue
        case $target in *:*) set -- -6 ;; *) set -- -4 ;; esac
        [ -n "$(ip "$1" route show exact "$target" proto 77 2>/dev/null)" ] ||
            printf 'lost=%s %s\n' "$target" "$(ip "$1" route show exact "$target" 2>/dev/null | head -n 1)"
    done <"${DLWS_ROOT-}/etc/dlws/pod-network"
    ! systemctl is-active --quiet systemd-networkd 2>/dev/null || echo "networkd=1"
}
