#!/usr/bin/env bash
# Installs a cluster from nothing: what this machine needs first, the machines where they are to be
# made on Azure, then every step of `deploy.py up`.
#
# usage: ./step_by_step.sh azure|onpremise|sandbox [-y] [--dir DIR] [--from STEP] [--only STEP]...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    sed -n 's/^# usage: /usage: /p' "${BASH_SOURCE[0]}" >&2
    printf '  %s\n' "azure      machines on Azure" "onpremise  machines of your own, named in config.yaml" \
        "sandbox    a rehearsal: local nodes on this machine (root)" \
        "-y         answers yes to questions: accepts new host keys, which are shown" >&2
    exit 2
}

case ${1:-} in
    azure | onpremise | sandbox) platform=$1 && shift ;;
    *) usage ;;
esac
globals=() options=() directory=. whole=yes
while [ $# -gt 0 ]; do
    case $1 in
        --dir) globals+=(--dir "${2:?--dir needs a directory}") directory=$2 && shift 2 ;;
        --dir=*) globals+=("$1") directory=${1#--dir=} && shift ;;
        --from* | --only*) options+=("$1") whole='' && shift ;;
        *) options+=("$1") && shift ;;
    esac
done

"$here/scripts/install_prerequisites.sh"
if [ "$platform" = azure ] && grep -q '^azure_cluster:' "$directory/config.yaml"; then
    if [ -n "$whole" ]; then
        "$here/deploy.py" "${globals[@]}" -y build
        "$here/az_tools.py" "${globals[@]}" create
        "$here/az_tools.py" "${globals[@]}" genconfig
    fi
    globals+=(--public) # the devbox is seldom in the machines' own network
fi
exec "$here/deploy.py" "${globals[@]}" up "$platform" "${options[@]}"
