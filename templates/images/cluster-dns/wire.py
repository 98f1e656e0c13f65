"""DNS messages: one question in, its answer out. Pure."""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from collections.abc import Sequence
from typing import NamedTuple

from zone import DENIAL, TTL, Record, Zone

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33,
         "OPT": 41, "ANY": 255}  # fmt: skip
_NAMES = {number: name for name, number in TYPES.items()}
_OK, _MALFORMED, _NO_NAME, _NOT_DONE, _REFUSED = 0, 1, 3, 4, 5
_HEAD, _LARGEST = 12, 1232
"""Bytes that a message has at least, and those of an answer over UDP that no network cuts."""


class Malformed(ValueError):
    """A message that is none."""


class Question(NamedTuple):
    number: int
    flags: int
    name: str
    kind: int
    size: int
    """Bytes that whoever asks takes over UDP."""
    raw: bytes
    """The question as it was asked, capitals included."""
    extended: bool


def question(message: bytes) -> Question:
    """The question of a message."""
    try:
        number, flags, count, _, _, extra = struct.unpack_from("!6H", message)
        if count != 1 or flags & 0x8000:
            raise Malformed("not one question")
        name, end = _name(message, 12)
        kind, _ = struct.unpack_from("!2H", message, end)
        raw, rest = message[12 : end + 4], message[end + 4 :]
        size, extended = 512, False
        if extra and rest[:1] == b"\0" and struct.unpack_from("!H", rest, 1)[0] == TYPES["OPT"]:
            size, extended = max(512, struct.unpack_from("!H", rest, 3)[0]), True
        return Question(number, flags, name, kind, size, raw, extended)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from error


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while size := message[at]:
        if size > 63:
            raise Malformed("a pointer in a question")
        label = message[at + 1 : at + 1 + size]
        if len(label) != size:
            raise Malformed("it ends too early")
        labels.append(label.decode("ascii"))
        at += size + 1
    return ".".join(labels), at + 1


def alias(message: bytes, zone: Zone) -> tuple[str, str]:
    """The name outside of the cluster that a question leads to, and the type that was asked for;
    both empty where it leads to none."""
    with contextlib.suppress(Malformed):
        asked = question(message)
        kind = _NAMES.get(asked.kind, "")
        for record in zone.answer(asked.name, kind).records:
            if record.kind == "CNAME" and kind in ("A", "AAAA"):
                return record.data, kind
    return "", ""


def query(number: int, name: str, kind: str) -> bytes:
    """A question of ours to another server."""
    head = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)
    return head + encoded(name) + struct.pack("!2H", TYPES[kind], 1)


def addresses(answer: bytes, name: str) -> list[Record]:
    """The addresses in another server's answer, as those of the name that it was asked about."""
    found = []
    with contextlib.suppress(struct.error, IndexError, ValueError):
        _, _, questions, count, _, _ = struct.unpack_from("!6H", answer)
        at = _HEAD
        for _ in range(questions):
            at = _past(answer, at) + 4
        for _ in range(count):
            at = _past(answer, at)
            kind, _, _, size = struct.unpack_from("!HHIH", answer, at)
            data, at = answer[at + 10 : at + 10 + size], at + 10 + size
            if kind in (TYPES["A"], TYPES["AAAA"]):
                found.append(Record(name, _NAMES[kind], str(ipaddress.ip_address(data))))
    return found


def _past(message: bytes, at: int) -> int:
    """Where a name ends."""
    while size := message[at]:
        if size >= 0xC0:
            return at + 2
        at += size + 1
    return at + 1


def reply(message: bytes, zone: Zone, stream: bool = False, known: Sequence[Record] = ()) -> bytes:
    """The answer to a message, cut where it is too long for what is not a stream; none to less than
    a message. `known` are records of a name outside that an alias leads to."""
    if len(message) < _HEAD:
        return b""
    try:
        asked = question(message)
    except Malformed:
        return message[:2] + struct.pack("!5H", 0x8000 | _MALFORMED, 0, 0, 0, 0)
    if asked.flags & 0x7800:  # anything but a query
        return _message(asked, _NOT_DONE, [], [], [])
    found = zone.answer(asked.name, _NAMES.get(asked.kind, ""))
    code = _REFUSED if not found.ours else _OK if found.exists else _NO_NAME
    authority = zone.names.get(zone.domain, ())[:1] if found.ours and not found.records else ()
    records = (*found.records, *known)
    whole = _message(asked, code, records, authority, found.more)
    room = 65535 if stream else min(asked.size, _LARGEST)
    if len(whole) <= room:
        return whole
    whole = _message(asked, code, records, authority, [])
    return whole if len(whole) <= room else _message(asked, code, [], [], [], cut=True)


def _message(
    asked: Question, code: int, records: Sequence[Record], authority: Sequence[Record],
    more: Sequence[Record], cut: bool = False,
) -> bytes:  # fmt: skip
    # An answer, with authority, recursion available as the addon says; what was wished is kept.
    flags = 0x8480 | (asked.flags & 0x0100) | (0x0200 if cut else 0) | code
    option = struct.pack("!BHHIH", 0, TYPES["OPT"], _LARGEST, 0, 0) if asked.extended else b""
    counts = (1, len(records), len(authority), len(more) + bool(option))
    body = b"".join(_record(one, asked) for one in (*records, *authority, *more))
    return struct.pack("!6H", asked.number, flags, *counts) + asked.raw + body + option


def _record(record: Record, asked: Question) -> bytes:
    # A pointer to the question, whose capitals some resolvers compare.
    owner = b"\xc0\x0c" if record.name == asked.name.lower() else encoded(record.name)
    data = _data(record)
    seconds = DENIAL if record.kind == "SOA" else TTL
    return owner + struct.pack("!HHIH", TYPES[record.kind], 1, seconds, len(data)) + data


def encoded(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _data(record: Record) -> bytes:
    if record.kind in ("A", "AAAA"):
        return ipaddress.ip_address(record.data).packed
    if record.kind == "TXT":
        text = record.data.encode()
        return bytes([len(text)]) + text
    if record.kind == "SRV":
        *numbers, target = record.data.split()
        return struct.pack("!3H", *map(int, numbers)) + encoded(target)
    if record.kind == "SOA":
        server, mail, *numbers = record.data.split()
        return encoded(server) + encoded(mail) + struct.pack("!5I", *map(int, numbers))
    return encoded(record.data)


def refused(answer: bytes) -> bool:
    """Whether an answer says that others have to be asked."""
    return len(answer) > 3 and answer[3] & 0x0F == _REFUSED


def failed(answer: bytes) -> bool:
    """Whether another server's answer says neither what there is nor that there is nothing."""
    return len(answer) < _HEAD or answer[3] & 0x0F not in (_OK, _NO_NAME)
