"""Certificates of the control plane and the kubelet."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.kubeadm import podnetwork
from dlws.shell.quoting import script
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Difference,
    Expectation,
    Found,
    Origin,
    Question,
    differs,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


_PEM = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
_VERSION, _LONG_YEAR = 0xA0, 0x18
"""Tags of DER: the version, which not all have, and a time whose year has four digits."""
SERVING = "of the kubelet's server"
WARN_DAYS = 30
"""Certificates that end within so many days are told."""


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if node.machine.in_cluster and known.joined(node):
        origin = (("kubernetes", "version"), ("machines", node.name))
        yield Expectation("certificate", "all", str(WARN_DAYS), origin)
        if node.name in known.waiting:
            asked: Origin = (("kubernetes", "kubelet_serving_certificates"), *origin)
            fault = known.waiting[node.name]
            yield Expectation("certificate", SERVING, fault, asked, "" if fault else "serving")


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    """Certificates, units and devices in one question."""
    if wanted:
        units = ["kubelet.service", *([podnetwork.UNIT] if podnetwork.first_files(cluster) else [])]
        yield Question("kubernetes", script(template("verify/kubernetes.sh"), *units))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    if thing.what == SERVING:
        cure = f"see: {PROGRAM} kubectl get csr; give the node its address in config.yaml"
        words = f"is not approved: the request {thing.wanted}" if thing.wanted else "is asked for"
        yield differs(thing, words, cure if thing.wanted else "")
        return
    cure = (
        "on that node: kubeadm certs renew all (1.19: kubeadm alpha certs renew all), then reboot"
    )
    for row in seen.lines("kubernetes", "certificate"):
        shown, _, path = row.partition(" ")
        end = _end(shown)
        if end is None:
            yield Difference("certificate", path, "cannot be read", thing.origin)
            continue
        days = int((end - seen.known.now) // 86400)
        day = time.strftime("%Y-%m-%d", time.gmtime(end))
        if days < int(thing.wanted):
            words = f"ends in {days} days, on {day}" if days >= 0 else f"ended on {day}"
            yield Difference("certificate", path, words, thing.origin, "", cure)


def _end(shown: str) -> int | None:
    """The second since 1970 at which a certificate (DER or PEM, in base64) ends, if it is one.

    cryptography is going to refuse the serial number 0, which CAs of kubeadm have.
    """
    try:
        data = base64.b64decode(shown, validate=True)
        if pem := _PEM.search(data):
            data = base64.b64decode(b"".join(pem[1].split()), validate=True)
        signed = _parts(_parts(_parts(data)[0][1])[0][1])
        _, _, _, validity = [part for part in signed if part[0] != _VERSION][:4]
        tag, moment = _parts(validity[1])[1]
        text = moment.decode("ascii")
        century = "" if tag == _LONG_YEAR else "19" if text >= "5" else "20"
        ends = datetime.strptime(f"{century}{text}", "%Y%m%d%H%M%SZ")
        return int(ends.replace(tzinfo=timezone.utc).timestamp())
    except (ValueError, IndexError):
        return None


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The values that stand in DER one behind the other: tag and content; ValueError for no DER."""
    found, at = list[tuple[int, bytes]](), 0
    while at < len(data):
        tag, size, start = data[at], data[at + 1], at + 2
        if size > 127:  # the size's own size
            start += size - 128
            size = int.from_bytes(data[at + 2 : start], "big")
        at = start + size
        if at > len(data):
            raise ValueError("cut off")
        found.append((tag, data[start:at]))
    return found


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubeadm import serving

    serving.approve(session.cluster, nodes)


KIND = Kind("certificate", _expect, _compare, _ask, {"serving": Fix(11, _fix)})
