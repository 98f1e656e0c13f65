# shellcheck shell=bash
# Pulls images: pull.sh containerd|docker. Standard input is a line with Docker's config.json, then for each image
# three lines: its name, user and password (empty where none). Passwords are in memory alone, and on no command line.
set -uo pipefail
umask 077
work=$(mktemp -d /run/dlws-pull.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=
export SHELL=/bin/sh IMAGE USERNAME
IFS= read -r config

# ctr asks for a password on a terminal only: `script` is one. What it prints is kept for its complaint alone.
pull_containerd() {
    set -- ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d
    if [ -z "$USERNAME" ]; then
        "$@" "$IMAGE" </dev/null
    else
        printf '%s\n' "$password" |
            script -qec "stty -echo; exec $* --user \"\$USERNAME\" \"\$IMAGE\"" /dev/null
    fi
}

pull_docker() { DOCKER_CONFIG=$work docker pull --quiet -- "$IMAGE" </dev/null; }

[ "$1" != docker ] || printf '%s\n' "$config" >"$work/config.json"
while IFS= read -r IMAGE && IFS= read -r USERNAME && IFS= read -r password; do
    echo "pulling $IMAGE"
    if "pull_$1" >"$work/log" 2>&1; then
        echo "changed: pulled $IMAGE"
    else
        failed=1
        said=$(tr '\r' '\n' <"$work/log" | grep -aE '^(ctr: |Error|error|docker: )|: command not found' | tail -n 1)
        printf 'failed: %s: %s\n' "$IMAGE" "${said:-it says nothing}" >&2
    fi
done
[ -z "$failed" ]
