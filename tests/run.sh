#!/usr/bin/env bash
# Checks everything: formatting, lint, types, shell scripts, and the tests, on real nodes too.
#   tests/run.sh [--fast | --local | --whole] [PYTEST ARGUMENT...]
#     --fast               minutes: no stories, SSH server, farm of them, MariaDB, Docker, real nodes
#     --local              all but the real nodes, clusters and Docker engine, which need root
#     --whole              with the tests marked long, too, which CI has no time for
#     tests/run.sh -k ssh  runs the tests whose names match, one at a time
# Installs what it needs (Python packages into .venv, Debian packages with apt-get).
# With CI=true, a group of tests that cannot run here is a failure.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

speed=all
arguments=()
for argument in "$@"; do
    case $argument in
        --fast | --local | --whole) speed=${argument#--} ;;
        -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) arguments+=("$argument") ;;
    esac
done
failed=()
started=$SECONDS
# The tests start deploy.py hundreds of times: what is compiled once need not be compiled each time.
unset PYTHONDONTWRITEBYTECODE

stage() {
    local name=$1 began=$SECONDS verdict=ok
    shift
    printf '== %s\n' "$name"
    "$@" || { verdict=FAILED && failed+=("$name"); }
    printf '== %s: %s (%d s)\n' "$name" "$verdict" $((SECONDS - began))
}

