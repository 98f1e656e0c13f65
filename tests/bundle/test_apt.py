from __future__ import annotations

from pathlib import Path

import pytest

from dlws.bundle import apt
from dlws.core.errors import DeployError

TARGETS = """http://mirror.test/debian/ bookworm main
http://mirror.test/debian/ bookworm-updates main
http://security.test/debian-security/ bookworm-security main
https://other.test/node nodistro main
http://mirror.test/debian/ bookworm contrib
"""


def test_sources_use_this_machines_mirrors_for_the_wanted_release() -> None:
    text = apt.sources(TARGETS, "trixie")
    first, second = text.split("\n\n")
    assert "URIs: http://mirror.test/debian/\nSuites: trixie trixie-updates\n" in first
    assert "URIs: http://security.test/debian-security/\nSuites: trixie-security\n" in second
    assert text.count("Types: deb deb-src") == 2 and "other.test" not in text


def test_a_machine_without_debian_sources_is_told_what_to_add() -> None:
    with pytest.raises(DeployError) as caught:
        apt.sources("https://other.test/ubuntu noble main\n", "bookworm")
    assert "/etc/apt/sources.list.d" in caught.value.cure


def test_a_private_apt_uses_nothing_below_etc_or_var() -> None:
    settings = apt.settings(Path("/c/a b"), "arm64")
    places = [value for key, value in settings.items() if key.startswith("Dir::")]
    assert all(p == "/dev/null" or p.startswith("/c/a b/") for p in places)
    assert settings["APT::Architecture"] == "arm64"


def test_a_command_line_keeps_awkward_paths_together() -> None:
    line = apt.apt_get(Path("/c/a b"), "amd64", "download", "x$(y)")
    assert "'-oDir::State::lists=/c/a b/lists'" in line and line.endswith("download 'x$(y)'")


def test_what_a_reachable_node_has_is_not_bundled() -> None:
    full = apt.simulated(
        "Inst libc6 (2.36 Debian)\nInst runc (1.1)\nInst socat (1)\nConf runc (1.1)\n"
    )
    assert apt.beyond(full, ["libc6", "bash"]) == ["runc", "socat"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conntrack_1%3a1.4.7-1+b2_amd64.deb", "conntrack_1.4.7-1+b2_amd64.deb"),
        ("socat_1.7.4.4-2_amd64.deb", "socat_1.7.4.4-2_amd64.deb"),
    ],
)
def test_epochs_leave_file_names(name: str, expected: str) -> None:
    assert apt.pool_name(name) == expected


def test_an_index_says_the_control_fields_and_the_file_of_a_package() -> None:
    text = apt.stanza("Package: a\nDescription: b\n more\n", "a_1.0_all.deb", 12, "f" * 64)
    assert text == (
        "Package: a\nDescription: b\n more\n"
        f"Filename: ./a_1.0_all.deb\nSize: 12\nSHA256: {'f' * 64}\n\n"
    )
