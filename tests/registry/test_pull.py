"""What nodes are told to pull, and what is said of those that could not."""

from __future__ import annotations

import json

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.nodes.credentials import Credential
from dlws.registry import pull
from tests.support.fakes import Answer
from tests.support.registries import CONFIG, PASSWORD, Start

IMAGE = "10.1.0.1:5443/team/app:1"
FAILED = f"failed: {IMAGE}: ctr: failed to resolve reference: not found"


def has(*images: str) -> Answer:
    return lambda command, _: (
        Result(0, "\n".join(images).encode()) if "images ls --quiet" in command else None
    )


def test_only_what_is_missing_is_pulled_and_passwords_are_on_standard_input(make: Start) -> None:
    world = make(CONFIG)
    world.fakes["infra01"].rules.append(has("other", IMAGE))
    world.fakes["gpu01"].rules.append(has("other"))
    pull.pull(world.cluster, world.cluster.nodes, [IMAGE])
    assert not world.ran("infra01", "pulling $IMAGE")
    lines = world.stdin_of("gpu01", "pulling $IMAGE").decode().splitlines()
    assert lines[1:] == [IMAGE, "puller", PASSWORD]
    assert json.loads(lines[0])["auths"]["infra01:5443"]["password"] == PASSWORD
    assert not any(PASSWORD in command for command in world.commands("gpu01"))


def test_where_no_image_is_named_nobody_is_asked(make: Start) -> None:
    world = make(CONFIG)
    pull.pull(world.cluster, world.cluster.nodes, [])
    assert not world.commands("gpu01")


def test_a_registry_without_credentials_gets_empty_lines() -> None:
    known = {"h:1": Credential("u", "p")}
    assert pull.stdin(["quay.io/x:1", "h:1/x:1"], known).decode().splitlines()[1:] == [
        *("quay.io/x:1", "", ""),
        *("h:1/x:1", "u", "p"),
    ]


def test_each_image_that_failed_has_its_reason() -> None:
    down = "failed: h:1/x:1: ctr: dial tcp: connection refused"
    error = pull.failure(f"noise\n{FAILED}\n{down}\n")
    assert f"{IMAGE}: the registry has no such image" in error.message
    assert "h:1/x:1: the registry does not answer" in error.message
    assert "registry mirror IMAGE" in error.cure and "registry status" in error.cure


def test_a_node_that_cannot_pull_ends_in_an_error(make: Start) -> None:
    world = make(CONFIG)
    answer = Result(1, b"", f"{FAILED}\n".encode())
    for fake in world.fakes.values():
        fake.rules += [has(), lambda command, _: answer if "pulling $IMAGE" in command else None]
    with pytest.raises(DeployError, match="no such image"):
        pull.pull(world.cluster, world.cluster.nodes, [IMAGE])
