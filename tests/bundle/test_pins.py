from __future__ import annotations

from pathlib import Path

import pytest

from dlws.bundle import pins, upstream
from dlws.bundle.pins import NAME, Pins
from dlws.core.errors import Refused, UsageError
from dlws.core.version import Version

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize("version", [Version(34, 4), Version(35, 1)])
def test_dlws_ships_the_hashes_of_the_newest_files(tmp_path: Path, version: Version) -> None:
    shipped = pins.load(tmp_path)
    for architecture in ("amd64", "arm64"):
        urls = upstream.urls(version, architecture)
        shipped.require(urls)  # its error names those that lack one
        assert urls and all(len(shipped.file(url)) == 64 for url in urls)


def test_the_clusters_own_pins_are_above_ours(tmp_path: Path) -> None:
    url = upstream.urls(Version(34, 4), "amd64")[0]
    (tmp_path / NAME).write_text(f"files: {{'{url}': {A}}}\nimages: {{'x/y:1': sha256:{B}}}\n")
    found = pins.load(tmp_path)
    assert (found.file(url), found.image("x/y:1")) == (A, f"sha256:{B}")


@pytest.mark.parametrize("text", [
    "[]", "files: [a]", "files: {x: abc}", f"files: {{x: sha256:{A}}}", f"images: {{x: {A}}}",
    "files: {", "\x00", f"files: {{x: '{A} '}}",
])  # fmt: skip
def test_what_is_no_pin_is_a_usage_error(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(UsageError, match=NAME):
        pins.load(tmp_path)


def test_pins_survive_their_own_text(tmp_path: Path) -> None:
    value = Pins({"https://x/y": A}, {"x/y:1": f"sha256:{B}"})
    assert pins.add(tmp_path, value) == ["https://x/y", "x/y:1"]
    assert pins.read(tmp_path / NAME) == value
    assert pins.add(tmp_path, value) == []


def test_everything_without_a_pin_is_named_at_once() -> None:
    with pytest.raises(Refused, match="for 2 files or images") as caught:
        Pins({"a": A}).require(["a", "b"], ["c"])
    assert "\n  b\n  c" in caught.value.message
    Pins({"a": A}, trusting=True).require(["b"], ["c"])
