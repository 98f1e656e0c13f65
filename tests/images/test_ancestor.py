"""Contexts of the ancestor's checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import Config
from dlws.core.errors import UsageError
from dlws.images import names, stage
from dlws.images.folder import Context
from tests.support.fakes import config_of

CONFIG = """cluster_name: atlas
dockerregistry: apulistech/
dockertag: '2'
infrastructure-dockerregistry: infra/
mysql_password: secret1
machines: {m: {role: infra, private-ip: 10.1.0.1}}
"""
DOCKERFILE = """FROM {{ cnf["dockers"]["container"]["base"]["fullname"] }}
# {{ cnf["worker-dockerregistry"] }} {{ cnf["infrastructure-dockerregistry"] }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path, CONFIG)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    place = tmp_path / "dlts/src/docker-images"
    place.mkdir(parents=True)
    return place


def write(place: Path, **files: str) -> None:
    place.mkdir(exist_ok=True, parents=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)


def staged(config: Config, folder: Path, root: Path) -> Path:
    target = stage.Target("amd64", "", lambda name: names.reference(config, name))
    return stage.stage(Context(folder.name, (folder,), of_checkout=True), config, target, root)


def test_its_templates_see_the_configuration_as_cnf(
    config: Config, images: Path, tmp_path: Path
) -> None:
    write(images / "web", Dockerfile=DOCKERFILE, run__py="{{ x }}", a__js="{{ y }}", b="{ z }")
    (images / "web/logo").write_bytes(b"\xff{{ x }}")
    place = staged(config, images / "web", tmp_path / "root")
    text = (place / "Dockerfile").read_text().splitlines()
    assert text == ["FROM apulistech/atlas_base:2", "# apulistech/ infra/"]
    assert (place / "run.py").read_text() == "{{ x }}"
    assert (place / "a.js").read_text() == "{{ y }}"
    assert (place / "logo").read_bytes() == b"\xff{{ x }}"


def test_what_it_does_not_know_and_secrets_are_errors_with_the_file(
    config: Config, images: Path, tmp_path: Path
) -> None:
    write(images / "web", Dockerfile="\n{{ cnf['nothing'] }}")
    with pytest.raises(UsageError, match=r"web/Dockerfile:2: .*nothing"):
        staged(config, images / "web", tmp_path / "one")
    write(images / "web", Dockerfile="{{ cnf['mysql_password'] }}")
    with pytest.raises(UsageError, match=r"web/Dockerfile:1: .*secret"):
        staged(config, images / "web", tmp_path / "two")


def test_copy_dir_takes_a_directory_along_below_its_own_files(
    config: Config, images: Path, tmp_path: Path
) -> None:
    write(images / "web", Dockerfile="own", copy_dir="../common\n")
    write(images / "common", Dockerfile="theirs", more="{{ cnf['dockertag'] }}")
    place = staged(config, images / "web", tmp_path / "root")
    found = {path.name: path.read_text() for path in place.iterdir()}
    assert found == {"Dockerfile": "own", "more": "2"}
    write(images / "web", copy_dir="../gone")
    with pytest.raises(UsageError, match="which is no directory"):
        staged(config, images / "web", tmp_path / "other")


def test_its_prebuild_finds_the_checkout_four_directories_up_and_writes_to_a_copy(
    config: Config, images: Path, tmp_path: Path
) -> None:
    write(images.parent / "RestfulAPI", api="code")
    write(images.parent / "ClusterBootstrap/scripts", s="script")
    copy = "cp -r ../../../../RestfulAPI ../../../scripts .\n"
    more = "echo FROM {{ cnf['dockertag'] }} >Dockerfile\necho $DLWS_ARCH >arch\n"
    write(images / "web", prebuild__sh=copy + more)
    before = sorted(images.parent.parent.rglob("*"))
    place = staged(config, images / "web", tmp_path / "root")
    stage.prebuild(place, "arm64")
    assert (place / "RestfulAPI/api").read_text() == "code"
    assert (place / "scripts/s").read_text() == "script"
    assert (place / "Dockerfile").read_text() == "FROM 2\n"
    assert (place / "arch").read_text() == "arm64\n"
    assert sorted(images.parent.parent.rglob("*")) == before
