"""A real cluster of three masters and two workers, by the commands an administrator would use."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from dlws.core.connection import Local, Result
from dlws.kubeadm.admission import kubeadm
from dlws.runs.options import Options
from dlws.sandbox import lifecycle
from dlws.session import Session
from dlws.shell.quoting import sh
from tests.support import ROOT, forkserver, registries, toyservice
from tests.support.sandboxes import Made, without_share

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

NAMES = ["infra1", "infra2", "infra3", "worker1", "worker2"]

HELLO = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: hello}
spec:
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      nodeSelector: {worker: active}
      containers: [{name: hello, image: "dlws/hello:1", imagePullPolicy: IfNotPresent}]
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec:
  type: NodePort
  selector: {app: hello}
  ports: [{port: 80, targetPort: 8080, nodePort: 40080}]
"""


@dataclass(frozen=True)
class Real:
    """A sandbox with a cluster on it."""

    directory: Path

    def __call__(self, *words: str, code: int | None = 0, stdin: str = "") -> Result:
        done = forkserver.run(["--dir", str(self.directory), *words], stdin, os.environ)
        told = done.stdout + done.stderr
        result = Result(done.returncode, done.stdout.encode(), done.stderr.encode())
        assert code is None or result.code == code, f"{words}: exit {result.code}\n{told}"
        assert "Traceback" not in told and "defect of dlws" not in told, told
        return result

    def address(self, name: str) -> str:
        config = yaml.safe_load((self.directory / "config.yaml").read_text())
        return str(config["machines"][name]["private-ip"])

    def set(self, line: str) -> None:
        """Put one more setting of Kubernetes into config.yaml."""
        path = self.directory / "config.yaml"
        path.write_text(path.read_text().replace("\nkubernetes:\n", f"\nkubernetes:\n  {line}\n"))

    def on(self, name: str, command: str) -> str:
        """What a command of root's prints on a node."""
        return Made(self.directory, lifecycle.sandbox_of(self.directory)).run(name, command)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return self("kubectl", *words, stdin=stdin).text

    def ready(self) -> list[str]:
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return [
            node["metadata"]["name"]
            for node in nodes
            for condition in node["status"]["conditions"]
            if (condition["type"], condition["status"]) == ("Ready", "True")
        ]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    made = Real(tmp_path_factory.mktemp("cluster"))
    try:
        made("sandbox", "up", "--infra", "3", "--workers", "2")
        without_share(made.directory / "config.yaml")
        made.set("kubelet_serving_certificates: true")
        made.set("encrypt_secrets: false")
        made("build")
        made("sshkey", "install")
        made("up", "sandbox", "--only", "hosts")
        made("bundle", "build", "--from", "debian")
        made("runscriptonall", str(ROOT / "scripts/prepare_ubuntu.sh"))
        made("runscriptonroles", "infra", "worker", str(ROOT / "scripts/install_kubeadm.sh"))
        made("kubeadm", "init")
        made("kubeadm", "join")
        made("status", "--wait", "180")
        yield made
    finally:
        made("sandbox", "down", code=None)


