# shellcheck shell=sh
# Prints those of the images NAME... that a runtime has: present.sh containerd|docker NAME...
kind=$1
shift
if [ "$kind" = docker ]; then
    for name; do
        ! docker image inspect --format x -- "$name" >/dev/null 2>&1 || printf '%s\n' "$name"
    done
else
    there=$(ctr --namespace k8s.io images ls --quiet)
    for name; do
        ! printf '%s\n' "$there" | grep -qxF -e "$name" || printf '%s\n' "$name"
    done
fi
