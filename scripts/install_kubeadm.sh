#!/usr/bin/env bash
# dlws-files: lib/common.sh lib/packages.sh lib/mirror.sh lib/bundle.sh
# dlws-needs: root bundle
# dlws-check
# Installs kubeadm, kubelet, kubectl and what they need, of exactly DLWS_KUBERNETES_VERSION.
#
# usage: install_kubeadm.sh
#
# DLWS_KUBERNETES_SOURCE=packages: from the upstream apt repository (or the mirror DLWS_APT_MIRROR names),
# and held there. The key that signs them comes over https, or is one whose fingerprint is known: that of
# upstream, or those in DLWS_APT_KEYS, which then are the only ones. DLWS_KUBERNETES_SOURCE=bundle: from
# DLWS_BUNDLE, without network; every file is checked by its sha256 first, unless it is as it was then. Images
# that the runtime has already are not imported again. The container runtime itself is installed by
# prepare_ubuntu.sh. A kubelet that runs is restarted only if its program changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=scripts/lib/mirror.sh
. "$here/lib/mirror.sh"
# shellcheck source=scripts/lib/bundle.sh
. "$here/lib/bundle.sh"

BUNDLE=${DLWS_BUNDLE:-/var/lib/dlws/bundle}
VERSION=${DLWS_KUBERNETES_VERSION:-}
VERSION=${VERSION#v}
TOOLS=(kubeadm kubectl kubelet)
CNI=/opt/cni/bin

check_version() {
    [[ $VERSION =~ ^1\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.-]+)?$ ]] ||
        die "DLWS_KUBERNETES_VERSION is '$VERSION'" "set kubernetes.version in config.yaml, like 1.30.4"
}

# --- source: packages

KEYRING=/etc/apt/keyrings/kubernetes.gpg
LIST=/etc/apt/sources.list.d/kubernetes.list

# Signs all repositories of pkgs.k8s.io, and so the mirrors of them.
UPSTREAM_KEY=DE15B14486CD377B9E876E1A234654DA9A296436

# candidates: where Kubernetes' packages may be, one "KEY-URL APT-LINE" per line, best first. A mirror's
# host keeps them at one of the paths below; upstream keeps 1.24 and newer only.
candidates() {
    local minor=${VERSION%.*} host path
    if [ -n "${DLWS_APT_MIRROR:-}" ]; then
        host=$(mirror_url | grep -oE '^https?://[^/]+')
        for path in "kubernetes-new/core/stable/v$minor/deb" "kubernetes/core:/stable:/v$minor/deb"; do
            printf '%s %s\n' "$host/$path/Release.key" "$host/$path/ /"
        done
        printf '%s %s\n' "$host/kubernetes/apt/doc/apt-key.gpg" "$host/kubernetes/apt/ kubernetes-xenial main"
    elif [ "${minor#1.}" -ge 24 ]; then
        printf '%s %s\n' "https://pkgs.k8s.io/core:/stable:/v$minor/deb/Release.key" \
            "https://pkgs.k8s.io/core:/stable:/v$minor/deb/ /"
    fi
}

