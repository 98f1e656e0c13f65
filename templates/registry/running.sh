# shellcheck shell=sh
# Prints those of the units UNIT... that run, or would after a restart of the machine.
for unit; do
    if systemctl is-active --quiet "$unit" || systemctl is-enabled --quiet "$unit" 2>/dev/null; then
        echo "$unit"
    fi
done
