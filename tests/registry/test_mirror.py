"""What images of other registries are called in ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlws.config.registry import OurRegistry
from dlws.core.connection import Local
from dlws.core.resources import template
from dlws.registry.mirror import ours
from dlws.shell.quoting import sh

OURS = OurRegistry("infra01", ("10.1.0.1",), 5443, "/data/registry")


@pytest.mark.parametrize(("image", "expected"), [
    ("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27"),
    ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
    ("images.example:8443/team/app:1", "images.example/team/app:1"),
    ("[fd00::1]:8443/app:1", "fd00--1/app:1"),
    (f"quay.io/x:1@sha256:{'a' * 64}", "quay.io/x:1"),
    (f"quay.io/x@sha256:{'a' * 64}", f"quay.io/x:{'a' * 12}"),
])  # fmt: skip
def test_names(image: str, expected: str) -> None:
    assert ours(image, OURS) == f"10.1.0.1:5443/{expected}"


SKOPEO = """#!/bin/sh
# As skopeo does it: no name with a tag and a digest.
for last; do case ${last##*/} in *:*@*) echo "a tag and a digest" >&2 && exit 1 ;; esac; done
echo "$*" >>"$(dirname "$0")/asked"
case $1 in inspect) case $last in *10.1.0.1*) exit 1 ;; *) echo manifest ;; esac esac
"""


def test_an_image_with_a_tag_and_a_digest_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "skopeo").write_text(SKOPEO)
    (tmp_path / "skopeo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    digest = f"sha256:{'a' * 64}"
    given = [f"r.example:5000/x:1@{digest}", f"quay.io/y@{digest}", "quay.io/z:3"]
    lines = [line for image in given for line in (image, ours(image, OURS))]
    stdin = "".join(f"{line}\n" for line in ("{}", *lines)).encode()
    done = Local().run(sh("bash", "-c", template("registry/copy.sh"), "dlws", "copy"), stdin)
    assert done.ok, done.complaint
    copied = [
        line.split()[-2:] for line in (tmp_path / "asked").read_text().splitlines()
        if " copy " in f" {line} "
    ]  # fmt: skip
    assert copied == [
        [f"docker://r.example:5000/x@{digest}", "docker://10.1.0.1:5443/r.example/x:1"],
        [f"docker://quay.io/y@{digest}", f"docker://10.1.0.1:5443/quay.io/y:{'a' * 12}"],
        ["docker://quay.io/z:3", "docker://10.1.0.1:5443/quay.io/z:3"],
    ]
