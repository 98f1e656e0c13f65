"""Certificate authorities of the cluster's own, and the certificates that they make for servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from dlws.config.addresses import is_address

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_CA_DAYS, _DAYS = 3650, 397
LEFT = timedelta(days=30)
"""A certificate of ours with less time left is made anew."""
# Vault would take a file that begins as a PEM key for an SSH key, and change its form.
_HEAD = "A private key of the cluster's.\n"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both as text."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "Pair()"


def new_ca(name: str) -> Pair:
    """A CA of this name, for one purpose of one cluster."""
    from cryptography import x509

    key, subject = _new_key(), _name(name[:64])
    limits = x509.BasicConstraints(ca=True, path_length=0)
    made = _builder(subject, subject, key, _CA_DAYS).add_extension(limits, critical=True)
    made = made.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return _pair(made, key, key)


def new_certificate(ca: Pair, hosts: Sequence[str]) -> Pair:
    """A certificate for these names and addresses, by a CA."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key, above = _new_key(), loaded(ca.certificate)
    names = x509.SubjectAlternativeName([_general(host) for host in dict.fromkeys(hosts)])
    made = (
        _builder(_name(hosts[0][:64]), above.subject, key, _DAYS)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return _pair(made, key, _read_key(ca.key))


def loaded(text: str) -> x509.Certificate:
    """The first certificate in a text; ValueError where there is none."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(text.encode())


def ends(text: str) -> datetime:
    """When a certificate ends."""
    return loaded(text).not_valid_after_utc


def lasts(text: str, left: timedelta, now: datetime) -> bool:
    """Whether a certificate has more than so much time left."""
    try:
        return ends(text) - now > left
    except ValueError:
        return False


def belong(pair: Pair) -> bool:
    """Whether the key is that of the certificate."""
    try:
        return bool(loaded(pair.certificate).public_key() == _read_key(pair.key).public_key())
    except (ValueError, TypeError):
        return False


def is_of(text: str, ca: str) -> bool:
    """Whether a certificate was made by a CA."""
    from cryptography.exceptions import InvalidSignature

    try:
        loaded(text).verify_directly_issued_by(loaded(ca))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def hosts_of(text: str) -> set[str]:
    """The names and addresses that a certificate is for."""
    from cryptography import x509

    try:
        found = loaded(text).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return set()
    kinds: tuple[Any, ...] = (x509.DNSName, x509.IPAddress)
    return {str(value) for kind in kinds for value in found.get_values_for_type(kind)}


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _read_key(text: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(text[max(0, text.find("-----BEGIN")) :].encode(), None)


def _builder(subject: Any, issuer: Any, key: EllipticCurvePrivateKey, days: int) -> Any:
    from cryptography import x509

    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of machines differ, and some are set only later.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*allowed: str) -> Any:
    from cryptography import x509

    known = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
             "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: name in allowed for name in known})


def _name(text: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(host: str) -> Any:
    from cryptography import x509

    return x509.IPAddress(ip_address(host)) if is_address(host) else x509.DNSName(host)


def _pair(builder: Any, key: EllipticCurvePrivateKey, signer: Any) -> Pair:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form

    certificate = builder.sign(signer, hashes.SHA256()).public_bytes(form.Encoding.PEM).decode()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return Pair(certificate, _HEAD + secret.decode())
