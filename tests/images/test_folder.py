"""Where contexts are found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlws.config import Config
from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.images import dockerfile, folder, stage
from tests.support.fakes import config_of

OURS = {path.name for path in (resources.templates() / "images").iterdir()}


def write(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x")


def config(tmp_path: Path, *sources: str) -> Config:
    text = "cluster_name: atlas\nmachines: {m: {role: infra, private-ip: 10.1.0.1}}\n"
    return config_of(tmp_path, f"{text}docker_sources: [{', '.join(sources)}]\n")


def test_ours_the_sites_and_those_of_a_checkout(tmp_path: Path) -> None:
    write(tmp_path / "templates/images", "toy/Dockerfile", "nginx/extra", "notes/README.md")
    checkout = tmp_path / "dlts/src/docker-images"
    write(checkout, "RestfulAPI/Dockerfile", "user-sync/prebuild.sh", "docs/x", ".git/Dockerfile")
    write(checkout, "Redis/Dockerfile", "toy/Dockerfile", "nginx/Dockerfile")
    found = folder.load_all(config(tmp_path, "dlts"), tmp_path)
    assert set(found) == OURS | {"toy", "restfulapi", "user-sync"}
    assert found["restfulapi"].name == "RestfulAPI" and found["restfulapi"].of_checkout
    assert found["toy"].layers == (tmp_path / "templates/images/toy",)
    # A site's own come before a checkout's, and those before ours.
    assert found["redis"].layers == (tmp_path / "dlts/src/docker-images/Redis",)
    assert found["nginx"].layers[0] == tmp_path / "templates/images/nginx"
    assert {"extra", "nginx.conf"} <= set(found["nginx"].files)


def test_a_directory_of_contexts_is_a_source_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "more", "web/Dockerfile-arm64")
    assert "web" in folder.load_all(config(tmp_path, "more"), tmp_path)
    with pytest.raises(UsageError, match=r"docker_sources names .*/gone, which is no directory"):
        folder.load_all(config(tmp_path, "gone"), tmp_path)


def test_an_image_is_found_by_its_other_names_once(tmp_path: Path) -> None:
    given = config(tmp_path)
    words = ["RestfulAPI2", "jobmanager2", "WebUI3", "platform", "restfulapi", "webui"]
    (found,) = folder.named(given, tmp_path, words)
    assert found.name == "platform" and "image.yaml" not in found.placed
    assert [one.name for one in folder.named(given, tmp_path, [])].count("platform") == 1
    write(tmp_path / "templates/images", "restfulapi2/Dockerfile")  # a site's own comes first
    assert [one.name for one in folder.named(given, tmp_path, words[:1])] == ["restfulapi2"]


@pytest.mark.parametrize("text", ["[", "x", "aliases: x", "- a"])
def test_what_an_image_says_of_itself_is_checked(tmp_path: Path, text: str) -> None:
    place = tmp_path / "templates/images/toy"
    write(place, "Dockerfile")
    (place / "image.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"toy/image\.yaml"):
        folder.named(config(tmp_path), tmp_path, ["toy"])


def test_names_without_a_context_say_where_was_looked_and_how_to_name_one(tmp_path: Path) -> None:
    write(tmp_path / "more", "reaper/Dockerfile")
    with pytest.raises(UsageError) as caught:
        folder.named(config(tmp_path, "more"), tmp_path, ["openresty", "nginx", "reapers"])
    message, cure = caught.value.message, caught.value.cure
    assert message.startswith("there is no context to build openresty, reapers from")
    assert str(tmp_path / "more") in message and str(resources.templates() / "images") in message
    assert "did you mean reaper?" in cure and "docker_sources: [DIRECTORY]" in cure
    assert "docker list" in cure


def test_capitals_do_not_count_and_no_name_is_all(tmp_path: Path) -> None:
    write(tmp_path / "more", "WebUI/Dockerfile")
    known = config(tmp_path, "more")
    assert [one.name for one in folder.named(known, tmp_path, ["webui", "WEBUI"])] == ["WebUI"]
    assert {one.name for one in folder.named(known, tmp_path, [])} == {*OURS, "WebUI"}


def test_two_files_of_a_folder_for_one_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "templates/images", "toy/Dockerfile", "toy/Dockerfile.j2")
    with pytest.raises(UsageError, match="two files are for Dockerfile"):
        _ = folder.Context("toy", (tmp_path / "templates/images/toy",)).files


@pytest.mark.parametrize("name", sorted(OURS - {"base"}))
def test_ours_need_no_registry_and_do_not_run_as_root(tmp_path: Path, name: str) -> None:
    target = stage.Target("amd64", "", lambda other: f"r/{other}:1")
    context = folder.load_all(config(tmp_path), tmp_path)[name]
    place = stage.stage(context, config(tmp_path), target, tmp_path / "root")
    lines = dockerfile.lines((place / "Dockerfile").read_text())
    assert dockerfile.bases("\n".join(lines), {}) == ["r/base:1"]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    # A number: a kubelet cannot tell of a name whether it is root's.
    assert users and all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users)
    (run,) = (line for line in lines if line.startswith("RUN "))
    assert "--no-install-recommends" in run and "rm -rf /var/lib/apt/lists/*" in run
    for path in place.glob("*.sh"):
        assert path.stat().st_mode & 0o111, f"{path.name} is no program"
