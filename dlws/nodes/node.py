"""A machine of the cluster: `run` and `put` may change it, `read` never does."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dlws.core.connection import KEEP, Connection, Echo, Result, Stdin
from dlws.core.errors import DeployError, UsageError
from dlws.core.limits import ANSWER, FILES_AT_ONCE, OWN, PATIENT, REPORTS, Bounds
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.runs import plan
from dlws.runs.console import outlets
from dlws.runs.plan import AS_IT_IS, Planned
from dlws.secrets.redaction import revealed
from dlws.shell import files, recorder
from dlws.shell.files import File
from dlws.shell.sudo import as_root, cure, refused, root_stdin

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dlws.config import Machine
    from dlws.runs.run import Run
    from dlws.ssh.client import Ssh

__all__ = ["Call", "CommandFailed", "File", "Login", "Node"]

_TOLD = 100
"""Characters of a command line without a title that an error may show."""
_KEEP_OWN = 64 * 1024
"""Bytes of each stream that the result of a person's own command keeps: it is shown as it comes."""


class CommandFailed(DeployError):
    """A command on a node ended with a status other than 0."""

    def __init__(self, title: str, result: Result) -> None:
        lines = split_lines(result.complaint)[-5:]
        last = "".join(f"\n    {line}" for line in lines)
        super().__init__(f"exit {result.code} from: {title}{last}")
        self.result = result


@dataclass(frozen=True)
class Login:
    """Who logs in to a machine, and the password with which sudo there makes him root."""

    user: str = "root"
    sudo_password: SecretStr | str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Call:
    """A command for a node, and how it is to be run there."""

    command: str
    stdin: Stdin = b""
    sudo: bool = False
    title: str = ""
    live: bool = False

    @property
    def words(self) -> str:
        return self.title or self.command

    @property
    def told(self) -> str:
        """What it is called where it fails: a program of ours is no text for people."""
        plain = "\n" not in self.command and len(self.command) <= _TOLD
        return self.title or (self.command if plain else "a question that dlws asks every node")

    def action(self, node: str, planned: Planned) -> plan.Action:
        """What it is called in a plan."""
        return plan.run(node, self.words, self.command, self.stdin, self.sudo, planned)

    def checked(self, result: Result) -> Result:
        """The result of it; raises CommandFailed where its status is not 0."""
        if not result.ok:
            raise CommandFailed(self.told, result)
        return result


