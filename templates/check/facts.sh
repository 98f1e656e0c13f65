# shellcheck shell=bash
# What has to be right about a node before it is changed, as lines KEY=VALUE. It changes nothing.
#
# It is read from standard input behind scripts/lib/common.sh, devices.sh and others.sh, whose
# functions it uses, and before the calls that name what to reach: `ports`, `names`, `addresses`,
# `hosts`, `mirrors`.
# The last of these lines is `fact end 1`: an answer without it was cut off.

PATIENCE=4 # seconds for one connection or name: SYN packets leave at 0, 1 and 3 s
AT_ONCE=48

fact() { printf '%s=%s\n' "$1" "${2//[$'\n\r']/ }"; }

# each PROGRAM N WORD...: the program on each N words, many at once; each prints one line.
each() {
    local program=$1 count=$2
    shift 2
    [ $# -gt 0 ] || return 0
    printf '%s\0' "$@" | PATIENCE=$PATIENCE xargs -0 -n "$count" -P "$AT_ONCE" bash -c "$program" dlws
}

# shellcheck disable=SC2016 # expanded by the shells that each() starts
{
    # A closed port refuses, and so was reached. A firewall that drops is silent; one that rejects by
    # an ICMP message other than port-unreachable says "No route to host".
    CONNECT='
        says=$(LC_ALL=C timeout "$PATIENCE" bash -c "exec 3<>\"/dev/tcp/\$1/\$2\"" dlws "$1" "$2" 2>&1)
        code=$?
        case $code:$says in
            0:*) verdict=open ;;
            124:*) verdict=silent ;;
            *refused*) verdict=refused ;;
            *"not known"* | *"name resolution"* | *"associated with hostname"*) verdict=unknown-name ;;
            *) verdict="blocked ${says##*: }" ;;
        esac'
    PORT='target=$1; shift'"$CONNECT"'; printf "port=%s|%s|%s|%s\n" "$target" "$1" "$2" "$verdict"'
    HOST="$CONNECT"'; printf "host=%s|%s|%s\n" "$1" "$2" "$verdict"'
    NAME='
        found=$(timeout "$PATIENCE" getent ahosts "$1")
        code=$?
        [ "$code" = 124 ] && found=silent
        printf "name=%s|%s\n" "$1" "$(printf "%s" "$found" | cut -d " " -f 1 | sort -u | xargs)"'
    ADDRESS='
        found=$(timeout "$PATIENCE" getent hosts "$1")
        printf "back=%s|%s\n" "$1" "$(printf "%s" "$found" | head -n 1 | cut -d " " -f 2- | xargs)"'
    MIRROR='
        status=$(timeout "$PATIENCE" bash -c "
            exec 3<>\"/dev/tcp/\$1/\$2\" || exit 1
            printf \"HEAD %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: dlws\r\nConnection: close\r\n\r\n\" \"\$3\" \"\$4\" >&3
            IFS= read -r line <&3 && printf %s \"\$line\"" dlws "$1" "$2" "$3" "$4" 2>/dev/null)
        case $? in 0) ;; 124) status=silent ;; *) status=unreachable ;; esac
        printf "mirror=%s|%s\n" "$5" "${status%$'"'\r'"'}"'
}

# ports NODE ADDRESS PORT...
ports() { each "$PORT" 3 "$@"; }

# hosts HOST PORT...: like ports, for what lies outside the cluster.
hosts() { each "$HOST" 2 "$@"; }

# names NAME...
names() { each "$NAME" 1 "$@"; }

# addresses ADDRESS...
addresses() { each "$ADDRESS" 1 "$@"; }

# apt_sources: lines "URL SUITE" of the enabled sources, in both formats, without any user and password.
apt_sources() {
    {
        cat "$DLWS_ROOT"/etc/apt/sources.list "$DLWS_ROOT"/etc/apt/sources.list.d/*.list 2>/dev/null |
            sed -nE 's/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+)[[:space:]]+([^[:space:]]+).*/\2 \3/p'
        local file
        for file in "$DLWS_ROOT"/etc/apt/sources.list.d/*.sources; do
            # An empty line ends a stanza.
            awk '{ sub(/\r$/, "") }
                /^[^# \t][^:]*:/ { key = tolower($1); rest = $0; sub(/^[^:]*:[ \t]*/, "", rest); value[key] = rest }
                /^[ \t]*$/ { out() }
                END { out() }
                function out(  i, j, n, m, url, suite) {
                    if (tolower(value["enabled:"]) != "no" && value["types:"] ~ /(^| )deb( |$)/) {
                        n = split(value["uris:"], url); m = split(value["suites:"], suite)
                        for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) print url[i], suite[j] }
                    delete value }' "$file" 2>/dev/null
        done
    } | sed -E 's#://[^/@ ]*@#://#' | sort -u
}

