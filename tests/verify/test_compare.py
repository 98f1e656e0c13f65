"""A clean node has no differences; each thing that is altered is one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from dlws.check import foreign
from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.kubeadm import podnetwork
from dlws.shell.quoting import script
from dlws.verify.kinds import others
from dlws.verify.things import Difference
from tests.support.fakes import World
from tests.support.judge import NOW, UNITS, Judge, certificate, known_of, states

Make = Callable[..., Judge]


def words(found: list[Difference]) -> list[str]:
    return [f"{one.kind} {one.what} {one.words}".strip() for one in found]


@pytest.mark.parametrize("name", ["infra01", "worker01"])
def test_a_clean_node(judge: Make, name: str) -> None:
    assert judge(name)() == []


def test_a_line_of_the_hosts_file(judge: Make) -> None:
    made = judge()
    text = made.answers()["hosts"].text.replace("10.1.0.12 ", "10.1.0.99 ")
    found = made(hosts=Result(0, f"{text}\n".encode()))
    line = "10.1.0.12 worker02.example.org worker02"
    assert words(found) == [f"file /etc/hosts worker02 is not there as: {line}"]
    assert found[0].origin == (("machines", "worker02"),) and found[0].fix == "hosts"


def test_cloud_init_is_named_as_the_cause_of_lost_names(judge: Make) -> None:
    made = judge()
    text = made.answers()["hosts"].text.replace("10.1.0.12 ", "10.1.0.99 ")
    (found,) = made(hosts=Result(0, f"{text}\n".encode()), cloud=Result(0, b"cloud_hosts=files\n"))
    assert "cloud-init writes the file anew" in found.words
    assert "99-dlws.cfg" in found.words
    assert made(cloud=Result(0, b"cloud_hosts=files\n")) == []


def test_what_is_asked_of_others_runs_in_any_sh() -> None:
    done = Local().run(script(f"{foreign.functions()}\n{others._ASK}\ncloud_hosts", "root"))
    assert done.ok and not done.err


@pytest.mark.parametrize(("told", "says", "cure"), [
    ("cni=05-k3s.conf\ncni=10-dlws.conflist\n",
     "file /etc/cni/net.d/05-k3s.conf comes before the file of our network plugin",
     "sudo rm /etc/cni/net.d/05-k3s.conf"),
    ("lost=10.244.1.0/24\nnetworkd=1\n", "route 10.244.1.0/24 of our pod network is not there (sys",
     "ManageForeignRoutes=no"),
    ("lost=10.244.1.0/24 10.244.1.0/24 dev ib0 scope link\nnetworkd=1\n",
     "route 10.244.1.0/24 of our pod network is not there, but one of others: 10.244.1.0/24 dev i",
     "ip route del 10.244.1.0/24 dev ib0 scope link; sudo"),
    ("lost=10.244.1.0/24 \n", "route 10.244.1.0/24 of our pod network is not there",
     "systemctl restart dlws-pod-network"),
    ("age=90 \n", "user root has a password that expires after 90 days", "chage -m 0 -M -1"),
    ("age=-1 20000\n", "user root expires as a whole one day", "chage -m 0 -M -1"),
])  # fmt: skip
def test_what_others_do_to_a_node(judge: Make, told: str, says: str, cure: str) -> None:
    (found,) = judge()(others=Result(0, told.encode()))
    assert words([found])[0].startswith(says) and cure in found.cure


@pytest.mark.parametrize("told", ["age=99999 \n", "age= \n", "cni=99-loopback.conf\n", ""])
def test_what_is_as_it_should_be(judge: Make, told: str) -> None:
    assert judge()(others=Result(0, told.encode())) == []


def test_a_line_of_ours_too_many(judge: Make) -> None:
    made = judge()
    text = made.answers()["hosts"].text.replace("# dlws: end", "10.1.0.9 gone\n# dlws: end")
    found = made(hosts=Result(0, f"{text}\n".encode()))
    assert words(found) == ["file /etc/hosts has other lines of ours"]


def test_other_lines_of_the_hosts_file_are_none_of_ours(judge: Make) -> None:
    made = judge()
    text = f"192.168.0.1 printer\n{made.answers()['hosts'].text}\n192.168.0.2 fax\n"
    assert made(hosts=Result(0, text.encode())) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"content": b"x"}, "has other content"),
        ({"mode": 0o600}, "has mode and owner 600 root:root, not 644 root:root"),
        ({"owner": "nobody:root"}, "has mode and owner 644 nobody:root, not 644 root:root"),
    ],
)
def test_a_file(judge: Make, change: dict[str, object], says: str) -> None:
    from dlws.verify.kinds.file import placed as files

    made = judge()
    placed = files(made.world.cluster, made.node, made.known)
    index = [file.path for file in placed].index(podnetwork.CONFLIST)
    placed[index] = replace(placed[index], **change)  # type: ignore[arg-type]
    found = made(files=states(*placed))
    assert words(found) == [f"file {podnetwork.CONFLIST} {says}"]
    assert found[0].origin[0] == ("kubernetes", "pod_cidr") and found[0].fix == "network"


def test_a_missing_file(judge: Make) -> None:
    made = judge()
    rows = made.answers()["files"].text.splitlines()
    text = "".join(f"{row}\n" for row in [*rows[:-1], "- - -"])
    assert words(made(files=Result(0, text.encode()))) == [f"file {podnetwork.CONFLIST} is missing"]


@pytest.mark.parametrize("unit", ["kubelet.service", podnetwork.UNIT])
@pytest.mark.parametrize("state", ["disabled active", "enabled inactive", "masked inactive", " "])
def test_a_unit(judge: Make, unit: str, state: str) -> None:
    text = UNITS.replace(f"unit={unit} enabled active", f"unit={unit} {state}")
    found = judge()(kubernetes=Result(0, text.encode()))
    assert [(one.kind, one.what, one.fix) for one in found] == [("unit", unit, f"unit:{unit}")]


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (90 * 86400, ""),
        (30 * 86400, ""),
        (12 * 86400 + 5, "ends in 12 days, on 2023-11-26"),
        (-1, "ended on 2023-11-14"),
    ],
)
def test_a_certificate(judge: Make, seconds: int, says: str) -> None:
    text = f"{UNITS}certificate={certificate(NOW + seconds)} /etc/kubernetes/a b.crt\n"
    found = judge()(kubernetes=Result(0, text.encode()))
    assert words(found) == ([f"certificate /etc/kubernetes/a b.crt {says}"] if says else [])
    assert all("kubeadm certs renew" in one.cure and not one.fix for one in found)


@pytest.mark.parametrize(
    "shown", ["soon", "-1", "\u0663", "QQ==", certificate(NOW)[:-8], f"A{certificate(NOW)}===",
              base64.b64encode(b"-----BEGIN CERTIFICATE-----\nQQ==\n").decode()]
)  # fmt: skip
def test_a_certificate_that_ends_at_no_time(judge: Make, shown: str) -> None:
    found = judge()(kubernetes=Result(0, f"{UNITS}certificate={shown} /etc/x.crt\n".encode()))
    assert words(found) == ["certificate /etc/x.crt cannot be read"]


@pytest.mark.parametrize("line", ["unit=kubelet.service\n", "unit=\n", ""])
def test_a_unit_that_the_node_is_silent_about(judge: Make, line: str) -> None:
    text = UNITS.replace("unit=kubelet.service enabled active\n", line)
    found = judge()(kubernetes=Result(0, text.encode()))
    assert [(one.kind, one.what, one.words) for one in found] == [
        ("unit", "kubelet.service", "is unknown, not enabled and active")
    ]


def test_a_certificate_that_is_none(judge: Make) -> None:
    found = judge()(kubernetes=Result(0, f"{UNITS}certificate= /etc/x.crt\n".encode()))
    assert words(found) == ["certificate /etc/x.crt cannot be read"]


def altered(made: Judge, **changes: object) -> list[Difference]:
    assert made.known.live
    one = replace(made.known.live[made.node.name], **changes)  # type: ignore[arg-type]
    made.known = replace(made.known, live={**made.known.live, made.node.name: one})
    return made()


def test_labels(judge: Make) -> None:
    made = judge()
    assert made.known.live
    labels = dict(made.known.live["worker01"].labels)
    del labels["gpu"]
    labels["archType"], labels["worker"], labels["mine"] = "arm64", "inactive", "stays"
    assert sorted(words(altered(made, labels=labels))) == [
        "label archType is arm64, not amd64",
        "label gpu is missing, not active",
    ]


GUARDED = "node-restriction.kubernetes.io/"


def with_labels(world: World, name: str, **more: str) -> list[Difference]:
    """What is found where a node has these labels, too."""
    known = known_of(world)
    assert known.live
    has = {
        **known.live[name].labels,
        **{key.replace("_", "-"): value for key, value in more.items()},
    }
    live = {**known.live, name: replace(known.live[name], labels=has)}
    return Judge(world, replace(known, live=live), name)()


def test_a_label_that_config_does_not_give(world: World) -> None:
    """A worker can label itself, and services go where their labels are."""
    found = with_labels(world, "worker01", mysql_server="active", theirs="x", webportal="inactive")
    assert words(found) == [
        "label mysql-server is active, and config.yaml gives the node no such label"
    ]
    assert found[0].cure.endswith(" kubectl label node worker01 mysql-server-")
    assert found[0].origin[0] == ("kubelabels", "mysql-server") and not found[0].fix


def test_labels_of_other_machines_devices_are_told(world: World) -> None:
    found = with_labels(world, "infra01", **{"nvidia": "active", f"{GUARDED}npu": "active"})
    assert [one.what for one in found] == [f"{GUARDED}npu", "nvidia"]


def test_labels_of_masters_that_work_are_a_persons_decision(world: World) -> None:
    found = with_labels(world, "infra01", worker="active", **{f"{GUARDED}worker": "active"})
    assert [one for one in found if one.kind == "label"] == []


def test_a_virtual_cluster_counts_where_it_is_set(world: World) -> None:
    found = with_labels(world, "worker01", vc="other", **{f"{GUARDED}vc": "default"})
    assert words(found) == ["label vc is other, not default"]


def test_taints(judge: Make) -> None:
    assert words(altered(judge("infra01"), taints=())) == [
        "taint node-role.kubernetes.io/master is missing, not NoSchedule"
    ]
    taint = {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}
    theirs = {"key": "maintenance", "effect": "NoExecute"}
    assert words(altered(judge("worker01"), taints=(taint, theirs))) == [
        "taint node-role.kubernetes.io/master is NoSchedule, not missing"
    ]


def test_a_version(judge: Make) -> None:
    assert words(altered(judge(), version="v1.19.0")) == ["version kubelet is v1.19.0, not v1.20.2"]


def test_device_plugins(judge: Make) -> None:
    assert words(altered(judge(), allocatable={})) == ["device nvidia.com/gpu offers 0 of 2"]
    without = UNITS.replace("gpu=nvidia0\ngpu=nvidia1\n", "")
    found = judge()(kubernetes=Result(0, without.encode()))
    assert words(found) == ["device nvidia.com/gpu the node shows no gpu"]


def test_stand_ins_are_told_as_such(judge: Make) -> None:
    made = judge()
    altered(made, allocatable={})
    found = made(kubernetes=Result(0, f"stand_ins=1\n{UNITS}".encode()))
    assert words(found) == ["device nvidia.com/gpu offers 0 of 2 stand-ins"]


def test_a_rehearsal_has_no_devices_and_no_difference(judge: Make) -> None:
    text = UNITS.replace("gpu=nvidia0\ngpu=nvidia1\n", "container=1\n")
    made = judge()
    assert made.known.live
    one = replace(made.known.live["worker01"], allocatable={})
    made.known = replace(made.known, live={**made.known.live, "worker01": one})
    assert made(kubernetes=Result(0, text.encode())) == []


def test_the_runtimes_configuration(judge: Make) -> None:
    made = judge()
    assert made(runtime=made.runtime(theirs={"stays": True})) == []
    cri = {"io.containerd.grpc.v1.cri": {"sandbox_image": "secret.example/pause"}}
    found = made(runtime=made.runtime(plugins=cri))
    assert [one.what.rpartition(".")[2] for one in found] == ["sandbox_image"]
    assert found[0].origin[1] == ("kubernetes", "version") and found[0].fix == "runtime"
    assert "secret.example" not in str(found)


def test_a_runtime_without_its_file_or_itself(judge: Make) -> None:
    head = b"present=no\nmode=\ndevice=yes\nkept=no\nrestart=no\n\n"
    path = "/etc/containerd/config.toml"
    assert words(judge()(runtime=Result(0, head))) == [f"file {path} is missing"]
    found = judge()(runtime=Result(127))
    assert words(found) == [f"file {path} containerd is not installed on worker01"]
    assert "prepare_ubuntu.sh" in found[0].cure


def test_what_a_script_says(judge: Make) -> None:
    lines = b"warning\ndiffers: sysctl\tnet.x\tis 0, not 1\ndiffers: file\t/etc/x\tis missing\n"
    found = judge()(prepare_ubuntu__sh=Result(0, lines))
    assert words(found) == ["sysctl net.x is 0, not 1", "file /etc/x is missing"]
    assert {one.fix for one in found} == {"script:prepare_ubuntu.sh"}
    assert {one.by for one in found} == {("script", "prepare_ubuntu.sh")}


def test_what_a_script_cannot_change(judge: Make) -> None:
    line = b"differs: state\tprepare_ubuntu.sh\tno driver; cure: install one\n"
    found = judge()(prepare_ubuntu__sh=Result(5, line))
    assert [(one.words, one.cure, one.fix) for one in found] == [("no driver", "install one", "")]


@pytest.mark.parametrize("result", [Result(127), Result(5), Result(143, b"", b"check mode would")])
def test_a_script_that_fails_is_no_clean_node(judge: Make, result: Result) -> None:
    with pytest.raises(DeployError, match=r"prepare_ubuntu\.sh cannot check this node"):
        judge()(prepare_ubuntu__sh=result)


def test_two_checks_of_one_thing_are_one_difference(judge: Make) -> None:
    line = b"differs: unit\tkubelet\tis disabled\n"
    text = UNITS.replace("kubelet.service enabled", "kubelet.service disabled")
    found = judge()(install_kubeadm__sh=Result(0, line), kubernetes=Result(0, text.encode()))
    assert len(found) == 1


def test_who_has_not_joined_and_an_api_that_is_silent(judge: Make) -> None:
    found = judge(live={})()
    assert words(found) == ["member worker01 is not in the cluster"]
    assert "kubeadm join" in found[0].cure
    silent = judge("infra01", live=None, silent="refused\nmore", members={})()
    assert "api API server does not answer: refused" in words(silent)


def test_a_member_that_is_not_what_config_says(world: World) -> None:
    doubts = {"worker01": "the API server has the address '10.1.0.1', config.yaml 10.1.0.11"}
    found = Judge(world, known_of(world, doubts=doubts), "worker01")()
    assert words(found) == [f"member worker01 is no member to trust: {doubts['worker01']}"]
    assert "kubeadm reset worker01" in found[0].cure and not found[0].fix
    assert Judge(world, known_of(world, doubts=doubts), "infra01")() == []
