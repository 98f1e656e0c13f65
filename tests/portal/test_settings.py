"""`webui`: the portal's settings, and secrets that are made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dlws.portal import frontdoor, keys, settings
from tests.support.examples import AWKWARD, filled_in
from tests.support.fakes import Make

SECRETS = {"jwt.key", "admin.token", "master.token", "admin.password", "logging.password"}


def made(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (directory / keys.PLACE).iterdir()}


def test_secrets_and_settings_are_made_once_and_for_nobody_else(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.write(make(filled_in()).cluster)
    first = made(tmp_path)
    assert set(first) == SECRETS | {"local.yaml"}
    assert len({first[name] for name in SECRETS}) == len(SECRETS)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / keys.PLACE).iterdir()} == {0o600}
    local = yaml.safe_load(first["local.yaml"])
    assert local["sign"] == first["jwt.key"]
    assert local["masterToken"] == first["master.token"]
    assert local["domain"] == "https://mycluster.example.org"
    assert local["administrators"] == ["admin@example.org"]
    assert local["clusters"]["mycluster"]["prometheus"] == "http://mycluster.example.org:9091"
    capsys.readouterr()
    settings.write(make(filled_in()).cluster)
    assert made(tmp_path) == first
    assert "nothing to do" in capsys.readouterr().err


def test_a_certificate_of_nginx_that_comes_later_changes_no_settings(
    make: Make, tmp_path: Path
) -> None:
    cluster = make(filled_in()).cluster
    settings.write(cluster)
    first = made(tmp_path)
    frontdoor.configure(cluster)
    settings.write(cluster)
    assert made(tmp_path) == first


def test_settings_follow_the_configuration(make: Make, tmp_path: Path) -> None:
    settings.write(make(filled_in()).cluster)
    signing = {"secret_key": AWKWARD}
    settings.write(make(filled_in(jwt=signing, cluster_name_friendly=AWKWARD)).cluster)
    local = yaml.safe_load(made(tmp_path)["local.yaml"])
    assert local["sign"] == AWKWARD
    assert local["clusters"]["mycluster"]["title"] == AWKWARD


def test_a_key_in_the_configuration_takes_the_place_of_ours(make: Make, tmp_path: Path) -> None:
    settings.write(make(filled_in(jwt={"secret_key": "given"})).cluster)
    assert set(made(tmp_path)) == (SECRETS | {"local.yaml"}) - {"jwt.key"}


def test_a_dry_run_makes_nothing(make: Make, tmp_path: Path) -> None:
    settings.write(make(filled_in(), dry_run=True).cluster)
    assert not (tmp_path / "deploy/dashboard").exists()


def test_settings_are_encrypted_where_the_cluster_is(make: Make, tmp_path: Path) -> None:
    cluster = make(filled_in()).cluster
    cluster.run.vault._ask = lambda: "a passphrase"
    cluster.run.vault.enable()
    settings.write(cluster)
    assert all(text.startswith("dlws-secret-1 ") for text in made(tmp_path).values())
    before = made(tmp_path)
    settings.write(cluster)
    assert made(tmp_path) == before
