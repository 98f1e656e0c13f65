#!/bin/sh
# The four operations as a script of dlws: a file, a copy, a command, a user.
# dlws-files: content
set -eu
[ "$(stat -c %a /srv/file 2>/dev/null)" = 644 ] || {
    touch /srv/file
    chmod 644 /srv/file
    echo 'changed: /srv/file'
}
cmp -s content /srv/put || {
    cp content /srv/put
    echo 'changed: /srv/put'
}
echo hello
getent passwd bench >/dev/null || {
    useradd bench
    echo 'changed: user bench'
}
