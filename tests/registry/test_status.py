"""What nodes say of the registry, and what of it is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.registry.status import Image, Look, Status, answered, as_json, cure, parsed, table

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TEXT = (
    "unit\tdlws-registry@main.service\tactive\ndisk\t1000\t500\nused\t2097152\n"
    "image\tteam/app\t1\tsha256:a\nimage\tteam/app\t2\tsha256:b\nuploads\t1\n"
)
LOOK = Look({"dlws-registry@main.service": "active"},
    (Image("team/app", "1", "sha256:a"), Image("team/app", "2", "sha256:b")),
    1000, 500, 2097152, 1)  # fmt: skip
GOOD = Status(
    "10.1.0.1:5443",
    "infra01",
    (NOW + timedelta(days=300)).isoformat(),
    {"this machine": "answers", "infra01": "answers", "gpu01": "answers"},
    LOOK,
)


def test_what_a_node_prints() -> None:
    assert parsed(TEXT) == LOOK and parsed("") == Look()
    assert parsed(f"readonly\tyes\n{TEXT}").readonly


def test_a_number_that_nobody_can_read_is_none() -> None:
    assert parsed(f"used\t{'9' * 5000}\nuploads\t3\n") == Look(uploads=3)


@pytest.mark.parametrize("text", ["image\tx\n", "disk\t1\n"])
def test_an_answer_that_is_none(text: str) -> None:
    with pytest.raises(DeployError, match="makes no sense"):
        parsed(text)


@pytest.mark.parametrize(("result", "words"), [
    (Result(0, b"200\n"), "answers"),
    (Result(0, b"401\n"), "answers"),
    (Result(0, b"503\n"), "503"),
    (Result(0, b"curl: (7) Failed to connect\n"), "(7) Failed to connect"),
    (Result(0, b"it does not trust the registry yet\n"), "it does not trust the registry yet"),
])  # fmt: skip
def test_answers(result: Result, words: str) -> None:
    assert answered(result) == words


@pytest.mark.parametrize(("status", "fault", "help"), [
    (replace(GOOD, reached={**GOOD.reached, "gpu01": "timed out"}),
     "not reached from gpu01: timed out", "registry start"),
    (replace(GOOD, look=replace(LOOK, units={"u": "failed"})), "u does not run on infra01",
     "registry start"),
    (replace(GOOD, look=replace(LOOK, free=49)), "its disk on infra01 is full: 0.0 MiB are free",
     "registry gc"),
    (replace(GOOD, look=replace(LOOK, readonly=True)), "it takes no images", "registry gc"),
    (replace(GOOD, certificate_ends=(NOW + timedelta(days=29)).isoformat()),
     "its certificate ends 2026-01-30", "registry start"),
    (replace(GOOD, certificate_ends=""), "its certificate ends now", "registry start"),
])  # fmt: skip
def test_what_is_wrong_and_what_to_do(status: Status, fault: str, help: str) -> None:
    (found,) = status.faults(NOW)
    assert found.startswith(fault) and help in cure(status, [found])


def test_a_registry_that_is_well() -> None:
    assert GOOD.faults(NOW) == []
    shown = table(GOOD)
    assert "image        team/app: 1, 2" in shown and "2.0 MiB of images" in shown
    many = replace(GOOD, reached={f"w{number}": "answers" for number in range(1, 100)})
    assert "from         w[1-99]: answers\n" in table(many)
    made = json.loads(as_json(GOOD, []))
    assert made["healthy"] and made["images"][1]["digest"] == "sha256:b"
