from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlws.check.facts import Device, Facts, Port, parse
from dlws.check.findings import Finding
from dlws.config import Config, load
from tests.support import ROOT

TEXT = """
cluster_name: atlas
network: {domain: example.org}
kubernetes: {version: 1.30.4, network: flannel}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  worker01: {role: worker, private-ip: 10.1.0.11, type: gpu, vendor: nvidia, os: ubuntu}
  worker02: {role: worker, private-ip: 10.1.0.12, archtype: arm64, type: npu, vendor: huawei}
"""

THREE = TEXT.replace(
    "infra01:", "infra02: {role: [infra, nfs]}\n  infra03: {role: infra}\n  infra01:"
)

GPU = (ROOT / "tests/check/data/gpu.txt").read_text()

WORKER = replace(parse(Facts("worker01", "10.1.0.11"), GPU, (1795328126.0, 1795328127.0)), swap=())

NPU = Device(("0000:c1:00.0",), "23.0.1", "1.72.T2.100.B020", True)

INFRA = replace(
    WORKER, node="infra01", address="10.1.0.1", addresses=("10.1.0.1",), hostname="infra01",
    machine_id="1" * 32, boot_id="2", product_uuid="3", host_keys=("SHA256:i",), nvidia=Device(),
    names={}, back={}, ports={("worker01", 10250): Port("10.1.0.11", "refused")},
)  # fmt: skip

SECOND = replace(
    WORKER, node="worker02", address="10.1.0.12", addresses=("10.1.0.12",), hostname="worker02",
    machine_id="4" * 32, boot_id="5", product_uuid="6", host_keys=("SHA256:w",), nvidia=Device(),
    names={}, back={}, architecture="arm64", huawei=NPU, ascend_runtime=True,
)  # fmt: skip

ALL = (INFRA, WORKER, SECOND)


def config_of(directory: Path, text: str = TEXT) -> Config:
    (directory / "config.yaml").write_text(text)
    return load(directory)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    assert all(one.what and one.cure and one.check for one in findings)
    return [(one.level, one.check) for one in findings]


F, W, U = "failure", "warning", "unknown"
