from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
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


def test_unknown_release_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="sid"):
        rootfs.known("sid")
