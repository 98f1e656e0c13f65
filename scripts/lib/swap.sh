# shellcheck shell=bash
# Turns swap off for good: now, in fstab, in systemd (zram included) and in the Azure agent.
#
# Needs lib/common.sh. Changes /etc/fstab (swap lines become comments), masks swap units, runs swapoff.

SWAP_SERVICES=(zramswap.service zram-config.service dphys-swapfile.service)

# commented_swap: fstab on standard input, the same with its swap entries as comments on standard output.
commented_swap() { awk '$1 !~ /^#/ && $3 == "swap" { print "# off for Kubernetes: " $0; next } { print }'; }

swap_off_in_fstab() {
    local fstab=$DLWS_ROOT/etc/fstab
    [ ! -f "$fstab" ] || edit_file "$fstab" commented_swap
}

swap_off_in_azure_agent() {
    local conf=$DLWS_ROOT/etc/waagent.conf
    [ ! -f "$conf" ] || edit_file "$conf" sed 's/^\(ResourceDisk\.EnableSwap\)=y.*/\1=n/'
}

mask_unit() {
    [ "$(systemctl is-enabled "$1" 2>/dev/null)" != masked ] || return 0
    ! differs unit "$1" "is $(unit_state "$1"), not masked" || return 0
    systemctl mask --now "$1" >/dev/null 2>&1 || systemctl mask "$1" >/dev/null
    changed "masked $1"
}

# A swap unit may come from fstab, from the partition table or from a zram generator: all of them are
# masked. The services that make zram devices are masked where they are installed.
mask_swap_units() {
    local unit
    checking || systemctl daemon-reload
    while read -r unit; do
        mask_unit "$unit"
    done < <(systemctl list-units --all --type=swap --plain --no-legend | awk '{ print $1 }')
    while read -r unit _; do
        mask_unit "$unit"
    done < <(systemctl list-unit-files --no-legend "${SWAP_SERVICES[@]}" 2>/dev/null)
}

swap_in_use() { [ "$(wc -l <"$DLWS_ROOT/proc/swaps")" -gt 1 ]; }

swap_off() {
    swap_off_in_fstab
    swap_off_in_azure_agent
    if systemd_runs; then mask_swap_units; fi
    swap_in_use || return 0
    if in_container; then
        say "the swap in use belongs to the machine around this container; left alone"
        return 0
    fi
    ! differs swap swap "is in use: $(awk 'NR > 1 { print $1 }' "$DLWS_ROOT/proc/swaps" | xargs)" || return 0
    swapoff -a || die "swap could not be turned off" \
        "the node may be short of memory: stop what uses it, then run this again"
    if swap_in_use; then
        die "swap is still in use: $(awk 'NR > 1 { print $1 }' "$DLWS_ROOT/proc/swaps" | xargs)" \
            "find out what turns it on again on this node"
    fi
    changed "swap is off"
}