install_missing() {
    local packages=() as_root=()
    command -v shellcheck >/dev/null || packages+=(shellcheck)
    command -v ip >/dev/null || packages+=(iproute2)
    command -v ping >/dev/null || packages+=(iputils-ping)
    command -v iptables >/dev/null || packages+=(iptables)
    command -v gpg >/dev/null || packages+=(gnupg)
    command -v curl >/dev/null || packages+=(curl)
    command -v openssl >/dev/null || packages+=(openssl)
    [ -x /usr/sbin/sshd ] || packages+=(openssh-server)
    # The server's program alone: unlike mariadb-server, it starts nothing.
    [ -x /usr/sbin/mariadbd ] || packages+=(mariadb-server-core)
    [ -x /usr/sbin/nginx ] || packages+=(nginx-light)
    command -v ssh >/dev/null || packages+=(openssh-client)
    # Login shells of other kinds.
    command -v bsd-csh >/dev/null || packages+=(csh)
    command -v tcsh >/dev/null || packages+=(tcsh)
    command -v fish >/dev/null || packages+=(fish)
    [ -x /usr/sbin/dockerd ] || packages+=(docker.io)
    command -v docker-registry >/dev/null || packages+=(docker-registry)
    # Programs of arm64, for images of it.
    [ -e /usr/lib/binfmt.d/qemu-aarch64.conf ] || packages+=(qemu-user-static)
    command -v chromium-headless-shell >/dev/null || packages+=(chromium-headless-shell)
    [ ${#packages[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update
    # No service of theirs is started: Docker's would change how this machine forwards packets.
    # shellcheck disable=SC2016  # these are for the inner shell
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -euc '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >$policy
            chmod 755 $policy
        fi
        apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >/dev/null
    ' install "${packages[@]}"
}

prepare() { scripts/install_prerequisites.sh --dev && install_missing; }

shell_scripts() {
    local file
    find . \( -name .git -o -name '.venv*' -o -name '.*_cache' -o -path ./deploy \) -prune -o \
        -type f \( -name '*.sh' -o ! -name '*.*' \) -print | sort |
        while IFS= read -r file; do
            # A script named .sh counts whatever its first line says; one without a suffix by it.
            if [[ $file == *.sh ]] || head -c 64 "$file" | grep -qaE '^#!.*[/ ](ba|da)?sh\b'; then
                printf '%s\0' "$file"
            fi
        done
}

check_shell() { shell_scripts | xargs -0 --no-run-if-empty shellcheck; }

# Says what stands in the way of real nodes here; says nothing when nothing does. It tries, in a
# mount and network namespace that vanish with it, what a node needs from the kernel.
obstacle() {
    if [ "$speed" = fast ] || [ "$speed" = local ]; then
        echo "--$speed leaves them out"
    elif [ "$(id -u)" != 0 ]; then
        echo "they need root"
    else
        # shellcheck disable=SC2016  # its variables are for the inner shell
        unshare --mount --net sh -euc '
            try() { what=$1; shift; "$@" 2>/dev/null || { echo "this kernel refuses $what"; exit 0; }; }
            try "bridges" ip link add dlws-try type bridge
            try "veth pairs" ip link add dlws-a type veth peer name dlws-b
            try "tmpfs mounts" mount -t tmpfs dlws-try /mnt
            mkdir /mnt/lower /mnt/upper /mnt/work /mnt/merged
            try "overlay mounts" mount -t overlay dlws-try \
                -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/merged
        ' 2>/dev/null || echo "this machine refuses new mount and network namespaces"
    fi
}

# What the tests are chosen by: the marks left out, and why.
choose() {
    local reason marks="sandbox cluster docker"
    reason=$(obstacle)
    if [ "$speed" = fast ]; then
        marks+=" sshd farm mariadb story"
    fi
    [ "$speed" != whole ] || export DLWS_TESTS=whole # the guide's story has all its machines
    if [ -n "$reason" ]; then
        not_run="NOT RUN: the tests marked ${marks// /, }: $reason"
        chosen=(-m "not ${marks// / and not }")
        printf '%s\n' "$not_run"
    fi
}

# Real nodes are waited for much of the time: their tests run in four processes at once, and before
# all others: an idle cluster takes one tenth to one third of a processor for as long as it is there.
begin_real_nodes() {
    local stories=tests/stories large guide struck others
    large=("$stories/test_cluster.py")
    guide=("$stories/test_guide.py" "$stories/test_azure_story.py")
    struck=("$stories/test_resume_real.py" "$stories/test_storage.py" "$stories/test_role.py"
        "$stories/test_sandbox.py" tests/node_scripts)
    others=("${large[@]}" "${guide[@]}" "${struck[@]}")
    real_logs=$(mktemp -d)
    trap end_real_nodes_early EXIT
    begin_real "a large cluster" "${large[@]}"
    begin_real "machines of the guides" "${guide[@]}"
    begin_real "nodes that are struck" "${struck[@]}"
    begin_real "other real nodes" tests "${others[@]/#/--ignore=}"
    chosen=(-m "not sandbox and not cluster")
}

begin_real() {
    local name=$1 marks="sandbox or cluster"
    shift
    [ "$speed" = whole ] || marks="($marks) and not long"
    # A shell's background jobs ignore Ctrl-C; these have to take their nodes down.
    env --default-signal=INT .venv/bin/python -m pytest -m "$marks" --durations=15 \
        -o cache_dir=".pytest_cache/${name// /-}" "$@" >"$real_logs/$name" 2>&1 </dev/null &
    real[$!]=$name
}

# Waits until one of them has ended, and leaves its exit status for end_real.
wait_for_one() {
    local process code=0
    wait -n -p process "${!real[@]}" || code=$?
    ended[process]=$code
}

end_real_nodes_early() {
    local process
    for process in "${!real[@]}"; do [ -n "${ended[$process]-}" ] || kill -INT "$process" || true; done
    for process in "${!real[@]}"; do wait "$process" || true; done
    rm -rf "$real_logs"
}

end_real() {
    local process=$1 code=${ended[$1]-}
    tail -n +1 -f --pid="$process" "$real_logs/${real[$process]}"
    if [ -z "$code" ]; then code=0 && wait "$process" || code=$?; fi
    unset "real[$process]"
    return "$code"
}

# Whole files go to twice as many processes as there are processors, since about every other one
# waits for something, in the order of tests/conftest.py.
run_all() {
    nice -n 5 .venv/bin/python -m pytest -n $((2 * $(nproc))) --dist loadfile --no-loadscope-reorder \
        --durations=20 "${chosen[@]}"
}

run_some() { .venv/bin/python -m pytest "${chosen[@]}" "${arguments[@]}"; }

not_run='' chosen=() real=() ended=()
stage prepare prepare
if [ ${#failed[@]} -gt 0 ]; then exit 1; fi
choose
if [ ${#arguments[@]} = 0 ] && [ -z "$not_run" ]; then begin_real_nodes; fi
stage "ruff format" .venv/bin/ruff format --quiet --check .
stage "ruff check" .venv/bin/ruff check --quiet .
stage mypy .venv/bin/mypy --no-error-summary
stage "lint-imports" .venv/bin/lint-imports --no-cache --no-logo
stage "lint-imports of the platform" env --chdir templates/images/platform \
    "$PWD/.venv/bin/lint-imports" --no-cache --no-logo
stage shellcheck check_shell
if [ ${#real[@]} -gt 0 ]; then stage "real nodes first" wait_for_one; fi
if [ ${#arguments[@]} = 0 ]; then stage pytest run_all; else stage pytest run_some; fi
for process in "${!real[@]}"; do stage "pytest on ${real[$process]}" end_real "$process"; done

if [ ${#arguments[@]} = 0 ] && [ "$speed" = all ]; then
    printf 'Left out: the tests marked long, which --whole runs.\n'
fi
if [ -n "$not_run" ]; then
    printf '%s\n' "$not_run"
    if [ "${CI-}" = true ]; then failed+=("tests not run"); fi
fi
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED after %d s:' $((SECONDS - started))
    printf ' %s;' "${failed[@]}"
    printf '\n'
    exit 1
fi
printf 'All passed in %d s.\n' $((SECONDS - started))
