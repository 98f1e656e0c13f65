"""The machines of a configuration, and how they are reached."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from dlws.config.types import (
    Address,
    Architecture,
    Hostname,
    Roles,
    SecretText,
    Section,
    Text,
    Texts,
    wrong,
)

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86400)]


class JumpHost(Section):
    """A machine through which others are reached."""

    host: Text = Field(description="Name or address.")
    user: Text = Field("", description="User there; empty: the same as on the nodes.")
    port: Port = Field(22, description="SSH port.")
    key: Text = Field("", description="Private key for it; empty: the cluster's.")
    host_key: Text = Field("", description="Its public host key, pinned.")


def _jump_host(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    user, _, place = value.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = place, "22"
    if not host or not port.isdigit():
        raise wrong(f'"{value}" is not a jump host', "Write user@host:port.")
    return {"host": host.strip("[]"), "user": user, "port": int(port)}


Jump = Annotated[JumpHost, BeforeValidator(_jump_host)]


class Machine(Section):
    """One machine of the cluster. Keys of your own may serve as markers for kubelabels."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="allow")

    name: Hostname = Field(description="Its name: the key under machines.")
    fqdn: Text = Field("", description="Its full name, made from the name and network.domain.")
    scale_up: bool = Field(False, description="Whether it stands under scale_up.")
    roles: Roles = Field(
        alias="role",
        description="What it does: infrastructure (or infra, master), worker, nfs, mysqlserver, "
        "elasticsearch, samba; one, or a list.",
    )
    private_ip: Address | None = Field(
        None, alias="private-ip", description="Its address; else deploy/etc/hosts, else DNS."
    )
    public_ip: Address | None = Field(
        None, alias="public-ip", description="Its public address, for --public."
    )
    archtype: Annotated[Literal["amd64", "arm64"], Architecture] = Field(
        "amd64", description="Processor architecture."
    )
    type: Literal["gpu", "npu", "cpu", "storage", ""] = Field(
        "", description="What it computes with: gpu, npu or cpu; or storage."
    )
    vendor: Text = Field("", description="Maker of its GPUs or NPUs: nvidia, huawei, ...")
    series: Text = Field("", description="Series of its devices; becomes a label.")
    os: Text = Field("ubuntu", description="Operating system: ubuntu or debian.")
    sku: Text = Field("", description="Label sku.")
    node_group: Text = Field("", alias="node-group", description="Machine size, used as the sku.")
    vc: Text = Field("", description="Virtual cluster it belongs to (label vc).")
    rack: Text = Field("", description="Label rack.")
    gpu_type: Text = Field("", alias="gpu-type", description="Label gpuType, where not derived.")
    labels: dict[str, Text] = Field({}, description="Kubernetes labels of its own.")
    port: Port | None = Field(None, description="SSH port; default ssh.port.")
    user: Text = Field("", description="SSH user; default ssh.user.")
    key: Text = Field("", description="SSH private key; default ssh.key.")
    password: SecretText | None = Field(None, description="SSH password; default ssh.password.")
    jump_host: Jump | None = Field(None, description="Jump host; default ssh.jump_host.")
    host_key: Text = Field("", description="Its public host key, pinned.")
    scaled: bool = Field(False, description="Whether it was added by autoscaling.")
    mac: Texts = Field([], description="Hardware addresses.")
    ib_ip: Text = Field("", description="InfiniBand address.")


class Ssh(Section):
    """How nodes are reached."""

    port: Port = Field(22, description="SSH port of the nodes.")
    user: Text = Field("", description="User on the nodes; empty: admin_username.")
    key: Text = Field("deploy/sshkey/id_rsa", description="Private key, from this directory.")
    password: SecretText | None = Field(None, description="Password to log in with.")
    sudo_password: SecretText | None = Field(None, description="Password for sudo on the nodes.")
    connect_timeout: Seconds = Field(10, description="Seconds for the TCP connection.")
    banner_timeout: Seconds = Field(15, description="Seconds for the SSH banner.")
    auth_timeout: Seconds = Field(30, description="Seconds for authentication.")
    idle_timeout: Seconds = Field(0, description="Seconds without output before giving up; 0: off.")
    keepalive: Seconds = Field(15, description="Seconds between keepalives; 0: off.")
    retries: int = Field(2, ge=0, le=100, description="How often connecting is tried again.")
    jump_host: Jump | None = Field(None, description="user@host:port, or host, user, port, key.")
