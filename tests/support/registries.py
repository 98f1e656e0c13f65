"""A configuration with a registry of the cluster's own, and its life on a real cluster."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from dlws.core.connection import Result
from dlws.shell.quoting import sh
from tests.support.fakes import World

PASSWORD = "it's $ecret # \\"
CONFIG = f"""
cluster_name: atlas
network: {{domain: example.org}}
registry: {{enabled: true, mirror: [docker.io, "quay.example:8443"]}}
registry_credential:
  10.1.0.1:5443: {{username: puller, password: {json.dumps(PASSWORD)}}}
machines:
  infra01: {{role: infrastructure, private-ip: 10.1.0.1}}
  gpu01: {{role: worker, private-ip: 10.1.0.11}}
"""
OPEN = CONFIG.replace("10.1.0.1:5443: {", "other.example: {")

_PULL = "ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d"

Start = Callable[..., World]
"""Makes a world in which it was started."""


class Real(Protocol):
    """A sandbox with a cluster on it."""

    @property
    def directory(self) -> Path: ...
    def __call__(self, *words: str, code: int | None = 0, stdin: str = "") -> Result: ...
    def address(self, name: str) -> str: ...
    def on(self, name: str, command: str) -> str: ...
    def kubectl(self, *words: str, stdin: str = "") -> str: ...


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def image(text: str) -> bytes:
    """A docker-archive of one layer with one file."""
    layer = packed({"words": text.encode()})
    layers = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    settings = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}, "rootfs": layers}
    about = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"]}]
    files = {"c.json": settings, "manifest.json": about}
    texts = {name: json.dumps(value).encode() for name, value in files.items()}
    return packed({**texts, "layer.tar": layer})


def _told(result: Result) -> str:
    """All that was said: what scripts print on nodes goes to standard output."""
    return (result.out + result.err).decode()


def _place(real: Real) -> str:
    return f"{real.address('infra1')}:5443"


def _push(real: Real, text: str, tag: str, who: str = f"puller:{PASSWORD}") -> None:
    path = real.directory / "app.tar"
    path.write_bytes(image(text))
    real("--nodes", "infra1", "copytoall", str(path), "/root/app.tar")
    words = ("skopeo", "--insecure-policy", "copy", "--dest-creds", who)
    names = ("docker-archive:/root/app.tar", f"docker://{_place(real)}/team/app:{tag}")
    real.on("infra1", sh(*words, *names))


def _curl(real: Real, *words: str) -> str:
    options = ("--silent", "--cacert", "/etc/dlws/registry-ca.crt", "--user", f"puller:{PASSWORD}")
    return real.on("infra1", sh("curl", *options, *words))


def takes_images_from_who_knows_its_password_alone(real: Real) -> None:
    real("registry", "start")
    password = (real.directory / "deploy/registry/password").read_text().strip()
    _push(real, "open", "0", f"dlws:{password}")
    with pytest.raises(AssertionError, match=r"unauthorized|authentication required"):
        _push(real, "forged", "0", "dlws:guessed")
    for port, code in ((5443, "401"), (5442, "405")):
        url = f"https://{real.address('infra1')}:{port}/v2/team/app/blobs/uploads/"
        words = ("--silent", "--cacert", "/etc/dlws/registry-ca.crt", "--output", "/dev/null")
        asked = sh("curl", *words, "--write-out", "%{http_code}", "--request", "POST", url)
        assert real.on("worker1", asked) == code
    name = f"{_place(real)}/team/app:0"  # without a login, as any pod's image is pulled
    real.on("worker1", f"{_PULL} {name} && ctr -n k8s.io images rm {name}")
    with pytest.raises(AssertionError, match="not found"):
        real.on("worker1", f"{_PULL} {_place(real)}/team/none:0")


def is_started_once(real: Real) -> None:
    login = {"username": "puller", "password": PASSWORD}
    wanted = {**login, "pre_download_images": [f"{_place(real)}/team/app:1"]}
    with (real.directory / "config.yaml").open("a") as config:
        config.write(f"\nregistry_credential: {json.dumps({_place(real): wanted})}\n")
    assert f"named {_place(real)}/NAME:TAG" in real("registry", "start").err.decode()
    again = real("registry", "start").err.decode()
    assert again.count("nothing to do") == 2 and "changed" not in again
    with pytest.raises(AssertionError, match=r"basic auth|authorization failed|401"):
        real.on("worker1", f"{_PULL} {_place(real)}/team/app:0")
    kept = real.directory / "deploy/registry"
    assert {path.stat().st_mode & 0o777 for path in kept.glob("*.key")} == {0o600}
    assert real.on("infra1", "stat -c '%a %U:%G' /etc/dlws/registry/tls.key") == (
        "640 root:docker-registry"
    )
    found = json.loads(real("registry", "status", "--output", "json").out)
    assert found["healthy"] and set(found["reached"].values()) == {"answers"}
    assert len(found["reached"]) == 6  # this machine, too
    assert real.on("infra1", "systemctl is-active docker-registry || true") == "inactive"


def gives_other_nodes_images(real: Real) -> None:
    _push(real, "one", "1")
    name = f"{_place(real)}/team/app:1"
    told = _told(real("--nodes", "infra1,worker1", "registry", "pull", name))
    assert f"pulled {name}" in told and PASSWORD not in told
    real.on("worker1", f"ctr -n k8s.io images ls -q | grep -qxF {name}")
    again = real("--nodes", "worker1", "registry", "pull", name).err.decode()
    assert "nothing to do" in again


def gives_kubelets_images_by_the_secret(real: Real) -> None:
    line = ("--sudo", "runscriptonrandmaster", "./scripts/pass_secret.sh")
    assert "created Secret default/regcred" in real(*line).err.decode()
    assert "nothing to do" in real(*line).err.decode()
    data = real.kubectl("get", "secret", "regcred", "-o", "jsonpath={.data.*}")
    assert json.loads(base64.b64decode(data))["auths"][_place(real)]["password"] == PASSWORD
    spec = {
        "nodeName": "worker2",
        "imagePullSecrets": [{"name": "regcred"}],
        "containers": [
            {"name": "x", "image": f"{_place(real)}/team/app:1", "imagePullPolicy": "Always"}
        ],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "regcred"}, "spec": spec}
    real.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    asked = ("get", "events", "--field-selector", "involvedObject.name=regcred,reason=Pulled")
    deadline = time.monotonic() + 60
    while "Successfully pulled" not in (told := real.kubectl(*asked)):
        assert time.monotonic() < deadline, told or real.kubectl("describe", "pod", "regcred")
        time.sleep(1)
    real.kubectl("delete", "pod", "regcred", "--force", "--grace-period=0")


def is_pulled_from_beforehand(real: Real) -> None:
    line = ("runscriptonroles", "worker", "scripts/pre_download_images.sh")
    assert "nothing to do" in real(*line).err.decode()  # both workers have it by now


def says_why_an_image_is_not_to_be_had(real: Real) -> None:
    line = ("--nodes", "worker1", "registry", "pull", f"{_place(real)}/team/none:1")
    assert "has no such image" in real(*line, code=1).err.decode()
    path = real.directory / "config.yaml"
    good = path.read_text()
    path.write_text(good.replace("$ecret", "wrong"))
    try:
        assert "refuses the user or the password" in real(*line, code=1).err.decode()
    finally:
        path.write_text(good)


def keeps_what_is_tagged_or_being_pushed(real: Real) -> None:
    _push(real, "two", "1")
    url = f"https://{_place(real)}/v2/team/app/"
    begun = _curl(real, "--request", "POST", "--dump-header", "-", f"{url}blobs/uploads/")
    assert "202" in begun.splitlines()[0]
    # What an upload is about has to lie there, as it does after the first piece of it.
    assert "being pushed" in real("registry", "gc", code=4).err.decode()
    place = "/var/lib/dlws-registry/main/docker/registry/v2/repositories/team/app/_uploads"
    real.on("infra1", f"find {place} -type f -exec touch -d '2 hours ago' {{}} +")
    dry = real("--dry-run", "registry", "gc").err.decode()
    assert "no tag leads to it" in dry and "3 blobs" in dry
    assert "removed 1 manifests and 3 blobs" in real("registry", "gc").err.decode()
    assert "nothing to do" in real("registry", "gc").err.decode()
    whole = f"skopeo --insecure-policy copy --src-creds {sh(f'puller:{PASSWORD}')}"
    real.on("infra1", f"{whole} docker://{_place(real)}/team/app:1 dir:/root/whole")


def copies_images_with_their_digests(real: Real) -> None:
    name = f"{_place(real)}/team/app:1"
    given, copied = real("registry", "mirror", name).text.split()
    assert given == name
    assert copied.endswith("/team/app:1") and copied != name
    assert "nothing to do" in real("registry", "mirror", name).err.decode()
    rows = json.loads(real("registry", "status", "--output", "json").out)["images"]
    digests = [row["digest"] for row in rows if row["tag"] == "1"]
    assert len(digests) == 2 and len(set(digests)) == 1


def keeps_images_while_it_is_stopped(real: Real) -> None:
    assert "stopped dlws-registry@main.service" in real("registry", "stop").err.decode()
    told = real("registry", "status", "--output", "json", code=5)
    assert "does not run on infra1" in told.err.decode()
    assert len(json.loads(told.out)["images"]) == 3
    assert "is enabled and active" in _told(real("registry", "start"))
    real("registry", "status")


LIFE: tuple[Callable[[Real], None], ...] = (
    takes_images_from_who_knows_its_password_alone,
    is_started_once,
    gives_other_nodes_images,
    gives_kubelets_images_by_the_secret,
    is_pulled_from_beforehand,
    says_why_an_image_is_not_to_be_had,
    keeps_what_is_tagged_or_being_pushed,
    copies_images_with_their_digests,
    keeps_images_while_it_is_stopped,
)
