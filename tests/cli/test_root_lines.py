"""Lines that a person may copy: the same command line again, and what else cures a failure."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from dlws.cli.global_options import split
from dlws.cli.root import Root, cli
from dlws.core.program import PROGRAM
from dlws.runs.options import Options
from dlws.session import Session
from tests.support import ROOT

HIDDEN = {"--version", "--help"}
OPTIONS = [
    option
    for option in cli.params
    if isinstance(option, click.Option) and not HIDDEN & set(option.opts)
]
NAMES = [name for option in OPTIONS for name in option.opts]


def begin(ctx: click.Context) -> None:
    """What happens before a command: its session is made."""
    assert cli.callback
    ctx.invoke(cli.callback, **ctx.params)


def options_of(*words: str) -> Options:
    """The options that a command line amounts to."""
    with cli.make_context("deploy.py", list(words)) as ctx:
        begin(ctx)
        assert isinstance(ctx.obj, Session)
        return ctx.obj.options


def value_of(name: str, directory: Path) -> list[str]:
    """An option with a value that is not the default."""
    option = next(option for option in OPTIONS if name in option.opts)
    if option.is_flag:
        return [name]
    return [name, {"--dir": str(directory / "a b"), "--archtype": "all"}.get(name, "7")]


def compared(options: Options) -> Options:
    """What has to be the same in the retried command line: all but how it was written."""
    return replace(options, argv=(), given=(), nodes=())


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_kept_in_the_line_that_retries(
    name: str, behind: bool, joined: bool, tmp_path: Path
) -> None:
    written = value_of(name, tmp_path)
    if joined and len(written) == 2:
        written = ["=".join(written)]
    line = ["copytoall", "f", "/x y", *written] if behind else [*written, "copytoall", "f", "/x y"]
    options = options_of(*line)
    program, *again = shlex.split(options.again(nodes=["w1", "w2"]))
    retried = options_of(*again)
    assert program == options.argv[0]
    assert retried.nodes == ("w[1-2]",) and retried.words == ("copytoall", "f", "/x y")
    assert compared(retried) == compared(options)
    assert compared(options) != compared(options_of("copytoall", "f", "/x y")) or name == "--nodes"


def test_an_option_that_is_new_needs_nothing_else() -> None:
    new = click.Option(["--retries", "-r"], type=int)
    root = Root(params=[*cli.params, new], callback=None)
    for written in (["--retries", "3"], ["-r", "3"], ["--retries=3"]):
        given, words = split(root, [*written, "--nodes", "w1", "-y", "execonall", "ls"])
        assert given == (tuple(written), ("--nodes", "w1"), ("-y",))
        assert words == ("execonall", "ls")
        line = Options(given=given, words=words).again(nodes=["w2"])
        assert line == shlex.join(["./deploy.py", "--nodes", "w2", *written, "-y", *words])


@pytest.mark.parametrize(("line", "again"), [
    ("execonall true", "--nodes 'w[1-2]' execonall true"),
    ("--nodes x --nodes=y execonall true", "--nodes 'w[1-2]' execonall true"),
    ("execonall --nodes x true --nodes y", "--nodes 'w[1-2]' execonall true --nodes y"),
    ("--dir '/a b' -y --parallel 3 execonall --nodes x ls",
     "--dir '/a b' --nodes 'w[1-2]' -y --parallel 3 execonall ls"),
    ("--dir=/x --sudo execonall 'a b' '$(x)'",
     "--dir /x --nodes 'w[1-2]' --sudo execonall 'a b' '$(x)'"),
    ("-yv --max-failures 10% execonall -- -v",
     "--nodes 'w[1-2]' -yv --max-failures 10% execonall -- -v"),
    ("--dir up up onpremise", f"--dir {Path.cwd()}/up --nodes 'w[1-2]' up onpremise"),
    ("--retry-failed kubectl get -o yaml", "--nodes 'w[1-2]' --retry-failed kubectl get -o yaml"),
])  # fmt: skip
def test_the_retry_line_keeps_everything_but_the_nodes(line: str, again: str) -> None:
    options = replace(options_of(*shlex.split(line)), argv=("d",))
    assert options.again(nodes=["w1", "w2"]) == f"d {again}"


def test_lines_name_the_directory_and_the_way_to_the_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(*words: str) -> str:
        return replace(options_of(*words), argv=("dlws",)).line("connect", "a b")

    monkeypatch.chdir(tmp_path)
    assert line("display") == "dlws connect 'a b'"
    assert line("--dir", ".", "--nodes", "w1", "-y", "display") == "dlws connect 'a b'"
    assert line("--dir", "c d", "display") == f"dlws --dir '{tmp_path}/c d' connect 'a b'"
    assert line("-p", "display") == "dlws --public connect 'a b'"


def test_lines_are_to_be_typed_where_the_person_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan and a resumed run are carried out elsewhere: where they were started."""
    monkeypatch.chdir(tmp_path)
    options = replace(options_of("execonall", "ls"), argv=("d",), home=Path("/"))
    assert options.line("resume") == f"d --dir {tmp_path} resume"
    assert options.again(nodes=["w1"]) == f"d --dir {tmp_path} --nodes w1 execonall ls"


