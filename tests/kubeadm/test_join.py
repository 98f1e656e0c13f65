"""What `kubeadm init`, `join` and `reset` ask of nodes, and what they never do."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from dlws.core.connection import Result
from dlws.core.errors import DeployError, EndOfPlan, SomeNodesFailed
from dlws.kubeadm import join
from tests.support.commands import runs
from tests.support.fakes import THREE, Make, World
from tests.support.kubeadm import RUN, STATE, Nodes
from tests.support.kubeconfigs import ADMIN
from tests.support.states import member, told


def documents(content: bytes) -> dict[str, Any]:
    return {document["kind"]: document for document in yaml.safe_load_all(content)}


def secrets_in(world: World) -> list[str]:
    """Every token, half of one, and certificate key that any node was given."""
    given = b"\n".join(stdin for fake in world.fakes.values() for _, stdin in fake.asked).decode()
    tokens = re.findall(r"\btoken: ([a-z0-9]{6}\.[a-z0-9]{16})", given)
    keys = re.findall(r"certificateKey: ([0-9a-f]{64})", given)
    return [*tokens, *(token.split(".")[1] for token in tokens), *keys]


def test_init_sends_the_documents_by_standard_input(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca)
    join.init(world.cluster)
    sent = documents(world.stdin_of("infra01", RUN))
    assert sent["ClusterConfiguration"]["controlPlaneEndpoint"] == "10.1.0.1:6443"
    assert sent["InitConfiguration"]["nodeRegistration"]["name"] == "infra01"
    line = next(command for command in world.commands("infra01") if runs(command, RUN))
    assert "--skip-token-print --skip-certificate-key-print" in line
    assert not world.ran("worker01", RUN)


def changed(world: World, name: str) -> bool:
    """Whether a node was asked for more than how it is."""
    return any(not runs(command, STATE) for command in world.commands(name))


def test_copies_that_want_to_join_are_refused_and_left_as_they_are(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    nodes.machine_ids["worker02"] = nodes.machine_ids["worker01"]
    with pytest.raises(DeployError) as caught:
        join.join(world.cluster, world.cluster.nodes)
    assert "worker01 has the machine-id of worker02" in caught.value.message
    assert "worker02 has the machine-id of worker01" in caught.value.message
    assert "systemd-machine-id-setup" in caught.value.message
    assert not changed(world, "worker01") and not changed(world, "worker02")


def test_a_copy_of_a_member_is_refused_and_the_others_join(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24"})
    nodes.machine_ids["worker02"] = nodes.machine_ids["worker01"]
    with pytest.raises(DeployError, match="worker02 has the machine-id of worker01"):
        join.join(world.cluster, world.cluster.select(["worker02"]))  # worker01 is not asked
    assert not changed(world, "worker02")
    nodes.machine_ids["worker02"] = "its own"
    join.join(world.cluster, world.cluster.nodes)
    assert world.ran("worker02", RUN)


def test_init_refuses_copies_among_the_infra_nodes(make: Make, ca: bytes) -> None:
    world = make(THREE)
    nodes = Nodes(world, ca)
    nodes.machine_ids["infra03"] = nodes.machine_ids["infra01"]
    with pytest.raises(DeployError, match="infra01 has the machine-id of infra03"):
        join.init(world.cluster)
    assert not any(changed(world, name) for name in world.fakes)


def test_nodes_without_a_machine_id_are_no_copies(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    nodes.machine_ids |= {"worker01": "", "worker02": ""}
    join.join(world.cluster, world.cluster.nodes)
    assert world.ran("worker01", RUN) and world.ran("worker02", RUN)


def test_no_secret_is_on_a_command_line_or_shown(
    make: Make, ca: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make(THREE, verbose=True)
    Nodes(world, ca)
    join.init(world.cluster)
    join.join(world.cluster, world.cluster.nodes)
    secrets = secrets_in(world)
    assert len(secrets) >= 6
    shown = "".join(capfd.readouterr())
    lines = "\n".join(command for fake in world.fakes.values() for command, _ in fake.asked)
    assert not [secret for secret in secrets if secret in lines or secret in shown]


def test_init_fetches_admin_conf_for_its_owner_alone(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca)
    join.init(world.cluster)
    path = world.cluster.deploy / "sshkey/admin.conf"
    assert yaml.safe_load(path.read_bytes()) == ADMIN
    assert path.stat().st_mode & 0o777 == 0o600


def test_init_again_changes_nothing_and_says_so(
    make: Make, ca: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make(THREE)
    Nodes(
        world,
        ca,
        {"infra01": "10.244.0.0/24", "infra02": "10.244.1.0/24", "infra03": "10.244.2.0/24"},
    )
    join.init(world.cluster)
    assert not any(world.ran(name, RUN) for name in world.fakes)
    says = capsys.readouterr().err
    assert "Kubernetes 1.20.2 is running on infra[01-03]" in says


def test_three_infra_nodes_join_one_after_the_other(make: Make, ca: bytes) -> None:
    world = make(THREE)
    nodes = Nodes(world, ca)
    join.init(world.cluster)
    assert list(nodes.members) == ["infra01", "infra02", "infra03"]
    for name in ("infra02", "infra03"):
        sent = documents(world.stdin_of(name, RUN))["JoinConfiguration"]
        assert len(sent["controlPlane"]["certificateKey"]) == 64
        assert sent["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "atlas-api:6443"
        assert sent["discovery"]["bootstrapToken"]["caCertHashes"][0].startswith("sha256:")
    assert any("upload-certs" in command for command in world.commands("infra01"))


@pytest.mark.parametrize(
    ("version", "restarted"), [("1.20.2", ["infra01", "infra02"]), ("1.30.1", [])]
)
def test_api_servers_that_saw_etcd_grow_are_restarted(
    make: Make, ca: bytes, version: str, restarted: list[str]
) -> None:
    world = make(THREE.replace("1.20.2", version))
    Nodes(world, ca, version=version)
    join.init(world.cluster)
    assert [name for name in world.fakes if world.ran(name, "pkill -TERM -x")] == restarted


def test_every_node_of_three_masters_knows_them_by_name(make: Make, ca: bytes) -> None:
    world = make(THREE)
    Nodes(world, ca)
    join.init(world.cluster)
    asked = b"".join(stdin for _, stdin in world.fakes["infra02"].asked)
    assert b"10.1.0.3 atlas-api\n10.1.0.1 atlas-api\n" in asked


def test_an_unfinished_init_goes_on(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca)
    nodes.begun.add("infra01")
    world.fakes["infra01"].rules.insert(0, lambda command, _: _forget(nodes, command))
    join.init(world.cluster)
    line = next(command for command in world.commands("infra01") if runs(command, RUN))
    assert "DirAvailable--var-lib-etcd" in line
    assert "Port-6443" in line


def _forget(nodes: Nodes, command: str) -> None:
    if runs(command, RUN):
        nodes.begun.clear()


def test_a_silent_control_plane_is_not_overwritten(make: Make, ca: bytes) -> None:
    world = make()
    state = told("kubelet control_plane", version="v1.20.2", api_says="connection refused")
    world.fakes["infra01"].rules.append(lambda c, _: Result(0, state) if runs(c, STATE) else None)
    with pytest.raises(DeployError, match="does not answer: connection refused") as caught:
        join.init(world.cluster)
    assert "kubeadm reset infra01" in caught.value.cure
    assert not world.ran("infra01", RUN)


def test_join_joins_only_who_is_missing(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca, {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24"})
    join.join(world.cluster, world.cluster.nodes)
    assert world.ran("worker02", RUN)
    assert not world.ran("worker01", RUN)


JOINED = {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24", "worker02": "10.244.2.0/24"}
SOCKET = "/run/containerd/containerd.sock"


def resets(world: World, name: str) -> bool:
    """Whether a node was told to reset before it joins."""
    return any(runs(line, RUN) and SOCKET in line for line in world.commands(name))


def test_a_join_that_stopped_half_way_begins_afresh(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca, dict(JOINED)).flags["worker01"] = "join_started"
    join.join(world.cluster, world.cluster.nodes)
    assert resets(world, "worker01") and not world.ran("worker02", RUN)


def test_what_the_api_server_says_makes_no_join_unfinished(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca, dict(JOINED)).silent.add("worker01")
    join.join(world.cluster, world.cluster.nodes)
    assert not any(world.ran(name, RUN) for name in world.fakes)


@pytest.mark.parametrize(("name", "flags"), [
    ("infra01", "join_started"),
    ("infra01", "join_started etcd_data"),
    ("infra02", "join_started control_plane"),
    ("infra02", "join_started etcd_data"),
])  # fmt: skip
def test_join_never_resets_a_control_plane(make: Make, ca: bytes, name: str, flags: str) -> None:
    """infra01 is the one whose API server answers, the other's does not."""
    world = make(THREE)
    nodes = Nodes(world, ca, {f"infra0{number}": f"10.244.{number}.0/24" for number in (1, 2, 3)})
    nodes.silent |= {name} - {"infra01"}
    nodes.flags[name] = flags
    for command in (lambda cluster: join.join(cluster, cluster.nodes), join.init):
        with pytest.raises(DeployError, match=f"{name} holds a control plane") as caught:
            command(world.cluster)
        assert f"kubeadm reset {name} (it asks first)" in caught.value.cure
    assert not any(changed(world, other) for other in world.fakes if other != "infra01")
    assert not any(world.ran(other, RUN) for other in world.fakes)


