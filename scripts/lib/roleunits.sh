# shellcheck shell=bash
# What a role runs on a node: kernel modules, units, what changed files call for; and whether it works.
#
# Needs lib/common.sh and lib/roles.sh. In a container whose kernel lacks a module of the role, its units
# cannot run: they, and what depends on them, are left out with a word.

ROLE_WAIT=${DLWS_ROLE_WAIT:-30}
ROLE_STARTED=" " ROLE_LACKS=

has_module() {
    [ -d "$DLWS_ROOT/sys/module/${1//-/_}" ] || grep -qsw "$1" "$DLWS_ROOT/proc/filesystems"
}

# role_modules NAME...: loads them. Where the kernel around a container lacks one, what needs it is left out.
role_modules() {
    local module
    for module in "$@"; do
        ! has_module "$module" || continue
        if modprobe -n "$module" 2>/dev/null; then
            ! differs module "$module" "is not loaded" || continue
            ! modprobe "$module" 2>/dev/null || { changed "loaded the module $module" && continue; }
        fi
        in_container || die "this kernel has no module $module" "install a kernel that has it"
        say "the kernel around this container lacks $module: no unit of the role $ROLE is started"
        ROLE_LACKS=$module
    done
}

units_run() { [ -z "$ROLE_LACKS" ] && systemd_runs; }

# role_units UNIT...: enabled and active. One that does not start, such as a share whose server is away, keeps
# none of the others from starting.
role_units() {
    local unit enabled failed=()
    units_run || return 0
    for unit in "$@"; do
        enabled=$(systemctl is-enabled "$unit" 2>/dev/null) || true
        case $enabled in
            enabled | static | indirect | generated | alias)
                if systemctl is-active --quiet "$unit" || automount_rests "$unit"; then continue; fi
                ;;
        esac
        ! differs unit "$unit" "is $(unit_state "$unit"), not enabled and active" || continue
        if enable_unit "$unit"; then
            changed "$unit is enabled and active"
        else
            failed+=("$unit")
        fi
    done
    [ ${#failed[@]} -eq 0 ] || unit_fails "${failed[@]}"
}

# unit_fails UNIT...: of mounts it says which servers they are from.
unit_fails() {
    local unit server servers=() cure="look at 'journalctl -u $1' on this node"
    for unit; do
        case $unit in *.mount) ;; *) continue ;; esac
        server=$(server_of "$(systemctl show -p What --value "$unit" 2>/dev/null)")
        [ -z "$server" ] || is_among "$server" "${servers[@]}" || servers+=("$server")
    done
    [ ${#servers[@]} -eq 0 ] || cure="$(server_cure "${servers[*]}"); more: $cure"
    die "$* does not start${servers[*]:+ (server: ${servers[*]})}$(unit_complaint "$1")" "$cure"
}

server_cure() { printf 'see that %s is up, serves that share and lets this node in; then run this again' "$1"; }

# server_of SOURCE: the host of HOST:PATH, USER@HOST:PATH, [ADDRESS]:PATH or //HOST/SHARE; else nothing.
server_of() {
    local host=$1
    case $host in
        //*) host=${host#//} && host=${host%%/*} ;;
        /*) host= ;;
        \[*]:* | *@\[*]:*) host=${host#*[} && host=${host%%]*} ;;
        *:*) host=${host%%:*} ;;
        *) host= ;;
    esac
    printf '%s' "${host##*@}"
}

# mounted_from PATH: what is mounted there, or on the closest directory above it, in the kernel's writing.
mounted_from() {
    local at=${1//\\/\\134}
    AT=${at// /\\040} awk '
        (ENVIRON["AT"] == $5 || index(ENVIRON["AT"], $5 "/") == 1) && length($5) >= longest {
            longest = length($5)
            for (i = 6; $i != "-"; i++);
            source = $(i + 2)
        }
        END { print source }' "$DLWS_ROOT/proc/self/mountinfo" 2>/dev/null || true
}

# unit_complaint UNIT: what its programs printed last.
unit_complaint() {
    local said
    said=$(journalctl -q -o cat -n 2 -u "$1" _TRANSPORT=stdout 2>/dev/null | paste -s -d ';') || true
    printf '%s' "${said:+: $said}"
}

# automount_rests UNIT: whether it is an automount with nothing to wait for: what it is for is mounted, or this
# container has no autofs.
automount_rests() {
    case $1 in *.automount) ;; *) return 1 ;; esac
    systemctl is-active --quiet "${1%.automount}.mount" || { [ ! -e "$DLWS_ROOT/dev/autofs" ] && in_container; }
}

# role_folder PATH MODE: in what a unit mounts. It is made where it is missing, and left as it is where not.
role_folder() {
    local path=$DLWS_ROOT$1 answer=0 said server cure="see that the server of that share is up"
    units_run || return 0
    said=$(LC_ALL=C timeout -s KILL "$ROLE_WAIT" stat -L -c %F -- "$path" 2>&1) || answer=$?
    [ "$said" != directory ] || return 0
    server=$(server_of "$(mounted_from "$1")")
    [ -z "$server" ] || cure=$(server_cure "$server")
    server=${server:+ (server: $server)}
    [ "$answer" -lt 124 ] || die "$1 does not answer for $ROLE_WAIT s$server" "$cure"
    # A share whose server is away may say so at once: what it has is not missing then.
    case $answer/$said in
        0/* | *': No such file or directory' | *': Not a directory') ;;
        *) die "$1 does not answer: ${said##*: }$server" "$cure" ;;
    esac
    check_way "$1"
    ! differs directory "$1" "is missing" || return 0
    make_way "$1"
    in_dir "${path%/*}" make_folder "./${path##*/}" "$2" ||
        die "$1 cannot be made" "let root of this node write there, or make the directory on its server"
    changed "made the directory $1 ($2)"
}

