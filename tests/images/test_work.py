"""Images that are nothing but folders, built by a real engine and pushed to a real registry."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError, Refused
from dlws.images import builders, listing, work
from dlws.images.builders import OnNode
from dlws.images.engine import BINFMT
from dlws.runs.options import Options
from dlws.session import Session
from tests.support import dockers
from tests.support.dockers import PASSWORD, USER, Docker, engine
from tests.support.program import DEPLOY
from tests.support.sshd import free_port
from tests.support.waiting import wait_for, wait_until

CONFIG = """cluster_name: {cluster}
dockerregistry: {registry}/site
dockertag: '1'
registry_credential:
  {registry}: {{username: {user}, password: 'file:deploy/password'}}
machines:
  m1: {{role: infrastructure, private-ip: 127.9.0.1}}
"""
ARM = "  w1: {role: worker, private-ip: 127.9.0.2, archtype: arm64}\n"


@dataclass
class Site:
    """A cluster's directory with contexts, an engine and a registry."""

    directory: Path
    docker: Docker
    cluster: str
    said: Callable[[], str]

    def write(self, name: str, **files: str) -> None:
        for key, text in files.items():
            path = self.directory / "templates/images" / name / key.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def session(self, **options: Any) -> Session:
        return Session(Options(directory=self.directory, **options))

    def push(self, *words: str, **options: Any) -> str:
        """Push images; what was said of it."""
        session = self.session(**{"command": "docker", **options})
        try:
            work.make(session.cluster, words, options.get("archtype"), push=True)
        finally:
            session.finish("ok")
            session.close()
        return self.said()

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command line as a person types it."""
        line = [*DEPLOY, "--dir", str(self.directory), *words]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    def name(self, image: str) -> str:
        return f"site/{self.cluster}_{image}"


@pytest.fixture
def site(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest,
) -> Site:  # fmt: skip
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "own"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    cluster = "c" + re.sub(r"\W|_", "", request.node.name)[-30:]
    text = CONFIG.format(cluster=cluster, registry=docker.registry, user=USER)
    (tmp_path / "config.yaml").write_text(text)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/password").write_text(PASSWORD)
    (tmp_path / "deploy/password").chmod(0o600)
    return Site(tmp_path, docker, cluster, lambda: capfd.readouterr().err)


def test_what_has_not_changed_is_neither_built_nor_pushed_again(site: Site) -> None:
    site.write("toy", Dockerfile="FROM scratch\nCOPY a hello /\n", a="1",
               hello__j2="{{ config.cluster_name }}\n")  # fmt: skip
    site.write("top", Dockerfile__j2='FROM {{ image("toy") }}\nCOPY b /\n', b="2")
    before = site.docker.writes()
    assert "would push" in site.push("top", dry_run=True)
    assert site.docker.writes() == before

    said = site.push("TOY", "top")
    assert said.count("changed: built") == said.count("changed: pushed") == 2
    files = site.docker.files(site.name("top"), "1")
    assert files == {"a": b"1", "b": b"2", "hello": f"{site.cluster}\n".encode()}

    before = site.docker.writes()
    (log,) = (site.directory / "deploy/runs").glob("*/image-toy.log")
    assert "Successfully tagged" in log.read_text() and "Pushed" in log.read_text()

    assert "nothing to do: toy, top" in site.push("toy", "top")
    assert site.docker.writes() == before

    key = site.docker.label(site.name("top"), "1")
    site.write("toy", a="3")
    rows = {
        row["name"]: row for row in listing.listed(site.session().cluster, ["toy", "top"], None)
    }
    assert [rows[name]["built"] for name in ("toy", "top")] == ["outdated", "outdated"]
    site.push("top")
    assert site.docker.files(site.name("top"), "1")["a"] == b"3"
    assert site.docker.label(site.name("top"), "1") != key
    (top,) = listing.listed(site.session().cluster, ["top"], None)
    assert (top["built"], top["pushed"]) == ("yes", "yes")


def test_after_a_failed_build_nothing_of_it_is_pushed_and_the_others_are(site: Site) -> None:
    site.write("good", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    site.write("bad", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    site.write("child", Dockerfile__j2='FROM {{ image("bad") }}\n')
    site.push("bad")
    site.write("bad", Dockerfile="FROM scratch\nCOPY missing /\n")
    old = site.docker.label(site.name("bad"), "1")
    with pytest.raises(DeployError) as caught:
        site.push("bad", "child", "good")
    assert "2 of 3 images failed" in caught.value.message
    assert "not tried: there is no bad, which it builds on" in caught.value.message
    assert "COPY failed" in caught.value.message
    assert site.docker.label(site.name("bad"), "1") == old
    assert not site.docker.manifest(site.name("child"), "1")
    assert site.docker.files(site.name("good"), "1")


def test_what_cannot_be_built_keeps_no_other_from_it(site: Site) -> None:
    site.write("good", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    site.write("bad", Dockerfile__j2="{{ nothing }}")
    (site.directory / "templates/images/none").mkdir()
    (site.directory / "templates/images/none/Dockerfile-arm64").write_text("FROM scratch\n")
    with pytest.raises(DeployError) as caught:
        site.push("bad", "good", "none")
    assert "2 of 3 images failed" in caught.value.message
    assert "Dockerfile.j2:1: 'nothing' is undefined" in caught.value.message
    assert "none has no Dockerfile for amd64" in caught.value.message
    assert site.docker.files(site.name("good"), "1")


def test_images_are_made_while_another_run_changes_the_cluster(site: Site) -> None:
    """And none while another run makes some: what it does is not done twice at a time."""
    site.write("toy", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    up, other = site.session(command="up"), site.session(command="docker")
    up.run.begin()
    other.run.begin()
    with pytest.raises(Refused, match="another run works on this cluster's images: docker by"):
        site.push("toy")
    other.finish("ok")
    other.close()
    assert "changed: pushed" in site.push("toy")
    up.finish("ok")
    up.close()


def test_a_sites_files_lie_over_ours(site: Site) -> None:
    site.write("nginx", Dockerfile="FROM scratch\nCOPY nginx.conf default.conf /\n")
    ours = site.directory / "templates/images/nginx"
    (ours / "Dockerfile").rename(ours / "Dockerfile.j2")
    site.write("nginx", default__conf="of the site\n")
    site.push("nginx")
    files = site.docker.files(site.name("nginx"), "1")
    assert files["default.conf"] == b"of the site\n"
    assert b"worker_processes" in files["nginx.conf"]


def test_a_list_of_the_images_of_all_architectures(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = site.directory / "config.yaml"
    config.write_text(config.read_text() + ARM)
    # What runs nothing of its own needs no emulation.
    told = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: POCF\n"
    told += "\nenabled\ninterpreter /usr/bin/qemu-x86_64-static\nflags: POCF\n"
    monkeypatch.setattr(builders, "formats", lambda: told)
    site.write("many", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    (site.directory / "templates/images/many/Dockerfile-arm64").write_text(
        "FROM scratch\nCOPY Dockerfile-arm64 /\n"
    )
    site.push("many", archtype="all")
    found = site.docker.manifest(site.name("many"), "1")["manifests"]
    assert sorted(one["platform"]["architecture"] for one in found) == ["amd64", "arm64"]
    for one in found:  # as a node of that architecture reads it: by the digest in the list
        manifest = site.docker.manifest(site.name("many"), one["digest"])
        about = site.docker.get(f"{site.name('many')}/blobs/{manifest['config']['digest']}")
        assert json.loads(about)["architecture"] == one["platform"]["architecture"]
    files = {
        one["platform"]["architecture"]: [*site.docker.files(site.name("many"), one["digest"])]
        for one in found
    }
    assert files == {"amd64": ["Dockerfile"], "arm64": ["Dockerfile-arm64"]}
    before = site.docker.writes()
    assert "nothing to do" in site.push("many", archtype="all")
    assert site.docker.writes() == before


@dataclass
class ByEngine:
    """A node that is nothing but its engine."""

    host: str
    name: str = "w1"

    def read(
        self, command: str, stdin: Any = b"", echo: Any = None, check: bool = True, **_: Any
    ) -> Result:
        line = f"export DOCKER_HOST={self.host}; {command}"
        done = Local().run(line, stdin=stdin, echo=echo)
        assert done.ok or not check, done.complaint
        return done


def test_the_engine_of_a_node_builds_and_keeps_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("base", Dockerfile="FROM scratch\nCOPY Dockerfile /base\n")
    (site.directory / "templates/images/base/prebuild.sh").write_text("")
    site.write("child", Dockerfile__j2='FROM {{ image("base") }}\nCOPY a /\n', a="1")
    with engine() as host:
        node: Any = ByEngine(host)
        monkeypatch.setattr(builders, "choose", lambda engine, *_: OnNode(engine, node))
        assert "would build" in site.push("child", dry_run=True)
        site.push("child")
        left = node.read("docker images --quiet; docker ps --all --quiet").text
    assert left == ""
    assert set(site.docker.files(site.name("child"), "1")) == {"base", "a"}


def test_what_we_log_in_with_is_nowhere_afterwards(site: Site) -> None:
    site.write("toy", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    site.push("toy")
    assert list((site.directory / "tmp").iterdir()) == []
    assert not (site.directory / "own").exists()
    kept = [path for path in site.directory.rglob("*") if path.is_file()]
    told = [path.name for path in kept if PASSWORD.encode() in path.read_bytes()]
    assert told == ["password"]


def test_interrupted_it_ends_what_runs_and_keeps_nothing(site: Site) -> None:
    site.write("toy", Dockerfile="FROM scratch\nCOPY Dockerfile /\n",
               prebuild__sh=f"echo $$ >{site.directory}/new && mv {site.directory}/new "
                            f"{site.directory}/pid && exec sleep 600")  # fmt: skip
    line = [*DEPLOY, "--dir", str(site.directory), "docker", "push", "toy"]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        wait_for(site.directory / "pid")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    sleep = Path("/proc", (site.directory / "pid").read_text().strip())
    wait_until(lambda: not sleep.exists())
    assert list((site.directory / "tmp").iterdir()) == []


def test_a_wrong_password_names_the_key(site: Site) -> None:
    (site.directory / "deploy/password").write_text("wrong")
    site.write("toy", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    with pytest.raises(DeployError, match=f"does not let {USER} in") as caught:
        site.push("toy")
    assert f"registry_credential.{site.docker.registry}" in caught.value.cure


def test_a_registry_whose_disk_is_full_is_told_with_what_helps(site: Site, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    site.write("large", Dockerfile="FROM scratch\nCOPY content /\n")
    content = tmp_path / "templates/images/large/content"
    content.write_bytes(random.Random(1).randbytes(2**21))
    with (
        dockers.disk(tmp_path / "registry/data", "1m"),
        dockers.registry(tmp_path / "registry") as full,
    ):
        config = site.directory / "config.yaml"
        config.write_text(config.read_text().replace(site.docker.registry, full))
        done = site.typed("docker", "push", "large")
    assert done.returncode == 1
    assert f"pushing {full}/site/" in done.stderr and "registry gc" in done.stderr


def test_a_disk_that_is_full_while_images_are_built_is_told_with_what_helps(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("large", Dockerfile="FROM scratch\nCOPY content /\n")
    (tmp_path / "templates/images/large/content").write_bytes(bytes(2**23))
    with engine(size="4m") as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        done = site.typed("docker", "build", "large")
        left = list((site.directory / "tmp").iterdir())
    assert done.returncode == 1
    assert "no space left on device" in done.stderr and "docker system df" in done.stderr
    assert left == []


def test_a_disk_without_room_for_a_context_is_named(site: Site, tmp_path: Path) -> None:
    site.write("large", Dockerfile="FROM scratch\nCOPY content /\n")
    (tmp_path / "templates/images/large/content").write_bytes(bytes(2**21))
    with dockers.disk(tmp_path / "tmp", "1m"):
        done = site.typed("docker", "build", "large")
    assert done.returncode == 1
    assert f"do not fit into {tmp_path}/tmp" in done.stderr and "TMPDIR" in done.stderr


def test_an_architecture_that_nothing_builds_for_is_told_with_the_three_ways(site: Site) -> None:
    """This machine's kernel may know programs of arm64: the command sees nothing of that."""
    site.write("toy", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    hidden = 'mount -t tmpfs none "$0" 2>/dev/null; exec "$@"'
    line = ["unshare", "--mount", "sh", "-c", hidden, str(BINFMT), *DEPLOY]
    line += ["--dir", str(site.directory), "--archtype", "arm64", "docker", "push", "toy"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nothing builds for arm64" in done.stderr
    for cure in ("qemu-user-static", "docker buildx", "archtype: arm64"):
        assert cure in done.stderr
    assert site.docker.manifest(site.name("toy"), "1-arm64") == {}


def test_a_registry_that_is_down_is_told_as_such(site: Site) -> None:
    site.write("toy", Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    config = site.directory / "config.yaml"
    config.write_text(config.read_text().replace(site.docker.registry, f"127.0.0.1:{free_port()}"))
    done = site.typed("docker", "push", "toy")
    assert done.returncode == 1
    assert "the registry does not answer" in done.stderr and "registry status" in done.stderr
