"""What the devices of a node do, as Prometheus is told: drivers' own words, real control groups."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from jobplatform import __main__ as roles
from jobplatform.exporter import npu, nvidia, owners
from jobplatform.exporter.collect import Exporter
from jobplatform.exporter.device import Device, Silent
from jobplatform.exporter.nvidia import Smi
from jobplatform.exporter.owners import Pod
from tests.support import ROOT
from tests.support.guards import with_us
from tests.support.sshd import free_port
from tests.support.waiting import wait_until

UID = "0a1b2c3d-0000-4000-8000-00000000abcd"
XML = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>535.129.03</driver_version>
  <attached_gpus>3</attached_gpus>
  <gpu id="00000000:53:00.0">
    <minor_number>3</minor_number>
    <fb_memory_usage><total>81920 MiB</total><reserved>500 MiB</reserved>
      <used>20480 MiB</used><free>60940 MiB</free></fb_memory_usage>
    <utilization><gpu_util>37 %</gpu_util><memory_util>3 %</memory_util></utilization>
    <ecc_errors><volatile>
      <sram_correctable>9</sram_correctable><sram_uncorrectable>0</sram_uncorrectable>
      <dram_correctable>9</dram_correctable><dram_uncorrectable>2</dram_uncorrectable>
    </volatile></ecc_errors>
    <temperature><gpu_temp>61 C</gpu_temp><gpu_temp_slow_threshold>90 C</gpu_temp_slow_threshold>
    </temperature>
    <processes>
      <process_info><pid>PID</pid><type>C</type><used_memory>100 MiB</used_memory></process_info>
      <process_info><pid>PID</pid><type>C</type><used_memory>100 MiB</used_memory></process_info>
      <process_info><pid>1</pid><type>G</type><used_memory>1 MiB</used_memory></process_info>
    </processes>
  </gpu>
  <gpu id="00000000:64:00.0">
    <minor_number>0</minor_number>
    <fb_memory_usage><total>12282 MiB</total><used>N/A</used></fb_memory_usage>
    <utilization><gpu_util>N/A</gpu_util></utilization>
    <ecc_errors><volatile><double_bit><device_memory>1</device_memory><total>1</total></double_bit>
    </volatile></ecc_errors>
    <temperature><gpu_temp>N/A</gpu_temp></temperature>
    <processes>None</processes>
  </gpu>
  <gpu id="00000000:65:00.0"><minor_number>1</minor_number>
    <ecc_errors><volatile><sram_uncorrectable_parity>N/A</sram_uncorrectable_parity></volatile>
    </ecc_errors></gpu>
</nvidia_smi_log>
"""
"""By the elements of its document type; a newer, an older, and a device that tells nothing."""


def test_a_device_of_nvidias_is_read_whatever_its_driver_leaves_out() -> None:
    one, two, three = nvidia.read(XML.replace("PID", "77").encode())
    assert one == Device("3", 37, 25, 61, 2, (77, 77, 1))
    assert two == Device("0", None, None, None, 1)
    assert three == Device("1")


@pytest.mark.parametrize("said", [b"", b"No devices were found\n", b"<nvidia_smi_log><gpu>"])
def test_other_words_of_nvidia_smi_are_no_devices(said: bytes) -> None:
    with pytest.raises(Silent):
        nvidia.read(said)


def program(place: Path, lines: str) -> str:
    path = place / "nvidia-smi"
    path.write_text(f"#!/bin/sh\necho x >>{place}/began\n{lines}\n")
    path.chmod(0o755)
    return str(path)


def test_a_node_without_the_program_has_no_devices_of_nvidias(tmp_path: Path) -> None:
    assert Smi(str(tmp_path / "none")).devices() == []


