"""Kubelets' serving certificates: approved for their own names, and for nothing else."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.connection import Result
from dlws.kubeadm import join, serving
from dlws.kubernetes import api
from dlws.shell.quoting import sh
from tests.support.commands import runs
from tests.support.fakes import CONFIG, Make, World
from tests.support.kubeadm import Nodes

KNOWN = {"w1": {"w1", "w1.example.org", "10.1.0.11"}, "w2": {"w2", "10.1.0.12"}}
KEY = ec.generate_private_key(ec.SECP256R1())
HAS = sh("test", "-e", serving._CERTIFICATE)
USAGES = ["digital signature", "key encipherment", "server auth"]
NAMED = CONFIG.replace("bridge}", "bridge, kubelet_serving_certificates: true}")


def names(*wanted: str) -> x509.SubjectAlternativeName:
    def one(text: str) -> x509.GeneralName:
        with contextlib.suppress(ValueError):
            return x509.IPAddress(ip_address(text))
        return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)

    return x509.SubjectAlternativeName([one(text) for text in wanted])


def signed(
    wanted: x509.SubjectAlternativeName | None, node: str = "w1", organization: str = "system:nodes"
) -> str:
    """A certificate request, in base64."""
    subject = [
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, f"system:node:{node}"),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if wanted:
        builder = builder.add_extension(wanted, critical=False)
    request = builder.sign(KEY, hashes.SHA256())
    from cryptography.hazmat.primitives.serialization import Encoding

    return base64.b64encode(request.public_bytes(Encoding.PEM)).decode()


def asked(request: str = "", node: str = "w1", **changes: Any) -> dict[str, Any]:
    spec = {
        "signerName": serving.SIGNER,
        "username": f"system:node:{node}",
        "groups": ["system:nodes", "system:authenticated"],
        "usages": USAGES,
        "request": request or signed(names("w1", "10.1.0.11"), node),
    }
    return {"metadata": {"name": f"csr-{node}"}, "spec": {**spec, **changes}, "status": {}}


def test_a_kubelets_own_names_and_addresses() -> None:
    assert serving.fault(asked(), KNOWN) == ""
    assert serving.fault(asked(signed(names("w1.example.org"))), KNOWN) == ""
    assert serving.fault(asked(signed(names("::ffff:10.1.0.11"))), KNOWN) == ""


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (asked(signed(names("w1", "w2"))), "asks for w2, which config.yaml does not give to w1"),
        (asked(signed(names("w1", "10.1.0.12"))), "asks for 10.1.0.12"),
        (asked(signed(names("kubernetes.default"))), "asks for kubernetes.default"),
        (asked(signed(names("w1", "a@b.example"))), "more than names and addresses"),
        (asked(signed(None)), "or for none"),
        (asked(signed(names("w1"), "w2")), "for another one"),
        (asked(signed(names("w1"), organization="system:masters")), "for another one"),
        (asked(node="w9"), "of a node that config.yaml does not have"),
        (asked(username="w1"), "somebody who is no node"),
        (asked(username="system:serviceaccount:kube-system:w1"), "somebody who is no node"),
        (asked(groups=["system:authenticated"]), "somebody who is no node"),
        (asked(signerName="kubernetes.io/kube-apiserver-client"), "something else than serving"),
        (asked(usages=[*USAGES, "client auth"]), "something else than serving"),
        (asked(usages=["digital signature"]), "something else than serving"),
        (asked("!"), "cannot be read"),
        (asked(base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----").decode()), "cannot be"),
    ],
)
def test_all_else_is_not_approved(request_: dict[str, Any], says: str) -> None:
    assert says in serving.fault(request_, KNOWN)


@given(st.binary(max_size=200), st.booleans())
def test_no_request_raises(content: bytes, encoded: bool) -> None:
    text = base64.b64encode(content).decode() if encoded else content.decode("latin1")
    assert serving.fault(asked(text or "-"), KNOWN)


def test_what_was_decided_on_does_not_wait() -> None:
    denied = {**asked(), "status": {"conditions": [{"type": "Denied"}]}}
    issued = {**asked(), "status": {"conditions": [{"type": "Approved"}], "certificate": "x"}}
    assert serving.waiting([denied, issued], KNOWN) == []
    (one,) = serving.waiting([asked()], KNOWN)
    assert (one.id, one.node, one.fault) == ("csr-w1", "w1", "")


class FakeApi:
    """Gives the requests of one look after the other, and keeps what is approved."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        self.looks, self.approved = list(looks), list[str]()

    def signing_requests(self, signer: str) -> list[dict[str, Any]]:
        assert signer == serving.SIGNER
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def approve(self, request: dict[str, Any]) -> None:
        self.approved.append(request["metadata"]["name"])


