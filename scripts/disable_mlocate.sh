#!/usr/bin/env bash
# dlws-needs: root
# dlws-files: lib/common.sh
# dlws-check
# Stops the nightly file index (mlocate, plocate): it would walk shared storage and every container.
#
# Changes: disables the index timers and cron jobs, and has an updatedb run by hand leave out shared
# and container file systems (/etc/updatedb.conf). Nothing where no index is installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"

SKIP_PATHS="/mnt /mntdlws /data /dltsdata /var/lib/kubelet /var/lib/docker /var/lib/containerd"
SKIP_TYPES="nfs nfs4 cifs fuse fuse.glusterfs fuse.sshfs fuse.blobfuse lustre ceph overlay"

# with_words NAME WORD...: updatedb.conf on standard input, its list NAME (made if missing) with the words.
with_words() {
    awk -v name="$1" -v words="${*:2}" '
        function missing(value,   i, n, parts, add) {
            n = split(words, parts, " ")
            for (i = 1; i <= n; i++) if (index(" " value " ", " " parts[i] " ") == 0) add = add " " parts[i]
            return value add
        }
        $0 ~ "^[ \t]*" name "[ \t]*=" {
            value = $0; sub(/^[^=]*=[ \t]*"?/, "", value); sub(/"?[ \t]*$/, "", value)
            print name " = \"" missing(value) "\""; found = 1; next
        }
        { print }
        END { if (!found) print name " = \"" substr(missing(""), 2) "\"" }'
}

# shellcheck disable=SC2086 # lists of words
without_shared() { with_words PRUNEPATHS $SKIP_PATHS | with_words PRUNEFS $SKIP_TYPES; }

need_root "$@"
disable_units mlocate-updatedb.timer mlocate.timer plocate-updatedb.timer updatedb.timer
for job in "$DLWS_ROOT"/etc/cron.daily/{mlocate,plocate,locate}; do
    [ -x "$job" ] || continue
    if differs file "$job" "is executable: it runs each day"; then continue; fi
    chmod a-x "$job"
    changed "$job does not run any more"
done
conf=$DLWS_ROOT/etc/updatedb.conf
if [ -f "$conf" ]; then
    edit_file "$conf" without_shared
fi
finish
