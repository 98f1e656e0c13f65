"""install_kubeadm.sh on another machine's files, with a runtime that only remembers images."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
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
    return bundle(tmp_path, ["k8s.gcr.io/pause:3.2"])


def bundle(tmp_path: Path, images: Sequence[str]) -> Path:
    """A bundle for a node of a kubelet, a plugin and these images."""
    (tmp_path / "layer").mkdir()
    content = {"bin/kubelet": b"the kubelet", "cni/bridge": b"the bridge"}
    for name in images:
        archive = tmp_path / "image.tar"
        image.write(archive, image.Image(name, "amd64", [f"/{name}"]), tmp_path / "layer")
        content[f"images/{name.split('/')[-1].replace(':', '_')}.tar"] = archive.read_bytes()
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


# A runtime that has images by their names: $STATE/images has a line "NAME ID" for each.
RUNTIME = {
    "ctr": """for archive; do :; done
list=$(tar -xOf "$archive" manifest.json)
id=$(echo "$list" | sed 's/.*"Config": *"\\([^".]*\\).*/\\1/')
name=$(echo "$list" | sed 's/.*"RepoTags": *\\["\\([^"]*\\).*/\\1/')
echo "$name sha256:$id" >>"$STATE/images" """,
    "crictl": """shift 2; echo "$*" >>"$STATE/asked"
[ "$1" != info ] || exit 0
shift
for name; do
    id=$(sed -n "s|^$name ||p" "$STATE/images" 2>/dev/null)
    [ -n "$id" ] || { echo no such image >&2; exit 1; }
    printf '{\\n  "status": {\\n    "id": "%s",\\n    "size": "7"\\n  }\\n}\\n' "$id"
done""",
}


@pytest.fixture
def runtime(tmp_path: Path, install: Install) -> Path:
    """The file of what the runtime has, a line NAME ID for each image."""
    for name, text in RUNTIME.items():
        (tmp_path / "programs" / name).write_text(f"#!/bin/sh\n{text}\n")
    bundle(tmp_path, ["k8s.gcr.io/pause:3.2", "k8s.gcr.io/etcd:3.4"])
    assert install().stdout.count("changed: imported ") == 2
    return tmp_path / "state/images"


def test_a_runtime_that_has_all_images_is_asked_once(install: Install, runtime: Path) -> None:
    asked = runtime.with_name("asked")
    asked.unlink()
    assert install().stdout == "nothing to do\n"
    assert asked.read_text() == "inspecti k8s.gcr.io/etcd:3.4 k8s.gcr.io/pause:3.2\n"


@pytest.mark.parametrize("left", ["etcd", "pause"])
def test_an_image_that_is_gone_is_imported(install: Install, runtime: Path, left: str) -> None:
    lines = runtime.read_text().splitlines(keepends=True)
    runtime.write_text("".join(line for line in lines if f"/{left}:" in line))
    gone = {"etcd": "pause_3.2", "pause": "etcd_3.4"}[left]
    assert install().stdout == f"changed: imported {gone}.tar\n"


def test_each_image_has_its_own_name(install: Install, runtime: Path) -> None:
    """All ids are in the runtime, and none is where it should be."""
    (one, its), (other, other_id) = (line.split() for line in runtime.read_text().splitlines())
    runtime.write_text(f"{one} {other_id}\n{other} {its}\n")
    assert install(DLWS_CHECK="1").stdout.count("differs: image") == 2


@pytest.mark.parametrize("mode", [0o644, 0o700])
def test_a_program_of_another_mode_is_installed(
    install: Install, place: Path, tmp_path: Path, mode: int
) -> None:
    install()
    programs = [tmp_path / "root/usr/bin/kubelet", tmp_path / "root/opt/cni/bin/bridge"]
    for program in programs:
        program.chmod(mode)
    assert install().stdout.count("changed: ") == 2
    assert {program.stat().st_mode & 0o777 for program in programs} == {0o755}
    assert install().stdout == "nothing to do\n"


@pytest.mark.parametrize("name", ["bin/kubelet", "cni/bridge", "images/pause_3.2.tar"])
def test_a_damaged_bundle_installs_nothing(
    install: Install, place: Path, tmp_path: Path, name: str
) -> None:
    (place / name).write_bytes(b"tampered")
    done = install()
    assert done.returncode == 1 and f"{name}: FAILED" in done.stderr and "cure: " in done.stderr
    assert not (tmp_path / "root/usr/bin").exists()


def without(tmp_path: Path, program: str) -> None:
    """Takes a program off the node."""
    (tmp_path / "programs" / program).write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "programs" / program).chmod(0o755)


def no_lists(tmp_path: Path) -> Path:
    """A sha256sum that hashes what it is given, and refuses lists."""
    program = tmp_path / "programs/sha256sum"
    program.write_text('#!/bin/sh\n[ "$1" != --check ] || exit 1\nexec /usr/bin/sha256sum "$@"\n')
    program.chmod(0o755)
    return program


def test_openssl_hashes_a_bundle_and_sha256sum_has_the_word_where_it_cannot(
    install: Install, place: Path, tmp_path: Path
) -> None:
    sums = no_lists(tmp_path)
    assert install().returncode == 0
    (tmp_path / "bundle/amd64.checked").unlink()
    without(tmp_path, "openssl")
    done = install()
    assert done.returncode == 1 and "the bundle in " in done.stderr
    sums.unlink()
    assert install().returncode == 0


@pytest.mark.parametrize("with_openssl", [True, False])
@pytest.mark.parametrize("line", ["0 *x", f"{'0' * 64}  bin/nowhere", f"{'0' * 64} *bin/kubelet"])
def test_a_list_of_hashes_that_is_not_right_is_refused(
    install: Install, place: Path, tmp_path: Path, line: str, with_openssl: bool
) -> None:
    if not with_openssl:
        without(tmp_path, "openssl")
    sums = place / "SHA256SUMS"
    sums.write_text(f"{sums.read_text()}{line}\n")
    done = install()
    assert done.returncode == 1 and f"the bundle in {place} is damaged: " in done.stderr


def test_a_bundle_is_hashed_once_and_again_when_it_has_changed(
    install: Install, place: Path, tmp_path: Path
) -> None:
    assert install().returncode == 0
    (place / "SHA256SUMS").chmod(0o600)  # a change of no content
    before = (tmp_path / "bundle/amd64.checked").read_text()
    assert install().returncode == 0
    after = (tmp_path / "bundle/amd64.checked").read_text()
    assert before != after
    sums = no_lists(tmp_path)
    without(tmp_path, "openssl")
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