def test_the_words_of_one_invocation_are_those_of_the_next_no_more(tmp_path: Path) -> None:
    before = str(PROGRAM)
    with cli.make_context("deploy.py", ["--dir", str(tmp_path), "display"]) as ctx:
        begin(ctx)
        assert str(PROGRAM) == ctx.obj.options.line()
        assert str(PROGRAM).endswith(f" --dir {tmp_path}")
    assert str(PROGRAM) == before


def test_an_architecture_that_no_image_can_have_is_refused() -> None:
    with pytest.raises(click.UsageError, match="'mips' is not one of 'amd64', 'arm64', 'all'"):
        cli.main(["--archtype", "mips", "display"], standalone_mode=False)
    assert options_of("docker", "push", "web", "--archtype=all").archtype == "all"


def run(*command: str | Path, cwd: Path, code: int, path: Path | None = None) -> str:
    """The standard error of a command that ends with this exit code."""
    search = os.pathsep.join(filter(None, [str(path or ""), os.environ["PATH"]]))
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": search}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with a `dlws` as pip makes it."""
    program = tmp_path / "bin/dlws"
    program.parent.mkdir()
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from dlws.cli import main; main()"
    program.write_text(f"#!{sys.executable}\n{start}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """The directory of a cluster that has no key yet."""
    place = tmp_path / "my cluster"
    place.mkdir()
    machines = "machines: {i: {role: infra, private-ip: 127.0.0.1}}\n"
    (place / "config.yaml").write_text(f"cluster_name: c\n{machines}")
    return place


def test_a_cure_names_the_program_and_the_directory(installed: Path, cluster: Path) -> None:
    said = run("dlws", "--dir", cluster, "sshkey", "install",
               cwd=cluster.parent, path=installed.parent, code=2)  # fmt: skip
    assert said.splitlines()[-1] == f"cure: run: dlws --dir '{cluster}' build"


def test_a_cure_names_no_directory_inside_of_it(installed: Path, cluster: Path) -> None:
    said = run("dlws", "sshkey", "install", cwd=cluster, path=installed.parent, code=2)
    assert said.splitlines()[-1] == "cure: run: dlws build"


def test_a_program_that_is_not_on_the_path_is_named_by_its_place(
    installed: Path, cluster: Path
) -> None:
    said = run(installed, "sshkey", "install", cwd=cluster, code=2)
    assert said.splitlines()[-1] == f"cure: run: {installed} build"
    own = shutil.copy(installed, cluster / "dlws")
    said = run(own, "sshkey", "install", cwd=cluster, code=2)
    assert said.splitlines()[-1] == "cure: run: ./dlws build"


def test_a_cure_can_be_copied(installed: Path, cluster: Path) -> None:
    said = run("dlws", "--dir", cluster, "sshkey", "install",
               cwd=cluster.parent, path=installed.parent, code=2)  # fmt: skip
    line = said.splitlines()[-1].removeprefix("cure: run: ")
    run("sh", "-c", line, cwd=cluster.parent, path=installed.parent, code=0)
    assert (cluster / "deploy/sshkey/id_ed25519").exists()
