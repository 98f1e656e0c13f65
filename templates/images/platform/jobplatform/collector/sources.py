"""The files in which a container runtime writes what a container prints."""

from __future__ import annotations

import glob
import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from jobplatform.model import logs, names

CONTAINER = "job"
LARGEST = 256 * 1024
"""Of one line: what is longer goes on in the next."""
_POD = re.compile(r"vc-[a-z0-9-]{1,60}_(job-([a-z0-9-]{1,50})-(\d{1,9})-worker-(\d{1,4}))_[^_]+")
_FILE = re.compile(r"(\d{1,9})\.log(?:\.(\d{8}-\d{6})(\.gz)?)?")
_DOCKERS = re.compile(r"\.(\d{1,4})(\.gz)?")
_CRI = re.compile(rb"(\S{20,40}) (stdout|stderr) ([FP])\S* ?(.*)")


@dataclass(frozen=True)
class Pod:
    """A worker whose logs a node has: the attempt at a job, and the directory."""

    job: str
    attempt: int
    worker: int
    place: Path


def pods(root: Path) -> list[Pod]:
    """The workers of jobs in the directory of a node's pods, by names that the manager gives."""
    found = []
    for place in sorted(root.iterdir()) if root.is_dir() else []:
        match = _POD.fullmatch(place.name)
        if match:
            pod = Pod(match[2], int(match[3]), int(match[4]), place)
            if names.worker(pod.job, pod.attempt, pod.worker) == match[1]:
                found.append(pod)
    return found


def files(pod: Pod) -> list[Path]:
    """Its files in the order in which they were written: a container after the other, of each the
    rotated ones first."""
    found = list[tuple[tuple[int, str], Path]]()
    for path in (pod.place / CONTAINER).glob("*.log*"):
        if match := _FILE.fullmatch(path.name):
            found.append(((int(match[1]), match[2] or "~"), path))
            if path.is_symlink():
                found += [((int(match[1]), key), other) for key, other in _dockers(path)]
    return [path for _, path in sorted(found)]


def _dockers(link: Path) -> Iterator[tuple[str, Path]]:
    """What Docker has rotated away of the file behind a link, which lies beside that: the higher
    the number, the older."""
    target = Path(os.path.realpath(link))
    for path in target.parent.glob(f"{glob.escape(target.name)}.*"):
        if match := _DOCKERS.fullmatch(path.name.removeprefix(target.name)):
            yield f"{10_000 - int(match[1]):05}", path


def opened(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # it is read as any other
    return open(path, "rb")


@dataclass
class Lines:
    """Puts together what a runtime wrote in pieces, as lines behind their times, which never go
    back. Both formats are known: CRI's, and Docker's JSON."""

    floor: int = 0
    stamp: bytes = b""
    _rest: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)

    def of(self, records: Iterable[bytes]) -> Iterator[bytes]:
        for record in records:
            found = _record(record)
            if found is None:
                continue
            stamp, stream, text, whole = found
            begun, before = self._rest.pop(stream, (stamp, b""))
            if not whole and len(before) + len(text) < LARGEST:
                self._rest[stream] = (begun, before + text)
            else:
                yield self._line(begun, before + text)

    def _line(self, stamp: bytes, text: bytes) -> bytes:
        when = logs.moment(stamp + b" ")
        if when is not None and when >= self.floor:
            self.floor, self.stamp = when, stamp
        return self.stamp + b" " + text + b"\n"


def _record(record: bytes) -> tuple[bytes, bytes, bytes, bool] | None:
    """Time, stream, text, and whether the line ends here; None for what is no record."""
    if record.startswith(b"{"):
        try:
            found = json.loads(record)
            text, stream = found["log"].encode(errors="replace"), found["stream"].encode()
            return found["time"].encode(), stream, text.rstrip(b"\n"), text.endswith(b"\n")
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
    match = _CRI.fullmatch(record.rstrip(b"\n"))
    if not match or logs.moment(match[1] + b" ") is None:
        return None
    return match[1], match[2], match[4], match[3] == b"F"
