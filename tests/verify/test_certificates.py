"""What templates/verify/kubernetes.sh shows of certificates, read back."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from dlws.core import resources
from dlws.core.connection import Result
from tests.support.fakes import World
from tests.support.judge import NOW, UNITS, Judge, certificate, known_of

DAY = 86400


def pem(days: int, kind: str = "CERTIFICATE") -> str:
    """A certificate that ends in so many days, in lines of 64 characters."""
    text = certificate(NOW + days * DAY)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


KEY = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"
FILES = {
    "etc/kubernetes/pki/apiserver.crt": pem(1),
    "etc/kubernetes/pki/a b.crt": f"Subject: x\n{pem(2, 'X509 CERTIFICATE')}".replace("\n", "\r\n"),
    "etc/kubernetes/pki/ca.key": KEY,
    "etc/kubernetes/pki/empty.crt": "",
    "etc/kubernetes/pki/etcd/key only.crt": KEY,
    "etc/kubernetes/pki/etcd/peer.crt": f"{KEY}{pem(3)}{pem(90)}",
    "etc/kubernetes/pki/none.crt": "no certificate\n",
    "etc/kubernetes/pki/spoilt.crt": pem(4).replace("M", "?"),
    "var/lib/kubelet/pki/kubelet-client-current.pem": f"{pem(5)}{KEY}",
    "etc/kubernetes/admin.conf": "users:\n- user:\n    client-certificate-data: "
    f"{base64.b64encode(pem(6).encode()).decode()}\n    client-key-data: c2VjcmV0\n",
    "etc/kubernetes/kubelet.conf": "users:\n- user:\n    client-certificate: /x.pem\n",
    "etc/kubernetes/odd.conf": "    client-certificate-data: QQ==\n",
}
ENDS = {
    "pki/apiserver.crt": 1,
    "pki/a b.crt": 2,
    "pki/etcd/peer.crt": 3,
    "pki/kubelet-client-current.pem": 5,
    "admin.conf": 6,
}
UNREADABLE = {"pki/empty.crt", "pki/none.crt", "pki/spoilt.crt", "etcd/key only.crt", "odd.conf"}


@pytest.fixture
def told(tmp_path: Path) -> str:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tell(tmp_path)


def tell(root: Path) -> str:
    path = resources.templates() / "verify/kubernetes.sh"
    env = {**os.environ, "DLWS_ROOT": str(root)}
    done = subprocess.run(["sh", path], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if "certificate=" in line)


def test_each_certificate_is_found_with_its_end(told: str, world: World) -> None:
    judge = Judge(world, known_of(world), "infra01")
    found = [
        one
        for one in judge(kubernetes=Result(0, f"{UNITS}{told}".encode()))
        if one.kind == "certificate"
    ]
    ends = {one.what: one.words for one in found if "ends in" in one.words}
    assert {what.split("kubernetes/")[-1].split("kubelet/")[-1] for what in ends} == set(ENDS)
    for name, days in ENDS.items():
        (says,) = (text for what, text in ends.items() if what.endswith(f"/{name}"))
        assert says.startswith(f"ends in {days} days, on ")
    rest = [one.what for one in found if one.words == "cannot be read"]
    assert len(rest) == len(UNREADABLE) == len(found) - len(ends)
    assert all(any(what.endswith(f"/{name}") for what in rest) for name in UNREADABLE)
    assert all(one.what.startswith(("/etc/kubernetes/", "/var/lib/kubelet/")) for one in found)


def test_keys_stay_on_the_node(told: str) -> None:
    assert "c2VjcmV0" not in told and "PRIVATE" not in told


def test_a_node_without_kubernetes_has_no_certificates(tmp_path: Path) -> None:
    assert tell(tmp_path) == ""
