"""The pod network's files, and its script on a real network of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dlws.bundle import pins
from dlws.core import resources
from dlws.core.connection import Local
from dlws.core.errors import DeployError, UsageError
from dlws.core.version import Version
from dlws.kubeadm import podnetwork
from dlws.kubeadm.survey import Member
from dlws.nodes.node import Node
from dlws.shell.quoting import script
from tests.support.fakes import CONFIG, World, config_of
from tests.support.https import Site, site

__all__ = ["site"]

MEMBERS = {
    "infra01": Member("infra01", "10.244.0.0/24", "10.1.0.1"),
    "worker01": Member("worker01", "10.244.1.0/24", "10.1.0.11"),
    "worker02": Member("worker02", "10.244.2.0/24", "10.1.0.12"),
}


def test_routes_lead_to_the_others(tmp_path: Path) -> None:
    assert podnetwork.routes(config_of(tmp_path), "worker01", MEMBERS) == (
        "network 10.244.0.0/16\nroute 10.244.0.0/24 10.1.0.1\nroute 10.244.2.0/24 10.1.0.12\n"
    )


def test_conflist_gives_pods_the_nodes_own_addresses(tmp_path: Path) -> None:
    files = {
        f.path: f.content for f in podnetwork.bridge_files(config_of(tmp_path), "worker01", MEMBERS)
    }
    content = files[podnetwork.CONFLIST]
    assert isinstance(content, bytes)
    bridge, portmap = json.loads(content)["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert (bridge["ipMasq"], bridge["isGateway"]) == (False, True)
    assert portmap["type"] == "portmap"


def test_a_newcomer_changes_one_line_of_the_others(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    before = podnetwork.routes(
        config, "infra01", {k: v for k, v in MEMBERS.items() if k != "worker02"}
    )
    after = podnetwork.routes(config, "infra01", MEMBERS)
    assert set(after.splitlines()) - set(before.splitlines()) == {"route 10.244.2.0/24 10.1.0.12"}


@pytest.mark.parametrize(("pods", "everywhere"), [
    ("10.244.1.0/24", "0.0.0.0/0"), ("fd00:10:244:1::/64", "::/0"),
])  # fmt: skip
def test_conflist(pods: str, everywhere: str) -> None:
    assert podnetwork.conflist(pods) == {
        "cniVersion": "0.3.1",
        "name": "dlws",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": pods}]],
                    "routes": [{"dst": everywhere}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


@pytest.mark.parametrize(("version", "calico"), [
    ("1.18.0", "v3.20.6"), ("1.21.14", "v3.20.6"), ("v1.22.0", "v3.25.2"), ("1.27.9", "v3.25.2"),
    ("1.28.0", "v3.29.3"), ("1.31.5", "v3.29.3"), ("1.32.0", "v3.31.2"), ("1.37.0", "v3.31.2"),
])  # fmt: skip
def test_calico_version(version: str, calico: str) -> None:
    assert podnetwork.calico_version(Version.parse(version)) == calico


@pytest.mark.parametrize(("name", "changes", "lines"), [
    ("infra01", {}, ["10.244.1.0/24 10.1.0.11", "10.244.2.0/24 10.1.0.12"]),
    ("worker02", {}, ["10.244.0.0/24 10.1.0.1", "10.244.1.0/24 10.1.0.11"]),
    ("stranger", {}, [f"10.244.{n}.0/24 10.1.0.{a}" for n, a in ((0, 1), (1, 11), (2, 12))]),
    ("infra01", {"worker01": Member("worker01", "", "10.1.0.11")}, ["10.244.2.0/24 10.1.0.12"]),
    ("infra01", {"worker01": Member("worker01", "10.244.1.0/24", "")},
     ["10.244.2.0/24 10.1.0.12"]),
])  # fmt: skip
def test_routes(tmp_path: Path, name: str, changes: dict[str, Member], lines: list[str]) -> None:
    text = "".join(f"route {line}\n" for line in lines)
    found = podnetwork.routes(config_of(tmp_path), name, MEMBERS | changes)
    assert found == f"network 10.244.0.0/16\n{text}"


def test_flannel_manifest_has_the_pod_network(tmp_path: Path) -> None:
    text = CONFIG.replace("network: bridge", "network: flannel, pod_cidr: 10.200.0.0/16")
    content = podnetwork.manifest(config_of(tmp_path, text), tmp_path)
    objects = {item["kind"]: item for item in yaml.safe_load_all(content)}
    settings = json.loads(objects["ConfigMap"]["data"]["net-conf.json"])
    assert settings["Network"] == "10.200.0.0/16"
    assert (
        json.loads(objects["ConfigMap"]["data"]["cni-conf.json"])["plugins"][0]["type"] == "flannel"
    )
    pod = objects["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == pins.FLANNEL["flannel"]


def test_flannels_images_are_named_by_their_pinned_digests(tmp_path: Path) -> None:
    digests = {name: f"sha256:{len(key):064x}" for key, name in pins.FLANNEL.items()}
    (tmp_path / pins.NAME).write_text(yaml.safe_dump({"images": digests}))
    text = CONFIG.replace("network: bridge", "network: flannel")
    content = podnetwork.manifest(config_of(tmp_path, text), tmp_path).decode()
    found = set(re.findall(r"image: (\S+)", content))
    assert found == {f"{name}@{digest}" for name, digest in digests.items()}


@pytest.mark.parametrize(("version", "calico"), [("1.20.2", "v3.20.6"), ("1.34.1", "v3.31.2")])
def test_calico_by_version(tmp_path: Path, version: str, calico: str) -> None:
    text = CONFIG.replace("network: bridge", "network: calico").replace("1.20.2", version)
    with pytest.raises(UsageError, match=f"/calico/{calico}/.* is applied as") as caught:
        podnetwork.manifest(config_of(tmp_path, text), tmp_path)
    assert "kubernetes.network_manifest_sha256" in caught.value.cure


def test_own_manifest(tmp_path: Path) -> None:
    (tmp_path / "my net.yaml").write_text("kind: List\n")
    text = CONFIG.replace("network: bridge", "network_manifest: my net.yaml")
    assert podnetwork.manifest(config_of(tmp_path, text), tmp_path) == b"kind: List\n"


def test_a_manifest_that_is_fetched_must_be_the_one_that_was_read(
    tmp_path: Path, site: Site
) -> None:
    sha256 = hashlib.sha256(b"kind: List\n").hexdigest()
    keys = f"network_manifest: '{site.url}/n.yaml', network_manifest_sha256: {sha256}"
    config = config_of(tmp_path, CONFIG.replace("network: bridge", keys))
    site.content["/n.yaml"] = b"kind: Evil\n"
    with pytest.raises(DeployError, match=f"and not {sha256}"):
        podnetwork.manifest(config, tmp_path)
    site.content["/n.yaml"] = b"kind: List\n"
    assert podnetwork.manifest(config, tmp_path) == b"kind: List\n"


def test_a_manifest_that_cannot_be_had_is_told_before_kubeadm(make: Callable[..., World]) -> None:
    world = make(CONFIG.replace("network: bridge", "network: calico"))
    with pytest.raises(UsageError, match="is applied as"):
        podnetwork.begin(world.cluster, world.cluster.infra[0])


def test_own_manifest_that_is_missing(tmp_path: Path) -> None:
    text = CONFIG.replace("network: bridge", "network_manifest: nowhere.yaml")
    with pytest.raises(UsageError, match=r"cannot read nowhere\.yaml"):
        podnetwork.manifest(config_of(tmp_path, text), tmp_path)


def test_bridge_puts_nothing_where_a_manifest_is_given(make: Callable[..., World]) -> None:
    text = CONFIG.replace("network: bridge", "network: bridge, network_manifest: x.yaml")
    assert podnetwork.first_files(make(text).cluster) == []


_IN_A_NAMESPACE = """set -e
unshare --net --mount sh -euc '
mount -t tmpfs none /etc/dlws 2>/dev/null || { mkdir -p /etc/dlws; mount -t tmpfs none /etc/dlws; }
ip link set lo up
ip link add veth0 type veth peer name veth1
ip link set veth0 up; ip link set veth1 up
ip addr add 10.1.0.1/24 dev veth0
printf "network 10.244.0.0/16\\nroute 10.244.1.0/24 10.1.0.11\\nroute 10.244.2.0/24 10.1.0.12\\n" \\
    >/etc/dlws/pod-network
