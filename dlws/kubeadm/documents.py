"""The documents that kubeadm and the API server are given: plain data from values, no I/O."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dlws.config.addresses import is_address
from dlws.core.errors import DeployError
from dlws.core.merge import merged
from dlws.kubeadm import controlplane
from dlws.kubernetes import versions
from dlws.nodes.endpoint import Endpoint

if TYPE_CHECKING:
    from dlws.config import Config

Document = dict[str, Any]


def init_documents(
    config: Config, endpoint: Endpoint, names: Sequence[str], node: str, address: str, token: str
) -> list[Document]:
    """What `kubeadm init --config` reads; without a token, for single phases of it."""
    api = versions.feature("kubeadm", config.kubernetes.version)
    # Without one kubeadm makes a token that lives for a day.
    admission = {"token": token, "ttl": "15m0s", "description": "dlws kubeadm init"}
    init = {
        "apiVersion": api,
        "kind": "InitConfiguration",
        **({"bootstrapTokens": [admission]} if token else {}),
        "localAPIEndpoint": _local_endpoint(config, address),
        "nodeRegistration": registration(config, node, address),
    }
    return [init, cluster_configuration(config, endpoint, names), kubelet(config), proxy(config)]


def cluster_configuration(config: Config, endpoint: Endpoint, names: Sequence[str]) -> Document:
    kubernetes = config.kubernetes
    document: Document = {
        "apiVersion": versions.feature("kubeadm", kubernetes.version),
        "kind": "ClusterConfiguration",
        "clusterName": config.cluster_name,
        "kubernetesVersion": kubernetes.version.tag,
        "controlPlaneEndpoint": str(endpoint),
        "networking": {
            "podSubnet": str(kubernetes.pod_cidr),
            "serviceSubnet": str(kubernetes.service_cidr),
        },
        **controlplane.sections(config),
    }
    document["apiServer"] = {"certSANs": list(names), **document["apiServer"]}
    if kubernetes.image_repository:
        document["imageRepository"] = kubernetes.image_repository
    return document


def kubelet(config: Config) -> Document:
    head = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
    ours = {**head, "cgroupDriver": "systemd", **controlplane.kubelet(config)}
    return merged(ours, config.kubernetes.kubelet)


def proxy(config: Config) -> Document:
    head = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
    return merged(head, config.kubernetes.kube_proxy)


def join_document(
    config: Config,
    endpoint: Endpoint,
    node: str,
    address: str,
    token: str,
    ca_hash: str,
    certificate_key: str = "",
) -> Document:
    """What `kubeadm join --config` reads; with a certificate key, to join the control plane."""
    document: Document = {
        "apiVersion": versions.feature("kubeadm", config.kubernetes.version),
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": str(endpoint),
                "token": token,
                "caCertHashes": [ca_hash],
            }
        },
        "nodeRegistration": registration(config, node, address),
    }
    if certificate_key:
        document["controlPlane"] = {
            "localAPIEndpoint": _local_endpoint(config, address),
            "certificateKey": certificate_key,
        }
    return document


def upload_documents(config: Config, cluster: Mapping[str, Any], key: str) -> list[Document]:
    """What `kubeadm init phase upload-certs --config` reads."""
    api = versions.feature("kubeadm", config.kubernetes.version)
    return [{"apiVersion": api, "kind": "InitConfiguration", "certificateKey": key}, dict(cluster)]


def registration(config: Config, node: str, address: str) -> Document:
    kubernetes = config.kubernetes
    document: Document = {
        "name": node,
        "criSocket": kubernetes.cri_socket
        or versions.cri_socket(config.runtime, kubernetes.version),
    }
    if is_address(address):
        document["kubeletExtraArgs"] = controlplane.listed(kubernetes.version, {"node-ip": address})
    ignored = list(kubernetes.ignore_preflight_errors)
    if "addon/coredns" in kubernetes.skip_phases and "ImagePull" not in ignored:
        ignored.append("ImagePull")  # kubeadm wants CoreDNS's image even where it is left out
    if ignored:
        document["ignorePreflightErrors"] = ignored
    return document


def _local_endpoint(config: Config, address: str) -> Document:
    port = {"bindPort": config.kubernetes.api_port}
    return {"advertiseAddress": address, **port} if is_address(address) else port


def token_secret(token: str, expires: datetime) -> Document:
    """The Secret that is a bootstrap token, as `kubeadm token create` makes it."""
    identity, _, secret = token.partition(".")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{identity}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": identity,
            "token-secret": secret,
            "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            "description": "dlws kubeadm join",
        },
    }


def ca_hash(certificate: bytes) -> str:
    """The hash of a CA's public key by which a joining node knows the cluster."""
    found = re.search(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END", certificate)
    try:
        key = _public_key_info(base64.b64decode(found[1])) if found else b""
    except (ValueError, IndexError):
        key = b""
    if not key:
        raise DeployError("/etc/kubernetes/pki/ca.crt is no certificate", "look at it on that node")
    return f"sha256:{hashlib.sha256(key).hexdigest()}"


def _public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate.

    Not by `cryptography`: kubeadm gives its CAs the serial number 0, which that library is going
    to refuse.
    """
    _, certificate, _ = _element(der)
    _, fields, _ = _element(certificate)
    skipped = 5  # serial number, signature, issuer, validity, subject
    if fields[0] == 0xA0:  # the optional version stands before them
        skipped += 1
    for _ in range(skipped):
        fields = _element(fields)[2]
    return _element(fields)[0]


def _element(der: bytes) -> tuple[bytes, bytes, bytes]:
    """The first DER element: with its head, its content, and what follows it."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise ValueError("an element ends behind its end")
    return der[: start + length], der[start : start + length], der[start + length :]


def dump(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """Documents as one YAML stream."""
    import yaml

    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True).encode()
