"""A shell function that goes to a directory as root, through nobody's links but root's."""

from __future__ import annotations

ENTER = r"""trusted() { # LINK: whether root made it, and nobody else can put another in its place
  [ "$(stat -c %u "$1")" = 0 ] || return 1
  set -- $(stat -c '%u %g %a' .)
  [ "$1" = 0 ] || return 1
  case $3 in [1357]???) return 0 ;; esac # sticky: each may remove what is his own
  case $3 in *[2367]) return 1 ;; *[2367]?) [ "$2" = 0 ] ;; esac
}
# Goes to DIRECTORY part by part; with `make` it makes what is missing. What is done in . from
# there on is done there, whatever others do to its name. Status 2: a link is in the way.
enter() { # DIRECTORY [make]
  rest=$1 links=0; cd / || return 1
  while [ "$rest" ]; do
    part=${rest%%/*}; rest=${rest#"$part"}; rest=${rest#/}
    case $part in '' | .) continue ;; ..) cd -P .. || return 1; continue ;; esac
    [ "$PWD/$part" != /proc/self ] || part=$$ # else it would be that of readlink
    if [ -L "./$part" ]; then
      to=$(readlink "./$part") || return 1
      if [ $((links += 1)) -gt 40 ] || ! trusted "./$part"; then
        echo "${PWD%/}/$part is a link to $to that others than root made or can change" >&2
        return 2
      fi
      case $to in /*) cd / || return 1 ;; esac
      rest=$to/$rest
      continue
    fi
    # -p: another may make it at this moment, where nodes share a file system.
    [ -d "./$part" ] || { [ "$2" ] && (umask 022; mkdir -p "./$part"); } || return 1
    want=${PWD%/}/$part
    cd -P "./$part" || return 1
    [ "$PWD" = "$want" ] || { echo "$want became a link meanwhile" >&2; return 2; }
  done
}
"""
"""Shell functions for scripts that run as root. `enter` uses the variables rest, links, part, to
and want."""
