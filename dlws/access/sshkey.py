"""Let the cluster's key in: an admin user with sudo on every node, made with the root password."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.access import sshdrules
from dlws.core.errors import DeployError, UsageError
from dlws.core.limits import REPORTS
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.nodes.directory import KEY
from dlws.nodes.firstcontact import introduce
from dlws.nodes.node import Login, Node, SudoRefused
from dlws.runs.plan import Action, Planned, run
from dlws.shell.quoting import script
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import ConnectionFailed, JumpHostRefused, LoginRefused

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.secrets.vault import Vault

# $1 is the admin user, standard input its public keys. Prints what it changed. With $2 it changes
# nothing, and says what differs in the words of scripts/lib/common.sh.
_INSTALL = """set -eu; umask 022; user=$1 check=${2:-}
differs() { [ "$check" ] && printf 'differs: %s\\t%s\\t%s\\n' "$@"; }
if ! id -u "$user" >/dev/null 2>&1; then
  if differs user "$user" 'is missing'; then exit 0; fi
  # Without ageing: PASS_MAX_DAYS of the machine would lock the cluster's own admin out one day.
  useradd -m -s /bin/bash "$user"; chage -m 0 -M -1 -I -1 -E -1 "$user"; echo "user $user"
fi
home=$(getent passwd "$user" | cut -d: -f6); group=$(id -gn "$user")
keys=$home/.ssh/authorized_keys
if [ "$check" ]; then
  has=$(stat -c '%a %U:%G' "$home/.ssh" 2>/dev/null) || has=missing
  [ "$has" = "700 $user:$group" ] || differs file "$home/.ssh" "is $has, not 700 $user:$group"
else
  install -d -m 700 -o "$user" -g "$group" "$home/.ssh"
  [ -e "$keys" ] || install -m 600 -o "$user" -g "$group" /dev/null "$keys"
  [ -z "$(tail -c 1 "$keys")" ] || echo >>"$keys"
fi
while IFS= read -r key; do
  [ -n "$key" ] || continue
  grep -qsxF -e "$key" "$keys" || differs file "$keys" "lacks the key ${key##* }" ||
    { printf '%s\\n' "$key" >>"$keys"; echo 'authorized key'; }
done
[ "$user" != root ] || exit 0
if ! command -v sudo >/dev/null; then
  if differs package sudo 'is not installed'; then exit 0; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq sudo >/dev/null; echo 'package sudo'
fi
rule=/etc/sudoers.d/dlws-$(printf %s "$user" | tr -c 'A-Za-z0-9_-' _)
want="$user ALL=(ALL:ALL) NOPASSWD: ALL"
has=$(cat "$rule" 2>/dev/null && stat -c %a "$rule") || has=missing
if [ "$has" != "$(printf '%s\\n440' "$want")" ]; then
  if differs file "$rule" 'is not the rule, of mode 440, that the user needs'; then exit 0; fi
  new=/etc/sudoers.d/.dlws-new; rm -f "$new"; trap 'rm -f "$new"' EXIT
  printf '%s\\n' "$want" >"$new"; chmod 440 "$new"
  visudo -cqf "$new"; mv -f "$new" "$rule"; echo "sudo rule $rule"
fi"""


def differences(node: Node) -> str:
    """The command that says what of the installation is missing; standard input are the keys."""
    return script(_INSTALL, node.user, "check")


def again(node: Node, keys: bytes) -> None:
    """Install the keys over the node's own connection, where that still becomes root."""
    result = node.run(
        script(_INSTALL, node.user), stdin=keys, sudo=True, title="install the key again"
    )
    for line in split_lines(result.text)[:REPORTS]:
        node.changed(line)


def public_keys(directory: Path, more: tuple[Path, ...] = ()) -> bytes:
    """The cluster's public key and those of the files `more`, a line each."""
    own = directory / f"{KEY}.pub"
    if not own.exists():
        own = own.with_name("id_rsa.pub")
    try:
        data = {path: path.read_bytes() for path in (own, *more)}
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}", f"run: {PROGRAM} build") from error
    texts = [_decoded(path, content).strip() for path, content in data.items()]
    return "".join(f"{line}\n" for text in texts for line in text.splitlines()).encode()


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "write it anew, or remove it") from error


