"""Credentials as Docker and Kubernetes have them, and full names of images."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.nodes.credentials import Credential
from dlws.registry.credentials import docker_config, full_name, wanted_images
from tests.support.fakes import config_of
from tests.support.registries import CONFIG, PASSWORD

MORE = (
    CONFIG.replace(
        "registry_credential:\n",
        "registry_credential:\n  index.docker.io: {username: u, password: p, "
        "pre_download_images: [busybox]}\n",
    )
    + "private_docker_credential:\n  https://docker.io/: {username: other, password: q}\n"
    "  quay.example: {username: u2, password: p2, pre_download_images: [quay.example/x:1]}\n"
    "  nobody.example: {username: u3}\n"
)


def test_the_images_to_pull_are_those_given_or_those_of_config(tmp_path: Path) -> None:
    config = config_of(tmp_path, MORE)
    assert wanted_images(config, []) == ["docker.io/library/busybox:latest", "quay.example/x:1"]
    assert wanted_images(config, ["a", "a:latest"]) == ["docker.io/library/a:latest"]


def test_docker_config_is_one_line_with_the_key_of_docker_hub() -> None:
    text = docker_config({"docker.io": Credential("u", PASSWORD), "h:1": Credential("ü", "p")})
    auths = json.loads(text)["auths"]
    assert "\n" not in text and {*auths} == {"https://index.docker.io/v1/", "h:1"}
    assert base64.b64decode(auths["h:1"]["auth"]).decode() == "ü:p"


@pytest.mark.parametrize(("name", "expected"), [
    ("nginx", "docker.io/library/nginx:latest"),
    ("nginx:1.27", "docker.io/library/nginx:1.27"),
    ("team/app", "docker.io/team/app:latest"),
    ("docker.io/nginx", "docker.io/library/nginx:latest"),
    ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1"),
    ("localhost/x:1", "localhost/x:1"),
    ("10.1.0.1:5443/team/app", "10.1.0.1:5443/team/app:latest"),
    (f"quay.io/x@sha256:{'a' * 64}", f"quay.io/x@sha256:{'a' * 64}"),
    (f"quay.io/x:1@sha256:{'a' * 64}", f"quay.io/x:1@sha256:{'a' * 64}"),
    ("[fd00::1]:5443/x:1", "[fd00::1]:5443/x:1"),
])  # fmt: skip
def test_full_names_of_images(name: str, expected: str) -> None:
    assert full_name(name) == expected


@pytest.mark.parametrize("name", ["", "Nginx", "a b", "x:", "--help", "h:1/$(x)", "x@sha256:1",
                                  "x\ny", "https://h.example/x"])  # fmt: skip
def test_what_is_no_name_of_an_image(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of an image"):
        full_name(name)
