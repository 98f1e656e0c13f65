# shellcheck shell=bash
# Finds NVIDIA GPUs and Huawei NPUs and checks their drivers and container runtimes.
#
# Needs lib/common.sh and lib/packages.sh. Changes: nouveau's blacklist and the container toolkit. A
# driver is installed only when asked for, and never removed.

NVIDIA_DRIVER_MINIMUM=430
NPU_DRIVER_MINIMUM=1.72.T2.100.B020

# compare_fields A B: prints -1, 0 or 1. Numbers by value; letters first, then the number behind them
# (T2 < T10, b020 = B020); letters stand before any number, as in 23.0.rc1 < 23.0.0.
compare_fields() {
    local a=${1,,} b=${2,,} a_word b_word a_number b_number
    a_word=${a%%[0-9]*} b_word=${b%%[0-9]*}
    a_number=${a#"$a_word"} b_number=${b#"$b_word"}
    a_number=${a_number%%[!0-9]*} b_number=${b_number%%[!0-9]*}
    if [ "$a_word" != "$b_word" ]; then
        if [ -z "$a_word" ]; then
            echo 1
        elif [ -z "$b_word" ] || [[ $a_word < $b_word ]]; then
            echo -1
        else
            echo 1
        fi
    else
        echo $(((10#0$a_number > 10#0$b_number) - (10#0$a_number < 10#0$b_number)))
    fi
}

# version_at_least HAVE MINIMUM: compares field by field; a missing field counts as 0.
version_at_least() {
    local have minimum i
    IFS='.-+~' read -ra have <<<"$1"
    IFS='.-+~' read -ra minimum <<<"$2"
    for ((i = 0; i < ${#have[@]} || i < ${#minimum[@]}; i++)); do
        case $(compare_fields "${have[i]:-0}" "${minimum[i]:-0}") in
            1) return 0 ;;
            -1) return 1 ;;
        esac
    done
}

# pci_devices VENDOR CLASS-PREFIX...: the addresses of the PCI devices of a maker, of these classes.
# A maker's network cards and sound devices are not what is looked for.
pci_devices() {
    local vendor=$1 device class has
    shift
    for device in "$DLWS_ROOT"/sys/bus/pci/devices/*; do
        has=
        read -r has 2>/dev/null <"$device/vendor" || true
        [ "$has" = "$vendor" ] || continue
        read -r has <"$device/class" || true
        for class in "$@"; do
            if [[ $has == "$class"* ]]; then printf '%s\n' "${device##*/}"; fi
        done
    done
}

nvidia_gpus() { pci_devices 0x10de 0x0300 0x0302; }
huawei_npus() { pci_devices 0x19e5 0x12; }

# stand_ins NAME: the devices of that name under /dev where they are a sandbox's stand-ins, which no
# driver works for.
stand_ins() {
    local device
    [ -e "$DLWS_ROOT/etc/dlws/stand-in-devices" ] || return 0
    for device in "$DLWS_ROOT/dev/$1"[0-9]*; do
        [ ! -e "$device" ] || printf '%s\n' "${device##*/}"
    done
}

# expects TYPE VENDOR: whether the configuration says that this node has such devices.
expects() { [ "${DLWS_TYPE:-}" = "$1" ] && [[ ${DLWS_VENDOR:-$2} == "$2" ]]; }

# nvidia_driver_version: of the loaded module, else what nvidia-smi says; empty without a driver.
nvidia_driver_version() {
    local version
    version=$(awk '/^NVRM/ { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9.]+$/) { print $i; exit } }' \
        "$DLWS_ROOT/proc/driver/nvidia/version" 2>/dev/null) || true
    if [ -z "$version" ] && command -v nvidia-smi >/dev/null; then
        version=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1) ||
            version=
    fi
    # nvidia-smi reports its own failures on standard output too.
    [[ ! $version =~ ^[0-9]+(\.[0-9]+)*$ ]] || printf '%s\n' "$version"
}

# npu_driver_version: from the installed driver's own record, else what npu-smi says.
npu_driver_version() {
    local file version=
    for file in "$DLWS_ROOT"/usr/local/Ascend/driver/version.info "$DLWS_ROOT"/var/davinci/driver/version.info; do
        if [ -n "$version" ] || [ ! -f "$file" ]; then continue; fi
        version=$(sed -n 's/^Version=[[:space:]]*//p' "$file" | head -n 1)
    done
    if [ -z "$version" ] && command -v npu-smi >/dev/null; then
        version=$(npu-smi info 2>/dev/null | sed -n 's/.*Version: *\([^ |]*\).*/\1/p' | head -n 1) ||
            version=
    fi
    [[ ! $version =~ ^[0-9][0-9A-Za-z.+~-]*$ ]] || printf '%s\n' "$version"
}

# check_driver NAME HAVE MINIMUM CURE
check_driver() {
    [ -n "$2" ] || die "this node has $1 and no working driver for it" "$4"
    version_at_least "$2" "$3" || die "the $1 driver $2 is older than $3, the oldest that works" "$4"
    say "$1 driver $2 (at least $3 is needed)"
}

# Secure Boot keeps modules that are not signed from loading; a driver built on the node is not signed.
secure_boot() {
    local variable
    for variable in "$DLWS_ROOT"/sys/firmware/efi/efivars/SecureBoot-*; do
        [ -r "$variable" ] || continue
        [ "$(od -An -t u1 -j 4 -N 1 "$variable" | tr -d ' ')" != 1 ] || return 0
    done
    return 1
}

nouveau_loaded() { [ -d "$DLWS_ROOT/sys/module/nouveau" ]; }

nouveau_blacklisted() {
    grep -rqs '^[[:space:]]*blacklist[[:space:]]\+nouveau' \
        "$DLWS_ROOT/etc/modprobe.d" "$DLWS_ROOT/lib/modprobe.d" "$DLWS_ROOT/usr/lib/modprobe.d"
}

blacklist_nouveau() {
    ! nouveau_blacklisted || return 0
    write_file "$DLWS_ROOT/etc/modprobe.d/dlws-nouveau.conf" 0644 <<<$'blacklist nouveau\noptions nouveau modeset=0'
    checking || ! command -v update-initramfs >/dev/null || update-initramfs -u >/dev/null
}

# driver_package: the one asked for by name, else the newest server driver this node's sources know.
driver_package() {
    if [ "$DLWS_DRIVER_PACKAGE" != auto ]; then
        printf '%s\n' "$DLWS_DRIVER_PACKAGE"
    elif [ "$(os_field ID)" = debian ]; then
        echo nvidia-driver
    else
        apt-cache --names-only search '^nvidia-driver-[0-9]+-server$' | cut -d ' ' -f 1 | sort -V | tail -n 1
    fi
}

install_nvidia_driver() {
    local package headers
    apt_update_once
    package=$(driver_package)
    if [ -z "$package" ] || ! package_available "$package"; then
        die "no NVIDIA driver package is known to this node's apt sources" \
            "enable restricted (Ubuntu) or non-free (Debian), or install the driver by hand"
    fi
    headers=linux-headers-generic
    [ "$(os_field ID)" != debian ] || headers=linux-headers-$(dpkg --print-architecture)
    install_packages "$headers" "$package"
    ask_reboot "the NVIDIA driver $package was installed"
}

# prepare_nvidia STAGE: STAGE is "continue" after a reboot.
prepare_nvidia() {
    local stage=$1 cure version gpus
    mapfile -t gpus < <(nvidia_gpus)
    if [ "${#gpus[@]}" -eq 0 ]; then
        ! expects gpu nvidia || missing_device "an NVIDIA GPU" 0x10de nvidia
        return 0
    fi
    say "NVIDIA GPUs: ${gpus[*]}"
    cure="install a driver of $NVIDIA_DRIVER_MINIMUM or newer on this node, or let this script do it: prepare_ubuntu.sh --driver"
    blacklist_nouveau
    version=$(nvidia_driver_version)
    if nouveau_loaded && [ -z "$version" ]; then
        [ "$stage" = continue ] || ask_reboot "nouveau is loaded; it is blacklisted from now on"
        die "nouveau is still loaded after the reboot" "run update-initramfs -u on the node and reboot it"
    fi
    if [ -z "$version" ] && secure_boot; then
        warn "Secure Boot is on: a driver that is built on the node will not load; turn it off in the firmware"
    fi
    if [ -z "$version" ] && [ -n "${DLWS_DRIVER_PACKAGE:-}" ] && [ "$stage" != continue ]; then
        install_nvidia_driver
    fi
    check_driver "NVIDIA GPU" "$version" "$NVIDIA_DRIVER_MINIMUM" "$cure"
    install_container_toolkit
}

install_container_toolkit() {
    local toolkit='nvidia-container-toolkit|nvidia-docker2'
    if any_installed "$toolkit" || differs package "$toolkit" "is not installed"; then return 0; fi
    package_available nvidia-container-toolkit || apt_update_once
    package_available nvidia-container-toolkit || package_available nvidia-docker2 ||
        die "nvidia-container-toolkit is in none of this node's apt sources" \
            "add NVIDIA's apt repository to the node, or the package to the bundle, and run this again"
    install_packages "$toolkit"
}

ascend_runtime() {
    local path=$DLWS_ROOT/usr/local/Ascend/Ascend-Docker-Runtime/ascend-docker-runtime
    [ -x "$path" ] || command -v ascend-docker-runtime >/dev/null
}

prepare_npu() {
    local npus
    mapfile -t npus < <(huawei_npus)
    if [ "${#npus[@]}" -eq 0 ]; then
        ! expects npu huawei || missing_device "a Huawei NPU" 0x19e5 davinci
        return 0
    fi
    say "Huawei NPUs: ${npus[*]}"
    check_driver "Huawei NPU" "$(npu_driver_version)" "$NPU_DRIVER_MINIMUM" \
        "install the Ascend driver and firmware of $NPU_DRIVER_MINIMUM or newer on this node and reboot it"
    ascend_runtime || die "this NPU node has no Ascend Docker Runtime: containers would see no NPU" \
        "install Huawei's Ascend-docker-runtime package on this node and run this again"
}

# A container has no PCI devices of its own: a rehearsal of a GPU cluster goes on without them.
missing_device() {
    local found
    found=$(stand_ins "$3" | xargs)
    if [ -n "$found" ]; then
        say "stand-ins of the sandbox for $1: $found; there is no driver to check"
        return 0
    fi
    if in_container; then
        warn "config.yaml gives this node $1; a container has none, so its driver was not checked"
        return 0
    fi
    die "config.yaml says that this node has $1, and it has no such PCI device (vendor $2)" \
        "correct the node's type and vendor in config.yaml, or check the hardware with lspci"
}
