from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.errors import Refused, UsageError
from dlws.runs.console import Console
from dlws.sandbox import rootfs


def test_sources_turn_to_the_release_of_the_nodes() -> None:
    targets = (
        "http://m/debian/ bookworm main\n"
        "http://m/debian/ bookworm main\n"
        "http://m/debian/ bookworm contrib\n"
        "http://m/security/ bookworm-security main\n"
        "https://other/apt stable main\n"
        "\n"
    )
    assert rootfs.sources(targets, "bookworm", "trixie") == [
        "deb http://m/debian/ trixie main contrib",
        "deb http://m/security/ trixie-security main",
    ]


def test_apt_settings_keeps_proxies_and_certificates_only() -> None:
    dump = (
        'APT::Architecture "amd64";\nAcquire::http::Proxy "http://p:1";\n'
        'Acquire::https::CaInfo "/x";\nAcquire::http::Proxy::host "DIRECT";\n'
        'Acquire::http::Timeout "3";\n'
    )
    assert rootfs.apt_settings(dump) == [
        'Acquire::http::Proxy "http://p:1";',
        'Acquire::https::CaInfo "/x";',
        'Acquire::http::Proxy::host "DIRECT";',
    ]


@pytest.mark.parametrize("what", [".", "base"])
def test_a_file_system_that_others_could_have_changed_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = rootfs.base("bookworm")
    place.mkdir(parents=True)
    assert rootfs.build("bookworm", Console()) == place
    (place if what == "base" else place.parent).chmod(0o777)
    with pytest.raises(Refused, match="other users can write to"):
        rootfs.build("bookworm", Console())


def test_unknown_release_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="sid"):
        rootfs.known("sid")