# known_keys KEY-URL: the fingerprints that a key from there may have. It prints none where https vouches
# for the key, and fails where nothing does.
known_keys() {
    if [ -n "${DLWS_APT_KEYS:-}" ]; then
        printf '%s\n' "$DLWS_APT_KEYS"
    elif [[ $1 != https://* ]]; then
        [[ $1 == */Release.key ]] || return 1
        printf '%s\n' "$UPSTREAM_KEY"
    fi
}

# add_repository: the first place that has the wanted version becomes an apt source, with its own key.
add_repository() {
    local key_url line tried='' unsafe=''
    install_packages ca-certificates curl gnupg
    while read -r key_url line; do
        if ! known_keys "$key_url" >/dev/null; then
            unsafe+=" $key_url"
            continue
        fi
        if use_repository "$key_url" "$line" && [ -n "$(package_version kubeadm)" ]; then return 0; fi
        tried+=" ${line%% *}"
    done < <(candidates)
    rm -f "$DLWS_ROOT$LIST"
    [ -n "$tried" ] || die "pkgs.k8s.io has no Kubernetes $VERSION, only 1.24 and newer" \
        "set kubernetes.source: bundle, apt_mirror_url to a mirror that keeps it, or a newer kubernetes.version"
    [ -z "$unsafe" ] || warn "not asked, because anybody on the way could put in a key of his own:$unsafe;" \
        "write apt_mirror_url with https://, or the key's fingerprint as kubernetes.apt_key"
    die "no kubeadm $VERSION at:$tried" \
        "check this node's network and kubernetes.version, or set kubernetes.source: bundle"
}

# use_repository KEY-URL LINE
use_repository() {
    local key known protocols='=https'
    known=$(known_keys "$1")
    [ -z "$known" ] || protocols='=https,http'
    key=$(mktemp)
    if ! curl -fsSL --proto "$protocols" --proto-redir "$protocols" --retry 2 --connect-timeout 15 \
        -o "$key" "$1"; then
        rm -f "$key"
        return 1
    fi
    [ -z "$known" ] || check_key "$key" "$1" "$known"
    # apt reads an armoured key only from a file named .asc; gpg takes both and writes the other.
    { gpg --batch --dearmor <"$key" 2>/dev/null || cat "$key"; } | write_file "$DLWS_ROOT$KEYRING" 0644
    rm -f "$key"
    write_file "$DLWS_ROOT$LIST" 0644 <<<"deb [signed-by=$KEYRING] $2"
    apt_get update -o "Dir::Etc::sourcelist=$DLWS_ROOT$LIST" -o Dir::Etc::sourceparts=- \
        -o APT::Get::List-Cleanup=0
}

# check_key FILE URL KNOWN: ends the script unless FILE holds keys, and only known ones. FILE becomes what
# gpg took of it: a subkey that the key itself has not signed is left out.
check_key() {
    local found other home
    home=$(mktemp -d)
    gpg --homedir "$home" --batch --quiet --no-autostart --import <"$1" 2>/dev/null || true
    gpg --homedir "$home" --batch --quiet --no-autostart --yes --output "$1" --export 2>/dev/null || true
    found=$(gpg --homedir "$home" --batch --no-autostart --list-keys --with-colons 2>/dev/null |
        awk -F: '$1 == "pub" { key = 1 } $1 == "fpr" && key { print $10; key = 0 }' | sort -u) || true
    rm -rf "$home"
    other=$(comm -23 <(printf '%s\n' "$found") <(tr ' ' '\n' <<<"$3" | sort -u))
    if [ -n "$found" ] && [ -z "$other" ]; then return 0; fi
    rm -f "$1"
    die "the key at $2 is ${found:-none}, not $3; nothing was changed" \
        "find out whose key it is; if it is right, write its fingerprint as kubernetes.apt_key in config.yaml"
}

# The package versions that are wanted, as apt spells them (1.30.4-1.1).
package_version() {
    apt-cache madison "$1" | awk -v version="$VERSION" \
        '$3 ~ "^" version "-" && !found { print $3; found = 1 }'
}

install_from_packages() {
    local tool found wanted=()
    if tools_are_right && packages_are_held; then return 0; fi
    if checking; then
        check_tools
        return 0
    fi
    add_repository
    for tool in "${TOOLS[@]}"; do
        found=$(package_version "$tool")
        [ -n "$found" ] || die "apt knows no $tool $VERSION" \
            "see 'apt-cache madison $tool' on this node; set kubernetes.version to one of those"
        wanted+=("$tool=$found")
    done
    apt_get install --no-install-recommends --allow-change-held-packages "${wanted[@]}" cri-tools \
        kubernetes-cni || die "these packages could not be installed: ${wanted[*]}" "read the lines above"
    apt-mark hold "${TOOLS[@]}" >/dev/null
    changed "installed and held ${wanted[*]}"
}

tools_are_right() {
    [ "$(tool_version kubeadm)" = "v$VERSION" ] && [ "$(tool_version kubelet)" = "v$VERSION" ]
}

check_tools() {
    local tool has
    for tool in kubeadm kubelet; do
        has=$(tool_version "$tool")
        [ "$has" = "v$VERSION" ] || differs version "$tool" "is ${has:-not installed}, not v$VERSION"
    done
    packages_are_held || differs package "${TOOLS[*]}" "are not held"
}

tool_version() {
    case $1 in
        kubeadm) kubeadm version -o short 2>/dev/null || true ;;
        kubelet) kubelet --version 2>/dev/null | awk '{ print $2 }' ;;
    esac
}

