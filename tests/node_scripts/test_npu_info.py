"""npu_info_gen.py: what npu-smi says, as it was recorded, and what is kept of it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from dlws.core import resources
from dlws.roles.folder import load
from dlws.scripts.script import find

SCRIPT = resources.scripts() / "npu/npu_info_gen.py"

_ROW = "\t{:<31}{:<31}{:<31}{}\n"
ONE_CHIP = "".join(
    _ROW.format(*row)
    for row in (
        ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name"),
        *((0, 0, 0, "Ascend 910B3"), (0, 1, "-", "Mcu")),
        *((4, 0, 1, "Ascend 910B3"), (4, 1, "-", "Mcu")),
    )
)
TWO_CHIPS = """\
NPU ID  Chip ID  Chip Logic ID  Chip Phy-ID  Chip Name
8 0 0 0 Ascend910
8 1 1 1 Ascend910
8 2 - - Mcu
9 0 2 2 Ascend910
"""  # fmt: skip


@pytest.fixture
def gen() -> ModuleType:
    spec = importlib.util.spec_from_file_location("npu_info_gen", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "cards"),
    [
        (ONE_CHIP, [0, 4]),
        (TWO_CHIPS, [8, 9]),
        ("", []),
        ("dcmi module initialize failed. ret is -8005\n", []),
    ],
)
def test_cards_are_those_that_npu_smi_lists(gen: ModuleType, text: str, cards: list[int]) -> None:
    assert gen.cards(text) == cards


def test_stand_ins_are_told_in_npu_smis_words_and_by_their_name(gen: ModuleType) -> None:
    assert gen.stand_ins("# a\nhuawei.com/Ascend910 ASCEND_VISIBLE_DEVICES /dev/davinci 8\n") == 8
    assert gen.stand_ins("nvidia.com/gpu NVIDIA_VISIBLE_DEVICES /dev/nvidia 8\n") == 0
    assert gen.cards(gen.listed(3)) == [0, 1, 2]
    assert gen.listed(3).count("stand-in") == 3
    assert "NPU ID                         : 2\n" in gen.common(2) and "stand-in" in gen.common(2)


def test_what_npu_smi_says_is_kept_whole_and_what_is_gone_is_removed(
    gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi = tmp_path / "npu-smi"
    smi.write_text(f'#!/bin/sh\n[ "$2" != -m ] || exec cat {tmp_path}/m\necho "said of $5"\n')
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(gen, "STAND_INS", tmp_path / "none")
    place = tmp_path / "log/npu_smi"
    for text, names in ((ONE_CHIP, ["device0", "device4"]), (TWO_CHIPS, ["device8", "device9"])):
        (tmp_path / "m").write_text(text)
        gen.keep(gen.gathered(), place)
        assert sorted(path.name for path in place.iterdir()) == [*names, "device_list"]
        assert (place / "device_list").read_text() == text
        assert (place / names[1]).read_text() == f"said of {names[1][-1]}\n"


def test_root_writes_through_no_link_of_others(gen: ModuleType, tmp_path: Path) -> None:
    place, victim = tmp_path / "npu_smi", tmp_path / "shadow"
    place.mkdir()
    victim.write_text("root\n")
    (place / ".device0.new").symlink_to(victim)
    gen.keep({"device0": "said"}, place)
    assert victim.read_text() == "root\n"
    assert (place / "device0").read_text() == "said" and not (place / "device0").is_symlink()


def test_it_becomes_a_service_once(
    gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(gen, "systemctl", lambda *words: lines.append(" ".join(words)))
    gen.install(tmp_path)
    assert lines == [
        "daemon-reload", "enable --quiet dlws-npu-info.service", "restart dlws-npu-info.service"
    ]  # fmt: skip
    assert (tmp_path / "usr/local/lib/dlws/npu_info_gen.py").stat().st_mode & 0o777 == 0o755
    lines.clear()
    gen.install(tmp_path)
    assert lines == ["enable --quiet dlws-npu-info.service", "start dlws-npu-info.service"]


def test_the_role_and_the_script_place_the_same_files(gen: ModuleType, tmp_path: Path) -> None:
    role = load(tmp_path, "npu-info")
    sent = find("scripts/npu/npu_info_gen.py").contents
    assert {path: source.read_bytes() for path, source in role.files.items()} == {
        str(gen.PROGRAM): sent["npu_info_gen.py"][0],
        f"/etc/systemd/system/{gen.UNIT}": sent[gen.UNIT][0],
    }


def test_a_node_without_npus_needs_not_even_python(tmp_path: Path) -> None:
    (tmp_path / "ls").symlink_to("/bin/false")
    words = ["/bin/sh", str(SCRIPT)]
    env = {"PATH": str(tmp_path), "DLWS_TYPE": "gpu"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "this node has no NPU: nothing to do\n")
