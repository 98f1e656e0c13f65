"""The words behind docker, and its answers."""

from __future__ import annotations

import json

import pytest

from dlws.images import commands
from dlws.images.commands import Job

JOB = Job("web", "r:5000/web:1", "arm64", "Dockerfile-arm64", "abc", {"GIT_HASH": "1 2"})


def test_a_build_of_a_directory_and_of_a_stream() -> None:
    told = commands.build(JOB, "/c", proxies=["http_proxy"])
    assert told == (
        "build", "--network=host", "--platform=linux/arm64", "--tag=r:5000/web:1",
        "--label=dlws.context=abc", "--build-arg=GIT_HASH=1 2", "--build-arg=http_proxy",
        "--file=/c/Dockerfile-arm64", "/c",
    )  # fmt: skip
    told = commands.build(JOB, "-", ("buildx", "build", "--load"), fresh=True)
    assert told[:3] == ("buildx", "build", "--load") and "--no-cache" in told
    assert told[-2:] == ("--file=Dockerfile-arm64", "-")


def test_an_image_that_an_engine_has() -> None:
    assert commands.local_image("sha256:1 abc amd64\n") == commands.Local(
        "sha256:1", "abc", "amd64"
    )
    assert commands.local_image("sha256:1  amd64\n").key == ""


def test_the_ids_of_what_a_registry_has() -> None:
    one = {"Descriptor": {"digest": "sha256:m"}, "SchemaV2Manifest": {"config": {"digest": "c"}}}
    oci = {"Descriptor": {"digest": "sha256:o"}, "OCIManifest": {"config": {"digest": "d"}},
           "SchemaV2Manifest": None}  # fmt: skip
    assert commands.remote_ids(json.dumps(one)) == {"sha256:m", "c"}
    assert commands.remote_ids(json.dumps([one, oci])) == {"sha256:m", "c", "sha256:o", "d"}


@pytest.mark.parametrize(("complaint", "expected"), [
    ("no such manifest: r:5000/web:1", True), ("manifest unknown", True),
    ("errors: name unknown: repository name not known", True),
    ("dial tcp: connection refused", False), ("unauthorized", False),
])  # fmt: skip
def test_a_missing_image_is_told_from_a_registry_that_fails(complaint: str, expected: bool) -> None:
    assert commands.missing(complaint) is expected


INFO = json.dumps({
    "InsecureRegistryCIDRs": ["127.0.0.0/8", "10.0.0.0/8"],
    "IndexConfigs": {"docker.io": {"Secure": True}, "r.example:5000": {"Secure": False}},
})  # fmt: skip


@pytest.mark.parametrize(("registry", "expected"), [
    ("docker.io", False), ("r.example:5000", True), ("r.example", False), ("127.0.0.1:5000", True),
    ("10.77.0.1:5000", True), ("192.168.0.1", False), ("localhost:5000", True),
])  # fmt: skip
def test_which_registries_are_spoken_with_without_tls(registry: str, expected: bool) -> None:
    assert commands.insecure(INFO, registry) is expected


def test_a_list_of_images() -> None:
    images = {"amd64": "w:1-amd64", "arm64": "w:1-arm64"}
    assert commands.manifest_list("w:1", images, ["--insecure"]) == [
        ("manifest", "create", "--insecure", "w:1", "w:1-amd64", "w:1-arm64"),
        ("manifest", "annotate", "--os=linux", "--arch=amd64", "w:1", "w:1-amd64"),
        ("manifest", "annotate", "--os=linux", "--arch=arm64", "w:1", "w:1-arm64"),
        ("manifest", "push", "--purge", "--insecure", "w:1"),
    ]


def test_what_a_builder_of_buildx_builds_for() -> None:
    text = "Name: b\nStatus: running\nPlatforms: linux/amd64, linux/amd64/v2, linux/arm64*\n"
    assert commands.platforms(text) == {"amd64", "amd64/v2", "arm64"}
    assert commands.platforms("Name: b\n") == set()