packages_are_held() { [ "$(apt-mark showhold "${TOOLS[@]}" | wc -l)" -eq "${#TOOLS[@]}" ]; }

# --- source: bundle

check_bundle() {
    local cure="send it again from the devbox, with the command 'runscriptonall install_kubeadm.sh'"
    [ -s "$BUNDLE/SHA256SUMS" ] || die "there is no bundle in $BUNDLE" "$cure"
    bundle_is_checked "$BUNDLE" || hash_bundle
    grep -q "\"kubernetes_version\": \"$VERSION\"" "$BUNDLE/manifest.json" ||
        die "the bundle in $BUNDLE is not Kubernetes $VERSION" "make one on the devbox, with the command 'bundle build'"
}

# The state is that of before, so that what changes meanwhile is hashed the next time.
hash_bundle() {
    local out state
    state=$(bundle_state "$BUNDLE")
    bundle_is_whole "$BUNDLE" || out=$(cd "$BUNDLE" && sha256sum --check --strict --quiet SHA256SUMS 2>&1) ||
        die "the bundle in $BUNDLE is damaged: $out" "$cure"
    out=$(comm -13 <(bundle_names) <(cd "$BUNDLE" && find . ! -type d -printf '%P\n' | sort))
    [ -z "$out" ] || die "the bundle in $BUNDLE holds what does not belong there: $out" "$cure"
    checking || install -m 644 /dev/stdin "$BUNDLE.checked" <<<"$state"
}

bundle_names() {
    { cut -c 67- "$BUNDLE/SHA256SUMS" && printf '%s\n' SHA256SUMS manifest.json; } | sort
}

# ask_modes PATH...: the modes of those that are there, in MODES.
declare -A MODES=()
ask_modes() {
    local mode path
    while read -r mode path; do
        MODES[$path]=$mode
    done < <(stat -c '%a %n' "$@" 2>/dev/null)
}

# install_program SOURCE TARGET: fails (1) where the target is the same already.
install_program() {
    if [ "${MODES[$2]-}" = 755 ] && cmp -s "$1" "$2"; then return 1; fi
    if checking; then
        check_file "$2" 755 <"$1"
        return 1
    fi
    install -D -m 755 "$1" "$2.dlws-new"
    mv -f "$2.dlws-new" "$2"
    changed "installed $2"
}

install_from_bundle_files() {
    local file restart='' programs=("$BUNDLE"/bin/*) plugins=("$BUNDLE"/cni/*)
    check_bundle
    ask_modes "${programs[@]/#*\//$DLWS_ROOT/usr/bin/}" "${plugins[@]/#*\//$DLWS_ROOT$CNI/}"
    for file in "${programs[@]}"; do
        if install_program "$file" "$DLWS_ROOT/usr/bin/${file##*/}" && [ "${file##*/}" = kubelet ]; then
            restart=yes
        fi
    done
    for file in "${plugins[@]}"; do
        install_program "$file" "$DLWS_ROOT$CNI/${file##*/}" || true
        link_cni "${file##*/}"
    done
    kubelet_unit
    if [ -n "$restart" ] && systemctl is-active --quiet kubelet; then systemctl restart kubelet; fi
}

# Debian's containerd looks for CNI plugins where Debian's own package would put them.
link_cni() {
    local link=$DLWS_ROOT/usr/lib/cni/$1
    if [ -e "$link" ] || [ "$(readlink "$link")" = "$CNI/$1" ]; then return 0; fi
    ! differs file "$link" "is no link to $CNI/$1" || return 0
    mkdir -p "${link%/*}"
    ln -sfn "$CNI/$1" "$link"
    changed "linked $link to $CNI/$1"
}

kubelet_unit() {
    write_file "$DLWS_ROOT/etc/systemd/system/kubelet.service" 0644 <<'UNIT'
[Unit]
Description=kubelet, the Kubernetes node agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service docker.service

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
    write_file "$DLWS_ROOT/etc/systemd/system/kubelet.service.d/10-kubeadm.conf" 0644 <<'UNIT'
# kubeadm writes the files that are named here; the last one is for an administrator's own flags.
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
UNIT
}

# read_archive ARCHIVE: what the list of `docker save` says of its one image, in IMAGE_NAME and IMAGE_ID. An
# image is known by the hash of its configuration: a name may stay when the content changes.
read_archive() {
    local list name='"RepoTags": *\["([^"]*)"' config='"Config": *"([^"]*)"'
    list=$(tar -xOf "$1" manifest.json)
    IMAGE_NAME='' IMAGE_ID=''
    [[ ! $list =~ $name ]] || IMAGE_NAME=${BASH_REMATCH[1]}
    [[ ! $list =~ $config ]] || IMAGE_ID=sha256:${BASH_REMATCH[1]%.json}
}

runtime_answers() {
    case ${DLWS_RUNTIME:-containerd} in
        docker) docker info ;;
        *) crictl -r unix:///run/containerd/containerd.sock info ;;
    esac >/dev/null 2>&1
}