def root_login(vault: Vault, ask: Callable[[str], str]) -> tuple[str, str]:
    """The root user and password: from deploy/sshkey/rootuser and rootpasswd, else asked for."""
    files = vault.directory / "deploy/sshkey"
    user = _line(vault, files / "rootuser") or "root"
    password = _line(vault, files / "rootpasswd")
    return user, password or ask(f"Password of {user} on the nodes")


def _line(vault: Vault, path: Path) -> str:
    if not path.exists():
        return ""
    path.chmod(0o600)  # `echo ... > rootpasswd` made it readable for all
    return _decoded(path, vault.read(path)).split("\n")[0].rstrip("\r")


def install(
    cluster: Cluster, nodes: list[Node], more: tuple[Path, ...], ask: Callable[[str], str]
) -> list[str]:
    """Install the key where it does not work yet; the names of the nodes that this changed."""
    keys = public_keys(cluster.directory, more)
    tried = cluster.read_all(nodes, _try, "trying the key")
    closed = [outcome.node for outcome in tried if outcome.error or more]
    if not closed:
        return []
    if not cluster.run.gate.admit(*(_action(node, keys) for node in closed)):
        return []
    introduce(closed, always=True)
    user, password = root_login(cluster.run.vault, ask)
    cluster.run.console.redactor.add([password])
    outcomes = cluster.change_all(
        closed, lambda node: _install(node, user, password, keys), "installing the key"
    )
    return [outcome.node.name for outcome in outcomes if outcome.value]


def _action(node: Node, keys: bytes) -> Action:
    words = f"make the user {node.user} with sudo, and add the key"
    return replace(run(node.name, words, script(_INSTALL, node.user), keys, True), words=words)


def _try(node: Node) -> None:
    """Raise unless the key lets us in and sudo works; a password or the agent proves nothing."""
    if not node.ssh.only_by_key:
        connection = node.ssh.by_key()
        try:
            connection.run("true")
        finally:
            connection.close()
    node.read("true", sudo=True)


def _install(node: Node, user: str, password: str, keys: bytes) -> bool:
    """Log in with the password and install the keys; whether that changed the node."""
    connection = node.ssh.as_user(user, password)
    as_root = node.through(connection, Login(user, password))
    try:
        said = _install_as(as_root, node.user, keys)
    finally:
        connection.close()
        node.connection.close()  # opened before the key was in
    for line in split_lines(said)[:REPORTS]:
        node.changed(line)
    try:
        node.read("true", sudo=True)
    except ConnectionFailed as error:  # refused, or left without a word
        if told := _kept_out(node, as_root, connection, keys.decode().split(" ")[0]):
            raise told from error
        raise
    except SudoRefused as error:
        if error.by_itself:
            raise
        raise DeployError(
            error.message,
            f"our rule is there, and another one counts; on {node.name}, as root: sudo -l -U "
            f"{node.user}, then look below /etc/sudoers.d (the last rule counts) and whether "
            "/etc/sudoers includes it",
        ) from error
    return bool(said)


def _install_as(root: Node, user: str, keys: bytes) -> str:
    """What the installation of a user's keys changed, by one who may become root."""
    command = script(_INSTALL, user)
    try:
        return root.run(
            command, stdin=keys, sudo=True, title="install the key", planned=Planned(follows=True)
        ).text
    except JumpHostRefused:
        raise
    except LoginRefused as error:
        raise LoginRefused(
            f"{root.address} does not let {root.user} in with this password",
            "correct deploy/sshkey/rootuser and rootpasswd, or remove rootpasswd to be asked; "
            "does sshd there allow this user a password?",
        ) from error


def _kept_out(node: Node, as_root: Node, connection: Ssh, kind: str) -> LoginRefused | None:
    """Why a node refuses the key that it has, where its own rules say so."""
    found = None
    try:
        with suppress(ConnectionFailed):  # gone by now: what was seen before is said
            said = as_root.read(sshdrules.reading(node.user), sudo=True).text
            found = sshdrules.rule(said, node.user, kinds=[kind] if kind else ())
    finally:
        connection.close()
    if not found:
        return None
    words, cure = found
    return LoginRefused(
        f"{node.address} has the key, and does not let {node.user} in: {words}",
        f"on {node.name}, as root: {cure}",
    )
