"""What templates/verify/kubernetes.sh shows of certificates, read back."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core import resources
from dlws.core.connection import Result
from dlws.verify.kinds.certificate import _end
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


MOMENTS = ["1961-01-01", "1999-12-31", "2029-01-01", "2049-12-31", "2050-01-01", "9999-12-31"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_end_is_that_which_openssl_reads(moment: str) -> None:
    end = int(datetime.fromisoformat(f"{moment}T23:59:59+00:00").timestamp())
    shown = certificate(end)
    assert _end(shown) == end
    words = ["openssl", "x509", "-inform", "DER", "-noout", "-enddate"]
    said = subprocess.run(words, input=base64.b64decode(shown), capture_output=True, check=True)
    assert (
        _end(shown)
        == parsedate_to_datetime(
            re.sub(rb".*=(\w+) +(\d+) (\S+) (\d+) GMT\n", rb"\2 \1 \4 \3 GMT", said.stdout).decode()
        ).timestamp()
    )


# By openssl: the certificate of a CA of kubeadm's, whose serial number is 0.
KUBEADM = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null \
    -subj /CN=kubernetes -days 2 -set_serial 0 -outform DER 2>/dev/null
"""


def test_the_serial_number_of_a_ca_of_kubeadm_may_be_0() -> None:
    made = subprocess.run(["sh", "-c", KUBEADM], capture_output=True, check=True).stdout
    end = _end(base64.b64encode(made).decode())
    assert end is not None and 1.9 < (end - time.time()) / DAY < 2.1


@given(st.data())
def test_what_is_bent_is_a_certificate_or_none(data: st.DataObject) -> None:
    good = base64.b64decode(certificate(NOW))
    at = data.draw(st.integers(0, len(good) - 1))
    bent = good[:at] + data.draw(st.binary(max_size=4)) + good[at + data.draw(st.integers(0, 9)) :]
    assert isinstance(_end(base64.b64encode(bent).decode()), int | None)


def test_what_is_cut_off_is_none() -> None:
    good = base64.b64decode(certificate(NOW))
    assert [_end(base64.b64encode(good[:at]).decode()) for at in range(len(good))] == [None] * len(
        good
    )
