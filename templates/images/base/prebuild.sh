#!/bin/sh
# Makes rootfs.tar: a small Debian from the mirrors that this machine's own apt uses.
# DLWS_ARCH is its architecture. A foreign one needs qemu-user-static and arch-test.
set -eu
release=bookworm
packages=ca-certificates
architecture=${DLWS_ARCH:-$(dpkg --print-architecture)}
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v mmdebstrap >/dev/null; then
    echo "mmdebstrap is missing: apt-get install --no-install-recommends mmdebstrap" >&2
    exit 1
fi
if [ "$architecture" != "$(dpkg --print-architecture)" ] && ! command -v arch-test >/dev/null; then
    echo "arch-test is missing: apt-get install --no-install-recommends arch-test" >&2
    exit 1
fi

# Where this machine gets Debian of a release, as lines of a sources.list for ours.
sources() { # RELEASE
    # shellcheck disable=SC2016  # these are apt's own variables
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v known="$1" -v wanted="$release" '
            $3 == "main" && ($2 == known || index($2, known "-") == 1) {
                sub("^" known, wanted, $2)
                line = "deb " $1 " " $2 " main"
                if (!seen[line]++) print line
            }'
}

# shellcheck source=/dev/null
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
lines=
for known in "$release" "$own" bookworm trixie; do
    [ -n "$known" ] || continue
    lines=$(sources "$known" | grep -v -i ubuntu || true)
    [ -z "$lines" ] || break
done
if [ -z "$lines" ]; then
    lines="deb http://deb.debian.org/debian $release main
deb http://deb.debian.org/debian $release-updates main
deb http://deb.debian.org/debian-security $release-security main"
fi

set -- --variant=minbase --format=tar --architectures="$architecture" --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt=force-unsafe-io # what is left of a crash is thrown away
# This machine's proxies are for making it, and stay out of it: they may hold a password.
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
apt-config dump | grep -iE '^Acquire::(https?|ftp)::.*(Proxy|CaInfo|CaPath|Verify)' >"$settings" || true
export APT_CONFIG="$settings"
# Nothing is started while packages are installed into an image.
# shellcheck disable=SC2016  # $1 is the hook's
set -- "$@" --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"' \
    --customize-hook='chmod 755 "$1/usr/sbin/policy-rc.d"' \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/etc/apt/apt.conf.d/99mmdebstrap"'
if [ "$(id -u)" = 0 ]; then
    # In a mount namespace of its own, so that its mounts end with it even when it is killed.
    printf '%s\n' "$lines" |
        unshare --mount --propagation private mmdebstrap --mode=root "$@" "$release" "$here/rootfs.tar" -
else
    printf '%s\n' "$lines" | mmdebstrap "$@" "$release" "$here/rootfs.tar" -
fi
