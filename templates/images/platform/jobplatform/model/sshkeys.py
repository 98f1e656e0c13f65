"""Public keys for SSH: one line with a kind and a key, and nothing that would steer a server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

LONGEST = 16_384
SHORTEST_RSA, LONGEST_RSA = 2048, 16_384
KINDS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip
_PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File|---- BEGIN SSH2 ENC")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Unfit(ValueError):
    """What is wrong with a key; the words hold nothing of it."""


@dataclass(frozen=True)
class PublicKey:
    kind: str
    body: str
    comment: str

    @property
    def line(self) -> str:
        """The key as `authorized_keys` has it, without a comment."""
        return f"{self.kind} {self.body}"

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it."""
        digest = hashlib.sha256(base64.b64decode(self.body)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def read(text: str) -> PublicKey:
    """The one key in a text; Unfit where it is none, or one that is too weak."""
    if _PRIVATE.search(text):
        raise Unfit("this is a private key, which only its owner may have: give the .pub file, and "
                    "make a new pair, as this one has been sent away")  # fmt: skip
    line = text.strip()
    if len(line) > LONGEST or _UNSEEN.search(line):
        raise Unfit("give one public key, in one line")
    kind, _, rest = line.partition(" ")
    body, _, comment = rest.strip().partition(" ")
    if kind not in KINDS:
        raise Unfit("the line begins with none of the kinds that count, without options: "
                    + ", ".join(KINDS))  # fmt: skip
    _check(kind, body)
    return PublicKey(kind, body, comment.strip()[:255])


def _check(kind: str, body: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        raw = base64.b64decode(body, validate=True)
        found = load_ssh_public_key(f"{kind} {body}".encode())
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise Unfit("what stands behind the kind is no key of it") from None
    # One key is one text: what differs in bits that count for nothing would be another one.
    if base64.b64encode(raw).decode() != body:
        raise Unfit("what stands behind the kind is no key of it")
    if isinstance(found, RSAPublicKey):
        if not SHORTEST_RSA <= found.key_size <= LONGEST_RSA:
            raise Unfit(f"an RSA key has {SHORTEST_RSA} bits or more, and this one has "
                        f"{found.key_size}: make one with ssh-keygen -t ed25519")  # fmt: skip
        if found.public_numbers().e < 3 or found.public_numbers().e % 2 == 0:
            raise Unfit("this RSA key is none")