def connected(monkeypatch: pytest.MonkeyPatch, fake: FakeApi) -> FakeApi:
    @contextlib.contextmanager
    def connect(cluster: object) -> Iterator[FakeApi]:
        yield fake

    monkeypatch.setattr(api, "connect", connect)
    monkeypatch.setattr(serving, "_PAUSE", 0)
    return fake


def without(world: World, looks: int) -> None:
    """Let worker01 have no certificate in place for so many looks."""
    left = [None] * looks

    def answer(command: str, _: bytes) -> Result | None:
        return Result(1) if left and runs(command, HAS) and not left.pop() else None

    world.fakes["worker01"].rules.insert(0, answer)


def of(name: str, *wanted: str) -> dict[str, Any]:
    return asked(signed(names(*wanted), name), name)


def worker(world: World) -> Any:
    return next(node for node in world.cluster.nodes if node.name == "worker01")


def test_a_node_that_has_joined_is_waited_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = of("worker01", "worker01", "10.1.0.11"), of("worker02", "worker02")
    fake = connected(monkeypatch, FakeApi([], [other], [other, mine]))
    world = make(NAMED)
    without(world, looks=2)
    serving.approve(world.cluster, [worker(world)])
    assert fake.approved == ["csr-worker01"]


def test_a_kubelet_that_asks_again_is_answered_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of("worker01", "worker01")
    again = {**first, "metadata": {"name": "csr-again"}}
    fake = connected(monkeypatch, FakeApi([first], [again]))
    world = make(NAMED)
    without(world, looks=2)
    serving.approve(world.cluster, [worker(world)])
    assert fake.approved == ["csr-worker01", "csr-again"]


def test_a_foreign_name_is_told_and_not_approved(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = connected(monkeypatch, FakeApi([of("worker01", "worker01", "10.1.0.1")]))
    world = make(NAMED)
    serving.approve(world.cluster, [worker(world)])
    assert fake.approved == []
    says = capsys.readouterr().err
    assert "worker01: its serving certificate is not approved: asks for 10.1.0.1" in says


def test_a_node_that_asks_for_nothing_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connected(monkeypatch, FakeApi([]))
    world = make(NAMED)
    without(world, looks=99)
    serving.approve(world.cluster, [worker(world)], patience=0)
    says = capsys.readouterr().err
    assert "worker01: the kubelet has no serving certificate" in says and "verify --fix" in says


def test_nothing_is_asked_where_it_is_not_wanted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = connected(monkeypatch, FakeApi([of("worker01", "worker01")]))
    world = make()
    serving.approve(world.cluster, [worker(world)])
    assert fake.approved == []


def test_a_dry_run_announces_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = connected(monkeypatch, FakeApi([of("worker01", "worker01")]))
    world = make(NAMED, dry_run=True)
    serving.approve(world.cluster, world.cluster.nodes)
    assert fake.approved == []
    (action,) = world.cluster.run.gate.actions
    assert (action.node, action.maybe) == ("worker01", True)


def test_a_dry_run_announces_what_is_still_to_be_asked_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, FakeApi([]))
    world = make(NAMED, dry_run=True)
    without(world, looks=9)
    serving.approve(world.cluster, world.cluster.nodes)
    assert [action.node for action in world.cluster.run.gate.actions] == ["worker01"]


def test_join_on_a_running_cluster_approves_what_an_earlier_one_left(
    make: Make, monkeypatch: pytest.MonkeyPatch, ca: bytes
) -> None:
    fake = connected(monkeypatch, FakeApi([of("worker01", "worker01")]))
    world = make(NAMED)
    Nodes(world, ca, {name: f"10.244.{n}.0/24" for n, name in enumerate(world.fakes)})
    join.join(world.cluster, world.cluster.nodes)
    assert fake.approved == ["csr-worker01"]


def test_names_are_those_of_config_yaml(make: Make) -> None:
    found = serving.names(make(NAMED).cluster)
    assert found["worker01"] == {"worker01", "worker01.example.org", "10.1.0.11"}
