# shellcheck shell=sh
# Whether a bundle on this node is as it was when all of it was hashed. deploy.py asks the same, with sh.

# bundle_state BUNDLE: a sum over names, inodes, sizes, times, modes and owners of all files.
bundle_state() {
    (cd "$1" && find . ! -type d -printf '%P %i %s %T@ %C@ %m %U\n' | LC_ALL=C sort | sha256sum)
}

# bundle_is_whole BUNDLE: whether openssl, which hashes four times as fast as sha256sum, finds every file as
# SHA256SUMS has it. Where it does not, or is not there, sha256sum has the word.
bundle_is_whole() {
    (cd "$1" && cut -c 67- SHA256SUMS | tr '\n' '\0' | xargs -0 openssl dgst -sha256 -r 2>/dev/null |
        sed 's/ \*/  /' | cmp -s - SHA256SUMS)
}

# bundle_is_checked BUNDLE: nothing has changed since install_kubeadm.sh found every hash right.
bundle_is_checked() {
    [ -s "$1.checked" ] && [ "$(cat "$1.checked")" = "$(bundle_state "$1")" ]
}
