# shellcheck shell=sh
# What lies in the registry's directory PATH/main, and whether the units UNIT... run. A line each:
#   unit UNIT STATE | readonly yes | disk SIZE FREE | used BYTES | image REPOSITORY TAG DIGEST | uploads NUMBER
path=$1
shift
for unit; do
    printf 'unit\t%s\t%s\n' "$unit" "$(systemctl is-active -- "$unit" 2>/dev/null || true)"
done
[ ! -e /run/systemd/system/dlws-registry@main.service.d/readonly.conf ] || printf 'readonly\tyes\n'
[ -d "$path" ] || exit 0
df -B1 --output=size,avail -- "$path" | awk 'NR == 2 { printf "disk\t%s\t%s\n", $1, $2 }'
printf 'used\t%s\n' "$(du -s -B1 -- "$path" | cut -f 1)"
cd "$path/main/docker/registry/v2/repositories" 2>/dev/null || exit 0
find . -path '*/_manifests/tags/*/current/link' -type f | LC_ALL=C sort | while IFS= read -r link; do
    rest=${link#./}
    tag=${rest##*/_manifests/tags/}
    printf 'image\t%s\t%s\t%s\n' "${rest%/_manifests/tags/*}" "${tag%%/*}" "$(cat "$link")"
done
printf 'uploads\t%s\n' "$(find . -path '*/_uploads/*' -type d -prune | wc -l)"