def answered(url: str, seconds: float = 180) -> str:
    """What a URL answers, within so many seconds: kube-proxy may take a while to hear of it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def test_all_nodes_are_ready(real: Real) -> None:
    assert real.ready() == NAMES
    report = json.loads(real("status", "--output", "json").out)
    assert report["healthy"] is True
    assert {row["kubernetes"] for row in report["nodes"]} == {"Ready v1.20.2"}


def test_every_node_begins_with_an_api_server_of_its_own(real: Real) -> None:
    order = {}
    for name in NAMES:
        words = ("--nodes", name, "execonall", "awk '$2 ~ /-api$/ {print $1}' /etc/hosts")
        order[name] = [line.split()[-1] for line in real(*words).text.splitlines()]
    infra = [real.address(name) for name in NAMES[:3]]
    assert all(sorted(addresses) == sorted(infra) for addresses in order.values()), order
    assert [order[name][0] for name in NAMES[:3]] == infra
    assert "/etc/hosts" not in real("verify", code=None).text


def test_admin_conf_is_its_owners_alone(real: Real) -> None:
    assert (real.directory / "deploy/sshkey/admin.conf").stat().st_mode & 0o777 == 0o600


def test_the_api_server_gives_the_configured_node_ports(real: Real) -> None:
    words = ("-n", "kube-system", "get", "pods", "-l", "component=kube-apiserver", "-o", "yaml")
    assert real.kubectl(*words).count("--service-node-port-range=30000-49999") == 3


def test_again_changes_nothing_and_says_so(real: Real) -> None:
    for words, says in (
        (("kubeadm", "init"), "is running on"),
        (("-y", "deploy"), "is running on"),
        (("kubeadm", "join"), "nothing to"),
    ):
        told = real(*words).err.decode()
        assert says in told
        assert "the pod network is up to date" in told
        assert "changed:" not in told


def on_node(real: Real, name: str, line: str) -> str:
    """What a line says that a node's own root runs."""
    return Made(real.directory, lifecycle.sandbox_of(real.directory)).run(name, line)


HELD = "ls -d /var/lib/etcd/member /etc/kubernetes/manifests/kube-apiserver.yaml"
STAMP = "/var/lib/dlws/kubeadm/join-started"


def as_kubelet(real: Real, name: str, what: str, patch: dict[str, Any]) -> None:
    """Change a Node as that node's kubelet, by its certificate."""
    words = ("--cacert /etc/kubernetes/pki/ca.crt "
        "--cert /var/lib/kubelet/pki/kubelet-client-current.pem -X PATCH "
        "-H 'Content-Type: application/strategic-merge-patch+json' -o /dev/null -sSf")  # fmt: skip
    url = f"https://{real.address('infra1')}:6443/api/v1/nodes/{name}{what}"
    on_node(real, name, f"curl {words} {sh('--data', json.dumps(patch), url)}")


def test_a_workers_word_about_itself_reaches_no_other_node(real: Real) -> None:
    """A kubelet's certificate may write its node's status, in which addresses are free text."""
    own, infra = real.address("worker2"), real.address("infra1")
    forged = [
        f"{own}|True|z",
        "join_started=1",
        f"member=infra1|10.244.0.0/24|{infra}|False|y",
        f"member=name=infra1&pods=10.244.0.0%2F24&address={infra}&ready=False",
        f"member=update-server|198.51.100.0/24|{own}|True|y",
        f"member=name=update-server&pods=198.51.100.0%2F24&address={own}&ready=True",
    ]
    addresses = [{"type": "InternalIP", "address": "\n".join(forged)}]
    on_node(real, "worker2", "systemctl stop kubelet")
    try:
        as_kubelet(real, "worker2", "/status", {"status": {"addresses": addresses}})
        told = real("kubeadm", "join", code=1).err.decode()
        assert f"worker2: the API server has the address '{own}|True|z" in told
        assert "token" not in told and "changed" not in told
        assert ("member", "worker2") in drift(real)
        for name in NAMES:
            assert "198.51.100" not in on_node(real, name, "ip route")
        for name in NAMES[:3]:
            on_node(real, name, HELD)
    finally:
        on_node(real, "worker2", "systemctl start kubelet")
    path, deadline = "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}", 90
    until = time.monotonic() + deadline
    while real.kubectl("get", "node", "worker2", "-o", path) != own:
        assert time.monotonic() < until
        time.sleep(1)
    real("status", "--wait", "120")
    assert "nothing to" in real("kubeadm", "join").err.decode()


