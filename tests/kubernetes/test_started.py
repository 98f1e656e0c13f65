"""How Kubernetes is started, read from what a node answers."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.errors import DeployError
from dlws.kubernetes import started

MANIFEST = {"spec": {"containers": [{"command": ["etcd", "--a=b=c", "--flag", "word"]}]}}


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_arguments_of_a_static_pod() -> None:
    assert started.flags("etcd", MANIFEST) == {"a": "b=c", "flag": ""}


def test_volumes_of_a_static_pod() -> None:
    mounts = [{"name": "a", "mountPath": "/m"}, {"name": "b", "mountPath": "/b"}]
    spec = {"containers": [{"volumeMounts": mounts}]}
    volumes = [{"name": "a", "hostPath": {"path": "/h"}}]
    found = started.volumes("etcd", {"spec": {**spec, "volumes": volumes}})
    assert found == {"a": "/h at /m", "b": "None at /b"}
    with pytest.raises(DeployError, match="volumes of another kind"):
        started.volumes("etcd", {"spec": {**spec, "volumes": [{"name": "a"}]}})


def test_settings() -> None:
    assert started.read("kubelet", encoded(b"a: {b: 1}")) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    "text",
    [b"", b"[", b"- a", b"word", b"\xff", b"[" * 65000, b"- " * 30000, b"a: &a [x]\nb: [*a, *a]"],
)
def test_what_is_no_configuration_is_that_nodes_fault(text: bytes) -> None:
    with pytest.raises(DeployError, match="the configuration of kubelet cannot be read"):
        started.read("kubelet", encoded(text))


@pytest.mark.parametrize("manifest", [{}, {"spec": 5}, {"spec": {"containers": []}},
                                      {"spec": {"containers": [{"command": 5}]}}])  # fmt: skip
def test_a_manifest_without_a_command(manifest: dict[str, object]) -> None:
    with pytest.raises(DeployError, match="the manifest of etcd has no command"):
        started.flags("etcd", manifest)


@given(st.text(max_size=60))
def test_nothing_but_an_error_leaves_it(text: str) -> None:
    try:
        found = started.flags("etcd", started.read("etcd", text))
    except DeployError as error:
        assert "etcd" in error.message
    else:
        assert all(isinstance(value, str) for value in found.values())