sh "$1" up
sh "$1" up
ip route show proto 77; iptables-save | grep -c -- "10.244.0.0/16"
printf "network 10.244.0.0/16\\nroute 10.244.2.0/24 10.1.0.13\\n" >/etc/dlws/pod-network
sh "$1" up
echo --; ip route show proto 77
ip route add 10.244.3.0/24 dev veth1
printf "network 10.244.0.0/16\\nroute 10.244.3.0/24 10.1.0.14\\nroute 10.244.4.0/24 10.1.0.15\\n" \\
    >/etc/dlws/pod-network
echo --; sh "$1" up 2>&1 || echo refused
ip route show exact 10.244.3.0/24; ip route show proto 77
sh "$1" down
echo --; ip route show exact 10.244.3.0/24; ip route show proto 77
iptables-save | grep -c -- "10.244.0.0/16" || true
' sh "$1"
"""


@pytest.mark.sandbox
def test_the_script_keeps_routes_and_rules_as_the_table_says() -> None:
    path = resources.templates() / "kubernetes/network/bridge/pod-network.sh"
    result = Local().run(script(_IN_A_NAMESPACE, path))
    assert result.ok, result.complaint
    first, second, others, third = result.text.split("--\n")
    assert first.splitlines() == [
        "10.244.1.0/24 via 10.1.0.11 dev veth0 ",
        "10.244.2.0/24 via 10.1.0.12 dev veth0 ",
        "3",
    ]
    assert second.splitlines() == ["10.244.2.0/24 via 10.1.0.13 dev veth0 "]
    assert others.splitlines() == [
        "error: a route that is not ours is there: 10.244.3.0/24 dev veth1 scope link ; choose "
        "another pod_cidr, or remove it",
        "refused",
        "10.244.3.0/24 dev veth1 scope link ",
        "10.244.4.0/24 via 10.1.0.15 dev veth0 ",
    ]
    assert third.splitlines() == ["10.244.3.0/24 dev veth1 scope link ", "0"]


def test_other_files_start_the_network_anew_in_a_resumed_run(
    make: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    causes: list[bytes] = []
    monkeypatch.setattr(Node, "run", lambda *_, stdin, **__: causes.append(stdin))
    node = make().cluster.nodes[0]
    for content in ("old", "new", "old"):
        podnetwork._start(node, [podnetwork.file("/etc/a", content)])
    assert causes[0] == causes[2] != causes[1]
