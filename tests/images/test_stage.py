"""Contexts as the engine gets them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from dlws.core.errors import DeployError, UsageError
from dlws.images import stage
from dlws.images.folder import Context
from tests.support.fakes import config_of

CONFIG = "cluster_name: atlas\nmachines: {m: {role: infra, private-ip: 10.1.0.1}}\n"


def staged(tmp_path: Path, *layers: Path, root: str = "root") -> Path:
    target = stage.Target("arm64", "arm64", lambda name: f"r/{name}:1-arm64")
    context = Context("web", layers or (tmp_path / "web",))
    return stage.stage(context, config_of(tmp_path, CONFIG), target, tmp_path / root)


def write(place: Path, name: str, text: str, mode: int = 0o600) -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)
    (place / name).chmod(mode)


def test_templates_are_filled_in_and_modes_are_those_of_a_checkout(tmp_path: Path) -> None:
    write(tmp_path / "web", "Dockerfile.j2", 'FROM {{ image("base") }} {{ architecture }}\n')
    write(tmp_path / "web", "bin/run.sh.j2", "{{ config.cluster_name }}", 0o700)
    write(tmp_path / "web", "plain", "{{ x }}")
    (tmp_path / "web/link").symlink_to("plain")
    place = staged(tmp_path)
    assert (place / "Dockerfile").read_text() == "FROM r/base:1-arm64 arm64\n"
    assert (place / "bin/run.sh").read_text() == "atlas"
    assert (place / "plain").read_text() == "{{ x }}"
    assert (place / "link").is_symlink()
    modes = {name: (place / name).stat().st_mode & 0o777 for name in ("bin/run.sh", "plain")}
    assert modes == {"bin/run.sh": 0o755, "plain": 0o644}


def test_a_template_that_has_no_value_names_its_line(tmp_path: Path) -> None:
    write(tmp_path / "web", "Dockerfile.j2", "\n{{ nothing }}")
    with pytest.raises(UsageError, match=r"web/Dockerfile.j2:2: 'nothing' is undefined"):
        staged(tmp_path)


def test_two_files_for_one_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "web", "Dockerfile.j2", "x")
    write(tmp_path / "web", "Dockerfile", "y")
    with pytest.raises(UsageError, match="two files are for"):
        staged(tmp_path)


def test_a_plain_file_of_a_site_takes_the_place_of_our_template(tmp_path: Path) -> None:
    write(tmp_path / "web", "Dockerfile.j2", "{{ nothing }}")
    write(tmp_path / "site", "Dockerfile", "FROM x")
    place = staged(tmp_path, tmp_path / "site", tmp_path / "web")
    assert (place / "Dockerfile").read_text() == "FROM x"


def test_the_hash_is_of_names_content_programs_links_and_words(tmp_path: Path) -> None:
    place = tmp_path / "web"
    write(place, "a", "1")
    seen = {stage.digest(place, ["x"])}

    def differs() -> bool:
        before = len(seen)
        seen.add(stage.digest(place, ["x"]))
        return len(seen) > before

    (place / "a").touch()
    (place / "a").chmod(0o644)
    assert not differs()
    write(place, "a", "2")
    assert differs()
    (place / "a").chmod(0o755)
    assert differs()
    (place / "b").symlink_to("a")
    assert differs()
    (place / "b").unlink()
    (place / "b").symlink_to("c")
    assert differs()
    (place / "a").rename(place / "d")
    assert differs()
    assert stage.digest(place, ["x", ""]) not in seen


def test_nothing_that_a_prebuild_leaves_in_its_temporary_directory_stays(tmp_path: Path) -> None:
    tells = 'mktemp -d >made && stat -c %a "$TMPDIR" >>made'
    write(tmp_path / "web", "prebuild.sh", tells)
    stage.prebuild(tmp_path / "web", "amd64")
    made, mode = (tmp_path / "web/made").read_text().split()
    assert mode == "711" and not Path(made).parent.exists()


def test_a_prebuild_that_fails_says_why(tmp_path: Path) -> None:
    write(tmp_path / "web", "prebuild.sh", "echo no such mirror >&2; exit 7")
    with pytest.raises(DeployError, match=r"exit status 7\):\n    no such mirror"):
        stage.prebuild(tmp_path / "web", "amd64")


def test_a_tar_for_an_engine_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "web", "bin/a", "1", 0o755)
    (tmp_path / "web/l").symlink_to("bin/a")
    stage.packed(tmp_path / "web", tmp_path / "out.tar")
    assert (tmp_path / "out.tar").read_bytes().startswith(b"bin/a\0")  # and no header before it
    with tarfile.open(tmp_path / "out.tar") as archive:
        found = {m.name: (m.mode & 0o777, m.uid, m.linkname) for m in archive.getmembers()}
    assert found == {"bin/a": (0o755, 0, ""), "l": (0o777, 0, "bin/a")}
