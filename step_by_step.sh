#!/usr/bin/env bash
# Installs a cluster from nothing: what this machine needs first, then every step of `deploy.py up`.
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
globals=() options=()
while [ $# -gt 0 ]; do
    case $1 in
        --dir) globals+=(--dir "${2:?--dir needs a directory}") && shift 2 ;;
        --dir=*) globals+=("$1") && shift ;;
        *) options+=("$1") && shift ;;
    esac
done

"$here/scripts/install_prerequisites.sh"
exec "$here/deploy.py" "${globals[@]}" up "$platform" "${options[@]}"