def test_a_control_plane_is_not_reset_to_join_again(real: Real) -> None:
    on_node(real, "infra2", f"touch {STAMP}")
    cluster = Session(Options(directory=real.directory)).cluster
    try:
        told = real("kubeadm", "join", code=1).err.decode()
        assert "infra2 holds a control plane" in told and "kubeadm reset infra2" in told
        # Nor does the node let itself be reset, whoever asks.
        line = kubeadm("join", "/run/containerd/containerd.sock", "version")
        refused = cluster.nodes[1].read(line, sudo=True, check=False)
        assert (refused.code, "not reset to join again" in refused.complaint) == (1, True)
        on_node(real, "infra2", HELD)
        missing = cluster.nodes[3].read(line, sudo=True, check=False)
        assert (missing.code, "no join was begun here" in missing.complaint) == (1, True)
    finally:
        cluster.close()
        on_node(real, "infra2", f"rm {STAMP}")
    assert real.ready() == NAMES


def tokens(real: Real) -> list[dict[str, str]]:
    """The data of the bootstrap tokens there are, in base64."""
    kind = "type=bootstrap.kubernetes.io/token"
    words = ("-n", "kube-system", "get", "secrets", "--field-selector", kind, "-o", "json")
    return [item["data"] for item in json.loads(real.kubectl(*words))["items"]]


def test_no_token_outlives_its_run(real: Real) -> None:
    assert tokens(real) == []
    words = ("-n", "kube-system", "get", "secret", "kubeadm-certs")
    assert b"not found" in real("kubectl", *words, code=1).err


def test_labels_are_as_configured_and_set_once(real: Real) -> None:
    lines = [
        ("-y", "kubernetes", "labelservice"),
        ("-y", "labelworker"),
        ("labelvc",),
    ]
    for words in lines:
        assert "labels: 5 changed" in real(*words).err.decode()
    for words in lines:
        assert "labels: 0 changed, 5 as they should be" in real(*words).err.decode()
    found = real.kubectl(
        "get", "nodes", "-l", "worker=active,vc=default,archType=amd64", "-o", "name"
    )
    assert found.split() == ["node/worker1", "node/worker2"]
    assert real.kubectl("get", "nodes", "-l", "restfulapi=active", "-o", "name") == "node/infra1"


