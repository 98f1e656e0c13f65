# shellcheck shell=bash
# Installs packages: from the bundle on this node where it has them, else from the node's own apt sources.
#
# Needs lib/common.sh. Changes only what is missing: nothing is upgraded, and no question is asked. A name may be a choice, "containerd|containerd.io": any of them counts as installed, the first
# one that can be had is installed.

DLWS_APT_UPDATED=
DLWS_FAMILY=
DLWS_APT_DEADLINE=${DLWS_APT_DEADLINE:-300}
declare -A PACKAGES_THERE=() # those that dpkg said are installed

codename() { os_field VERSION_CODENAME; }

# os_family: sets DLWS_FAMILY: redhat for what has RPM packages (openEuler, Rocky, ...), else debian.
os_family() {
    [ -z "$DLWS_FAMILY" ] || return 0
    case " $(os_field ID) $(os_field ID_LIKE) " in
        *" rhel "* | *" fedora "* | *" centos "* | *" openEuler "* | *" openeuler "* | *" kylin "*) DLWS_FAMILY=redhat ;;
        *) DLWS_FAMILY=debian ;;
    esac
}

has_rpms() { os_family && [ "$DLWS_FAMILY" = redhat ]; }

# ask_dpkg NAME|NAME...: which of them are installed, in one question; package_installed knows these then.
ask_dpkg() {
    local status name names IFS='|'
    PACKAGES_THERE=()
    ! has_rpms || return 0
    read -ra names <<<"$*"
    while IFS=' ' read -r status name; do
        [ "$status" != installed ] || [ -z "$name" ] || PACKAGES_THERE[$name]=yes
    done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${names[@]}" 2>/dev/null)
}

package_installed() {
    local status
    [ -z "${PACKAGES_THERE[$1]-}" ] || return 0
    if has_rpms; then
        rpm -q --quiet "$1" 2>/dev/null
        return
    fi
    status=$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) && [ "$status" = installed ]
}

# apt_get ARGS...: one apt-get that asks nothing and waits for whoever holds apt's locks. apt before 2.0
# and "update" in every version give up at once on a held lock, so that case is tried again here.
apt_get() {
    local log end=$((SECONDS + DLWS_APT_DEADLINE)) code
    log=$(mktemp)
    while :; do
        code=0
        DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C apt-get -qq -y \
            -o "DPkg::Lock::Timeout=$DLWS_APT_DEADLINE" -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
            -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
            "$@" </dev/null >"$log" 2>&1 || code=$?
        if [ "$code" -eq 0 ] || [ "$SECONDS" -ge "$end" ]; then break; fi
        grep -qE 'Could not get lock|Unable to (acquire|lock)' "$log" || break
        sleep 3
    done
    [ "$code" -eq 0 ] || tail -n 20 "$log" >&2
    rm -f "$log"
    return "$code"
}

apt_update() { apt_get update && DLWS_APT_UPDATED=yes; }

# The package lists are fetched at most once per script, and only by one that has something to install.
apt_update_once() {
    [ -z "$DLWS_APT_UPDATED" ] || return 0
    say "fetching the package lists"
    apt_update || die "apt-get update failed on this node" \
        "check the node's /etc/apt/sources.list* and its network, or use kubernetes.source: bundle"
}

# bundle_source: makes an apt repository of the bundle's packages (a link to them where they have an
# index, else links and an index of our own: the verified bundle is not touched) and prints its
# directory. Fails if there are none.
bundle_source() {
    local bundle=${DLWS_BUNDLE:-/var/lib/dlws/bundle} debs repository
    debs=$bundle/packages/$(codename)
    compgen -G "$debs/*.deb" >/dev/null || return 1
    repository=$(mktemp -d)
    chmod 755 "$repository"
    mkdir -p "$repository/lists/partial"
    if [ -f "$debs/Packages" ]; then
        ln -s "$(readlink -f "$debs")" "$repository/pool"
    else
        mkdir "$repository/pool" && bundle_index "$bundle" "$debs" "$repository/pool" || return 1
    fi
    printf 'deb [trusted=yes] file:%s ./\n' "$repository/pool" >"$repository/sources.list"
    printf '%s\n' "$repository"
}

