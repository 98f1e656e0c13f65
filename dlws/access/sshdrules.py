"""Why a machine's sshd keeps a user out that has the right key, as root can read it there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from dlws.core.text import split_lines
from dlws.shell.quoting import script

# $1 is the user. Prints what sshd decides for this user and this client, then facts.
# Further words are options for sshd.
_READ = """user=$1; shift
address=${SSH_CONNECTION%% *}
sshd=$(command -v sshd || echo /usr/sbin/sshd)
"$sshd" -T -C "user=$user,host=${address:-localhost},addr=${address:-127.0.0.1}" "$@" 2>/dev/null
entry=$(getent passwd "$user") && echo "fact:shell ${entry##*:}" && {
  [ -x "${entry##*:}" ] || echo "fact:shell-missing yes"
  home=$(printf %s "$entry" | cut -d: -f6)
  stat -L -c 'fact:home %a %U %n' "$home" "$home/.ssh" "$home/.ssh/authorized_keys" 2>/dev/null
}
echo "fact:groups $(id -Gn "$user" 2>/dev/null)"
echo "fact:address ${address:-127.0.0.1}"
getent shadow "$user" | cut -d: -f2,3,5,8 |
  sed 's/^\\([!*]\\{0,2\\}\\)[^:]*/\\1/; s/^/fact:shadow /'
for file in /etc/nologin /run/nologin; do [ ! -e "$file" ] || echo "fact:nologin $file"; done
exit 0"""

_CONFIG = "/etc/ssh/sshd_config"
_KEYS = ".ssh/authorized_keys"
_RSA = ("rsa-sha2-256", "rsa-sha2-512")
_RELOAD = "then: systemctl reload ssh"
Rule = tuple[str, str]
"""What keeps the user out, and what would let them in."""


def reading(user: str, *options: str) -> str:
    """The command whose output rule() reads; it runs as root, and changes nothing."""
    return script(_READ, user, *options)


def rule(
    text: str, user: str, now: datetime | None = None, kinds: Collection[str] = ()
) -> Rule | None:
    """The first rule in what reading() printed that keeps the user out; None where none does.

    `kinds`: what the user's keys call themselves, ssh-ed25519 say.
    """
    said: dict[str, list[str]] = {}
    for line in split_lines(text):
        key, _, value = line.partition(" ")
        said.setdefault(key.lower(), []).append(value)
    facts = {key[5:]: values for key, values in said.items() if key.startswith("fact:")}
    today = (now or datetime.now(timezone.utc)).timestamp() // 86400
    return (
        _account(facts, said, user, int(today))
        or _names(said, facts, user)
        or _methods(said, facts, user, kinds)
        or _modes(said, facts, user)
    )


def _account(
    facts: Mapping[str, Sequence[str]], said: Mapping[str, Sequence[str]], user: str, today: int
) -> Rule | None:
    if "nologin" in facts and user != "root":
        file = facts["nologin"][0]
        return f"{file} lets nobody but root in", f"once the machine is up: rm {file}"
    if "shell-missing" in facts:
        shell = facts["shell"][0]
        return f"{user}'s shell {shell} is missing", f"usermod -s /bin/bash {user}"
    mark, changed, most, expires = (facts.get("shadow", [""])[0].split(":") + [""] * 4)[:4]
    if expires.isdecimal() and int(expires) <= today:
        return f"the account {user} has expired", f"chage -E -1 {user}"
    over = changed.isdecimal() and most.isdecimal() and int(changed) + int(most) < today
    if over or changed == "0":
        return f"the password of {user} has expired", f"chage -M -1 -d {today} {user}"
    if mark.startswith("!") and said.get("usepam") == ["no"]:
        return f"the account {user} is locked, and sshd does not use PAM", f"usermod -p '*' {user}"
    return None


def _names(
    said: Mapping[str, Sequence[str]], facts: Mapping[str, Sequence[str]], user: str
) -> Rule | None:
    address = facts.get("address", [""])[0]
    groups = facts.get("groups", [""])[0].split()
    users = [(user, address)]
    members = [(group, "") for group in groups]
    for keyword, word, them, who in (
        ("DenyUsers", "denyusers", users, user),
        ("AllowUsers", "allowusers", users, user),
        ("DenyGroups", "denygroups", members, "a group of theirs"),
        ("AllowGroups", "allowgroups", members, f"a group of {user}"),
    ):
        patterns = " ".join(said.get(word, ())).split()
        hit = any(_fits(pattern, name, at) for pattern in patterns for name, at in them)
        if patterns and hit == keyword.startswith("Deny"):
            rest = "" if hit else f" does not name {who}"
            cure = "take that away" if hit else f"add {_one_more(keyword, user, groups)} to it"
            return (
                f"sshd's {keyword} {' '.join(patterns)}{rest}",
                f"{cure} in {_CONFIG} or {_CONFIG}.d, {_RELOAD}",
            )
    root = " ".join(said.get("permitrootlogin", ())) if user == "root" else ""
    if root in ("no", "forced-commands-only"):
        return f"sshd's PermitRootLogin {root}", f"write prohibit-password in {_CONFIG}, {_RELOAD}"
    return None


def _one_more(keyword: str, user: str, groups: Sequence[str]) -> str:
    return user if keyword == "AllowUsers" else (groups[0] if groups else user)


def _fits(pattern: str, name: str, address: str) -> bool:
    who, at, where = pattern.partition("@")
    return _like(name, who) and (not at or _like(address, where) or _within(address, where))


def _like(text: str, pattern: str) -> bool:
    """As sshd compares: * and ? alone have a meaning."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _within(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False  # a name


