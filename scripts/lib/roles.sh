# shellcheck shell=bash
# What a role places on a node (packages, users, directories, files, links), and how that is taken away.
#
# Needs lib/common.sh, lib/packages.sh and lib/roleunits.sh. The script that is generated for a role calls
# these functions. It brings `enter`, which goes to a directory through nobody's links but root's.
# On a node /var/lib/dlws/roles/ROLE keeps `record` (what the role has placed there), `before` (files that
# stood where its own are now) and `due` (what changed files call for, until it has been done).

ROLE_FILES=() ROLE_SAME=()

# begin_role NAME LINE...: the lines are what the role places here, as in its record.
begin_role() {
    ROLE=$1 ROLE_PLACE=$DLWS_ROOT/var/lib/dlws/roles/$1
    shift
    ROLE_WANTED=("$@") ROLE_HAD=()
    if [ -f "$ROLE_PLACE/record" ]; then mapfile -t ROLE_HAD <"$ROLE_PLACE/record"; fi
    ! checking || return 0
    mkdir -p "$DLWS_ROOT/run"
    exec 8>"$DLWS_ROOT/run/dlws-role-$ROLE.lock"
    flock 8
    (umask 077 && mkdir -p "$ROLE_PLACE/due" "$ROLE_PLACE/before")
}

