"""The CA and certificates of the registry: for which names, for how long, and when made anew."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509

from dlws.access.certificates import Pair, hosts_of, lasts, loaded, new_ca, new_certificate
from dlws.registry.certificates import CA_LEFT, fits, names

HOSTS = ("10.1.0.1", "infra01.example.org", "fd00::1")
NOW = datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def ca() -> Pair:
    return new_ca("atlas")


@pytest.fixture(scope="module")
def own(ca: Pair) -> Pair:
    return new_certificate(ca, names(HOSTS))


def test_a_certificate_is_for_all_names_and_signs_nothing(ca: Pair, own: Pair) -> None:
    made = loaded(own.certificate)
    assert hosts_of(own.certificate) == {*HOSTS, "localhost", "127.0.0.1"}
    addresses = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(addresses.get_values_for_type(x509.IPAddress)) == 3
    limits = (one.extensions.get_extension_for_class(x509.BasicConstraints).value
              for one in (loaded(ca.certificate), made))  # fmt: skip
    assert [(one.ca, one.path_length) for one in limits] == [(True, 0), (False, None)]


def test_a_key_is_not_taken_for_an_ssh_key() -> None:
    """Vault would write it in OpenSSH's form, which the registry does not read."""
    from dlws.secrets.vault import is_key

    made = new_ca("atlas")
    assert "PRIVATE KEY" in made.key and not is_key(made.key.encode())


@pytest.mark.parametrize(("hosts", "days", "expected"), [
    (HOSTS, 0, True),
    (HOSTS[::-1], 0, True),
    (HOSTS[:2], 0, False),
    ((*HOSTS, "images.example.org"), 0, False),
    (HOSTS, 366, True),
    (HOSTS, 368, False),
    (HOSTS, 400, False),
])  # fmt: skip
def test_it_is_made_anew_near_its_end_and_for_other_names(
    ca: Pair, own: Pair, hosts: tuple[str, ...], days: int, expected: bool
) -> None:
    assert fits(own, ca, hosts, NOW + timedelta(days=days)) is expected


def test_one_of_another_ca_or_with_another_key_does_not_fit(ca: Pair, own: Pair) -> None:
    other = new_ca("atlas")
    assert not fits(own, other, HOSTS, NOW)
    assert not fits(Pair(own.certificate, other.key), ca, HOSTS, NOW)
    assert not fits(Pair("", own.key), ca, HOSTS, NOW)


def test_a_ca_lasts_ten_years(ca: Pair) -> None:
    assert lasts(ca.certificate, CA_LEFT, NOW + timedelta(days=3500))
    assert not lasts(ca.certificate, CA_LEFT, NOW + timedelta(days=3600))
    assert not lasts("nonsense", CA_LEFT, NOW)
