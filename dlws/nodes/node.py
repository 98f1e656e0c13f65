"""A machine of the cluster: `run` and `put` may change it, `read` never does."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from dlws.core.connection import KEEP, Connection, Echo, Result, Stdin
from dlws.core.errors import DeployError
from dlws.runs import plan
from dlws.runs.console import outlets
from dlws.runs.gate import Gate
from dlws.secrets.redaction import revealed
from dlws.shell import files, recorder
from dlws.shell import sudo as privilege
from dlws.shell.files import File

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dlws.config import Machine
    from dlws.runs.console import Console
    from dlws.runs.journal import Journal

__all__ = ["CommandFailed", "File", "Node"]


class CommandFailed(DeployError):
    """A command on a node ended with a status other than 0."""

    def __init__(self, title: str, result: Result) -> None:
        lines = result.complaint.splitlines()[-5:]
        last = "".join(f"\n    {line}" for line in lines)
        super().__init__(f"exit {result.code} from: {title}{last}")
        self.result = result


class Node:
    """A machine with a name, roles and a connection (opened at first use)."""

    def __init__(
        self,
        machine: Machine,
        address: str,
        connection: Connection,
        console: Console,
        user: str = "root",
        sudo_password: SecretStr | str | None = None,
        keeper: Callable[[], Journal] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.machine = machine
        self.name, self.fqdn, self.roles = machine.name, machine.fqdn, machine.roles
        self.address, self.connection, self.user = address, connection, user
        self._console, self._sudo_password = console, sudo_password
        self._keeper, self.gate = keeper, gate or Gate(console)
        self.due: Collection[tuple[str, str]] = ()
        """Path and hash of files that an earlier part of this run had begun to write here."""

    @property
    def dry_run(self) -> bool:
        return self.gate.dry_run

    def through(self, connection: Connection, user: str, sudo_password: str | None) -> Node:
        """The same machine over another connection."""
        more = (sudo_password, self._keeper, self.gate)
        return Node(self.machine, self.address, connection, self._console, user, *more)

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        sudo: bool = False,
        check: bool = True,
        title: str = "",
        live: bool = False,
        filter: Callable[[Echo], Echo] | None = None,
        keep: int = KEEP,
        once: bool = True,
        varies: bool = False,
        follows: bool = False,
        preview: Sequence[str] = (),
        cause: str = "",
    ) -> Result:
        """Run a command that may change the node; a dry run only shows it.

        `title` are the words shown for it; `live` shows its output as it comes, through `filter`
        where given; the result keeps so much of each stream. `once`: the node's recorder sees to
        it that a resumed run does not do it twice; it then also outlives this program.
        `cause` is what makes it due: with another cause a resumed run does it once more.
        For a plan: `varies` says that the input is made anew each time (tokens), `follows` that the
        command belongs to one that was let through before, `preview` what it would change.
        Raises CommandFailed if `check`, ConnectionFailed, Refused by a plan that lacks it.
        """
        action = plan.run(self.name, title or command, command, stdin, sudo, varies, preview)
        if not follows and not self.gate.admit(action):
            return Result(0)
        journal = self._keeper() if self._keeper else None
        if title:
            self.say(title)
        shown = self._console.echo(self.name) if live or self._console.verbose else None
        with outlets(shown, journal.log(self.name) if journal else None) as plain:
            echo = filter(plain) if filter and plain else plain
            if journal is None:
                return self._execute(command, stdin, sudo, check, title, echo, keep)
            about = (self.name, title or command, command, stdin, sudo, cause)
            with journal.recording(*about) as record:
                operation, size = record.operation, len(stdin)
                root = self.is_root(sudo)
                line = recorder.recorded(operation, command, size, root) if once else command
                result = self._execute(line, stdin, sudo, False, title, echo, keep)
                record.result = result
        if once and recorder.not_kept(result):
            raise NotKept(result)
        if check and not result.ok:
            raise CommandFailed(title or command, result)
        return result

    def read(
        self,
        command: str,
        *,
        stdin: Stdin = b"",
        sudo: bool = False,
        check: bool = True,
        echo: Echo | None = None,
        title: str = "",
    ) -> Result:
        """Run a command that changes nothing, in dry runs too; `echo` gets its output.

        `title` are the words for it where it fails.
        """
        return self._execute(command, stdin, sudo, check, title, echo)

    def put(
        self, content: bytes | str, path: str, mode: int = 0o644, owner: str = "root:root"
    ) -> bool:
        """Place one file; whether that changed anything."""
        data = content.encode() if isinstance(content, str) else content
        return bool(self.put_tree([File(path, data, mode, owner)]))

    def put_tree(self, tree: Iterable[File]) -> list[str]:
        """Place files as root; the paths of those that were not there already as they should be."""
        wanted = list(tree)
        if not wanted:
            return []
        command, paths = files.question(wanted)
        states = self.read(command, stdin=paths, sudo=True).text
        changed = files.differing(wanted, states)
        if changed and self.gate.admit(*self._writes(changed)):
            self._place([file for file, _ in changed])
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            self.changed(", ".join(file.path for file, _ in changed[:3]) + more)
        # Cut off after a file was written, a run has yet to do what the change calls for.
        told = {file.path for file, _ in changed}
        if self.due:
            told |= {file.path for file in wanted if (file.path, file.sha256) in self.due}
        return [file.path for file in wanted if file.path in told]

    def _writes(self, changed: list[tuple[File, str]]) -> Iterable[plan.Action]:
        """What placing these files is called in a plan, line by line where that is wanted."""
        olds = self._contents([file.path for file, _ in changed]) if self.gate.diff else []
        for number, (file, state) in enumerate(changed):
            lines = files.difference(file, state, olds[number]) if olds else ()
            yield plan.write(self.name, file, state, lines)

    def _contents(self, paths: Sequence[str]) -> list[bytes]:
        names = os.fsencode("".join(f"{path}\n" for path in paths))
        return files.contents(self.read(files.CONTENT, stdin=names, sudo=True).out.decode())

    def _place(self, changed: list[File]) -> None:
        journal = self._keeper() if self._keeper else None
        if journal:
            journal.placing(self.name, changed)
        self._execute(files.PLACE, files.stream(changed), True, True, "write files")
        for file in changed if journal else ():
            assert journal
            journal.write("put", node=self.name, path=file.path, sha256=file.sha256)

    def is_root(self, sudo: bool) -> bool:
        """Whether a command is run by root there."""
        return sudo or self.user == "root"

    def say(self, text: str) -> None:
        """A line of progress with this node's name."""
        self._console.say(text, self.name)

    def changed(self, text: str) -> None:
        """Say and count a change of this node."""
        self._console.changed(text, self.name)

    def count_changes(self, output: bytes) -> None:
        """Count the lines of a script's output by which it reports changes."""
        lines = output.decode(errors="replace").splitlines()
        for line in lines:
            if line.startswith("changed: "):
                self._console.count_change(line.removeprefix("changed: "), self.name)

    def close(self) -> None:
        self.connection.close()

    def _execute(
        self,
        command: str,
        stdin: Stdin,
        sudo: bool,
        check: bool,
        title: str,
        echo: Echo | None = None,
        keep: int = KEEP,
    ) -> Result:
        line = command
        if sudo:
            password = None if self.user == "root" else revealed(self._sudo_password)
            line = privilege.as_root(command, self.user, password)
            stdin = privilege.root_stdin(stdin, self.user, password)
        result = self.connection.run(line, stdin, echo, keep)
        if sudo and privilege.refused(result.code, result.complaint):
            raise SudoRefused(self.user, result)
        if check and not result.ok:
            raise CommandFailed(title or command, result)
        return result


class NotKept(DeployError):
    """A node has no place for the outcome of a command, which therefore was not run."""

    def __init__(self, result: Result) -> None:
        super().__init__(
            result.complaint.replace("dlws: ", ""),
            "make room on that node (df -h /var/lib /home), then: deploy.py resume",
        )


class SudoRefused(DeployError):
    """The login user may not become root on a node."""

    def __init__(self, user: str, result: Result) -> None:
        says = result.complaint.splitlines()[-1:] or ["no words"]
        super().__init__(
            f"sudo refuses {user}: {says[0]}",
            "set ssh.sudo_password in config.yaml, or run: deploy.py sshkey install",
        )