def _methods(
    said: Mapping[str, Sequence[str]],
    facts: Mapping[str, Sequence[str]],
    user: str,
    kinds: Collection[str],
) -> Rule | None:
    if said.get("pubkeyauthentication") == ["no"]:
        return "sshd's PubkeyAuthentication no", f"write yes in {_CONFIG}, {_RELOAD}"
    files = " ".join(said.get("authorizedkeysfile", ())).split()
    if files and _KEYS not in (_at_home(file, facts, user) for file in files):
        verb = f"write {_KEYS} in" if files == ["none"] else f"add {_KEYS} to"
        return (
            f"sshd's AuthorizedKeysFile {' '.join(files)}: it does not read {_KEYS}, where the "
            "key is",
            f"{verb} that line in {_CONFIG}, {_RELOAD}",
        )
    return _algorithms(said, kinds) or _ways(said)


def _at_home(file: str, facts: Mapping[str, Sequence[str]], user: str) -> str:
    """A path of AuthorizedKeysFile with its tokens, as seen from the user's home."""
    homes = [fact.split(" ", 2)[-1] for fact in facts.get("home", ())[:1]]
    home = homes[0] if homes else "%h"
    for token, value in (("%h", home), ("%u", user), ("%%", "%")):
        file = file.replace(token, value)
    return file.removeprefix(f"{home}/")


def _algorithms(said: Mapping[str, Sequence[str]], kinds: Collection[str]) -> Rule | None:
    """A key signs by an algorithm of its own name; one of RSA knows two more."""
    known = ("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes")
    accepted = {one for word in known for value in said.get(word, ()) for one in value.split(",")}
    ours = {*kinds, *(_RSA if "ssh-rsa" in kinds else ())}
    if not accepted or not kinds or ours & accepted:
        return None
    return (
        f"sshd's PubkeyAcceptedAlgorithms: it takes no key of the kind {', '.join(sorted(kinds))}",
        f"add {sorted(ours)[0]} to that line in {_CONFIG} or {_CONFIG}.d, {_RELOAD}",
    )


def _ways(said: Mapping[str, Sequence[str]]) -> Rule | None:
    methods = " ".join(said.get("authenticationmethods", ())).split()
    if methods and not {"any", "publickey"} & set(methods):
        return (
            f"sshd's AuthenticationMethods {' '.join(methods)}: a key alone is not enough",
            f"for this user, in a Match block of {_CONFIG}: AuthenticationMethods publickey; "
            f"{_RELOAD}",
        )
    return None


def _modes(
    said: Mapping[str, Sequence[str]], facts: Mapping[str, Sequence[str]], user: str
) -> Rule | None:
    if said.get("strictmodes") == ["no"]:
        return None
    for fact in facts.get("home", ()):
        mode, owner, path = fact.split(" ", 2)
        if owner not in (user, "root"):
            return f"{path} belongs to {owner}", f"chown {user}: {path}"
        if int(mode, 8) & 0o022:
            return f"others can write {path}, and sshd trusts no key there", f"chmod go-w {path}"
    return None