describe_images() {
    case ${DLWS_RUNTIME:-containerd} in
        docker) docker image inspect "$@" ;;
        *) crictl -r unix:///run/containerd/containerd.sock inspecti "$@" ;;
    esac 2>/dev/null
}

# images_are_there: whether the runtime has all of the bundle, by one question for the ids of all names. No is
# no answer: the runtime may describe images in other words.
images_are_there() {
    local archive names=() ids=()
    for archive in "$BUNDLE"/images/*.tar; do
        read_archive "$archive"
        names+=("$IMAGE_NAME") ids+=("$IMAGE_ID")
    done
    [ "$(describe_images "${names[@]}" | sed -nE 's/^ *"[Ii]d": *"([^"]*)".*/\1/p')" = "$(printf '%s\n' "${ids[@]}")" ]
}

image_is_there() {
    read_archive "$1"
    describe_images "$IMAGE_NAME" | grep -F "$IMAGE_ID" >/dev/null # -q would cut the runtime short
}

import_image() {
    case ${DLWS_RUNTIME:-containerd} in
        docker) docker image load -q -i "$1" ;;
        *) ctr --namespace k8s.io images import "$1" ;;
    esac 2>&1
}

import_images() {
    local archive out
    ! images_are_there || return 0
    runtime_answers || ! differs unit "${DLWS_RUNTIME:-containerd}" "does not answer" || return 0
    runtime_answers || die "${DLWS_RUNTIME:-containerd} does not answer on this node" \
        "run prepare_ubuntu.sh first; then see 'systemctl status ${DLWS_RUNTIME:-containerd}'"
    for archive in "$BUNDLE"/images/*.tar; do
        if image_is_there "$archive"; then continue; fi
        if differs image "${archive##*/}" "is not in the runtime"; then continue; fi
        out=$(import_image "$archive") || die "${archive##*/} cannot be imported: $out" \
            "check this node's disk with 'df -h', then run this again"
        changed "imported ${archive##*/}"
    done
}

# --- both

enable_kubelet() {
    checking || [ "$DLWS_CHANGES" -eq 0 ] || systemctl daemon-reload
    systemctl is-enabled --quiet kubelet && return 0
    ! differs unit kubelet "is $(unit_state kubelet), not enabled" || return 0
    systemctl enable --quiet kubelet
    changed "kubelet starts at boot"
}

need_root "$@"
check_version
install_packages conntrack socat ebtables ethtool iptables
case ${DLWS_KUBERNETES_SOURCE:-packages} in
    bundle)
        install_from_bundle_files
        import_images
        ;;
    packages) install_from_packages ;;
    *) die "DLWS_KUBERNETES_SOURCE is $DLWS_KUBERNETES_SOURCE" "set kubernetes.source to packages or bundle" ;;
esac
enable_kubelet
finish
