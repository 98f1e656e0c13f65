#!/usr/bin/env bash
# dlws-files: lib/common.sh lib/packages.sh install_prerequisites.sh
# Prepares this machine as a devbox: what deploy.py needs, and Docker to build images with.
#
# Changes: packages git, curl, openssh-client and docker.io; the calling user joins the group docker;
# then runs install_prerequisites.sh for the Python side.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$here/lib/packages.sh"

# The Python side belongs to the person who called, not to root.
if [ "${1:-}" != packages ]; then
    if [ "$(id -u)" -eq 0 ]; then
        bash "$0" packages "${SUDO_USER:-}"
    else
        sudo bash "$0" packages "$(id -un)" ||
            die "the packages could not be installed" "run this as root, or as a user with sudo"
    fi
    exec bash "$here/install_prerequisites.sh"
fi

install_packages ca-certificates curl git openssh-client
if ! command -v docker >/dev/null; then
    install_packages 'docker.io|docker-ce|moby-engine'
    # From Debian 13 the client is a package of its own.
    command -v docker >/dev/null || install_packages docker-cli
fi
if [ -n "${2:-}" ] && [ "$2" != root ] && ! id -nG "$2" | tr ' ' '\n' | grep -qx docker; then
    usermod -aG docker "$2"
    changed "$2 is in the group docker from the next login on"
fi
finish
