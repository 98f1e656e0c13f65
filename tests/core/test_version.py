"""Releases of Kubernetes: how they are written, ordered and known."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest

from dlws.core.errors import UsageError
from dlws.core.version import NEWEST, OLDEST, Version


@pytest.mark.parametrize(
    ("text", "parsed", "shown"),
    [
        ("1.20.2", Version(20, 2), "1.20.2"),
        ("v1.20.2", Version(20, 2), "1.20.2"),
        (" v1.20 ", Version(20), "1.20.0"),
        ("1.30.0-rc.1", Version(30, 0, "-rc.1"), "1.30.0-rc.1"),
        ("v1.30.4+k3s1", Version(30, 4, "+k3s1"), "1.30.4+k3s1"),
    ],
)
def test_a_version_is_read_and_written(text: str, parsed: Version, shown: str) -> None:
    version = Version.parse(text)
    assert version == parsed
    assert (str(version), version.tag) == (shown, f"v{shown}")
    assert Version.parse(str(version)) == version


@pytest.mark.parametrize("text", ["2.0.0", "", "1.20.2; rm -rf /", "latest", "1", "v", "1."])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a version of Kubernetes") as caught:
        Version.parse(text)
    assert caught.value.cure == "Write one like v1.30.4."


@pytest.mark.parametrize("text", ["1.17.9", "1.38.0", "1.2"])
def test_a_release_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"Kubernetes 1\.\d+ is not supported") as caught:
        Version.parse(text)
    assert caught.value.cure == f"Choose a version from 1.{OLDEST} to 1.{NEWEST}."


def test_releases_are_in_the_order_in_which_they_appeared() -> None:
    texts = ["1.18.0", "1.20.2", "1.20.10", "1.30.0-alpha.3", "1.30.0-rc.2", "1.30.0-rc.10"]
    versions = [Version.parse(text) for text in [*texts, "1.30.0", "1.30.0+k3s1", "1.30.1"]]
    assert all(older < newer and not newer <= older for older, newer in pairwise(versions))
    assert max(versions) == Version(30, 1) and min(versions) == Version(18)
    assert versions[0] <= Version(18) and {Version(18), versions[0]} == {Version(18)}


def test_registry_by_version() -> None:
    assert (Version(24, 9).registry, Version(25).registry) == ("k8s.gcr.io", "registry.k8s.io")


def test_a_version_compares_with_versions_only() -> None:
    with pytest.raises(TypeError):
        assert Version(20) < "1.21.0"


def test_a_version_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Version(20).minor = 21  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "runtimes"),
    [
        ("1.18.2", ("docker",)),
        ("1.19.16", ("docker",)),
        ("1.20.2", ("containerd", "docker")),
        ("1.23.4", ("containerd", "docker")),
        ("1.24.0", ("containerd",)),
    ],
)
def test_runtimes_by_version(text: str, runtimes: tuple[str, ...]) -> None:
    assert Version.parse(text).runtimes == runtimes