# mirrors: one line mirror=URL|STATUS for each apt source; through apt's proxy where it has one.
mirrors() {
    local url suite scheme host port path target proxy words=() plain=()
    proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy 2>/dev/null | head -n 1)
    while read -r url suite; do
        scheme=${url%%://*} host=${url#*://}
        path=/${host#*/} host=${host%%/*}
        [ "$path" != "/$host" ] || path=
        path=${path%/}
        case $suite in */) path=$path/${suite%/} ;; *) path=$path/dists/$suite ;; esac
        path=${path%/}/InRelease port=80
        [ "$scheme" = http ] || port=443
        target=$host
        case $host in \[*\]:* | [!\[]*:*) port=${host##*:} target=${host%:*} ;; esac
        target=${target#\[} target=${target%\]}
        case $scheme in
            https) plain+=("$target" "$port") ;;
            http)
                if [[ $proxy == http://* ]]; then
                    path=http://$host$path target=${proxy#http://}
                    target=${target##*@} target=${target%%/*}
                    port=${target##*:} target=${target%:*}
                fi
                words+=("$target" "$port" "$path" "$host" "$url $suite")
                ;;
        esac
    done < <(apt_sources)
    each "$MIRROR" 5 "${words[@]}"
    hosts "${plain[@]}"
}

# kernel_module NAME SIGN: loaded, available or missing.
kernel_module() {
    local folder name=$1
    folder=$DLWS_ROOT/lib/modules/$(uname -r)
    if [ -e "$DLWS_ROOT/sys/module/$name" ] || [ -e "$DLWS_ROOT$2" ] ||
        grep -qsw "$name" "$DLWS_ROOT/proc/filesystems"; then
        fact module "$name|loaded"
    elif grep -qs "/$name\.ko" "$folder/modules.dep" "$folder/modules.builtin"; then
        fact module "$name|available"
    else
        fact module "$name|missing"
    fi
}

identity() {
    local file type key
    fact hostname "$(uname -n)"
    fact machine_id "$(cat "$DLWS_ROOT/etc/machine-id" 2>/dev/null)"
    fact boot_id "$(cat "$DLWS_ROOT/proc/sys/kernel/random/boot_id" 2>/dev/null)"
    fact product_uuid "$(cat "$DLWS_ROOT/sys/class/dmi/id/product_uuid" 2>/dev/null)"
    for file in "$DLWS_ROOT"/etc/ssh/ssh_host_*_key.pub; do
        if read -r type key _ 2>/dev/null <"$file"; then fact host_key "$type $key"; fi
    done
    if command -v ip >/dev/null; then
        ip -o address show | awk '$2 != "lo" { sub(/\/.*/, "", $4); print "address=" $4 }'
    else
        hostname -I | tr ' ' '\n' | sed -n 's/^..*/address=&/p'
    fi
    awk '$4 == "0A" && !seen[$2]++ { print "listens=" $2 }' "$DLWS_ROOT"/proc/net/tcp "$DLWS_ROOT"/proc/net/tcp6 2>/dev/null
}

system() {
    fact os_id "$(os_field ID)"
    fact os_like "$(os_field ID_LIKE)"
    fact os_version "$(os_field VERSION_ID)"
    fact os_name "$(os_field PRETTY_NAME)"
    fact architecture "$(uname -m)"
    fact kernel "$(uname -r)"
    if in_container; then fact container "$(systemd-detect-virt --container 2>/dev/null)"; fi
    if systemd_runs; then fact systemd 1; fi
    fact cores "$(nproc)"
    awk '$1 == "MemTotal:" { print "memory=" $2 }' "$DLWS_ROOT/proc/meminfo"
    awk 'NR > 1 { print "swap=" $1 }' "$DLWS_ROOT/proc/swaps"
    df -Pk "$DLWS_ROOT/" "$DLWS_ROOT/var/lib" | awk 'NR > 1 && !seen[$6]++ { print "disk=" $6 "|" $4 "|" $2 }'
    df -Pi "$DLWS_ROOT/" "$DLWS_ROOT/var/lib" | awk 'NR > 1 && !seen[$6]++ { print "inodes=" $6 "|" $4 "|" $2 }'
    kernel_module overlay /sys/module/overlay
    kernel_module br_netfilter /proc/sys/net/bridge
}

# enough VERSION MINIMUM: yes, no, or nothing without a version.
enough() {
    [ -n "$1" ] || return 0
    if version_at_least "$1" "$2"; then echo yes; else echo no; fi
}

devices() {
    local version
    fact nvidia "$(nvidia_gpus | xargs)"
    version=$(nvidia_driver_version)
    fact nvidia_driver "$version"
    fact nvidia_minimum "$NVIDIA_DRIVER_MINIMUM"
    fact nvidia_enough "$(enough "$version" "$NVIDIA_DRIVER_MINIMUM")"
    if [ -e "$DLWS_ROOT/etc/dlws/stand-in-devices" ]; then
        fact nvidia_stand_ins "$(stand_ins nvidia | xargs)"
        fact huawei_stand_ins "$(stand_ins davinci | xargs)"
    fi
    fact huawei "$(huawei_npus | xargs)"
    version=$(npu_driver_version)
    fact huawei_driver "$version"
    fact huawei_minimum "$NPU_DRIVER_MINIMUM"
    fact huawei_enough "$(enough "$version" "$NPU_DRIVER_MINIMUM")"
    if nouveau_loaded; then fact nouveau 1; fi
    if secure_boot; then fact secure_boot 1; fi
    if ascend_runtime; then fact ascend_runtime 1; fi
    if grep -qsiE '^[^#]*https?_proxy=' "$DLWS_ROOT/etc/environment" \
        "$DLWS_ROOT"/etc/systemd/system/{containerd,docker}.service.d/*.conf; then
        fact proxy 1
    fi
}

# What others have here that ours would meet.
others() {
    ip -4 -o route show 2>/dev/null | awk '$1 ~ /^[0-9]/ {
        via = dev = ""
        for (i = 2; i < NF; i++) { if ($i == "via") via = $(i + 1); if ($i == "dev") dev = $(i + 1) }
        print "route=" $1 "|" dev "|" via }'
    if [ -e "$DLWS_ROOT/etc/kubernetes/kubelet.conf" ]; then fact member 1; fi
    cni_files
    cloud_hosts
    resolv_writer
    return 0
}

# What keeps us from writing, and from running what we wrote.
places() {
    local place inode
    for place in / /etc /var/lib /var/tmp; do
        # Of root the file system alone decides.
        [ "$EUID" != 0 ] || [ ! -e "$DLWS_ROOT$place" ] || [ -w "$DLWS_ROOT$place" ] || fact readonly "$place"
    done
    # Of a user who is over a quota it says so, of another nothing.
    if command -v quota >/dev/null; then quota -qu "$1" 2>/dev/null | sed 's/^/quota=/'; fi
    # A process costs more than all that it reads: one for both files.
    inode=$(stat -c %i "$DLWS_ROOT/var/lib/dpkg/lock-frontend" 2>/dev/null)
    awk -v inode=":${inode:-none}\$" -v proc="$DLWS_ROOT/proc" '
        FILENAME ~ /mounts$/ && ($2 == "/var/tmp" || $2 == "/tmp") && $4 ~ /(^|,)noexec(,|$)/ && !seen[$2]++ {
            print "noexec=" $2 }
        FILENAME ~ /locks$/ && $4 == "WRITE" && $6 ~ inode && !pid {
            pid = $5; getline name <(proc "/" pid "/comm"); print "apt=" name "|" pid }' \
        "$DLWS_ROOT/proc/mounts" "$DLWS_ROOT/proc/locks" 2>/dev/null
    return 0
}

fact clock "$(date +%s.%N)"
shopt -s nullglob
fact user "$(id -un)"
{
    system
    identity
    devices
    others
    places "${DLWS_USER:-root}"
} </dev/null
