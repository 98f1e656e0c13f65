from __future__ import annotations

import hashlib
import json

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
