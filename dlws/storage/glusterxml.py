"""What `gluster --xml` prints, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from dlws.core.errors import DeployError

_COUNT = re.compile(r"[0-9]{1,12}")
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Made:
    """A volume that is there."""

    id: str
    bricks: tuple[str, ...]
    started: bool
    options: Mapping[str, str]


@dataclass(frozen=True)
class Backlog:
    """What a brick has to be healed: entries, and how many of them nobody can decide on."""

    connected: bool
    pending: int
    split: int


def _root(text: str) -> ElementTree.Element:
    """The answer; DeployError where it is none, or a refusal."""
    # Nothing of gluster's declares entities, which can stand for endless text.
    if len(text) > _LARGEST or "<!" in text:
        raise _senseless()
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise _senseless() from error
    if root.findtext("opRet", "0") != "0":
        why = root.findtext("opErrstr") or "no words"
        raise DeployError(f"gluster refuses: {' '.join(why.split())[:300]}")
    return root


def _senseless() -> DeployError:
    return DeployError(
        "the answer of gluster makes no sense", "look at `gluster volume info` on that node"
    )


def peers(text: str) -> dict[str, bool]:
    """The other nodes by their addresses, and whether each is connected."""
    found = {}
    for peer in _root(text).iter("peer"):
        connected = peer.findtext("connected") == "1" and peer.findtext("state") == "3"
        for name in (peer.findtext("hostname"), *(one.text for one in peer.iter("hostname"))):
            if name:
                found[name] = connected
    return found


def volumes(text: str) -> dict[str, Made]:
    """The volumes that are there."""
    found = {}
    for one in _root(text).iter("volume"):
        options = {
            option.findtext("name", ""): option.findtext("value", "")
            for option in one.iter("option")
        }
        bricks = tuple(brick.findtext("name", "") for brick in one.iter("brick"))
        made = Made(one.findtext("id", ""), bricks, one.findtext("status") == "1", options)
        found[one.findtext("name", "")] = made
    return found


def online(text: str) -> dict[str, bool]:
    """The bricks of a volume, and whether each is served."""
    return {
        f"{node.findtext('hostname')}:{node.findtext('path')}": node.findtext("status") == "1"
        for node in _root(text).iter("node")
    }


def backlog(text: str) -> dict[str, Backlog]:
    """What each brick of a volume has to be healed."""
    found = {}
    for brick in _root(text).iter("brick"):
        found[brick.findtext("name", "")] = Backlog(
            brick.findtext("status") == "Connected",
            _number(brick.findtext("totalNumberOfEntries")),
            _number(brick.findtext("numberOfEntriesInSplitBrain")),
        )
    return found


def _number(text: str | None) -> int:
    return int(text) if text and _COUNT.fullmatch(text) else 0