def test_a_program_that_fails_or_hangs_is_said_and_none_is_started_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Silent, match="ended with 9"):
        Smi(program(tmp_path, "exit 9")).devices()
    hangs = Smi(program(tmp_path, "exec sleep 600"), patience=0.2)
    kill = subprocess.Popen.kill
    monkeypatch.setattr(subprocess.Popen, "kill", lambda process: None)  # as in a driver's call
    for words in ("does not answer", "hangs", "hangs"):
        with pytest.raises(Silent, match=words):
            hangs.devices()
    assert (tmp_path / "began").read_text() == "x\n" * 2
    assert hangs.stuck
    kill(hangs.stuck)
    hangs.stuck.wait()
    hangs.program = program(tmp_path, f"cat <<'E'\n{XML}\nE")
    assert len(hangs.devices()) == 3


CHIPS = """\tNPU ID                         : 5
\tChip Count                     : 3

\tChip ID                        : 0
\tMemory Usage Rate(%)           : 4
\tHBM Usage Rate(%)              : 61
\tAicore Usage Rate(%)           : 87
\tTemperature(C)                 : 48

\tChip ID                        : 1
\tMemory Usage Rate(%)           : 7
\tAicore Usage Rate(%)           : 0
\tTemperature(C)                 : NA

\tChip ID                        : 2
\tChip Name                      : mcu
\tTemperature(C)                 : 40
"""


def test_npus_are_read_from_the_files_that_a_node_keeps(tmp_path: Path) -> None:
    assert npu.devices(tmp_path / "none") == []
    (tmp_path / "device_list").write_text("x")
    (tmp_path / "device5").write_text(CHIPS)
    assert npu.devices(tmp_path) == [Device("5", 87, 61, 48), Device("5-1", 0, 7)]
    os.utime(tmp_path / "device5", (0, 0))
    with pytest.raises(Silent, match="device5 was not written"):
        npu.devices(tmp_path)


def test_stand_ins_for_npus_of_a_sandbox_are_read_too(tmp_path: Path) -> None:
    """As the service on nodes writes them."""
    common = runpy.run_path(str(ROOT / "scripts/npu/npu_info_gen.py"))["common"]
    (tmp_path / "device0").write_text(common(0))
    assert npu.devices(tmp_path) == [Device("0", 0, 0)]


@contextmanager
def in_group(*names: str) -> Iterator[int]:
    """A process in a control group of this machine's, made as kubelet makes it: its id."""
    base = Path("/sys/fs/cgroup/pids")
    made = [(base if base.is_dir() else base.parent) / f"dlws-test-{os.getpid()}"]
    made += [made[0].joinpath(*names[: end + 1]) for end in range(len(names))]
    for path in made:
        path.mkdir()
    with subprocess.Popen(with_us(["sleep", "600"])) as process:
        try:
            (made[-1] / "cgroup.procs").write_text(str(process.pid))
            yield process.pid
        finally:
            process.kill()
            process.wait()
            for path in reversed(made):
                path.rmdir()


GROUPS = [
    ("kubepods", "burstable", f"pod{UID}", "f" * 64),
    ("kubepods.slice", f"kubepods-pod{UID.replace('-', '_')}.slice", "docker-f.scope"),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="control groups are made by root")
@pytest.mark.parametrize("names", GROUPS)
def test_a_process_belongs_to_the_pod_in_whose_group_it_runs(names: tuple[str, ...]) -> None:
    with in_group(*names) as process:
        assert owners.uid(process, Path("/proc")) == UID
    assert owners.uid(process, Path("/proc")) == ""
    assert owners.uid(os.getpid(), Path("/proc")) == ""


def test_pods_are_known_by_the_directories_of_their_logs(tmp_path: Path) -> None:
    for name in (f"vc-a_job-1-1-worker-0_{UID}", "odd", "a_b"):
        (tmp_path / name).mkdir()
    assert owners.known(tmp_path) == {UID: Pod("vc-a", "job-1-1-worker-0")}


