from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from dlws.core.errors import Refused, UsageError
from dlws.sandbox import plan
from dlws.sandbox.state import SandboxNode


def test_extended_keeps_nodes_and_never_uses_an_index_twice() -> None:
    old = (SandboxNode("a", "worker", 0), SandboxNode("c", "worker", 5))
    new = plan.extended(old, [("a", "worker"), ("b", "infrastructure")])
    assert new == (*old, SandboxNode("b", "infrastructure", 6))


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(UsageError, match="241 nodes"):
        plan.extended((), plan.counted(1, 240))


@pytest.mark.parametrize(
    "name", ["a b", "$(x)", "-a", "a'", "a;b", "a\nb", "ü", "", "a" * 65, "../x"]
)
def test_names_that_no_machine_can_have_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        plan.named({"machines": {name: {"role": "worker"}}})


def test_named_takes_scale_up_too_and_long_names() -> None:
    long = "x" * 63
    config = {"machines": {"a": {"role": "infra"}}, "scale_up": {long: None}}
    assert plan.named(config) == [("a", "infra"), (long, "worker")]


@pytest.mark.parametrize("content", ["", "[1, 2]", "a: [", "\x00", "text"])
def test_read_explains_what_is_no_configuration(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(UsageError):
        plan.read(path)


def test_read_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        plan.read(tmp_path / "nothing.yaml")


def test_revived_finds_the_nodes_of_a_sandbox_that_was_taken_down() -> None:
    config = {
        "machines": {
            "a": {"role": "infrastructure", "private-ip": "10.77.4.11"},
            "b": {"role": "worker", "private-ip": "10.77.4.14"},
        }
    }
    subnet, found = plan.revived(config, Path("config.yaml"))
    assert subnet == IPv4Network("10.77.4.0/24")
    assert found == (SandboxNode("a", "infrastructure", 0), SandboxNode("b", "worker", 3))


@pytest.mark.parametrize("address", ["192.0.2.3", "10.77.4.3", "10.77.5.11", "x", None])
def test_a_configuration_of_real_machines_is_not_revived(address: str | None) -> None:
    config = {
        "machines": {
            "a": {"role": "infrastructure", "private-ip": "10.77.4.11"},
            "b": {"role": "worker", "private-ip": address},
        }
    }
    with pytest.raises(Refused):
        plan.revived(config, Path("config.yaml"))
