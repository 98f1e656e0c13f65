"""Images for parts of the job platform that have no context yet: they answer, and do nothing.

And images for arm64 of those that have one: a program that says so, as theirs take minutes."""

from __future__ import annotations

from pathlib import Path

from tests.support import ROOT, emulation

NAMES = (
    "openresty", "gpu-reporter", "repairmanager2",
    "prometheus-adapter", "reaper",
)  # fmt: skip
FOR_ARM64 = (*NAMES[:3], "platform", "init-container")
_FOR_ARM64 = """\
FROM scratch
COPY answer /
RUN ["/answer"]
ENTRYPOINT ["/answer"]
"""
_PREBUILD = '#!/bin/sh\n[ "$DLWS_ARCH" != arm64 ] || exit 0\n'
"""Nothing of the platform's is fetched for arm64."""
_DOCKERFILE = """\
FROM {{ image("platform") }}
COPY serve.py /
ENTRYPOINT ["python", "/serve.py", "NAME"]
"""
_SERVE = """\
import http.server, json, os, ssl, subprocess, sys

NAME, TLS = sys.argv[1], [word for word in sys.argv if word.startswith("--secure-port=")]
METRICS = {"kind": "APIResourceList", "apiVersion": "v1",
           "groupVersion": "custom.metrics.k8s.io/v1beta1", "resources": []}


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = METRICS if self.path.startswith("/apis/") else {"part": NAME, "path": self.path}
        content = json.dumps(found).encode()
        plain = self.path == "/metrics"
        content = b"stand_in{} 1\\n" if plain else content
        self.send_response(200)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


port = int(TLS[0].partition("=")[2] if TLS else os.environ.get("PORT", "9999"))
server = http.server.ThreadingHTTPServer(("", port), Answer)
if TLS:
    words = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout /tmp/key -out /tmp/crt"
    subprocess.run(words.split(), check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/tmp/crt", "/tmp/key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def write(directory: Path) -> None:
    """Give a cluster's directory contexts of them all, on what `docker push platform` makes."""
    for name in NAMES:
        folder = directory / "templates/images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile.j2").write_text(_DOCKERFILE.replace("NAME", name))
        (folder / "serve.py").write_text(_SERVE)
    for name in FOR_ARM64:
        folder = directory / "templates/images" / name
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile-arm64").write_text(_FOR_ARM64)
        (folder / "answer").write_bytes(emulation.program(f"{name} on arm64\n"))
        (folder / "answer").chmod(0o755)
    theirs = ROOT / "templates/images/platform/prebuild.sh"
    (directory / "templates/images/platform/prebuild.sh").write_text(
        _PREBUILD + theirs.read_text().partition("\n")[2]
    )
