"""A cluster's kubeconfig: as kubeadm writes it, and as dlws builds it anew."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from dlws.kubernetes.credentials import Credentials


def pem(kind: str, content: bytes = b"c2VjcmV0") -> str:
    """Base64 of PEM, as in a kubeconfig."""
    text = b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind.encode(), content, kind.encode())
    return base64.b64encode(text).decode()


CREDENTIALS = Credentials(
    pem("CERTIFICATE"), pem("CERTIFICATE", b"Y2xpZW50"), pem("RSA PRIVATE KEY")
)

KUBEADM: dict[str, Any] = {
    "apiVersion": "v1",
    "clusters": [
        {
            "cluster": {
                "certificate-authority-data": CREDENTIALS.authority,
                "server": "https://10.1.0.1:6443",
            },
            "name": "atlas",
        }
    ],
    "contexts": [
        {
            "context": {"cluster": "atlas", "user": "kubernetes-admin"},
            "name": "kubernetes-admin@atlas",
        }
    ],
    "current-context": "kubernetes-admin@atlas",
    "kind": "Config",
    "preferences": {},
    "users": [
        {
            "name": "kubernetes-admin",
            "user": {
                "client-certificate-data": CREDENTIALS.certificate,
                "client-key-data": CREDENTIALS.key,
            },
        }
    ],
}
"""What kubeadm writes to /etc/kubernetes/admin.conf."""

ON_NODE = yaml.safe_dump(KUBEADM).encode()

ADMIN = CREDENTIALS.kubeconfig("atlas", "https://10.1.0.1:6443")
"""What dlws keeps in deploy/sshkey/admin.conf."""
