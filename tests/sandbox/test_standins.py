"""Stand-ins for devices: as many as config.yaml says, told to the node, and taken away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.runs.console import Console
from dlws.sandbox import standins, state
from dlws.services.folder import load_all
from dlws.services.values import Templates
from tests.support.fakes import Make, config_of
from tests.support.sandboxes import BOX

TEXT = """
cluster_name: test
onpremise_cluster: {gpu_count_per_node: 2}
sku_mapping: {big: {gpu: 8}, none: {gpu: 0}}
machines:
  i: {role: infrastructure, private-ip: 10.0.0.1, type: npu, vendor: huawei}
  a: {role: worker, private-ip: 10.0.0.2, type: gpu, vendor: nvidia, sku: big}
  b: {role: worker, private-ip: 10.0.0.3, type: gpu, vendor: nvidia}
  c: {role: worker, private-ip: 10.0.0.4, type: cpu}
  d: {role: worker, private-ip: 10.0.0.5, type: gpu, vendor: nvidia, sku: none}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file system of the one node of a sandbox, which does not run."""
    monkeypatch.setattr(state, "REGISTRY", tmp_path / "registry")
    place = BOX.folder(BOX.nodes[0]) / "root"
    place.mkdir(parents=True)
    return place


def give(directory: Path, text: str) -> list[str]:
    """What changed."""
    (directory / "config.yaml").write_text(text)
    console = Console()
    standins.give(directory, BOX, console)
    return console.changes


def test_as_many_as_the_configuration_says(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXT)
    found = {name: standins.number(config, machine) for name, machine in config.machines.items()}
    assert found == {"i": 2, "a": 8, "b": 2, "c": 0, "d": 0}
    silent = config_of(tmp_path, TEXT.replace("gpu_count_per_node: 2", "worker_node_num: 4"))
    assert standins.number(silent, silent.machines["b"]) == 1


def test_a_node_is_told_what_it_has_until_it_has_it_no_more(tmp_path: Path, root: Path) -> None:
    assert "a: has 8 stand-ins for nvidia.com/gpu" in give(tmp_path, TEXT)
    lines = (root / standins.FILE).read_text().splitlines()
    assert lines[-1] == "nvidia.com/gpu NVIDIA_VISIBLE_DEVICES /dev/nvidia 8"
    assert all(line.startswith("#") for line in lines[:-1])
    assert give(tmp_path, TEXT) == []
    give(tmp_path, TEXT.replace("type: gpu, vendor: nvidia, sku: big", "type: cpu"))
    assert not (root / standins.FILE).exists()


def test_the_plugins_of_a_rehearsal_are_the_sites_own(
    tmp_path: Path, root: Path, make: Make
) -> None:
    give(tmp_path, TEXT)
    services = load_all(tmp_path)
    world = make(TEXT)
    found = Templates(world.cluster)
    for name, resource in (
        ("nvidia-device-plugin", "nvidia.com/gpu"),
        ("a910-device-plugin", "huawei.com/Ascend910"),
    ):
        assert "stand-ins" in services[name].says.description
        (one,) = found.objects(services[name])
        (container,) = one.body["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "dlws/stand-in-device-plugin:1"
        assert container["args"] == [f"/{standins.FILE}", resource]
        assert container["readinessProbe"] and container["resources"]["limits"]
    place = tmp_path / "templates/services/nvidia-device-plugin/plugin.yaml.j2"
    place.write_text("mine")
    give(tmp_path, TEXT)
    assert place.read_text() == "mine"


def test_a_sandbox_without_devices_gets_no_plugins(tmp_path: Path, root: Path) -> None:
    give(tmp_path, "cluster_name: x\nmachines: {a: {role: infrastructure}}\n")
    assert not (tmp_path / "templates").exists() and not (root / "etc").exists()


def test_a_configuration_that_is_wrong_is_not_the_sandboxes_trouble(
    tmp_path: Path, root: Path
) -> None:
    assert give(tmp_path, "machines: 7\n") == []