# make_folder NAME MODE: another node may have made it meanwhile.
make_folder() { mkdir -m "$2" "$1" || [ -d "$1" ]; }

# enable_unit UNIT: one that ran before has not read its new files by that. A static one has nothing to enable.
enable_unit() {
    systemctl unmask "$1" >/dev/null 2>&1 || true
    systemctl enable "$1" >/dev/null 2>&1 || [ "$(systemctl is-enabled "$1" 2>/dev/null)" = static ] || return 1
    if systemctl is-active --quiet "$1" || automount_rests "$1"; then return 0; fi
    systemctl start "$1" || return 1
    ROLE_STARTED+="$1 "
}

# role_due KEY KIND WHAT COMMAND: does what changed files call for, once; it stays due until it is done.
# KIND is restart, reload, daemon-reload, run (before units start) or then (when they have).
role_due() {
    local stamp=$ROLE_PLACE/due/$1 told="$2 $3"
    [ -e "$stamp" ] || return 0
    case $2 in run | then) told="ran: $3" ;; esac
    ! differs due "$told" "is due: a file has changed" || return 0
    case $2 in
        run) role_run "$4" "$3" ;;
        then) if [ -z "$ROLE_LACKS" ]; then role_run "$4" "$3"; else told=; fi ;;
        daemon-reload) ! systemd_runs || systemctl daemon-reload ;;
        *)
            if units_run && ! automount_rests "$3" && [[ $ROLE_STARTED != *" $3 "* ]]; then
                systemctl "$2" "$3" || die "$3 does not $2" "look at 'journalctl -u $3' on this node"
            else
                told=
            fi
            ;;
    esac
    rm -f "$stamp"
    [ -z "$told" ] || changed "$told"
}

# role_run FILE WORDS
role_run() {
    bash "$1" </dev/null 8>&- || die "this failed: $2" "read the lines above"
}

# may_work: whether to ask if the role works. While something differs, that it does not is no news.
may_work() { [ -z "$ROLE_LACKS" ] && { ! checking || [ "$DLWS_CHANGES" -eq 0 ]; }; }

# listening PORT tcp|udp
listening() {
    local port state=0A
    printf -v port ':%04X' "$1"
    [ "$2" = tcp ] || state=07
    # Without IPv6 there is no second file.
    { cat "$DLWS_ROOT/proc/net/$2" "$DLWS_ROOT/proc/net/${2}6" 2>/dev/null || true; } |
        awk -v port="$port" -v state="$state" \
            'substr($2, length($2) - 4) == port && $4 == state { found = 1 } END { exit !found }'
}

# role_listens PORT tcp|udp
role_listens() {
    local end=$((SECONDS + ROLE_WAIT))
    may_work || return 0
    until listening "$1" "$2"; do
        ! differs port "$1/$2" "is one on which nothing listens" || return 0
        [ "$SECONDS" -lt "$end" ] || die "nothing listens on port $1/$2 after $ROLE_WAIT s" \
            "look at 'journalctl -e' on this node"
        sleep 0.2
    done
}

# role_true FILE WORDS: a command that succeeds when the role works.
role_true() {
    local said end=$((SECONDS + ROLE_WAIT))
    may_work || return 0
    until said=$(bash "$1" 2>&1 </dev/null 8>&-); do
        said=${said##*$'\n'}
        ! differs state "$2" "fails${said:+: $said}" || return 0
        [ "$SECONDS" -lt "$end" ] || die "this still fails after $ROLE_WAIT s: $2${said:+: $said}" \
            "look at 'journalctl -e' on this node"
        sleep 0.5
    done
}