# keep_record LINE...
keep_record() {
    if [ $# -gt 0 ]; then printf '%s\n' "$@"; fi >"$ROLE_PLACE/record.new"
    mv -f "$ROLE_PLACE/record.new" "$ROLE_PLACE/record"
}

# is_among LINE LINE...: whether the first is one of the others.
is_among() {
    local line wanted=$1
    shift
    for line in "$@"; do
        [ "$line" != "$wanted" ] || return 0
    done
    return 1
}

# role_family FAMILY...: those that the role has packages for.
role_family() {
    os_family
    is_among "$DLWS_FAMILY" "$@" || die "the role $ROLE names no packages for a system of the family $DLWS_FAMILY" \
        "add them to packages in its role.yaml"
}

# role_packages FAMILY NAME...
role_packages() {
    os_family
    [ "$DLWS_FAMILY" = "$1" ] || return 0
    shift
    install_packages "$@"
}

# role_group NAME GID
role_group() {
    local has
    IFS=: read -r _ _ has _ < <(getent group "$1") || has=
    if [ -n "$has" ]; then
        [ -z "$2" ] || [ "$has" = "$2" ] ||
            die "the group $1 has the number $has on this node, not $2" "change it there, or in the role"
        return 0
    fi
    ! differs group "$1" "is missing" || return 0
    groupadd --system ${2:+--gid "$2"} "$1" || die "the group $1 cannot be made" "read the lines above"
    changed "made the group $1"
}

# role_user NAME UID GROUP GROUPS HOME SHELL
role_user() {
    local has home shell words=(--home-dir "$5" --shell "$6")
    IFS=: read -r _ _ has _ _ home shell < <(getent passwd "$1") || has=
    if [ -z "$has" ]; then
        ! differs user "$1" "is missing" || return 0
        if [ -n "$3" ]; then words+=(--gid "$3"); else words+=(--user-group); fi
        useradd --system --no-create-home ${2:+--uid "$2"} ${4:+--groups "$4"} "${words[@]}" "$1" ||
            die "the user $1 cannot be made" "read the lines above"
        changed "made the user $1"
        return 0
    fi
    [ -z "$2" ] || [ "$has" = "$2" ] ||
        die "the user $1 has the number $has on this node, not $2" "change it there, or in the role"
    if [ "$home:$shell" = "$5:$6" ] && in_groups "$1" "$4"; then return 0; fi
    ! differs user "$1" "has another home, shell or groups" || return 0
    usermod ${4:+--append --groups "$4"} --home "$5" --shell "$6" "$1" ||
        die "the user $1 cannot be changed" "read the lines above"
    changed "changed the user $1"
}

# in_groups USER GROUP,GROUP,...
in_groups() {
    local group groups
    IFS=, read -ra groups <<<"$2"
    for group in "${groups[@]}"; do
        [[ " $(id -nG "$1") " == *" $group "* ]] || return 1
    done
}

# in_dir PLACE COMMAND...: runs it there, also if somebody makes PLACE a link meanwhile.
in_dir() { (enter "$1" "" && "${@:2}"); }

# make_way PATH: makes the directories above it that are missing.
make_way() { (enter "$DLWS_ROOT${1%/*}" make) || die "the directory of $1 cannot be made" "read the lines above"; }

# check_way PATH: no part of the path before its last / may be a link of others: it may lead anywhere.
check_way() {
    local status=0
    (enter "$DLWS_ROOT${1%/*}" "") 2>/dev/null || status=$?
    [ "$status" != 2 ] || die "$1: a part of its path is a link that others than root made or can change" \
        "name the place that the link stands for in the role, if that is meant"
}

# replace NEW NAME: the file NEW takes the place of NAME in this directory, at once.
replace() { mv -fT "$1" "./$2.dlws-new" && mv -fT "./$2.dlws-new" "./$2"; }

# own MODE OWNER: gives this directory away.
own() { chown "$2" . && chmod "$1" .; }

# is_like PATH MODE OWNER: the owner by names or by numbers.
is_like() {
    local has
    mapfile -t has < <(stat -L --printf '%a %U:%G\n%a %u:%g\n' "$1")
    is_among "$2 $3" "${has[@]}"
}

# role_directory PATH MODE OWNER: what lies in it stays as it is.
role_directory() {
    local path=$DLWS_ROOT$1
    check_way "$1/"
    if [ ! -d "$path" ]; then
        [ ! -e "$path" ] || die "$1 is no directory" "move it away on this node"
        ! differs directory "$1" "is missing" || return 0
        (enter "$path" make) || die "$1 cannot be made" "read the lines above"
    else
        ! is_like "$path" "$2" "$3" || return 0
        ! differs directory "$1" "has $(stat -L -c '%a %U:%G' "$path"), not $2 $3" || return 0
    fi
    in_dir "$path" own "$2" "$3" || die "$1 cannot be given to $3" "is there such a user?"
    changed "made the directory $1 ($2 $3)"
}

# role_file MEMBER PATH MODE OWNER SHA256 CHECK DUE...: MEMBER is the file's name here, CHECK the command
# that judges it. DUE are the keys of what is due when it has changed.
role_file() {
    local path=$DLWS_ROOT$2 has
    check_way "$2"
    if [ -L "$path" ]; then
        has="is a link"
    elif [ -d "$path" ]; then
        die "$2 is a directory" "move it away on this node"
    elif [ ! -e "$path" ]; then
        has="is missing"
    elif [ ! -f "$path" ]; then
        has="is no file"
    elif [ "$(sha256sum <"$path")" != "$5  -" ]; then
        has="has other content"
    elif is_like "$path" "$3" "$4"; then
        ROLE_SAME+=("$2")
        return 0
    else
        has="has $(stat -c '%a %U:%G' "$path"), not $3 $4"
    fi
    ! differs file "$2" "$has" || return 0
    [ -f "$1" ] || die "$2 was changed by somebody else just now" "run the command again"
    ROLE_FILES+=("$1" "$2" "$3" "$4" "$6" "${*:7}")
}

# role_place: the files that differ are checked, then all of them put in place.
role_place() {
    local at line stage=$PWD/stage former=()
    ! checking || return 0
    for line in "${ROLE_HAD[@]}"; do
        is_among "$line" "${ROLE_WANTED[@]}" || former+=("$line")
    done
    keep_record "${ROLE_WANTED[@]}" "${former[@]}"
    for ((at = 0; at < ${#ROLE_FILES[@]}; at += 6)); do
        stage_file "$stage" "${ROLE_FILES[@]:at:4}"
    done
    for ((at = 0; at < ${#ROLE_FILES[@]}; at += 6)); do
        [ -z "${ROLE_FILES[at + 4]}" ] || check_staged "$stage" "${ROLE_FILES[at + 1]}" "${ROLE_FILES[at + 4]}"
    done
    for ((at = 0; at < ${#ROLE_FILES[@]}; at += 6)); do
        place_staged "$stage" "${ROLE_FILES[at + 1]}" "${ROLE_FILES[at + 5]}"
    done
}

# stage_file STAGE MEMBER PATH MODE OWNER: the file as it will be, with its name and mode.
stage_file() {
    mkdir -p "$1${3%/*}"
    mv -fT "$2" "$1$3"
    chown "$5" "$1$3" || die "$3 cannot be given to $5" "is there such a user?"
    chmod "$4" "$1$3"
}

# check_staged STAGE PATH COMMAND: beside it lie the role's other files, which it may refer to.
check_staged() {
    local path said
    for path in "${ROLE_SAME[@]}"; do
        [ -e "$1$path" ] || { mkdir -p "$1${path%/*}" && cp -p "$DLWS_ROOT$path" "$1$path"; }
    done
    said=$(bash "$3" "$1$2" 2>&1 </dev/null 8>&-) || {
        printf '%s\n' "${said//$1/}" >&2
        die "$2 would be wrong: its check failed; none of the role's files was put in place" \
            "read the lines above, and correct the file in the role's folder or in config.yaml"
    }
}

# place_staged STAGE PATH DUE...: what is due is noted before the file is there, so that nothing is lost.
place_staged() {
    local key name=${2##*/} path=$DLWS_ROOT$2 foreign=$ROLE_PLACE/before$2
    # A list of words without spaces.
    # shellcheck disable=SC2086
    for key in $3; do : >"$ROLE_PLACE/due/$key"; done
    make_way "$2"
    if [ -e "$path" ] && [ ! -e "$foreign" ] && ! is_among "file $2" "${ROLE_HAD[@]}"; then
        (umask 077 && mkdir -p "${foreign%/*}")
        in_dir "${path%/*}" cp -a "./$name" "$foreign"
    fi
    in_dir "${path%/*}" replace "$1$2" "$name" || die "$2 cannot be placed" "read the lines above"
    changed "wrote $2"
}

# role_link PATH TARGET
role_link() {
    local name=${1##*/} path=$DLWS_ROOT$1
    check_way "$1"
    if [ -L "$path" ] && [ "$(readlink "$path")" = "$2" ]; then return 0; fi
    [ -L "$path" ] || [ ! -e "$path" ] || die "$1 is there and is no link" "move it away on this node"
    ! differs link "$1" "does not lead to $2" || return 0
    make_way "$1"
    in_dir "${path%/*}" ln -sfn -- "$2" "./$name.dlws-new"
    in_dir "${path%/*}" mv -fT "./$name.dlws-new" "./$name"
    changed "linked $1 to $2"
}

# role_prune: what an earlier version of the role placed here, and this one does not, goes.
role_prune() {
    local at line
    # What came last goes first: an automount that goes would detach what is mounted on it, busy or not.
    for ((at = ${#ROLE_HAD[@]} - 1; at >= 0; at--)); do
        line=${ROLE_HAD[at]}
        ! is_among "$line" "${ROLE_WANTED[@]}" || continue
        drop "$line" "is left of an earlier version of the role $ROLE"
    done
}

# drop "KIND WHAT" WORDS: undoes what a line of a record stands for.
drop() {
    local what=${1#* }
    case ${1%% *} in
        file) drop_file "$what" "$2" ;;
        link)
            [ -L "$DLWS_ROOT$what" ] || return 0
            ! differs link "$what" "$2" || return 0
            in_dir "$DLWS_ROOT${what%/*}" rm -f "./${what##*/}"
            changed "removed the link $what"
            ;;
        unit) drop_unit "$what" "$2" ;;
    esac
}

drop_file() {
    local before=$ROLE_PLACE/before$1 path=$DLWS_ROOT$1
    if [ -e "$before" ]; then
        ! differs file "$1" "$2" || return 0
        in_dir "${path%/*}" mv -fT "$before" "./${1##*/}"
        changed "put back $1 as it was before the role"
    elif [ -e "$path" ] || [ -L "$path" ]; then
        ! differs file "$1" "$2" || return 0
        in_dir "${path%/*}" rm -f "./${1##*/}"
        changed "removed $1"
    else
        return 0
    fi
    case $1 in */systemd/*) ! systemd_runs || systemctl daemon-reload ;; esac
}

drop_unit() {
    systemd_runs && systemctl cat "$1" >/dev/null 2>&1 || return 0
    case $(systemctl is-enabled "$1" 2>/dev/null) in
        enabled*) ;;
        *) systemctl is-active --quiet "$1" || return 0 ;;
    esac
    ! differs unit "$1" "$2" || return 0
    systemctl disable --now "$1" >/dev/null 2>&1 || systemctl stop "$1" ||
        die "$1 cannot be stopped" "look at 'systemctl status $1' on this node"
    changed "stopped and disabled $1"
}

# on_record: whether the record says what the role wants here.
on_record() {
    local IFS=$'\n'
    [ "${ROLE_HAD[*]}" = "${ROLE_WANTED[*]}" ]
}

# end_role: from now on the record says what the role has here.
end_role() {
    if checking; then
        # What has to change will be on record with it.
        if [ "$DLWS_CHANGES" -gt 0 ] || on_record; then return 0; fi
        ! differs role "$ROLE" "is not on record on this node" || return 0
    fi
    keep_record "${ROLE_WANTED[@]}"
    find "$ROLE_PLACE/due" -type f -delete
    [ "$DLWS_CHANGES" -gt 0 ] || changed "noted that the role $ROLE is here"
}

# has_role: whether the record says that the role is here.
has_role() { [ "${#ROLE_HAD[@]}" -gt 0 ] || [ -e "$ROLE_PLACE/record" ]; }

# remove_run FILE WORDS: a command of the role's remove section.
remove_run() {
    has_role || return 0
    ! differs run "$2" "would be run" || return 0
    role_run "$1" "$2"
    changed "ran: $2"
}

# remove_kind KIND...: undoes what the record names of these kinds.
remove_kinds() {
    local at line kind
    for kind in "$@"; do
        for ((at = ${#ROLE_HAD[@]} - 1; at >= 0; at--)); do
            line=${ROLE_HAD[at]}
            [ "${line%% *}" != "$kind" ] || drop "$line" "is of the role $ROLE"
        done
    done
}

# remove_packages FAMILY NAME...
remove_packages() {
    local choice name choices=() there=()
    os_family
    if ! has_role || [ "$DLWS_FAMILY" != "$1" ]; then return 0; fi
    for choice in "${@:2}"; do
        IFS='|' read -ra choices <<<"$choice"
        for name in "${choices[@]}"; do
            ! package_installed "$name" || differs package "$name" "is of the role $ROLE" || there+=("$name")
        done
    done
    [ "${#there[@]}" -gt 0 ] || return 0
    uninstall_packages "${there[@]}"
    changed "removed the packages ${there[*]}"
}

# end_removal: nothing is left to be remembered.
end_removal() {
    has_role || return 0
    ! differs role "$ROLE" "is on record on this node" || return 0
    rm -rf "$ROLE_PLACE"
    [ "$DLWS_CHANGES" -gt 0 ] || changed "forgot the role $ROLE"
}
