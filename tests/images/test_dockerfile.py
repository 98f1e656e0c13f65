"""Dockerfiles as text."""

from __future__ import annotations

import pytest

from dlws.images import dockerfile


@pytest.mark.parametrize(("files", "architecture", "expected"), [
    (["Dockerfile", "x"], "amd64", "Dockerfile"),
    (["Dockerfile", "Dockerfile-arm64"], "amd64", "Dockerfile"),
    (["Dockerfile", "Dockerfile-arm64"], "arm64", "Dockerfile-arm64"),
    (["Dockerfile", "Dockerfile-arm"], "arm64", "Dockerfile-arm"),
    (["Dockerfile.old", "Dockerfile-s390x"], "arm64", ""),
])  # fmt: skip
def test_the_dockerfile_of_an_architecture(
    files: list[str], architecture: str, expected: str
) -> None:
    assert dockerfile.choose(files, architecture) == expected


TEXT = """\
# syntax=x
ARG BASE=r:5000/base:1
ARG OTHER
FROM --platform=linux/amd64 $BASE \\
    # a remark
    AS one
FROM ${OTHER:-debian:12} as two
from one
COPY --chown=a --from=two /a /b
COPY --from=busybox:1 /c /d
COPY --from=0 /c /d
FROM scratch
"""


def test_the_images_that_it_builds_on() -> None:
    assert dockerfile.bases(TEXT, {}) == ["r:5000/base:1", "debian:12", "busybox:1"]
    assert dockerfile.bases(TEXT, {"OTHER": "o:2"}) == ["r:5000/base:1", "o:2", "busybox:1"]


def test_its_build_arguments() -> None:
    assert dockerfile.arguments(TEXT) == {"BASE": "r:5000/base:1", "OTHER": ""}
    assert dockerfile.arguments("ARG A='x'\nARG A=\"y\"\n") == {"A": "y"}


def test_images_come_after_those_that_they_build_on() -> None:
    needs = {"c": ["b", "debian"], "b": ["a"], "a": [], "d": ["debian"]}
    assert dockerfile.levels(needs) == [["a", "d"], ["b"], ["c"]]
    with pytest.raises(ValueError, match="a -> b"):
        dockerfile.levels({"a": ["b"], "b": ["a"], "c": []})
