#!/usr/bin/env bash
# Makes .venv beside deploy.py, with the pinned Python packages that dlws needs; installs what
# Debian or Ubuntu leaves out of a minimal system for that. Quick when there is nothing to do.
#   scripts/install_prerequisites.sh [--dev]      --dev: also what the tests need
#   PYTHON=/usr/bin/python3.12 scripts/install_prerequisites.sh     to choose the interpreter
set -euo pipefail

usage() { sed -n '2,5s/^# *//p' "$0"; }

fail() {
    printf 'install_prerequisites.sh: %s\n' "$@" >&2
    exit 1
}

# Runs a command quietly; what it printed is shown only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

set_of_packages=requirements.txt
case "${1-}" in
    "") ;;
    --dev) set_of_packages=requirements-dev.txt ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
esac
if [ $# -gt 1 ]; then usage >&2 && exit 2; fi

cd "$(dirname "$(readlink -f "$0")")/.."
python=${PYTHON:-python3}
stamp=.venv/dlws-requirements

fingerprint() { sha256sum "$1" | cut -d' ' -f1; }

# The development set holds the runtime set, so either stamp is enough for the runtime.
up_to_date() {
    [ -x .venv/bin/python ] && [ -r "$stamp" ] && .venv/bin/python -c '' 2>/dev/null || return 1
    local found
    found=$(cat "$stamp")
    [ "$found" = "$(fingerprint requirements-dev.txt)" ] ||
        { [ $set_of_packages = requirements.txt ] && [ "$found" = "$(fingerprint requirements.txt)" ]; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    local by_hand="install them by hand and run this again: apt-get install $*"
    command -v apt-get >/dev/null || fail "this machine lacks: $*" "there is no apt-get here; $by_hand"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        fail "this machine lacks: $*" "neither root nor sudo here; as root, $by_hand"
    echo "Installing $*"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    if ! quietly as_root "${apt[@]}" update ||
        ! quietly as_root "${apt[@]}" install --no-install-recommends "$@"; then
        fail "apt-get could not install: $*" "its own words are above"
    fi
}

# Debian splits venv and ensurepip off; the package that has them is named after the interpreter.
need_python() {
    command -v "$python" >/dev/null || { [ "$python" = python3 ] && apt_install python3 python3-venv; } ||
        fail "PYTHON=$python is not there" "give a path that exists, or leave PYTHON out"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$("$python" -V 2>&1) is too old: dlws needs 3.10 or newer" \
            "name a newer one: PYTHON=/path/to/python3.12 $0"
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        apt_install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
}

# A virtual environment of another interpreter, or half made, is made anew.
need_venv() {
    rm -f "$stamp"
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        quietly "$python" -m venv --clear .venv || fail "could not make $PWD/.venv"
    fi
}

# What tests do not import of the development set, most of it, is never compiled.
install_packages() {
    local options=()
    [ "$set_of_packages" = requirements.txt ] || options=(--no-compile)
    echo "Installing the Python packages of $set_of_packages into $PWD/.venv"
    quietly .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
        --require-hashes "${options[@]}" -r "$set_of_packages" ||
        fail "pip could not install $set_of_packages" "its own words are above"
    fingerprint "$set_of_packages" >"$stamp"
}

if up_to_date; then exit 0; fi
exec 9>.venv.lock
flock 9
if up_to_date; then exit 0; fi
need_python
need_venv
install_packages
