#!/bin/sh
# collect.sh DIRECTORY PROGRAM...: programs with all that they load, to run in any Linux image.
# Each gets a wrapper, which starts it by the loader that lies beside it.
set -eu
place=$1
shift
mkdir -p "$place/bin" "$place/lib" "$place/programs"
for program; do
    name=$(basename "$program")
    cp -L "$program" "$place/programs/$name"
    ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' |
        while IFS= read -r library; do cp -L "$library" "$place/lib/"; done
    cat >"$place/bin/$name" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
loader=$(echo "$here"/lib/ld-linux*)
exec "$loader" --library-path "$here/lib" --argv0 "$here/bin/${0##*/}" "$here/programs/${0##*/}" "$@"
END
    chmod 755 "$place/bin/$name"
done