@pytest.fixture
def node(tmp_path: Path) -> dict[str, Path]:
    """A pod's process (77) on the first device, and one of the node's own."""
    (tmp_path / "proc/77").mkdir(parents=True)
    (tmp_path / "proc/77/cgroup").write_text(f"0::/../../pod{UID}/{'f' * 64}\n")
    (tmp_path / f"pods/vc-a_job-1-1-worker-0_{UID}").mkdir(parents=True)
    (tmp_path / "npu").mkdir()
    return {"proc": tmp_path / "proc", "logs": tmp_path / "pods", "place": tmp_path / "npu"}


def told(exporter: Exporter) -> str:
    made = CollectorRegistry()
    made.register(exporter)
    return generate_latest(made).decode()


def test_prometheus_is_told_of_devices_and_of_the_pods_on_them(
    node: dict[str, Path], tmp_path: Path
) -> None:
    said = XML.replace("PID", "77")
    (node["place"] / "device5").write_text(CHIPS)
    found = told(Exporter(Smi(program(tmp_path, f"cat <<'E'\n{said}\nE")), **node))
    for line in (
        'nvidiasmi_utilization_gpu{minor_number="3"} 37.0',
        'nvidiasmi_utilization_memory{minor_number="3"} 25.0',
        'nvidiasmi_temperature{minor_number="3"} 61.0',
        'nvidiasmi_ecc_error_count{minor_number="3",type="volatile_double"} 2.0',
        'nvidiasmi_ecc_error_count{minor_number="0",type="volatile_double"} 1.0',
        'task_gpu_percent{minor_number="3",namespace="vc-a",pod_name="job-1-1-worker-0"} 37.0',
        'npu_utilization{minor_number="5-1"} 0.0', 'npu_memory_utilization{minor_number="5"} 61.0',
        'dlws_devices_told{reader="nvidia-smi"} 1.0', 'dlws_devices_told{reader="npu-smi"} 1.0',
    ):  # fmt: skip
        assert found.splitlines().count(line) == 1, line
    assert 'utilization_gpu{minor_number="0"}' not in found
    assert found.count("# TYPE task_gpu_percent") == 1


def test_who_hangs_keeps_the_others_from_nothing(node: dict[str, Path], tmp_path: Path) -> None:
    (node["place"] / "device5").write_text(CHIPS)
    found = told(Exporter(Smi(program(tmp_path, "exit 3")), **node))
    assert 'dlws_devices_told{reader="nvidia-smi"} 0.0' in found
    assert 'npu_temperature{minor_number="5"} 48.0' in found


@pytest.mark.parametrize(
    "place", ["nginx/files/monitor/monitor.js", "prometheus/files/devices.rules",
              "grafana/files/nodes.json"],
)  # fmt: skip
def test_what_pages_and_rules_ask_for_is_told(
    node: dict[str, Path], tmp_path: Path, place: str
) -> None:
    text = (ROOT / "templates/services" / place).read_text()
    asked = set(re.findall(r"\b(?:nvidiasmi|npu|task|dlws_devices)_[a-z_]+", text))
    (node["place"] / "device5").write_text(CHIPS)
    found = told(Exporter(Smi(program(tmp_path, f"cat <<'E'\n{XML}\nE")), **node))
    assert asked and asked <= set(re.findall(r"(?m)^# TYPE (\S+) ", found))


def test_the_role_answers_prometheus_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    assert roles.main(["exporter"]) == 1  # it was not told the port
    port = free_port()
    program(tmp_path, f"cat <<'E'\n{XML}\nE")
    environment: dict[str, Any] = {**os.environ, "PLATFORM_METRICS_PORT": str(port)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    running = subprocess.Popen(
        with_us([sys.executable, "-m", "jobplatform", "exporter"]), env=environment,
        cwd=ROOT / "templates/images/platform",
    )  # fmt: skip

    def answer() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as found:
                return str(found.read().decode())
        except OSError:
            assert running.poll() is None
            return ""

    try:
        wait_until(lambda: 'nvidiasmi_temperature{minor_number="3"} 61.0' in answer())
        running.terminate()
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()
