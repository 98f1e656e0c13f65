"""The certificate of nginx, given or made; and the names of nodes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dlws.access import certificates
from dlws.access.secrets import files
from dlws.core.errors import UsageError
from dlws.nodes.node import Node
from dlws.portal import frontdoor, settings
from tests.support.examples import KEPT, filled_in
from tests.support.fakes import Make


def there(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / frontdoor.PLACE).iterdir()}


def put(directory: Path, pair: certificates.Pair) -> None:
    place = directory / frontdoor.PLACE
    place.mkdir(parents=True)
    (place / "tls.crt").write_text(pair.certificate)
    (place / "tls.key").write_text(pair.key)


def test_a_certificate_is_made_once_for_all_names(make: Make, tmp_path: Path) -> None:
    frontdoor.configure(make(filled_in()).cluster)
    first = there(tmp_path)
    assert set(first) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    text, ca = first["tls.crt"].decode(), first["ca.crt"].decode()
    assert certificates.is_of(text, ca)
    assert certificates.belong(certificates.Pair(text, first["tls.key"].decode()))
    assert {"mycluster.example.org", "master01", "192.168.3.2", "gpu01.example.org"} <= (
        certificates.hosts_of(text)
    )
    keys = [tmp_path / frontdoor.PLACE / name for name in ("tls.key", "ca.key")]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    frontdoor.configure(make(filled_in()).cluster)
    assert there(tmp_path) == first


def test_a_new_name_has_a_new_certificate_by_the_same_ca(make: Make, tmp_path: Path) -> None:
    frontdoor.configure(make(filled_in()).cluster)
    before = there(tmp_path)
    frontdoor.configure(make(filled_in(cluster_name="other")).cluster)
    after = there(tmp_path)
    assert before["ca.crt"] == after["ca.crt"]
    assert "other.example.org" in certificates.hosts_of(after["tls.crt"].decode())


def test_one_that_nears_its_end_is_made_anew(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontdoor.configure(make(filled_in()).cluster)
    before = there(tmp_path)
    monkeypatch.setattr(certificates, "LEFT", timedelta(days=400))
    frontdoor.configure(make(filled_in()).cluster)
    assert there(tmp_path)["tls.crt"] != before["tls.crt"]


def test_a_given_certificate_stays(make: Make, tmp_path: Path) -> None:
    given = certificates.new_certificate(certificates.new_ca("theirs"), ["portal.example.net"])
    put(tmp_path, given)
    frontdoor.configure(make(filled_in()).cluster)
    assert there(tmp_path) == {"tls.crt": given.certificate.encode(),
                               "tls.key": given.key.encode()}  # fmt: skip


def test_a_given_certificate_of_no_use_is_said(make: Make, tmp_path: Path) -> None:
    one, other = (certificates.new_certificate(certificates.new_ca("t"), ["a"]) for _ in range(2))
    put(tmp_path, certificates.Pair(one.certificate, other.key))
    with pytest.raises(UsageError, match=r"tls.key is not the key of"):
        frontdoor.configure(make(filled_in()).cluster)
    (tmp_path / frontdoor.PLACE / "tls.key").unlink()
    with pytest.raises(UsageError, match=r"tls.crt, and no tls.key"):
        frontdoor.configure(make(filled_in()).cluster)


def test_a_dry_run_makes_none(make: Make, tmp_path: Path) -> None:
    frontdoor.configure(make(filled_in(), dry_run=True).cluster)
    assert not (tmp_path / frontdoor.PLACE).exists()


def test_nodes_with_nginx_learn_their_names(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: dict[str, tuple[str, str]] = {}

    def put(node: Node, content: str, path: str) -> bool:
        placed[node.name] = (path, content)
        return True

    monkeypatch.setattr(Node, "put", put)
    frontdoor.tell_names(make(filled_in()).cluster)
    assert set(placed) == {"master01", "gpu01", "npu01"}
    assert placed["gpu01"] == ("/etc/hostname-fqdn", "gpu01.example.org\n")


def test_secrets_of_the_portal_are_among_those_to_encrypt(make: Make, tmp_path: Path) -> None:
    cluster = make(filled_in()).cluster
    settings.write(cluster)
    frontdoor.configure(cluster)
    found = {str(path.relative_to(tmp_path)) for path in files(cluster.config, tmp_path)}
    assert found == {
        "deploy/nginx/tls.key", "deploy/nginx/ca.key", "deploy/dashboard/local.yaml",
        *(f"deploy/dashboard/{name}" for name in KEPT),
    }  # fmt: skip


def test_a_key_of_nginx_is_one_after_encryption_too(make: Make, tmp_path: Path) -> None:
    cluster = make(filled_in()).cluster
    cluster.run.vault._ask = lambda: "a passphrase"
    cluster.run.vault.enable()
    frontdoor.configure(cluster)
    path = tmp_path / frontdoor.PLACE / "tls.key"
    assert path.read_bytes().startswith(b"dlws-secret-1 ")
    key = cluster.run.vault.read(path).decode()
    assert certificates.belong(certificates.Pair(there(tmp_path)["tls.crt"].decode(), key))
