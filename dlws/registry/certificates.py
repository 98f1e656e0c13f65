"""The CA that nodes trust the registry by, and the certificate that it made. Pure but for time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from dlws.config.addresses import is_address

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

_CA_DAYS, _DAYS = 3650, 397
CA_LEFT, LEFT = timedelta(days=90), timedelta(days=30)
"""A certificate with less time left is made anew."""
_LOCAL = ("localhost", "127.0.0.1")
# Vault takes a file that begins as a PEM key for an SSH key, and would write it in OpenSSH's form.
_KEY_HEAD = "The private key of a registry of images.\n"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both as text."""

    certificate: str
    key: str


def new_ca(cluster: str) -> Pair:
    """A CA for one cluster's registry."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{cluster} registry CA")
    limits = x509.BasicConstraints(ca=True, path_length=0)
    made = _builder(name, name, key, _CA_DAYS).add_extension(limits, critical=True)
    made = made.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return _pair(_signed(made, key), key)


def new_certificate(ca: Pair, hosts: Sequence[str]) -> Pair:
    """A certificate for a server with these names and addresses, by a CA."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key, above = ec.generate_private_key(ec.SECP256R1()), loaded(ca.certificate)
    made = _builder(_name("registry"), above.subject, key, _DAYS)
    for extension, critical in (
        (x509.SubjectAlternativeName([_general(host) for host in names(hosts)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ):
        made = made.add_extension(extension, critical=critical)
    return _pair(_signed(made, _key(ca.key)), key)


def names(hosts: Sequence[str]) -> list[str]:
    """The names and addresses that a certificate is for: also those by which a machine calls
    itself."""
    return list(dict.fromkeys([*hosts, *_LOCAL]))


def loaded(text: str) -> Certificate:
    """The certificate in a text; ValueError where there is none."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(text.encode())


def end(certificate: Certificate) -> datetime:
    """When it ends."""
    return certificate.not_valid_after_utc


def lasts(text: str, left: timedelta, now: datetime) -> bool:
    """Whether a certificate has more than so much time left."""
    try:
        return end(loaded(text)) - now > left
    except ValueError:
        return False


def fits(pair: Pair, ca: Pair, hosts: Sequence[str], now: datetime) -> bool:
    """Whether a server's certificate is of this CA, for these names, and not near its end."""
    if not lasts(pair.certificate, LEFT, now):
        return False
    certificate = loaded(pair.certificate)
    own = _key(pair.key).public_key() == certificate.public_key()
    return (
        own
        and _issued(certificate, loaded(ca.certificate))
        and named(certificate) == set(names(hosts))
    )


def named(certificate: Certificate) -> set[str]:
    """The names and addresses that a certificate is for."""
    from cryptography import x509

    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(value) for kind in (x509.DNSName, x509.IPAddress)
            for value in found.get_values_for_type(kind)}  # fmt: skip


def _issued(certificate: Certificate, ca: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _builder(subject: Any, issuer: Any, key: EllipticCurvePrivateKey, days: int) -> Any:
    from cryptography import x509

    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of nodes differ, and some are set only later.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _signed(builder: Any, key: EllipticCurvePrivateKey) -> Certificate:
    from cryptography.hazmat.primitives import hashes

    made: Certificate = builder.sign(key, hashes.SHA256())
    return made


def _usage(**allowed: bool) -> Any:
    from cryptography import x509

    known = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
             "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in known})


def _name(text: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(host: str) -> Any:
    from cryptography import x509

    return x509.IPAddress(ip_address(host)) if is_address(host) else x509.DNSName(host)


def _pair(certificate: Certificate, key: EllipticCurvePrivateKey) -> Pair:
    from cryptography.hazmat.primitives import serialization as form

    secret = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    ).decode()
    return Pair(certificate.public_bytes(form.Encoding.PEM).decode(), f"{_KEY_HEAD}{secret}")


def _key(text: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    found = form.load_pem_private_key(text.removeprefix(_KEY_HEAD).encode(), None)
    if not isinstance(found, EllipticCurvePrivateKey):
        raise ValueError("a key of another kind")
    return found
