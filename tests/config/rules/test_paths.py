"""Paths on nodes are absolute ones, in whatever key they stand."""

from __future__ import annotations

import json

import pytest

from dlws.config.model.config import Config
from dlws.config.model.types import Kind
from tests.support.configs import assert_problem, look, minimal

CODE = "PATH"
"""Where the path goes."""

TYPED = [
    f"physical-mount-path: {CODE}",
    f"physical_mount_path: {CODE}",
    f"storage-mount-path: {CODE}",
    f"dltsdata-storage-mount-path: {CODE}",
    f"mysql_data_path: {CODE}",
    f"mountpoints: {{s: {{server: m1, curphysicalmountpoint: {CODE}}}}}",
]
FREE = [
    f"mountpoints: {{s: {{server: m1, filesharename: {CODE}}}}}",
    f"mountpoints: {{s: {{type: local, filesharename: {CODE}}}}}",
    f"nfs_disk_mnt: {{m1: {{path: {CODE}}}}}",
    f"nfs_disk_mnt: {{m1: {{fileshares: [/a, {CODE}]}}}}",
    f"nfs_disk_mnt: {{m1: {{fileshares: {CODE}}}}}",
    f"nfs_mnt_setup: [{{mnt_point: {{r: {{curphysicalmountpoint: {CODE}}}}}}}]",
    f"nfs_mnt_setup: [{{}}, {{mnt_point: {{r: {{filesharename: {CODE}}}}}}}]",
    f"custom_mounts: [{{name: a, hostPath: {CODE}, containerPath: /a}}]",
    f"custom_mounts: [{{name: a, hostPath: /a, containerPath: {CODE}}}]",
    f"deploymounts: [{{name: a, hostPath: {CODE}}}]",
    f"machines: {{m1: {{role: infra, data_disk_mnt_path: {CODE}}}}}",
    f"machines: {{m1: {{role: infra, fileshares: [{{client_mount_root: {CODE}}}]}}}}",
    f"azure_cluster: {{nfs_data_disk_path: {CODE}}}",
    f"azure_cluster: {{nfs_vm: [{{data_disk_mnt_path: {CODE}}}]}}",
]
SETTINGS = [
    f"docker_daemon: {{data-root: {CODE}}}",
    f"containerd: {{root: {CODE}}}",
    f"containerd: {{state: {CODE}}}",
    f"kubernetes: {{kubelet: {{staticPodPath: {CODE}}}}}",
    f"kubernetes: {{kubelet: {{authentication: {{x509: {{clientCAFile: {CODE}}}}}}}}}",
]


@pytest.mark.parametrize("text", [*TYPED, *FREE])
@pytest.mark.parametrize("path", ["mnt/x", "./mnt/x", "../mnt/x", "~/mnt/x"])
def test_a_relative_path_is_an_error(text: str, path: str) -> None:
    problem = assert_problem(
        f"# one\n{text.replace(CODE, path)}",
        f'"{path}" is a relative path, and nodes need an absolute one',
        line=2,
        marked=path,
    )
    assert problem.column == text.index(CODE) + 1
    assert problem.cure == "Write the path from the root, such as /mnt/x."


@pytest.mark.parametrize("text", [*TYPED, *FREE[2:]])  # of mountpoints: test_storage.py
@pytest.mark.parametrize("path", ["/a\nb", "/a "])
def test_what_settings_would_take_for_another_path_is_refused(text: str, path: str) -> None:
    line = text.replace(CODE, json.dumps(path))
    assert_problem(line, f"{path!r} has a character that no file of settings can hold")


@pytest.mark.parametrize("text", SETTINGS)
def test_in_settings_of_other_programs_it_is_a_warning(text: str) -> None:
    line = text.replace(CODE, "var/x")
    problem = assert_problem(line, '"var/x" is a relative path', level="warning", marked="var/x")
    assert problem.cure == "Write the path from the root, such as /var/x."


@pytest.mark.parametrize("text", [*TYPED, *FREE, *SETTINGS])
@pytest.mark.parametrize("path", ["/mnt/x", "''"])
def test_an_absolute_path_and_none_are_right(text: str, path: str) -> None:
    assert look(minimal(text.replace(CODE, path))).problems == []


@pytest.mark.parametrize("text", [".", "~", "./"])
def test_what_names_no_place_at_all(text: str) -> None:
    problem = assert_problem(f"mysql_data_path: {text!r}", "is a relative path")
    assert problem.cure == "Write one like /mnt."


@pytest.mark.parametrize("kind", ["azurefileshare", "glusterfs", "hdfs", "emptyDir"])
def test_the_name_of_a_share_that_is_no_path(kind: str) -> None:
    text = f"mountpoints: {{s: {{type: {kind}, filesharename: data}}}}"
    assert look(minimal(text)).problems == []


@pytest.mark.parametrize(("text", "cure"), [("sdb1", "/dev/sdb1"), ("dev/sdb", "/dev/sdb")])
def test_a_device_is_one_of_the_machine(text: str, cure: str) -> None:
    line = f"mountpoints: {{s: {{type: local, device: {text}}}}}"
    problem = assert_problem(line, f'"{text}" is neither the path of a device nor', marked=text)
    assert problem.cure == f"Write {cure}."


@pytest.mark.parametrize("device", ["/dev/sdb1", "UUID=12-34", "LABEL=data", "PARTUUID=1"])
def test_a_device_by_its_path_or_its_name(device: str) -> None:
    text = f"mountpoints: {{s: {{type: local, device: {device}}}}}"
    assert look(minimal(text)).problems == []


@pytest.mark.parametrize(
    "text", ["run/containerd.sock", "unix://run/containerd.sock", "./run/containerd.sock"]
)
def test_the_socket_of_the_runtime(text: str) -> None:
    line = f"kubernetes:\n  cri_socket: {text}"
    problem = assert_problem(line, f'"{text}" is a relative path', line=2, marked=text)
    assert problem.cure == "Write unix:///run/containerd.sock."
    for right in ("unix:///run/containerd.sock", "/var/run/dockershim.sock"):
        assert look(minimal(f"kubernetes: {{cri_socket: {right}}}")).problems == []


def test_paths_on_this_machine_may_be_relative() -> None:
    text = (
        "kubernetes: {source: bundle, bundle: deploy/bundle, network_manifest: deploy/n.yaml}\n"
        "ssh: {key: deploy/id, jump_host: {host: gw, key: deploy/id}}\n"
    )
    assert look(minimal(text)).problems == []


def test_every_key_that_is_called_a_path_has_the_type_of_one() -> None:
    """A new key of the root cannot be forgotten."""
    named = {
        name: any(isinstance(part, Kind) for part in info.metadata)
        for name, info in Config.model_fields.items()
        if "path" in name
    }
    assert set(named) == {
        "physical_mount_path", "storage_mount_path", "dltsdata_storage_mount_path",
        "mysql_data_path",
    }  # fmt: skip
    assert all(named.values())
