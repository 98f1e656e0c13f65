"""install_kubeadm.sh on another machine's files, with a runtime that only remembers images."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.bundle import delivery, image, manifest
from dlws.core import resources
from tests.support.bundles import write_bundle

Done = subprocess.CompletedProcess[str]

Install = Callable[..., Done]


# Each is a program of the node; $STATE is a directory in which they remember.
PROGRAMS = {
    "id": 'echo "${1:+0}"',
    "dpkg-query": "echo installed",
    "apt-mark": "exit 0",
    "systemctl": """case $1 in
is-enabled) [ -e "$STATE/enabled" ];; enable) touch "$STATE/enabled";; is-active) exit 3;; esac""",
    "ctr": """for archive; do :; done
tar -xOf "$archive" manifest.json | grep -o '[0-9a-f]*\\.json' >>"$STATE/images" """,
    "crictl": """case $3 in info) exit 0;; esac
[ -e "$STATE/images" ] && sed 's/^/sha256:/; s/.json$//' "$STATE/images" """,
    "docker": """case $1-$2 in
image-inspect) [ -e "$STATE/images" ] || exit 1
sed 's/^/sha256:/; s/.json$//' "$STATE/images" && seq 99999;;
image-load) tar -xOf "$5" manifest.json | grep -o '[0-9a-f]*\\.json' >>"$STATE/images";; esac""",
    "curl": "exit 6",
    "kubeadm": "exit 127",
    "kubelet": "exit 127",
}


@pytest.fixture
def install(tmp_path: Path) -> Install:
    (tmp_path / "programs").mkdir()
    (tmp_path / "state").mkdir()
    for name, text in PROGRAMS.items():
        path = tmp_path / "programs" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")

    def run(version: str = "1.20.2", source: str = "bundle", **facts: str) -> Done:
        environment = {
            "PATH": f"{tmp_path}/programs:/usr/sbin:/usr/bin:/sbin:/bin",
            "STATE": str(tmp_path / "state"),
            "DLWS_ROOT": str(tmp_path / "root"),
            "DLWS_BUNDLE": str(tmp_path / "bundle/amd64"),
            "DLWS_KUBERNETES_VERSION": version,
            "DLWS_KUBERNETES_SOURCE": source,
            **facts,
        }
        words = ["bash", str(resources.scripts() / "install_kubeadm.sh")]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A bundle as it lies on a node, with one real image archive."""
    (tmp_path / "layer").mkdir()
    archive = tmp_path / "pause.tar"
    image.write(
        archive, image.Image("k8s.gcr.io/pause:3.2", "amd64", ["/pause"]), tmp_path / "layer"
    )
    content = {
        "bin/kubelet": b"the kubelet",
        "cni/bridge": b"the bridge",
        "images/pause_3.2.tar": archive.read_bytes(),
    }
    whole = write_bundle(tmp_path / "bundle", content)
    part = manifest.load(whole).for_node("amd64", "bookworm")
    (whole / "amd64/manifest.json").write_text(part.dump())
    (whole / "amd64/SHA256SUMS").write_text(delivery.sums(part.architectures["amd64"]))
    return whole / "amd64"


def test_a_bundle_is_installed_and_a_second_run_changes_nothing(
    install: Install, place: Path, tmp_path: Path
) -> None:
    done = install()
    assert done.returncode == 0, done.stderr
    root = tmp_path / "root"
    assert (root / "usr/bin/kubelet").read_bytes() == b"the kubelet"
    assert (root / "usr/bin/kubelet").stat().st_mode & 0o777 == 0o755
    assert (root / "opt/cni/bin/bridge").read_bytes() == b"the bridge"
    drop_in = root / "etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
    assert "$KUBELET_KUBEADM_ARGS" in drop_in.read_text()
    assert (tmp_path / "state/images").read_text().count("\n") == 1
    again = install()
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")


def test_docker_has_an_image_also_where_it_says_much_of_it(
    install: Install, place: Path, tmp_path: Path
) -> None:
    assert "imported pause_3.2.tar" in install(DLWS_RUNTIME="docker").stdout
    again = install(DLWS_RUNTIME="docker")
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")


def test_an_image_with_the_same_name_and_other_content_is_imported(
    install: Install, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "state/images").write_text(f"{'0' * 64}.json\n")
    assert "imported pause_3.2.tar" in install().stdout


@pytest.mark.parametrize("name", ["bin/kubelet", "cni/bridge", "images/pause_3.2.tar"])
def test_a_damaged_bundle_installs_nothing(
    install: Install, place: Path, tmp_path: Path, name: str
) -> None:
    (place / name).write_bytes(b"tampered")
    done = install()
    assert done.returncode == 1 and f"{name}: FAILED" in done.stderr and "cure: " in done.stderr
    assert not (tmp_path / "root/usr/bin").exists()


def test_a_bundle_is_hashed_once_and_again_when_it_has_changed(
    install: Install, place: Path, tmp_path: Path
) -> None:
    assert install().returncode == 0
    (place / "SHA256SUMS").chmod(0o600)  # a change of no content
    before = (tmp_path / "bundle/amd64.checked").read_text()
    assert install().returncode == 0
    after = (tmp_path / "bundle/amd64.checked").read_text()
    assert before != after
    sums = tmp_path / "programs/sha256sum"  # hashes what it is given, and refuses lists
    sums.write_text('#!/bin/sh\n[ "$1" != --check ] || exit 1\nexec /usr/bin/sha256sum "$@"\n')
    sums.chmod(0o755)
    assert install().returncode == 0
    sums.unlink()
    (place / "bin/kubelet").write_bytes(b"tampered")
    done = install()
    assert done.returncode == 1 and "bin/kubelet: FAILED" in done.stderr


def test_a_surplus_file_in_the_bundle_is_named(install: Install, place: Path) -> None:
    (place / "bin/a b;$(touch x)").write_bytes(b"")
    done = install()
    assert done.returncode == 1 and "bin/a b;$(touch x)" in done.stderr


def test_a_bundle_of_another_version_is_refused(install: Install, place: Path) -> None:
    done = install("1.21.0")
    assert done.returncode == 1 and "is not Kubernetes 1.21.0" in done.stderr


@pytest.mark.parametrize("version", ["", "1.20", "1.20.2;x", "$(x)", "latest"])
def test_what_is_no_version_is_refused(install: Install, version: str) -> None:
    done = install(version)
    assert done.returncode == 1 and "kubernetes.version" in done.stderr


def test_versions_that_upstream_dropped_are_refused_with_the_cures(install: Install) -> None:
    done = install("1.23.1", "packages")
    assert done.returncode == 1 and "kubernetes.source: bundle" in done.stderr


def test_what_was_tried_is_named_when_no_repository_answers(install: Install) -> None:
    done = install("1.30.4", "packages", DLWS_APT_MIRROR=r"http:\/\/mirror.test")
    assert "no kubeadm 1.30.4 at: http://mirror.test/kubernetes-new/core/stable/v1.30/deb/" in (
        done.stderr
    )
