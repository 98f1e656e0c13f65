"""Images for parts of the job platform that have no context yet: they answer, and do nothing."""

from __future__ import annotations

from pathlib import Path

NAMES = (
    "openresty", "watchdog", "gpu-reporter", "job-exporter", "repairmanager2",
    "prometheus-adapter", "dashboard", "reaper",
)  # fmt: skip
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
