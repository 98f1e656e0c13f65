"""Public keys of good kinds, made anew with each run."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def line(private: Private) -> str:
    found = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return found.decode()


ED25519 = line(ed25519.Ed25519PrivateKey.generate())
GOOD = {
    "ed25519": ED25519,
    "ecdsa": line(ec.generate_private_key(ec.SECP384R1())),
    "rsa": line(rsa.generate_private_key(65537, 2048)),
}
