# shellcheck shell=sh
# For each share, given as UNIT WHERE, a line: state of its mount and of its automount, whether it answers, and then
# the size of a block, the blocks it has and those that are free. Nothing is mounted by that, and nobody waits long.
while [ $# -gt 1 ]; do
  mount=$(systemctl is-active -- "$1.mount" 2>/dev/null) || true
  auto=$(systemctl is-active -- "$1.automount" 2>/dev/null) || true
  answer=no sizes='0 0 0'
  if [ "$mount" = active ]; then
    found=$(timeout -s KILL 5 stat -f -c '%S %b %a' -- "$2" 2>/dev/null) && answer=yes sizes=$found
  fi
  printf '%s %s %s %s\n' "${mount:-unknown}" "${auto:-unknown}" "$answer" "$sizes"
  shift 2
done