# bundle_index BUNDLE DEBS POOL: links and an index, for bundles that were made without one.
# It has the hashes of the bundle's list, so that apt compares with those what it installs.
bundle_index() {
    local deb sum path
    local -A sums=()
    [ ! -e "$1/SHA256SUMS" ] ||
        while read -r sum path; do sums[$path]=$sum; done <"$1/SHA256SUMS"
    for deb in "$2"/*.deb; do
        ln -s "$(readlink -f "$deb")" "$3/"
        dpkg-deb -f "$deb" || return 1
        sum=${sums[packages/${2##*/}/${deb##*/}]-}
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" \
            "$(stat -L -c %s "$deb")" "${sum:-$(sha256sum "$deb" | cut -d ' ' -f 1)}"
    done >"$3/Packages"
}

# bundle_apt REPOSITORY ARGS...: apt-get that knows nothing but the bundle.
bundle_apt() {
    local repository=$1
    shift
    apt_get -o "Dir::Etc::sourcelist=$repository/sources.list" -o Dir::Etc::sourceparts=- \
        -o "Dir::State::lists=$repository/lists" -o APT::Sandbox::User=root "$@"
}

# Fails, and changes nothing, unless the bundle alone holds the packages and all that they depend on.
install_from_bundle() {
    local repository code=0
    repository=$(bundle_source) || return 1
    bundle_apt "$repository" update && bundle_apt "$repository" -s install --no-install-recommends "$@" \
        2>/dev/null || code=1
    [ "$code" -ne 0 ] || bundle_apt "$repository" install --no-install-recommends "$@" || code=2
    rm -rf "$repository"
    [ "$code" -ne 2 ] || die "the bundle's packages could not be installed: $*" \
        "read the lines above; 'dpkg --configure -a' on the node finishes a broken installation"
    return "$code"
}

# package_available NAME: the bundle has it or apt knows a version of it.
package_available() {
    local deb
    if has_rpms; then
        dnf -q list --available "$1" >/dev/null 2>&1
        return
    fi
    for deb in "${DLWS_BUNDLE:-/var/lib/dlws/bundle}/packages/$(codename)/$1"_*.deb; do
        [ ! -e "$deb" ] || return 0
    done
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

any_installed() {
    local name choice
    IFS='|' read -ra choice <<<"$1"
    for name in "${choice[@]}"; do
        ! package_installed "$name" || return 0
    done
    return 1
}

# pick NAME|NAME...: prints what to install of a choice, nothing if one of it is installed.
pick() {
    local name choice
    ! any_installed "$1" || return 0
    IFS='|' read -ra choice <<<"$1"
    for name in "${choice[@]}"; do
        if package_available "$name"; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    printf '%s\n' "${choice[0]}"
}

# install_packages NAME...
install_packages() {
    local choice missing=()
    ask_dpkg "$@"
    for choice in "$@"; do
        any_installed "$choice" || differs package "$choice" "is not installed" ||
            missing+=("$(pick "$choice")")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    if has_rpms; then
        dnf -q -y install "${missing[@]}" </dev/null || die "these packages could not be installed: ${missing[*]}" \
            "read the lines above; the node's repositories must have them"
    elif ! install_from_bundle "${missing[@]}"; then
        apt_update_once
        apt_get install --no-install-recommends "${missing[@]}" ||
            die "these packages could not be installed: ${missing[*]}" \
                "read the lines above; the node's apt sources, or the bundle, must have them"
    fi
    changed "installed ${missing[*]}"
}

# uninstall_packages NAME...: their configuration stays.
uninstall_packages() {
    PACKAGES_THERE=()
    if has_rpms; then
        dnf -q -y remove "$@" </dev/null
    else
        apt_get remove "$@"
    fi || die "these packages could not be removed: $*" "read the lines above"
}
