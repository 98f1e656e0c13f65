# shellcheck shell=sh
# What images in the registry's directory PATH were built from: labels.sh PATH IMAGE..., each of which
# is REPOSITORY:TAG or REPOSITORY@DIGEST.
# Prints, for each that is there, its name and its label dlws.context (none: a list of images).
store=$1/main/docker/registry/v2
shift

blob() { # DIGEST: JSON, without blanks
    hex=${1#sha256:}
    tr -d ' \n\t' <"$store/blobs/sha256/$(printf %.2s "$hex")/$hex/data"
}

for image; do
    manifests=$store/repositories/${image%%[:@]*}/_manifests
    case $image in
    *@*) link=$manifests/revisions/sha256/${image##*:}/link ;;
    *) link=$manifests/tags/${image##*:}/current/link ;;
    esac
    [ -r "$link" ] || continue
    config=$(blob "$(cat -- "$link")" | grep -o '"config":{[^}]*}' | grep -o 'sha256:[0-9a-f]*')
    label=
    [ -z "$config" ] || label=$(blob "$config" | grep -o '"dlws.context":"[0-9a-f]*"' | tail -n 1 | cut -d '"' -f 4)
    printf '%s\t%s\n' "$image" "$label"
done
