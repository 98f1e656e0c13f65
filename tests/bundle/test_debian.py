from __future__ import annotations

import pytest

from dlws.bundle import debian, manifest
from dlws.bundle.build import Workspace
from dlws.core.errors import UsageError
from dlws.core.version import Version


def test_every_unit_of_debian_has_a_place_in_a_bundle(workspace: Workspace) -> None:
    units = debian.Debian(workspace, "amd64", ("bookworm", "trixie")).artifacts()
    paths = [unit.path for unit in units]
    assert len(set(paths)) == len(paths)
    for path in paths:
        deep = path if path.count("/") and "packages" not in path else f"{path}/x"
        assert manifest.kind_of(deep)
    assert {"images/etcd_3.4.13-0.tar", "images/pause_3.2.tar"} <= set(paths)
    assert "images/kube-apiserver_v1.20.2.tar" in paths


def test_the_source_package_tells_its_real_version() -> None:
    name = "kubernetes_1.20.5+really1.20.2-1.1+deb12u1.dsc"
    assert debian.source_version(name) == "1.20.2"
    assert debian.source_version("kubernetes_1.33.4+ds-1.dsc") == "1.33.4"
    assert debian.source_version("kubernetes-helm_1.dsc") == ""


def test_a_version_that_debian_lacks_is_a_usage_error_with_both_cures() -> None:
    with pytest.raises(UsageError) as caught:
        debian.check_version(Version(30, 4))
    assert "1.20.2" in caught.value.cure and "--from upstream" in caught.value.cure
