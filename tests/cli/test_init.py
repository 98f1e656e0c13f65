"""`init`: from options, from answers on a terminal, and what it refuses."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from dlws.cli.questions import ask
from dlws.cli.root import cli
from dlws.config import load

ROOT = Path(__file__).parent.parent.parent
WHOLE = ("--name", "c1", "--infra", "infra01=10.0.0.1", "--worker", "gpu[01-02]=10.0.0.[11-12]")


def init(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--dir", str(directory), "init", *words])


def checked(directory: Path) -> None:
    done = CliRunner().invoke(cli, ["--dir", str(directory), "--strict", "checkconfig"])
    assert done.exit_code == 0, done.output
    assert "0 errors, 0 warnings" in done.stdout


def test_it_writes_a_configuration_from_options(tmp_path: Path) -> None:
    done = init(tmp_path, *WHOLE, "--worker-type", "gpu", "--vendor", "nvidia", "--yes")
    assert done.exit_code == 0 and f"changed: wrote {tmp_path}/config.yaml" in done.stderr
    checked(tmp_path)
    config = load(tmp_path)
    found = [(m.name, m.roles, m.private_ip, m.type, m.vendor) for m in config.machines.values()]
    assert config.cluster_name == "c1" and found == [
        ("infra01", ("infrastructure",), "10.0.0.1", "", ""),
        ("gpu01", ("worker",), "10.0.0.11", "gpu", "nvidia"),
        ("gpu02", ("worker",), "10.0.0.12", "gpu", "nvidia"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert stat.S_IMODE((tmp_path / "config.yaml").stat().st_mode) == 0o600


def test_every_option_comes_into_it(tmp_path: Path) -> None:
    more = ["--worker", "npu:npu1=10.0.0.21", "--nfs", "nas=10.0.0.31", "--mysqlserver", "nas"]
    more += ["--elasticsearch", "es=10.0.0.32", "--samba", "nas", "--user", "ops"]
    more += ["--domain", "example.org", "--os", "debian", "--arch", "arm64"]
    done = init(tmp_path / "new", *WHOLE, *more, "--kubernetes-version", "1.30.4")
    assert done.exit_code == 0, done.stderr
    checked(tmp_path / "new")
    config = load(tmp_path / "new")
    assert config.machines["nas"].roles == ("nfs", "mysqlserver", "samba")
    assert config.machines["es"].roles == ("elasticsearch",)
    assert (config.machines["npu1"].type, config.machines["npu1"].vendor) == ("npu", "huawei")
    assert config.machines["gpu01"].type == "cpu"
    assert {(m.os, m.archtype) for m in config.machines.values()} == {("debian", "arm64")}
    assert (config.admin_username, config.domain) == ("ops", "example.org")
    assert str(config.kubernetes.version) == "1.30.4"


def test_it_writes_one_for_azure(tmp_path: Path) -> None:
    words = ["--name", "c1", "--platform", "azure", "--location", "westus2", "--worker", "4"]
    assert init(tmp_path, *words).exit_code == 0
    checked(tmp_path)
    config = load(tmp_path)
    assert config.platform == "azure"
    azure = config.azure_cluster
    assert azure and azure.azure_location == "westus2"
    assert (azure.infra_node_num, azure.worker_node_num) == (1, 4)


def unread(path: Path) -> tuple[int, ...]:
    """What only a change alters: looking at a path sets its time of access."""
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("missing")])
def test_it_overwrites_nothing(tmp_path: Path, make: object) -> None:
    path = tmp_path / "config.yaml"
    make(path)  # type: ignore[operator]
    before = unread(path)
    done = init(tmp_path, *WHOLE)
    assert done.exit_code == 4 and "is there already, and is not overwritten" in done.stderr
    assert "checkconfig" in done.stderr and "--dir" in done.stderr
    assert unread(path) == before and list(tmp_path.iterdir()) == [path]


def test_a_dry_run_prints_the_file_and_writes_nothing(tmp_path: Path) -> None:
    done = init(tmp_path / "new", *WHOLE, "--dry-run")
    assert done.exit_code == 0 and list(tmp_path.iterdir()) == []
    assert yaml.safe_load(done.stdout)["machines"]["gpu02"]["private-ip"] == "10.0.0.12"
    assert f"would write {tmp_path}/new/config.yaml" in done.stderr
    init(tmp_path / "new", *WHOLE)
    assert (tmp_path / "new/config.yaml").read_text() == done.stdout


@pytest.mark.parametrize(("words", "message"), [
    (["--infra", "i=10.0.0.1"], "--name is missing"), (["--name", "c"], "--infra is missing"),
    (["--name", "c", "--platform", "azure"], "--location is missing"),
    (["--name", "c", "--platform", "azure", "--location", "x", "--infra", "i=10.0.0.1"],
     "--infra i=10.0.0.1: on Azure this is the number"),
    (["--name", "c", "--platform", "sandbox"], "a sandbox makes its config.yaml itself"),
    (["--name", "c", "--infra", "i[1-2]=10.0.0.[1-2]"], "2 etcd nodes"),
    (["--name", "c", "--infra", "i=10.0.0.1", "--worker", "i=10.0.0.2"], "two addresses"),
])  # fmt: skip
def test_options_that_do_not_do_are_refused(tmp_path: Path, words: list[str], message: str) -> None:
    done = init(tmp_path, *words)
    assert done.exit_code == 2 and message in done.stderr and "cure: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def nothing_given() -> dict[str, object]:
    roles = ("infra", "worker", "nfs", "mysqlserver", "elasticsearch", "samba")
    others = ("name", "platform", "worker_type", "vendor", "user", "domain", "location")
    return {**dict.fromkeys(roles, ()), **dict.fromkeys(others)}


def answered(
    lines: Sequence[str], directory: Path, **given: object
) -> tuple[dict[str, object], str]:
    """What comes of these lines of answers, and what was shown."""
    answers = {**nothing_given(), **given}
    with CliRunner().isolation(input="\n".join(lines) + "\n") as (_, shown, _):
        ask(answers, directory)
        return {key: value for key, value in answers.items() if value}, shown.getvalue().decode()


def test_it_asks_for_what_is_not_given(tmp_path: Path) -> None:
    place = tmp_path / "my-cluster"
    lines = ["", "", "infra01=10.0.0.1", "gpu[01-02]=10.0.0.[11-12]", "", "", "example.org", ""]
    assert answered(lines, place)[0] == {
        "name": "my-cluster",
        "platform": "onpremise",
        "infra": ("infra01=10.0.0.1",),
        "worker": ("gpu[01-02]=10.0.0.[11-12]",),
        "worker_type": "gpu",
        "domain": "example.org",
        "user": "dlwsadmin",
    }


def test_it_asks_again_after_an_answer_that_cannot_be_right(tmp_path: Path) -> None:
    lines = ["1c", "c1", "nowhere", "onpremise", "", "I=1", "i=10.0.0.1", "w[1-2]=10.0.0.1", "",
             "", "a b", "", "Root", "ops"]  # fmt: skip
    found, shown = answered(lines, tmp_path / "1")
    assert found == {
        "name": "c1", "platform": "onpremise", "infra": ("i=10.0.0.1",), "user": "ops",
    }  # fmt: skip
    assert '"1c" is not a name' in shown and "'nowhere' is not one of" in shown
    assert '"I" is not a host name' in shown and "2 names and 1 addresses" in shown
    assert '"a b" is not a host name' in shown and '"Root" is not a user' in shown
    assert "[mycluster]" in shown  # the directory's name is none for a cluster


def test_it_asks_for_numbers_on_azure(tmp_path: Path) -> None:
    lines = ["c1", "azure", "westus2", "three", "3", "10", ""]
    assert answered(lines, tmp_path)[0] == {
        "name": "c1", "platform": "azure", "location": "westus2", "infra": ("3",),
        "worker": ("10",), "user": "dlwsadmin",
    }  # fmt: skip


def test_it_asks_nothing_that_was_given(tmp_path: Path) -> None:
    given = {"name": "c1", "platform": "onpremise", "infra": ("i",), "worker": ("gpu:w",)}
    found, shown = answered([], tmp_path, **given, nfs=("n",), domain="", user="ops")
    assert found == {**given, "nfs": ("n",), "user": "ops"} and not shown


def on_a_terminal(directory: Path, lines: Sequence[str], *words: str) -> tuple[int, str]:
    """The exit code and standard error of `init` with a terminal to ask on."""
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, ROOT / "deploy.py", "--dir", directory, "init", *words],
            stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.write(ours, "".join(f"{line}\n" for line in lines).encode())
        _, said = process.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    return process.returncode, said


def test_a_terminal_is_asked_and_the_answers_are_written(tmp_path: Path) -> None:
    lines = ["c1", "onpremise", "infra01=10.0.0.1", "w1=10.0.0.2", "", "npu", "", ""]
    code, said = on_a_terminal(tmp_path, lines)
    assert code == 0 and "The cluster's name" in said
    checked(tmp_path)
    config = load(tmp_path)
    assert (config.machines["w1"].type, config.machines["w1"].vendor) == ("npu", "huawei")


def test_yes_asks_nothing(tmp_path: Path) -> None:
    code, said = on_a_terminal(tmp_path, [], *WHOLE, "-y")
    assert code == 0 and "The cluster's name" not in said
    checked(tmp_path)
    code, said = on_a_terminal(tmp_path / "other", [], "-y")
    assert code == 2 and "--name is missing" in said


def test_a_missing_configuration_names_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--dir", str(tmp_path), "display"])
    assert done.exit_code == 2 and "There is no config.yaml" in done.stderr
    assert "init" in done.stderr and "sandbox up" in done.stderr and "--dir" in done.stderr
