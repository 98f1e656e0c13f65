# shellcheck shell=sh
# What is in the directory of a brick: nothing, a volume (its id in hex follows), or something else.
id=$(getfattr -n trusted.glusterfs.volume-id -e hex --only-values --absolute-names -- "$1" 2>/dev/null) || id=
if [ -L "$1" ]; then
  echo foreign
elif [ -n "$id" ]; then
  getfattr -n trusted.glusterfs.volume-id -e hex --absolute-names -- "$1" 2>/dev/null |
    sed -n 's/^trusted.glusterfs.volume-id=0x/volume /p'
elif [ ! -e "$1" ]; then
  echo nothing
elif [ -d "$1" ] && [ -z "$(ls -A -- "$1")" ]; then
  echo nothing
else
  echo foreign
fi
