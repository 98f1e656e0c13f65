# shellcheck shell=sh
# What is mounted on the directories given, or below them: a line for each, PATH (TYPE of WHAT).
decoded() { printf '%b' "$(printf '%s' "$1" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')"; }
while read -r _ _ _ _ at line; do
  at=$(decoded "$at")
  line=${line#*- } kind=${line%% *} line=${line#* }
  for place in "$@"; do
    case $at in "$place" | "$place"/*)
      printf '%s (%s of %s)\n' "$at" "$kind" "$(decoded "${line%% *}")" ;;
    esac
  done
done <"${DLWS_ROOT:-}/proc/self/mountinfo"
