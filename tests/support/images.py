from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence

from tests.support.https import Site


class Image:
    """An image of one layer in a registry that may lie."""

    def __init__(self, site: Site) -> None:
        self.site, self.name = site, f"{site.address}/lib/pause:3.2"
        self.config, self.layer = self.blob(b"{}"), self.blob(b"a layer")
        self.index = self.tag(self.config, self.layer)

    def blob(self, content: bytes, kind: str = "blobs") -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.site.content[f"/v2/lib/pause/{kind}/{digest}"] = content
        return digest

    def tag(self, config: object, layer: object) -> str:
        """Let the tag name an image of these parts; the digest of its index."""
        manifest = {"config": {"digest": config}, "layers": [{"digest": layer}]}
        chosen = self.blob(json.dumps(manifest).encode(), "manifests")
        platform = {"os": "linux", "architecture": "amd64"}
        index = json.dumps({"manifests": [{"digest": chosen, "platform": platform}]}).encode()
        self.site.content["/v2/lib/pause/manifests/3.2"] = index
        return self.blob(index, "manifests")


def packed(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A tar of files by their names, which may be there twice."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def saved(*names: str) -> bytes:
    """What `docker save` makes of an image with these names."""
    return packed([("manifest.json", json.dumps([{"Config": "c", "RepoTags": names}]).encode())])
