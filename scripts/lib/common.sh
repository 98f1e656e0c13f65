# shellcheck shell=bash
# What every node script shares: saying what changed, refusing with a cure, writing files, sysctls.
#
# Changes nothing by itself. Source it; it needs bash 4.4 or newer and nothing that has to be installed.
# With DLWS_CHECK=1 a script changes nothing at all: it prints a line for each thing that it would change.
# DLWS_ROOT (empty on a node) is put before every system path, so that a test can show it another machine.

DLWS_ROOT=${DLWS_ROOT:-}
DLWS_CHANGES=0

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

checking() { [ "${DLWS_CHECK:-}" = 1 ]; }

# differs KIND WHAT WORDS: succeeds in check mode, and says that a thing is not as it should be. It fails
# where the script is to change the thing: `differs ... || change it`. Its own stream, because it may be
# called where standard output is captured.
differs() {
    checking || return 1
    DLWS_CHANGES=$((DLWS_CHANGES + 1))
    printf 'differs: %s\t%s\t%s\n' "$1" "$2" "${3//[$'\n\t']/ }" >&"$DLWS_SAYS"
}

changed() {
    ! checking || mistake changed "$@"
    DLWS_CHANGES=$((DLWS_CHANGES + 1))
    printf 'changed: %s\n' "$*"
}

# The last line of every script: a second run has to say that it changed nothing.
finish() { [ "$DLWS_CHANGES" -gt 0 ] || say "nothing to do"; }

# die MESSAGE CURE
die() {
    ! differs state "${0##*/}" "$1${2:+; cure: $2}" || exit 5
    printf 'error: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf 'cure: %s\n' "$2" >&2
    exit 1
}

# ask_reboot REASON: the caller reboots the node and runs the script again with the argument "continue".
ask_reboot() {
    ! differs state reboot "$1" || exit 5
    say "reboot needed: $1"
    exit 194
}

# need_root "$@": become root by sudo, keeping the facts in DLWS_*, or say how.
need_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    local name facts=()
    for name in "${!DLWS_@}"; do
        facts+=("$name=${!name}")
    done
    sudo -n true 2>/dev/null ||
        die "this script changes the system and $(id -un) may not become root without a password" \
            "run it with --sudo, or connect as root"
    exec sudo -n env "${facts[@]}" bash "$0" "$@"
}

# os_field NAME: a field of os-release, such as ID or VERSION_CODENAME.
os_field() {
    local line
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line == "$1="* ]] || continue
        line=${line#*=}
        line=${line%[\"\']}
        printf '%s\n' "${line#[\"\']}"
        return 0
    done <"$DLWS_ROOT/etc/os-release" || return 0
}

# In a container the kernel belongs to the machine around it: its modules, swap and devices too.
in_container() {
    case ${DLWS_CONTAINER:-} in
        yes) return 0 ;;
        no) return 1 ;;
    esac
    command -v systemd-detect-virt >/dev/null && systemd-detect-virt --container --quiet
}

systemd_runs() { [ -d "$DLWS_ROOT/run/systemd/system" ]; }

# In check mode whatever could change something is a mistake in the script, and ends it before it happens.
mistake() {
    printf 'error: check mode would have run: %s\n' "$*" >&2
    # Also out of a subshell, and where the script ignores failures.
    kill -TERM $$
    exit 70
}

DLWS_CHANGING=(apt-get chgrp chmod chown cp dd debconf-set-selections dnf groupadd install ln mkdir
    mkfs.ext4 mktemp mount mv resolvconf rm rmdir swapoff tee touch truncate umount update-initramfs
    useradd usermod)

forbid_changes() {
    local name
    exec {DLWS_SAYS}>&1
    for name in "${DLWS_CHANGING[@]}"; do
        eval "$name() { mistake $name \"\$@\"; }"
    done
    systemctl() {
        case $1 in
            is-* | cat | list-* | show | status) command systemctl "$@" ;;
            *) mistake systemctl "$@" ;;
        esac
    }
    modprobe() { if [ "$1" = -n ]; then command modprobe "$@"; else mistake modprobe "$@"; fi; }
    apt-mark() { if [ "$1" = showhold ]; then command apt-mark "$@"; else mistake apt-mark "$@"; fi; }
    ctr() { mistake ctr "$@"; }
}
if checking; then forbid_changes; fi