BEFORE_IT_RUNS = """Name:          dev
Driver:        remote
Last Activity: 2023-07-05 09:56:56 +0000 UTC

Nodes:
Name:      dev0
Endpoint:  tcp://localhost:1234
Status:    inactive
Platforms:
"""
REMOTE = """Name:          dev
Driver:        remote
Last Activity: 2023-07-05 09:56:56 +0000 UTC

Nodes:
Name:      dev0
Endpoint:  tcp://localhost:1234
Status:    running
Buildkit:  v0.12.0-rc1-4-g66a4b9421.m
Platforms: linux/amd64, linux/amd64/v2, linux/amd64/v3, linux/arm64, linux/riscv64, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
 org.mobyproject.buildkit.worker.hostname:         dc141ad6e142
"""
STOPPED = """Name:          builder
Driver:        docker-container
Last Activity: 2023-09-12 20:09:21 +0000 UTC

Nodes:
Name:           builder0
Endpoint:       unix:///var/run/docker.sock
Driver Options: image="moby/buildkit:master" network="host"
Status:         stopped
Flags:          --debug --allow-insecure-entitlement security.insecure
"""
AMD64_ALONE = """Name:          container-builder
Driver:        docker-container
Last Activity: 2025-05-19 10:07:09 +0000 UTC

Nodes:
Name:                  container-builder0
Endpoint:              unix:///var/run/docker.sock
Driver Options:        network="host"
Status:                running
BuildKit daemon flags: --allow-insecure-entitlement=network.host
BuildKit version:      v0.21.1
Platforms:             linux/amd64, linux/amd64/v2, linux/amd64/v3, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
"""
ON_A_MAC = """#1 [internal] booting buildkit
#1 DONE 16.6s
Name:          mybuilder
Driver:        docker-container
Last Activity: 2025-10-13 02:22:06 +0000 UTC

Nodes:
Name:                  mybuilder0
Endpoint:              desktop-linux
Status:                running
BuildKit daemon flags: --allow-insecure-entitlement=network.host
BuildKit version:      v0.24.0
Platforms:             linux/arm64, linux/amd64, linux/amd64/v2, linux/riscv64, linux/386
Labels:
 org.mobyproject.buildkit.worker.oci.process-mode: sandbox
Devices:
 Name:      nvidia.com/gpu
GC Policy rule#0:
 All:            false
"""
TWO_NODES = f"{AMD64_ALONE}\n{REMOTE.partition('Nodes:')[2].lstrip()}"


@pytest.mark.parametrize(("text", "expected"), [
    (BEFORE_IT_RUNS, set()), (STOPPED, set()), (REMOTE, {"amd64", "arm64"}),
    (AMD64_ALONE, {"amd64"}), (ON_A_MAC, {"amd64", "arm64"}), (TWO_NODES, {"amd64", "arm64"}),
], ids=["inactive", "stopped", "remote 0.11", "0.23", "0.29", "two nodes"])  # fmt: skip
def test_what_builders_of_buildx_have_said(text: str, expected: set[str]) -> None:
    """Their own words, as issues and handbooks of buildx quote them."""
    assert commands.platforms(text) & {"amd64", "arm64"} == expected


REGISTERED = """enabled
interpreter /usr/bin/qemu-aarch64-static
flags: POCF
offset 0
"""


@pytest.mark.parametrize(("text", "expected"), [
    (REGISTERED, True), (f"enabled\ninterpreter /x\nflags: F\n\n{REGISTERED}", True),
    (REGISTERED.replace("enabled", "disabled"), False), (REGISTERED.replace("POCF", "POC"), False),
    (REGISTERED.replace("aarch64", "arm"), False), ("", False),
])  # fmt: skip
def test_whether_the_kernel_emulates(text: str, expected: bool) -> None:
    assert commands.emulates(text, "aarch64") is expected
