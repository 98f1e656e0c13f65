"""What deploy/registry keeps: made once, secret, and made anew where it has to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.errors import EndOfPlan, UsageError
from dlws.nodes.credentials import Credential
from dlws.registry import kept
from dlws.registry.kept import Store, htpasswd, lets_in
from dlws.registry.start import configured
from dlws.secrets.vault import Vault
from tests.support.fakes import World
from tests.support.registries import CONFIG, OPEN, PASSWORD, Start


def login(password: str, user: str = "puller") -> Credential:
    return Credential(user, password)


def contents(world: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in world.cluster.deploy.glob("registry/*")}


def test_all_of_it_is_made_once(started: Start) -> None:
    world = started()
    first = contents(world)
    assert {*first} == {"ca.crt", "ca.key", "tls.crt", "tls.key", "http.secret", "htpasswd"}
    modes = {path.stat().st_mode & 0o777 for path in world.cluster.deploy.glob("registry/*[!t]")}
    assert modes == {0o600}
    kept.ensure(world.cluster, configured(world.cluster))
    assert contents(world) == first
    assert all(PASSWORD.encode() not in text for text in first.values())


def test_another_name_makes_another_certificate_by_the_same_ca(started: Start) -> None:
    first = contents(started())
    world = started(CONFIG.replace("enabled: true", "host: images.example.org, node: infra01"))
    changed = {name for name, text in contents(world).items() if text != first[name]}
    assert changed == {"tls.crt", "tls.key"}


def test_another_password_replaces_the_one_before(started: Start) -> None:
    first = contents(started())
    changed = contents(started(CONFIG.replace("$ecret", "other")))
    assert {name for name in first if first[name] != changed[name]} == {"htpasswd"}


def test_a_dry_run_makes_nothing_and_ends_there(make: Start) -> None:
    world = make(CONFIG, dry_run=True)
    with pytest.raises(EndOfPlan, match="until its certificate is made"):
        kept.ensure(world.cluster, configured(world.cluster))
    assert not contents(world)


def test_without_credentials_a_password_for_who_pushes_is_made_once(started: Start) -> None:
    first = contents(started(OPEN))
    password = first["password"].decode()
    assert len(password) > 20 and lets_in(first["htpasswd"].decode(), login(password, "dlws"))
    assert contents(started(OPEN)) == first
    assert lets_in(contents(started(CONFIG))["htpasswd"].decode(), login(PASSWORD))
    again = contents(started(OPEN))
    assert again["password"].decode() == password
    assert lets_in(again["htpasswd"].decode(), login(password, "dlws"))


@pytest.mark.parametrize("password", [PASSWORD, "ü" * 36, "x" * 72])
def test_a_password_lets_its_user_in_and_nobody_else(password: str) -> None:
    made = htpasswd(login(password))
    assert lets_in(made, login(password)) and not lets_in(made, login(f"{password[1:]}!"))
    assert not lets_in(made, login(password, "other")) and not lets_in("", login(password))
    assert not lets_in("puller:nonsense\n", login(password))


def test_a_password_that_cannot_be_compared_whole_is_refused() -> None:
    with pytest.raises(UsageError, match="73 bytes"):
        htpasswd(login("x" * 73))


def test_encrypted_at_rest_it_is_read_as_it_was(tmp_path: Path, started: Start) -> None:
    cluster = started().cluster
    vault = Vault(tmp_path, lambda: "passphrase")
    before = Store(cluster.deploy, vault).pair("tls")
    vault.enable()
    vault.encrypt(cluster.deploy / "registry/tls.key")
    assert vault.is_encrypted(cluster.deploy / "registry/tls.key")
    assert Store(cluster.deploy, vault).pair("tls") == before
