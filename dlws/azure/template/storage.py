"""The storage account that keeps what jobs log, and its container."""

from __future__ import annotations

from dlws.azure.template import names
from dlws.azure.template.build import Request
from dlws.azure.template.resources import Resource, reference
from dlws.config import Config

STORAGE = "2026-09-01"
"""The version of the interface: that of the SDK whose models the tests hold resources against."""
ACCOUNT = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{ACCOUNT}/blobServices/containers"
LOGS = "logs"


def request(config: Config) -> Request:
    """What a deployment of it asks for. Nobody reads it without a key, or without TLS."""
    return Request([account(config), container(config)], {})


def account(config: Config) -> Resource:
    body = {
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
    }
    return {
        "type": ACCOUNT,
        "apiVersion": STORAGE,
        "name": names.storage_account(config),
        "location": names.section(config).azure_location,
        "tags": names.tags(config),
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": body,
    }


def container(config: Config) -> Resource:
    own = names.storage_account(config)
    return {
        "type": CONTAINER,
        "apiVersion": STORAGE,
        "name": f"{own}/default/{LOGS}",
        "dependsOn": [reference(ACCOUNT, own)],
        "properties": {"publicAccess": "None"},
    }


def connection_string(name: str, key: str, endpoint: str) -> str:
    """How a program reaches the account; `endpoint` is where Azure says that its blobs are."""
    suffix = endpoint.rstrip("/").partition(f"//{name}.blob.")[2]
    words = f"DefaultEndpointsProtocol=https;AccountName={name};AccountKey={key}"
    return f"{words};EndpointSuffix={suffix}"
