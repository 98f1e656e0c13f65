#!/bin/sh
# Makes the database on an empty directory, then runs the server. The variables are those of the
# usual MariaDB image: MARIADB_ROOT_PASSWORD, MARIADB_ROOT_HOST (%), MARIADB_DATABASE, MARIADB_USER,
# MARIADB_PASSWORD; each also as MYSQL_..., and with _FILE as the name of a file that holds it.
set -eu
data=${MARIADB_DATA:-/var/lib/mysql}

if [ "$(id -u)" = 0 ]; then
    # Given root, it takes over the directory of a node, and goes on as mysql.
    find "$data" ! -user mysql -exec chown mysql:mysql {} +
    chown mysql:mysql /run/mysqld
    exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
fi

case ${1:-} in -*) set -- mariadbd "$@" ;; esac
[ "${1:-}" = mariadbd ] || [ "${1:-}" = mysqld ] || exec "$@"

value() { # NAME: what is set as MARIADB_NAME or MYSQL_NAME, here or in a file
    for name in "MARIADB_$1" "MYSQL_$1"; do
        eval "text=\${$name-} file=\${${name}_FILE-}"
        if [ -n "$file" ]; then cat "$file" && return; fi
        if [ -n "$text" ]; then printf '%s' "$text" && return; fi
    done
}

quoted() { # TEXT: as a string in SQL
    printf "'%s'" "$(printf '%s' "$1" | sed "s/[\\\\']/\\\\&/g")"
}

named() { # NAME: as an identifier in SQL
    # shellcheck disable=SC2016  # these quote a name in SQL
    printf '`%s`' "$(printf '%s' "$1" | sed 's/`/``/g')"
}

say() { # LINE: as it stands, which echo does not promise
    printf '%s\n' "$1"
}

statements() {
    # Those of the host's names and addresses have no password.
    say "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"
    say "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';"
    say "FLUSH PRIVILEGES;"
    password=$(value ROOT_PASSWORD) host=$(value ROOT_HOST)
    if [ -n "$password" ]; then
        secret=$(quoted "$password")
        say "ALTER USER root@localhost IDENTIFIED BY $secret;"
        if [ "${host:=%}" != localhost ]; then
            account="root@$(quoted "$host")"
            say "CREATE USER IF NOT EXISTS $account IDENTIFIED BY $secret;"
            say "GRANT ALL ON *.* TO $account WITH GRANT OPTION;"
        fi
    fi
    database=$(value DATABASE) user=$(value USER)
    if [ -n "$database" ]; then say "CREATE DATABASE IF NOT EXISTS $(named "$database");"; fi
    if [ -n "$user" ]; then
        account="$(quoted "$user")@'%'"
        say "CREATE USER IF NOT EXISTS $account IDENTIFIED BY $(quoted "$(value PASSWORD)");"
        if [ -n "$database" ]; then say "GRANT ALL ON $(named "$database").* TO $account;"; fi
    fi
    say "FLUSH PRIVILEGES;"
}

socket=/run/mysqld/mysqld.sock
for word; do
    case $word in --socket=*) socket=${word#*=} ;; esac
done

if [ ! -d "$data/mysql" ]; then
    echo "entrypoint: making a database in $data"
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal \
        --skip-test-db >/dev/null
    # The server runs it when it starts for the first time; it is gone once the server has read it.
    (umask 077 && statements >"$data/.first.sql")
fi
if [ -e "$data/.first.sql" ]; then
    # It goes as soon as the server lets anybody in: it has read it by then. A start that is cut off
    # before leaves it to the next one.
    (
        until said=$(MYSQL_PWD=none mariadb --no-defaults --socket="$socket" \
            --user=root --execute="SELECT 1" 2>&1) || [ "${said#*ERROR 1045}" != "$said" ]; do
            sleep 0.2
        done
        rm -f "$data/.first.sql"
    ) &
    set -- "$@" --init-file="$data/.first.sql"
fi
exec "$@"