# check_file PATH MODE: whether PATH has this mode and, for content, standard input.
check_file() {
    local mode=${2#0} has
    if [ ! -e "$1" ]; then
        differs file "$1" "is missing"
    elif [ -L "$1" ] || ! cmp -s - "$1"; then
        differs file "$1" "has other content"
    elif has=$(stat -c %a "$1") && [ "$has" != "$mode" ]; then
        differs file "$1" "has mode $has, not $mode"
    fi
}

# place NEW PATH MODE: the file NEW takes the place of PATH, at once, and only where something differs.
place() {
    local new=$1 path=$2 mode=${3#0}
    if [ -f "$path" ] && [ ! -L "$path" ] && cmp -s "$new" "$path"; then
        rm -f "$new"
        [ "$(stat -c %a "$path")" != "$mode" ] || return 0
        chmod "$mode" "$path"
        changed "mode of $path is now $mode"
        return 0
    fi
    chmod "$mode" "$new"
    mv -f "$new" "$path"
    changed "wrote $path"
}

# write_file PATH MODE: standard input becomes the file. Give it a here-document and not a pipe: behind a
# pipe it would run in a subshell, and what it changed would not be counted.
write_file() {
    local new
    if checking; then
        check_file "$1" "$2"
        return 0
    fi
    mkdir -p "${1%/*}"
    new=$(mktemp "$1.dlws-XXXXXX")
    cat >"$new"
    place "$new" "$1" "$2"
}

# edit_file PATH COMMAND...: the file becomes what the command makes of it; it stays if the command fails.
edit_file() {
    local path=$1 new
    shift
    if checking; then
        # shellcheck disable=SC2094 # nothing is written here
        check_file "$path" "$(stat -c %a "$path")" < <("$@" <"$path")
        return 0
    fi
    new=$(mktemp "$path.dlws-XXXXXX")
    if ! "$@" <"$path" >"$new"; then
        rm -f "$new"
        die "$path could not be rewritten; it is unchanged" "look at the lines above"
    fi
    chown --reference="$path" "$new"
    place "$new" "$path" "$(stat -c %a "$path")"
}

# kernel_setting NAME VALUE: sets a sysctl that differs. One that this kernel or container does not let
# us have is left alone with a word: the file in sysctl.d still says what is wanted.
kernel_setting() {
    local path=$DLWS_ROOT/proc/sys/${1//.//} now=
    IFS= read -r now 2>/dev/null <"$path" || true
    if [ -z "$now" ]; then
        say "$1 does not exist here; left to the machine's own kernel"
    elif [ "$now" != "$2" ]; then
        if checking && { [ -w "$path" ] || ! in_container; }; then
            differs sysctl "$1" "is $now, not $2"
        elif ! checking && printf '%s\n' "$2" 2>/dev/null >"$path"; then
            changed "$1 = $2 (was $now)"
        elif in_container; then
            say "$1 is $now and cannot be changed from inside a container"
        else
            die "the kernel does not accept $1 = $2" "look at 'dmesg | tail' on this node"
        fi
    fi
}

# sysctl_file NAME: lines "key = value" on standard input become /etc/sysctl.d/NAME and are applied.
sysctl_file() {
    local lines key value
    lines=$(cat)
    write_file "$DLWS_ROOT/etc/sysctl.d/$1" 0644 <<<"$lines"
    while IFS='= ' read -r key value; do
        [[ -z $key || $key == \#* ]] || kernel_setting "$key" "$value"
    done <<<"$lines"
}

# unit_state UNIT: as in "enabled, active".
unit_state() {
    local enabled active
    enabled=$(systemctl is-enabled "$1" 2>/dev/null) || true
    active=$(systemctl is-active "$1" 2>/dev/null) || true
    printf '%s, %s' "${enabled:-unknown}" "${active:-unknown}"
}

# disable_units NAME...: stops and disables those of the units that are installed here.
disable_units() {
    local unit state
    systemd_runs || return 0
    while read -r unit state _; do
        case $state in
            disabled | masked) systemctl is-active --quiet "$unit" || continue ;;
        esac
        if differs unit "$unit" "is $(unit_state "$unit"), not disabled"; then continue; fi
        systemctl disable --now "$unit" >/dev/null 2>&1 ||
            die "$unit cannot be disabled" "look at 'systemctl status $unit' on this node"
        changed "disabled $unit"
    done < <(systemctl list-unit-files --no-legend "$@" 2>/dev/null)
}
