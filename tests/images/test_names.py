"""What images are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws import __version__
from dlws.config import Config
from dlws.core.errors import UsageError
from dlws.images import names
from tests.support.fakes import config_of

HEAD = "cluster_name: Atlas\nmachines:\n  m: {role: infra, private-ip: 10.1.0.1}\n"
ARM = "  w: {role: worker, private-ip: 10.1.0.2, archtype: arm64}\n"


def config(tmp_path: Path, text: str = "", machines: str = "") -> Config:
    return config_of(tmp_path, HEAD + machines + text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dockerregistry: apulistech/\ndockertag: '2'\n", "apulistech/atlas_web:2"),
        ("dockerregistry: apulistech\ndockertag: '2'\n", "apulistech/atlas_web:2"),
        ("dockerregistry: r.example:5000\ndockerprefix: atlas\n",
         f"r.example:5000/atlas/web:{__version__}"),
        ("dockerregistry: r.example:5000\ndockerprefix: atlas/\ndockertag: a\n",
         "r.example:5000/atlas/web:a"),
        ("dockerregistry: https://r.example/\ndockerprefix: ''\ndockertag: a\n", "r.example/web:a"),
        ("dockers: {hub: apulistech/, tag: '1.9'}\ndockerregistry: x/\n", "x/atlas_web:1.9"),
        ("dockers: {hub: apulistech/, tag: '1.9', system: {Web: {}}}\ndockerregistry: x/\n",
         "apulistech/web:1.9"),
        ("dockers: {hub: apulistech, tag: '1.9', system: {Web: {}}}\n", "apulistech/web:1.9"),
        ("dockers: {container: {web: mine/web:3}}\n", "mine/web:3"),
        ("dockers: {external: {web: {fullname: mine/web:3}}}\n", "mine/web:3"),
        ("dockers: {customize: {WEB: {fullname: r:5000/web}}}\n", f"r:5000/web:{__version__}"),
        ("docker_image_versions: {Web: '7'}\ndockertag: '2'\n", "atlas_web:7"),
        ("private_docker_registry: {web: p.example}\ndockertag: '2'\ndockerregistry: x/\n",
         "p.example/atlas_web:2"),
        ("private_docker_registry: p.example/\ndockertag: '2'\n", "atlas_web:2"),
        ("registry: {enabled: true}\ndockertag: '2'\n", "10.1.0.1:5443/atlas_web:2"),
        ("registry: {enabled: true}\ndockertag: '2'\ndockerregistry: x/\n", "x/atlas_web:2"),
    ],
)  # fmt: skip
def test_references(tmp_path: Path, text: str, expected: str) -> None:
    assert names.reference(config(tmp_path, text), "Web") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("container_runtime: docker\n", "10.1.0.1:5442/atlas_web:2"),
        ("container_runtime: containerd\n", "10.1.0.1:5443/atlas_web:2"),
        ("container_runtime: docker\ndockerregistry: x/\n", "x/atlas_web:2"),
        ("container_runtime: docker\ndockers: {external: {web: '10.1.0.1:5443/w:3'}}\n",
         "10.1.0.1:5442/w:3"),
        ("container_runtime: docker\nregistry_credential:\n"
         "  10.1.0.1:5443: {username: a, password: b}\n", "10.1.0.1:5443/atlas_web:2"),
    ],
)  # fmt: skip
def test_docker_on_nodes_pulls_where_no_login_is_asked_for(
    tmp_path: Path, text: str, expected: str
) -> None:
    text = f"kubernetes: {{version: v1.20.2}}\nregistry: {{enabled: true}}\ndockertag: '2'\n{text}"
    assert names.pulled(config(tmp_path, text), "web") == expected


def test_watchdog_and_job_exporter_are_the_systems_without_prefix(tmp_path: Path) -> None:
    made = config(tmp_path, "dockers: {hub: h/, tag: '1.9'}\ndockerregistry: r/\ndockertag: '2'\n")
    assert names.reference(made, "watchdog", "arm64") == "r/watchdog:1.9-arm64"
    assert names.reference(made, "job-exporter") == "r/job-exporter:1.9"
    assert names.reference(made, "web", "arm64") == "r/atlas_web:2-arm64"


def test_a_suffix_goes_to_the_tag_and_takes_a_digest_away(tmp_path: Path) -> None:
    given = f"dockers: {{container: {{web: 'r:5000/web@sha256:{'0' * 64}'}}}}\n"
    assert names.reference(config(tmp_path, given), "web").endswith("0" * 64)
    expected = f"r:5000/web:{__version__}-arm64"
    assert names.reference(config(tmp_path, given), "web", "arm64") == expected


@pytest.mark.parametrize(
    "text", ["dockerprefix: A_\n", "dockertag: 'a b'\n", "dockerregistry: 'r.example/:x'\n"]
)
def test_parts_that_make_no_reference_are_a_usage_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of an image") as caught:
        names.reference(config(tmp_path, text), "web")
    assert "dockerregistry, dockerprefix or dockertag" in caught.value.cure


@pytest.mark.parametrize(("found", "host"), [
    ("r.example/a/b:1", "r.example"), ("r:5000/a:1", "r:5000"), ("localhost/a:1", "localhost"),
    ("apulistech/a:1", "docker.io"), ("a:1", "docker.io"),
])  # fmt: skip
def test_the_registry_of_a_reference(found: str, host: str) -> None:
    assert names.registry_of(found) == host


@pytest.mark.parametrize(("machines", "word", "expected"), [
    ("", "", {"amd64": ""}), (ARM, "", {"amd64": ""}), (ARM, "amd64", {"amd64": ""}),
    (ARM, "arm64", {"arm64": "arm64"}), (ARM, "all", {"amd64": "amd64", "arm64": "arm64"}),
    ("", "all", {"amd64": "amd64"}),
])  # fmt: skip
def test_the_architectures_that_are_chosen(
    tmp_path: Path, machines: str, word: str, expected: dict[str, str]
) -> None:
    assert names.chosen(config(tmp_path, machines=machines), word) == expected


def test_a_cluster_of_one_other_architecture_has_that_without_being_told(tmp_path: Path) -> None:
    text = HEAD.replace("10.1.0.1", "10.1.0.1, archtype: arm64")
    assert names.chosen(config_of(tmp_path, text), "") == {"arm64": ""}