def test_a_pod_on_each_worker_answers_at_every_node(real: Real) -> None:
    real.kubectl("apply", "-f", "-", stdin=HELLO)
    real.kubectl("rollout", "status", "daemonset/hello", "--timeout=120s")
    for name in NAMES:
        assert "pod=hello" in answered(f"http://{real.address(name)}:40080/")
    pods = json.loads(real.kubectl("get", "pods", "-l", "app=hello", "-o", "json"))["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"worker1", "worker2"}
    for pod in pods:  # each pod from each master: the routes between nodes
        url = f"http://{pod['status']['podIP']}:8080/"
        real("--nodes", "infra", "execonall", "curl", "-s", "-m", "5", "-o", "/dev/null", url)


def test_logs_and_exec_with_serving_certificates_that_are_verified(real: Real) -> None:
    for name in NAMES:
        real.on(name, "test -e /var/lib/kubelet/pki/kubelet-server-current.pem")
    flags = real.on("infra1", "tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline")
    assert "--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt" in flags.split()
    for pod in real.kubectl("get", "pods", "-l", "app=hello", "-o", "name").split():
        real.kubectl("logs", pod)
        told = real("kubectl", "exec", pod, "--", "/hello", code=1)
        assert "address already in use" in told.err.decode()  # so it ran, beside the first one


def test_a_kubelet_with_a_certificate_of_its_own_is_not_believed(real: Real) -> None:
    pki, names = "/var/lib/kubelet/pki", f"DNS:worker1,IP:{real.address('worker1')}"
    words = f"-newkey rsa:2048 -nodes -days 5 -subj /CN=worker1 -addext subjectAltName={names}"
    forged = f"openssl req -x509 {words} -keyout /root/k -out /root/c"
    link = f"{pki}/kubelet-server-current.pem"
    swap = f"cp -P {link} /root/link && cat /root/c /root/k >{pki}/forged.pem"
    swap += f" && ln -sfn {pki}/forged.pem {link}"
    real.on("worker1", f"{forged} 2>/dev/null && {swap} && systemctl restart kubelet")
    try:
        where = ("--field-selector", "spec.nodeName=worker1", "-o", "name")
        pod = real.kubectl("get", "pods", "-l", "app=hello", *where)
        deadline = time.monotonic() + 60
        while "unknown authority" not in (
            told := real("kubectl", "logs", pod, code=None).complaint
        ):
            assert time.monotonic() < deadline, f"the API server believed it: {told}"
            time.sleep(1)
    finally:
        back = f"cp -P /root/link {link} && rm {pki}/forged.pem /root/[kc] /root/link"
        real.on("worker1", f"rm {link}; {back}; systemctl restart kubelet")


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {{name: {}}}\nstringData: {{a: {}}}\n"
IN_ETCD = "grep -r -a -l -F -e {} /var/lib/etcd/member | wc -l"


def test_a_cluster_made_without_a_key_is_told_and_sealed_later(real: Real) -> None:
    real.kubectl("create", "-f", "-", stdin=SECRET.format("plain", "plain-to-see"))
    assert real.on("infra1", IN_ETCD.format("plain-to-see")) != "0", "else nothing is proven"
    path = real.directory / "config.yaml"
    path.write_text(path.read_text().replace("  encrypt_secrets: false\n", ""))
    told = drift(real)
    assert ("argument", "kube-apiserver --encryption-provider-config") in told
    real("kubeadm", "encrypt")
    assert "nothing to do" in real("kubeadm", "encrypt").err.decode()
    data = real.kubectl("get", "secret", "plain", "-o", "jsonpath={.data.a}")
    assert base64.b64decode(data) == b"plain-to-see"
    assert (real.directory / "deploy/sshkey/encryption.yaml").stat().st_mode & 0o777 == 0o600


def test_secrets_are_sealed_in_etcd_and_every_api_server_reads_them(real: Real) -> None:
    value = "a-value-that-nobody-else-has"
    real.kubectl("create", "-f", "-", stdin=SECRET.format("sealed", value))
    found = IN_ETCD
    for name in NAMES[:3]:
        assert real.on(name, found.format(value)) == "0"
        assert real.on(name, found.format("k8s:enc:secretbox:v1:key1:")) != "0"
        server = f"--server https://{real.address(name)}:6443"
        get = f"kubectl --kubeconfig /etc/kubernetes/admin.conf {server} get secret sealed"
        data = real.on(name, f"{get} -o jsonpath='{{.data.a}}'")
        assert base64.b64decode(data).decode() == value
    keys = {real.on(name, "sha256sum /etc/kubernetes/dlws/encryption.yaml") for name in NAMES[:3]}
    assert len(keys) == 1
    assert "dlws" not in real.on("worker1", "ls /etc/kubernetes").split()


def test_the_audit_log_names_secrets_and_holds_none(real: Real) -> None:
    log = "/var/log/kubernetes"
    value = base64.b64encode(b"a-value-that-nobody-else-has").decode()
    written = 0
    for name in NAMES[:3]:
        assert real.on(name, f"stat -c '%a %U' {log}") == "700 root"
        lines = real.on(name, f'grep -h \'"secrets".*"sealed"\' {log}/audit.log || true')
        written += sum(json.loads(line)["verb"] == "create" for line in lines.splitlines())
        held = f"grep -rhc -e {value} -e a-value-that-nobody {log} || true"
        assert set(real.on(name, held).split()) == {"0"}
    assert written == 1


def test_nobody_profiles_the_control_plane(real: Real) -> None:
    real("kubectl", "get", "--raw", "/debug/pprof/", code=1)
    for pod in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        assert "--profiling=false" in real.on("infra2", f"cat /etc/kubernetes/manifests/{pod}.yaml")


def test_the_cis_points_that_are_not_met_are_those_of_the_docs(real: Real) -> None:
    points = json.loads(real("check", "--cis", "--output", "json", code=5).out)["points"]
    assert {one["node"] for one in points} == set(NAMES)
    assert {one["id"] for one in points if not one["met"]} == {"5.2.1"}  # from 1.23


@pytest.mark.parametrize("stage", toyservice.LIFE, ids=lambda stage: stage.__name__)
def test_a_service_that_is_files_alone(real: Real, stage: Callable[[Real], None]) -> None:
    stage(real)


@pytest.mark.parametrize("stage", registries.LIFE, ids=lambda stage: stage.__name__)
def test_a_registry_of_the_clusters_own(real: Real, stage: Callable[[Real], None]) -> None:
    stage(real)


def test_kubectl_passes_on_its_exit_status(real: Real) -> None:
    assert b"nosuch" in real("kubectl", "get", "nosuch", code=1).err


def test_kubectl_has_its_kubeconfig_in_memory_while_secrets_are_encrypted(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLWS_SECRETS_KEY", "a 'pass'phrase $(x) ü")
    place = real.directory / "deploy/sshkey"
    real("secrets", "encrypt")
    try:
        assert real.ready() == NAMES
        real.kubectl(
            "create", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata: {name: x}"
        )
        assert real("kubectl", "get", "nosuch", code=1).err
        real.kubectl("delete", "namespace", "x")
        private = base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----")[:36]
        assert not [p for p in place.iterdir() if p.is_file() and private in p.read_bytes()]
    finally:
        real("secrets", "decrypt")
    assert private in (place / "admin.conf").read_bytes(), "else that was no proof"


def drift(real: Real, code: int | None = 5) -> dict[tuple[str, str], str]:
    """Kind and thing of every difference, and the key that it stems from."""
    report = json.loads(real("verify", "--output", "json", code=code).out)
    assert not any(node["error"] for node in report["nodes"])
    found = [one for node in report["nodes"] for one in node["differences"]]
    return {(one["kind"], one["what"]): one["key"] for one in found}


CGROUP = "plugins.io.containerd.grpc.v1.cri.containerd.runtimes.runc.options.SystemdCgroup"

ALTERED = {
    ("file", "/etc/systemd/system/kubelet.service"): ("kubernetes.version", "echo '# x' >>{}"),
    ("file", "/usr/local/lib/dlws/pod-network.sh"): ("kubernetes.network", "chmod 700 {}"),
    ("file", "/etc/cni/net.d/10-dlws.conflist"): ("kubernetes.pod_cidr", "rm {}"),
    ("file", "/etc/dlws/pod-network"): ("kubernetes.pod_cidr", "echo x >>{}"),
    ("file", "/usr/bin/kubectl"): ("kubernetes.version", "cp /bin/true {}"),
    ("file", "/opt/cni/bin/portmap"): ("kubernetes.version", "rm {}"),
    ("unit", "kubelet.service"): ("kubernetes.version", "systemctl disable --now -q {}"),
    ("unit", "dlws-pod-network.service"): ("kubernetes.network", "systemctl stop {}"),
    ("file", f"/etc/containerd/config.toml {CGROUP}"): (
        "kubernetes.kubelet.cgroupDriver",
        "sed -i 's/SystemdCgroup = false/SystemdCgroup = true/' /etc/containerd/config.toml",
    ),
}


def test_labels_that_a_worker_gives_itself_are_told(real: Real) -> None:
    label, guarded = "mysql-server", "node-restriction.kubernetes.io/mysql-server"
    as_kubelet(real, "worker2", "", {"metadata": {"labels": {label: "active"}}})
    try:
        with pytest.raises(AssertionError, match="403"):
            as_kubelet(real, "worker2", "", {"metadata": {"labels": {guarded: "active"}}})
        found = drift(real)
        assert ("label", label) in found and ("label", guarded) not in found
    finally:
        real.kubectl("label", "node", "worker2", f"{label}-")
    assert ("label", label) not in drift(real, code=None)
    words = ("get", "nodes", "-l", "node-restriction.kubernetes.io/restfulapi=active", "-o", "name")
    assert real.kubectl(*words) == "node/infra1"


def test_drift_is_found_traced_and_healed(real: Real) -> None:
    real("-y", "verify", "--fix", "--output", "json")
    assert drift(real, code=0) == {}
    for (_, what), (_, command) in ALTERED.items():
        real("--nodes", "worker1", "-s", "execonall", command.format(what))
    real.kubectl("taint", "node", NAMES[0], "node-role.kubernetes.io/master-")
    real.kubectl("label", "node", "worker1", "archType=vax", "--overwrite")
    real.kubectl("label", "node", "worker1", "worker-")
    wanted = {thing: key for thing, (key, _) in ALTERED.items()}
    assert drift(real) == {
        **wanted,
        ("taint", "node-role.kubernetes.io/master"): f"machines.{NAMES[0]}.role",
        ("label", "archType"): "machines.worker1.archtype",
        ("label", "worker"): "machines.worker1.role",
    }
    real("-y", "verify", "--fix")
    assert drift(real, code=0) == {}


def test_updateworker_puts_a_worker_right_and_then_changes_nothing(real: Real) -> None:
    real.on("worker1", "systemctl stop dlws-pod-network && rm /opt/cni/bin/portmap")
    real("-y", "updateworkerinparallel", "worker1")
    real.on("worker1", "systemctl is-active dlws-pod-network && test -e /opt/cni/bin/portmap")
    assert "changed:" not in real("-y", "updateworker", "worker1").err.decode()


def test_an_argument_that_is_new_is_told_and_taken_up(real: Real) -> None:
    before = (real.directory / "config.yaml").read_text()
    real.set("scheduler: {extra_args: {v: 3}}")
    key = "kubernetes.scheduler.extra_args.v"
    try:
        assert drift(real) == {("argument", "kube-scheduler --v"): key}
        real("verify", "infra3", "--fix")
        assert "--v=3" in real.on(
            "infra3", "tr '\\0' ' ' </proc/$(pgrep -x kube-scheduler)/cmdline"
        )
        report = json.loads(real("verify", "--output", "json", code=5).out)["nodes"]
        assert [one["node"] for one in report if one["differences"]] == ["infra1", "infra2"]
    finally:
        (real.directory / "config.yaml").write_text(before)
    assert drift(real, code=0) == {}


def test_a_certificate_that_ends_soon_is_told(real: Real) -> None:
    path = "/etc/kubernetes/pki/soon.crt"
    words = f"-keyout /root/soon.key -out {path} -days 5 -subj /CN=soon"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes {words} 2>/dev/null"
    real("--nodes", "worker1", "-s", "execonall", command)
    assert drift(real) == {("certificate", path): "kubernetes.version"}
    assert "ends in 4 days" in real("verify", "--fix", code=5).text
    real("--nodes", "worker1", "-s", "execonall", f"rm {path} /root/soon.key")


def test_another_kubelet_is_told_by_its_version_too(real: Real) -> None:
    line = (
        "sed 's/v1[.]20[.]2/v1.20.1/g' /usr/bin/kubelet >/root/other; chmod 755 /root/other; "
        "mv /root/other /usr/bin/kubelet; systemctl restart kubelet"
    )
    real("--nodes", "worker1", "-s", "doonall", line)
    reports(real, "worker1", "v1.20.1")
    assert drift(real) == {
        ("version", "kubelet"): "kubernetes.version",
        ("file", "/usr/bin/kubelet"): "kubernetes.version",
    }
    real("-y", "verify", "--fix", code=None)  # it may ask before the new one has said its version
    reports(real, "worker1", "v1.20.2")
    assert drift(real, code=0) == {}


def reports(real: Real, name: str, version: str) -> None:
    """Wait until a node's kubelet has told its version to the API server."""
    deadline, path = time.monotonic() + 60, "jsonpath={.status.nodeInfo.kubeletVersion}"
    while (said := real.kubectl("get", "node", name, "-o", path)) != version:
        assert time.monotonic() < deadline, said
        time.sleep(1)


GPUS = """
apiVersion: v1
kind: Pod
metadata: {name: gpus}
spec:
  containers:
    - {name: a, image: "dlws/hello:1", resources: {limits: {nvidia.com/gpu: 2}}}
"""
# What the process in such a pod knows and sees of its devices.
GIVEN = """for p in $(pgrep -x hello); do
  tr '\\0' '\\n' </proc/$p/environ | grep VISIBLE && ls /proc/$p/root/dev | grep nvidia
done; true"""
TWO = ["NVIDIA_VISIBLE_DEVICES=0,1", "nvidia0", "nvidia1"]


def test_devices_that_no_plugin_offers_are_told(real: Real) -> None:
    """The devices are stand-ins; that the API server says so, kubelet and protocol are real."""
    device, path = ("device", "nvidia.com/gpu"), real.directory / "config.yaml"
    before = path.read_text()
    config = yaml.safe_load(before)
    config["machines"]["worker1"] |= {"type": "gpu", "vendor": "nvidia"}
    config["onpremise_cluster"] = {"gpu_count_per_node": 2}
    path.write_text(yaml.safe_dump(config))
    try:
        assert "has 2 stand-ins for nvidia.com/gpu" in real("sandbox", "up").err.decode()
        assert drift(real)[device] == "machines.worker1.type"
        assert "nvidia.com/gpu offers 0 of 2 stand-ins" in real("verify", code=5).text
        real("-y", "labelworker")
        real("kubernetes", "start", "nvidia-device-plugin")
        assert device not in drift(real, code=None)
        assert "2 gpu (stand-ins)" in real("status").text
        real.kubectl("apply", "-f", "-", stdin=GPUS)
        real.kubectl("wait", "--for=condition=Ready", "pod/gpus", "--timeout=60s")
        assert real.on("worker1", GIVEN).split() == TWO
    finally:
        real.kubectl("delete", "pod", "gpus", "--ignore-not-found", "--now")
        real("kubernetes", "stop", "nvidia-device-plugin", code=None)
        path.write_text(before)
        real("sandbox", "up")
        real.kubectl("label", "node", "worker1", "gpu-", "nvidia-")
        real("-y", "gpulabel")
    assert real.on("worker1", "ls /dev | grep nvidia || true") == ""


def test_masters_work_after_uncordon(real: Real) -> None:
    real("kubernetes", "uncordon")
    assert real.kubectl("get", "nodes", "-l", "worker=active", "-o", "name").count("node/") == 5
    taints = "jsonpath={.items[*].spec.taints}"
    assert "NoSchedule" not in real.kubectl("get", "nodes", "-o", taints)
    assert "already" in real("kubernetes", "uncordon").err.decode()


def test_a_worker_leaves_and_comes_back(real: Real) -> None:
    refused = real("kubeadm", "reset", "worker2", "--yes-reset", "other", code=4)
    assert "nothing was changed" in refused.err.decode()
    real("kubeadm", "reset", "worker2", "--yes-reset", "sandbox")
    assert "worker2" not in real.kubectl("get", "nodes")
    left = real("--nodes", "worker2", "execonall", "sudo", "iptables-save").text
    assert "KUBE-" not in left
    plan = str(real.directory / "plan.json")
    planned = real("plan", "kubeadm", "join", "worker2", "-o", plan).text
    assert "worker2: would run: kubeadm join" in planned
    assert "may write: /etc/dlws/pod-network (content unknown until kubeadm join)" in planned
    assert "worker2" not in real.kubectl("get", "nodes")
    real("apply", plan)
    real("status", "--wait", "120")
    assert real.ready() == NAMES


def requests(real: Real, name: str) -> int:
    """How often a node has asked to be taken in."""
    found = json.loads(real.kubectl("get", "csr", "-o", "json"))["items"]
    signer = "kubernetes.io/kube-apiserver-client-kubelet"  # the other one is for serving
    found = [one for one in found if one["spec"]["signerName"] == signer]
    asked = [base64.b64decode(one["spec"]["request"]) for one in found]
    names = [x509.load_pem_x509_csr(one).subject.rfc4514_string() for one in asked]
    return sum(f"CN=system:node:{name}" in one.split(",") for one in names)


def begin_to_join(real: Real, name: str) -> subprocess.Popen[bytes]:
    """`kubeadm join` of a node that left, as far as that it has begun to change the node."""
    real("kubeadm", "reset", name, "--yes-reset", "sandbox")
    line = [sys.executable, "deploy.py", "--dir", str(real.directory), "kubeadm", "join", name]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = Made(real.directory, lifecycle.sandbox_of(real.directory))
    begun = "pgrep -x kubeadm && [ -e /etc/kubernetes/bootstrap-kubelet.conf ]"
    made.run(name, f"timeout 120 sh -c {sh(f'until {begun}; do sleep 0.05; done')}")
    return process


def test_a_join_whose_devbox_dies_is_waited_for_and_not_done_again(real: Real) -> None:
    before = requests(real, "worker2")
    process = begin_to_join(real, "worker2")
    process.kill()
    process.wait()
    told = real("resume").err.decode()
    assert "waiting for what still runs: kubeadm join" in told
    real("status", "--wait", "120")
    assert real.ready() == NAMES
    assert requests(real, "worker2") == before + 1


def test_a_join_whose_node_dies_is_carried_on(real: Real) -> None:
    process = begin_to_join(real, "worker2")
    real("sandbox", "kill", "worker2")
    assert process.wait() != 0
    real("sandbox", "start", "worker2")
    real("resume")
    real("status", "--wait", "120")
    assert real.ready() == NAMES


def test_two_masters_at_once_are_refused(real: Real) -> None:
    result = real("kubeadm", "reset", "infra1", "infra2", "--yes-reset", "sandbox", code=4)
    assert "majority" in result.err.decode()
    assert real.ready() == NAMES


@pytest.mark.parametrize("name", ["infra1", "infra2", "infra3"])
def test_any_one_master_may_die(real: Real, name: str) -> None:
    real("sandbox", "kill", name)
    try:
        # The others elect a leader first, where it was the leader of etcd that went.
        deadline = time.monotonic() + 60
        while (told := real("kubectl", "get", "nodes", code=None)).code:
            assert time.monotonic() < deadline, told.complaint
            time.sleep(0.5)
        assert "worker2" in told.text
        namespace = f"after-{name}"
        assert "created" in real.kubectl("create", "namespace", namespace)
        admin = str(real.directory / "deploy/sshkey/admin.conf")
        real("copytoall", admin, "/root/.kube/config", code=3)
        others = ",".join(other for other in NAMES if other != name)
        line = "sudo kubectl --request-timeout=30s get namespaces"
        assert real("--nodes", others, "execonall", line).text.count(namespace) == 4
    finally:
        real("sandbox", "start", name)
    real("status", "--wait", "180")


def test_no_secret_is_in_logs_or_open_files(real: Real) -> None:
    """A token is in the cluster while nodes join; it is never anywhere else."""
    left = tokens(real)  # by a run whose devbox died
    process = begin_to_join(real, "worker2")
    found = [data for data in tokens(real) if data not in left]
    assert found, "the token of this run should still live"
    assert process.wait() == 0
    assert not [data for data in tokens(real) if data in found]
    cluster = Session(Options(directory=real.directory)).cluster
    # On standard input: sudo writes the command lines it runs into the node's journal.
    where = "grep -rlF -f - /var/log /etc /run /tmp /var/tmp /var/lib/dlws 2>/dev/null | cat"
    for data in found:
        secret = base64.b64decode(data["token-secret"])
        here = sh("grep", "-rlF", "-f", "-", "--exclude=admin.conf", real.directory / "deploy")
        assert Local().run(here, secret).out == b""
        for node in cluster.nodes:
            assert node.read(where, stdin=secret, sudo=True).text == ""
    cluster.close()
    real("status", "--wait", "120")