class Node:
    """A machine with a name, roles and a connection (opened at first use)."""

    def __init__(
        self,
        machine: Machine,
        address: str,
        connection: Connection,
        login: Login,
        run: Run,
    ) -> None:
        self.machine, self.address, self.connection = machine, address, connection
        self.name, self.fqdn, self.roles = machine.name, machine.fqdn, machine.roles
        self._login, self._run, self._console, self.gate = login, run, run.console, run.gate
        self._begun: Collection[tuple[str, str]] = ()

    @property
    def user(self) -> str:
        return self._login.user

    @property
    def dry_run(self) -> bool:
        return self.gate.dry_run

    def through(self, connection: Connection, login: Login) -> Node:
        """The same machine over another connection."""
        return Node(self.machine, self.address, connection, login, self._run)

    def had_begun(self, files: Collection[tuple[str, str]]) -> None:
        """Take note of files (path, sha256) that an earlier part of this run began to write here.

        What follows from them is due, also where they are in place by now.
        """
        self._begun = files

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
        planned: Planned = AS_IT_IS,
    ) -> Result:
        """Run a command that may change the node; a dry run only shows it.

        The node's recorder sees to it that a resumed run does not do it twice; so it also outlives
        this program. `title` is shown for it, `live` shows its output as it comes, `planned` says
        what a plan has to know of it.
        Raises CommandFailed if `check`, ConnectionFailed, Refused by a plan that lacks it.
        """
        call = Call(command, stdin, sudo, title, live)
        if not planned.follows and not self.gate.admit(call.action(self.name, planned)):
            return Result(0)
        result = self._recorded(call, once=True)
        if recorder.not_kept(result):
            raise NotKept(result)
        left = recorder.left_behind(result)
        if left and not (live or self._console.verbose):  # else it was shown
            self._console.warn(f"{self.name}: {call.words}: {left}")
        return call.checked(result) if check else result

    def execute(self, command: str, sudo: bool = False, live: bool = False) -> Result:
        """Run a person's own command, which ends with this program and is not resumed.

        The result keeps the end of its output; a failure quotes its last lines.
        """
        call = Call(command, b"", sudo, "", live)
        if not self.gate.admit(call.action(self.name, AS_IT_IS)):
            return Result(0)
        result = self._recorded(call, once=False)
        if result.held:
            who = ", ".join(split_lines(self.read(recorder.LEFT, check=False).text)[:3])
            self._console.warn(
                f"{self.name}: {command}: it has ended with {result.code}, its output is no longer "
                f"waited for; still at work: {who or 'something that it started'}"
            )
        return call.checked(result)

    def _recorded(self, call: Call, once: bool) -> Result:
        """Run it with its begin and end in the journal; `once`: under the node's recorder."""
        journal = self._run.journal(changes_node=True)
        if call.title:
            self.say(call.title)
        wanted = call.live or self._console.verbose
        shown = self._console.echo(self.name, answer=not once) if wanted else None
        keep, bounds = (KEEP, None) if once else (_KEEP_OWN, OWN)
        log = journal.log(self.name) if journal else None
        with self._working(call), outlets(shown, log) as echo:
            if journal is None:
                return self._execute(call, echo, keep, bounds)
            assert isinstance(
                call.stdin, bytes
            )  # nothing that is recorded has a stream as its input
            about = (self.name, call.words, call.command, call.stdin, call.sudo)
            with journal.recording(*about) as record:
                if once:
                    root, size = self.is_root(call.sudo), len(call.stdin)
                    line = recorder.recorded(record.operation, call.command, size, root)
                    call = replace(call, command=line)
                record.result = self._execute(call, echo, keep, bounds)
                return record.result

    def read(
        self,
        command: str,
        *,
        stdin: Stdin = b"",
        sudo: bool = False,
        check: bool = True,
        echo: Echo | None = None,
        title: str = "",
        bounds: Bounds | None = ANSWER,
    ) -> Result:
        """Run a command that changes nothing, in dry runs too; `echo` gets its output.

        `title` are the words for it where it fails. Beyond the bounds the node has failed;
        PATIENT are those of what may take long, None of what a person sees as it comes.
        """
        call = Call(command, stdin, sudo, title)
        # What a person sees as it comes needs no other sign of life.
        with nullcontext() if echo else self._working(call):
            result = self._execute(call, echo, bounds=bounds)
        return call.checked(result) if check else result

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
        changed = self._differing(wanted)
        if changed and self.gate.admit(*self._writes(changed)):
            self._place([file for file, _ in changed])
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            self.changed(", ".join(file.path for file, _ in changed[:3]) + more)
        # Cut off after a file was written, a run has yet to do what the change calls for.
        told = {file.path for file, _ in changed}
        if self._begun:
            told |= {file.path for file in wanted if (file.path, file.sha256) in self._begun}
        return [file.path for file in wanted if file.path in told]

    def _writes(self, changed: list[tuple[File, str]]) -> Iterable[plan.Action]:
        """What placing these files is called in a plan, line by line where that is wanted."""
        olds = self._contents([file.path for file, _ in changed]) if self.gate.diff else []
        for number, (file, state) in enumerate(changed):
            lines = files.difference(file, state, olds[number]) if olds else ()
            yield plan.write(self.name, file, state, lines)

    def difference(self, tree: Sequence[File]) -> list[str]:
        """The lines in which these files differ from what is there, for people."""
        if not tree:
            return []
        return [line for action in self._writes(self._differing(tree)) for line in action.details]

    def _differing(self, tree: Sequence[File]) -> list[tuple[File, str]]:
        """The files that are not there as they should be, with what is there."""
        command, paths = files.question(tree)
        answer = self.read(command, stdin=paths, sudo=True, bounds=PATIENT).text
        return files.differing(tree, files.states(answer, len(tree)))

    def _contents(self, paths: Sequence[str]) -> list[bytes]:
        found: list[bytes] = []
        for first in range(0, len(paths), FILES_AT_ONCE):
            some = paths[first : first + FILES_AT_ONCE]
            names = os.fsencode("".join(f"{path}\n" for path in some))
            answer = self.read(files.CONTENT, stdin=names, sudo=True, bounds=PATIENT).out
            found += files.contents(answer.decode(errors="replace"), len(some))
        return found

    def _place(self, changed: list[File]) -> None:
        journal = self._run.journal(changes_node=True)
        if journal:
            journal.placing(self.name, changed)
        call = Call(files.PLACE, files.stream(changed), True, "write files")
        with self._working(call):
            call.checked(self._execute(call))
        for file in changed if journal else ():
            assert journal
            journal.write("put", node=self.name, path=file.path, sha256=file.sha256)

    @property
    def ssh(self) -> Ssh:
        """Its connection, where something is done that SSH alone can; else a UsageError."""
        from dlws.ssh.client import Ssh

        if not isinstance(self.connection, Ssh):
            raise UsageError(f"{self.name} is not reached over SSH", "this works over SSH alone")
        return self.connection

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
        lines = split_lines(output.decode(errors="replace"))
        reports = [line for line in lines if line.startswith("changed: ")]
        for line in reports[:REPORTS]:
            self._console.count_change(line.removeprefix("changed: "), self.name)

    def close(self) -> None:
        self.connection.close()

    def _working(self, call: Call) -> AbstractContextManager[None]:
        """What is shown while this node alone is worked on; of many nodes, `Cluster` tells."""
        return self._console.working(f"{self.name}: {call.title or 'asking it'}")

    def _execute(
        self,
        call: Call,
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result:
        line, stdin = call.command, call.stdin
        if call.sudo:
            password = None if self.user == "root" else revealed(self._login.sudo_password)
            line = as_root(line, self.user, password)
            stdin = root_stdin(stdin, self.user, password)
        result = self.connection.run(line, stdin, echo, keep, bounds)
        if call.sudo and refused(result.code, result.complaint):
            raise SudoRefused(self.user, result)
        return result


class NotKept(DeployError):
    """A node has no place for the outcome of a command, or not its input: it was not run."""

    def __init__(self, result: Result) -> None:
        told = result.complaint.replace("dlws: ", "")
        cure = "make room on that node (df -h /var/lib /home)"
        if recorder.CUT_SHORT in told:
            cure = "look for what reads standard input in ~/.bashrc there, and give it </dev/null"
        super().__init__(told, f"{cure}, then: {PROGRAM} resume")


class SudoRefused(DeployError):
    """The login user may not become root on a node."""

    def __init__(self, user: str, result: Result) -> None:
        """Where sudo itself needs something of root's there, that is the cure."""
        as_root = cure(result.complaint, user)
        super().__init__(
            f"sudo refuses {user}: {result.last_words or 'no words'}",
            f"on the machine, as root: {as_root}"
            if as_root
            else "set ssh.sudo_password in config.yaml (or that machine's own), "
            f"or run: {PROGRAM} sshkey install",
        )
        self.by_itself = bool(as_root)