EXPIRED = "Unable to connect to the server: x509: certificate has expired or is not yet valid"


def test_expired_certificates_are_renewed_and_nothing_is_reset(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, dict(JOINED))
    nodes.silent |= {"infra01"}
    nodes.says, nodes.flags["infra01"] = EXPIRED, "control_plane etcd_data"
    for command in (join.init, lambda cluster: join.join(cluster, cluster.nodes)):
        with pytest.raises(DeployError, match="certificate has expired") as caught:
            command(world.cluster)
        assert "kubeadm certs renew all" in caught.value.cure
        assert "kubeadm reset" not in caught.value.cure


def test_a_worker_with_etcds_data_is_not_reset(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, dict(JOINED))
    nodes.flags["worker01"] = "join_started etcd_data"
    with pytest.raises(DeployError, match="worker01 holds a control plane"):
        join.join(world.cluster, world.cluster.nodes)
    assert not world.ran("worker01", RUN)


def withdrawn(world: World) -> list[tuple[str, bytes]]:
    """What was said where tokens are deleted, and the last word of the command."""
    return [
        (command.split()[-1].strip("'"), stdin)
        for command, stdin in world.fakes["infra01"].asked
        if "delete secret" in command
    ]


def test_the_token_is_deleted_once_the_nodes_have_joined(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    join.join(world.cluster, world.cluster.nodes)
    given = documents(world.stdin_of("worker01", RUN))["JoinConfiguration"]
    public = given["discovery"]["bootstrapToken"]["token"].split(".")[0]
    assert withdrawn(world) == [("0", f"{public}\n".encode())]


def test_the_token_and_the_certificates_are_deleted_after_a_failure(make: Make, ca: bytes) -> None:
    world = make(THREE)
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    nodes.failing.add("infra02")
    with pytest.raises(DeployError):
        join.join(world.cluster, world.cluster.nodes)
    assert [shared for shared, _ in withdrawn(world)] == ["1"]


def test_inits_own_token_is_deleted(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca)
    join.init(world.cluster)
    given = documents(world.stdin_of("infra01", RUN))["InitConfiguration"]
    public = given["bootstrapTokens"][0]["token"].split(".")[0]
    assert withdrawn(world) == [("0", f"{public}\n".encode())]


def test_a_token_that_cannot_be_deleted_fails_nothing(
    make: Make, ca: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make()
    Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    refusal = Result(1, b"", b"no answer")
    world.fakes["infra01"].rules.insert(0, lambda c, _: refusal if "delete secret" in c else None)
    join.join(world.cluster, world.cluster.nodes)
    assert "infra01: could not delete the token, which will expire" in capsys.readouterr().err


def test_a_node_that_reports_another_address_stops_the_join(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24"})
    nodes.addresses["worker01"] = "10.1.0.1"
    said = r"worker01: the API server has the address '10\.1\.0\.1', config\.yaml 10\.1\.0\.11"
    with pytest.raises(DeployError, match=said):
        join.join(world.cluster, world.cluster.nodes)
    assert not any(changed(world, name) for name in world.fakes)


def test_nodes_that_config_does_not_have_get_no_route(
    make: Make, ca: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make()
    nodes = Nodes(world, ca, dict(JOINED))
    known = [*nodes.known(), member("update-server", "198.51.100.0/24", "10.1.0.12")]
    nodes.known = lambda: known  # type: ignore[method-assign]
    join.join(world.cluster, world.cluster.nodes)
    assert "does not: update-server; they get no route" in capsys.readouterr().err
    sent = b"".join(stdin for fake in world.fakes.values() for _, stdin in fake.asked)
    assert b"route 10.244.2.0/24 10.1.0.12\n" in sent and b"198.51.100" not in sent


def test_join_again_makes_no_token(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(
        world,
        ca,
        {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24", "worker02": "10.244.2.0/24"},
    )
    join.join(world.cluster, world.cluster.nodes)
    assert not world.ran("infra01", "create -f -")


def test_one_failing_worker_does_not_hold_up_the_other(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    nodes.failing.add("worker01")
    with pytest.raises(DeployError, match=r"worker01.*\n.*preflight failed"):
        join.join(world.cluster, world.cluster.nodes)
    assert "worker02" in nodes.members


def test_join_before_init_says_what_comes_first(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca)
    with pytest.raises(DeployError, match="no API server") as caught:
        join.join(world.cluster, world.cluster.nodes)
    assert "kubeadm init" in caught.value.cure


def test_a_node_without_kubeadm_is_told_how_to_get_it(make: Make) -> None:
    world = make()
    with pytest.raises(DeployError, match="infra01 has no kubeadm") as caught:
        join.init(world.cluster)
    assert "install_kubeadm.sh" in caught.value.cure


def test_a_dry_run_changes_nothing(make: Make, ca: bytes) -> None:
    world = make(THREE, dry_run=True)
    Nodes(world, ca)
    with pytest.raises(EndOfPlan, match="unknown until kubeadm init is done"):
        join.init(world.cluster)
    assert not any(world.ran(name, RUN) for name in world.fakes)
    assert not (world.cluster.deploy / "sshkey/admin.conf").exists()


def test_the_pod_network_reaches_every_node(make: Make, ca: bytes) -> None:
    world = make()
    members = {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24"}
    Nodes(world, ca, members)
    join.join(world.cluster, world.cluster.nodes)
    for name in world.fakes:
        sent = b"".join(stdin for _, stdin in world.fakes[name].asked)
        assert (b"route 10.244.2.0/24 10.1.0.12\n" in sent) == (name != "worker02")


def test_partial_failure_is_exit_three(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    nodes.failing.add("worker01")
    with pytest.raises(SomeNodesFailed):
        join.join(world.cluster, world.cluster.nodes)


def test_init_gives_the_first_node_its_network_without_waiting(make: Make, ca: bytes) -> None:
    world = make()
    nodes = Nodes(world, ca)
    world.fakes["infra01"].rules.insert(0, lambda c, _: _no_range_yet(nodes, c))
    join.init(world.cluster)
    lines = world.commands("infra01")
    placed = [
        i for i, (_, stdin) in enumerate(world.fakes["infra01"].asked) if b"10.244.0.0/24" in stdin
    ]
    assert placed and placed[0] < next(i for i, line in enumerate(lines) if runs(line, RUN))


def _no_range_yet(nodes: Nodes, command: str) -> None:
    if runs(command, RUN):
        nodes.members["infra01"] = ""
