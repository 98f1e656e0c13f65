"""The machines of a configuration, and how they are reached."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from dlws.config.model.roles import INFRASTRUCTURE, WORKER, in_cluster
from dlws.config.model.types import (
    Address,
    Architecture,
    HostKey,
    Hostname,
    Roles,
    SecretText,
    Section,
    Text,
    Texts,
    wrong,
)
from dlws.core.limits import ANSWER_SECONDS

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86400)]


class Hop(Section):
    """A machine through which another one is reached."""

    host: Text = Field(description="Name or address.")
    user: Text = Field(default="", description="User there; empty: the same as on the nodes.")
    port: Port = Field(default=22, description="SSH port.")
    key: Text = Field(default="", description="Private key for it; empty: the cluster's.")
    password: SecretText | None = Field(
        default=None, description="Password to log in there with; those of nodes never go there."
    )
    host_key: HostKey = Field(
        default="", description="Its host key, pinned: SHA256:... or the public key."
    )


def _hop(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    user, _, place = value.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, colon, port = place, "", "22"
    if not host or not port.isdigit():
        raise wrong(f'"{value}" is not a jump host', "Write user@host:port.")
    given = {"port": int(port)} if colon else {}
    return {"host": host.strip("[]"), "user": user, **given}


class JumpHost(Hop):
    """The last jump host before a machine."""

    via: list[Annotated[Hop, BeforeValidator(_hop)]] = Field(
        default=[], description="Jump hosts before it, the first one first."
    )

    @property
    def hops(self) -> tuple[Hop, ...]:
        return (*self.via, self)


def jump_host(value: Any) -> Any:
    """A jump host as ssh -J takes it: user@host:port, several of them with commas between."""
    if not isinstance(value, str):
        return value
    *before, last = [_hop(hop.strip()) for hop in value.split(",")]
    return {**last, "via": before} if before else last


Jump = Annotated[JumpHost, BeforeValidator(jump_host)]


MAKERS = {"gpu": "nvidia", "npu": "huawei"}
"""Whose devices a machine of a type has, where no vendor is given."""


class Machine(Section):
    """One machine of the cluster. Keys of your own may serve as markers for kubelabels."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="allow")

    name: Hostname = Field(description="Its name: the key under machines.")
    fqdn: Text = Field(
        default="", description="Its full name, made from the name and network.domain."
    )
    scale_up: bool = Field(default=False, description="Whether it stands under scale_up.")
    roles: Roles = Field(
        alias="role",
        description="What it does: infrastructure (or infra, master), worker, nfs, mysqlserver, "
        "elasticsearch, samba, or a role of templates/nodes; one, or a list.",
    )
    private_ip: Address | None = Field(
        default=None,
        alias="private-ip",
        description="Its address; else deploy/etc/hosts, else DNS.",
    )
    public_ip: Address | None = Field(
        default=None, alias="public-ip", description="Its public address, for --public."
    )
    archtype: Annotated[Literal["amd64", "arm64"], Architecture] = Field(
        default="amd64", description="Processor architecture."
    )
    type: Literal["gpu", "npu", "cpu", "storage", ""] = Field(
        default="", description="What it computes with: gpu, npu or cpu; or storage."
    )
    vendor: Text = Field(default="", description="Maker of its GPUs or NPUs: nvidia, huawei, ...")
    series: Text = Field(default="", description="Series of its devices; becomes a label.")
    os: Text = Field(default="ubuntu", description="Operating system: ubuntu or debian.")
    sku: Text = Field(default="", description="Label sku.")
    node_group: Text = Field(
        default="", alias="node-group", description="Machine size, used as the sku."
    )
    vc: Text = Field(default="", description="Virtual cluster it belongs to (label vc).")
    rack: Text = Field(default="", description="Label rack.")
    gpu_type: Text = Field(
        default="", alias="gpu-type", description="Label gpuType, where not derived."
    )
    labels: dict[str, Text] = Field(default={}, description="Kubernetes labels of its own.")
    port: Port | None = Field(default=None, description="SSH port; default ssh.port.")
    user: Text = Field(default="", description="SSH user; default ssh.user.")
    key: Text = Field(default="", description="SSH private key; default ssh.key.")
    password: SecretText | None = Field(
        default=None, description="SSH password; default ssh.password."
    )
    sudo_password: SecretText | None = Field(
        default=None, description="Password for sudo there; default ssh.sudo_password."
    )
    jump_host: Jump | None = Field(default=None, description="Jump host; default ssh.jump_host.")
    host_key: HostKey = Field(
        default="", description="Its host key, pinned: SHA256:... or the public key."
    )
    scaled: bool = Field(default=False, description="Whether it was added by autoscaling.")
    mac: Texts = Field(default=[], description="Hardware addresses.")
    ib_ip: Text = Field(default="", description="InfiniBand address.")

    @property
    def is_infra(self) -> bool:
        return INFRASTRUCTURE in self.roles

    @property
    def is_worker(self) -> bool:
        return WORKER in self.roles

    @property
    def in_cluster(self) -> bool:
        """Whether it is a node of Kubernetes."""
        return in_cluster(self.roles)


class Ssh(Section):
    """How nodes are reached."""

    config: bool = Field(
        default=True, description="Whether ~/.ssh/config counts where this file says nothing."
    )
    port: Port = Field(default=22, description="SSH port of the nodes.")
    user: Text = Field(default="", description="User on the nodes; empty: admin_username.")
    key: Text = Field(
        default="",
        description="Private key, from this directory; empty: the one that build makes.",
    )
    agent: bool = Field(default=False, description="Try the keys of ssh-agent, too.")
    password: SecretText | None = Field(default=None, description="Password to log in with.")
    sudo_password: SecretText | None = Field(
        default=None, description="Password for sudo on the nodes that have none of their own."
    )
    connect_timeout: Seconds = Field(default=10, description="Seconds for the TCP connection.")
    banner_timeout: Seconds = Field(default=15, description="Seconds for the SSH banner.")
    auth_timeout: Seconds = Field(default=30, description="Seconds for authentication.")
    idle_timeout: Seconds = Field(
        default=0, description="Seconds without output before giving up; 0: off."
    )
    answer_timeout: Seconds = Field(
        default=ANSWER_SECONDS,
        description="Seconds that a node has to answer a question, as status asks; 0: off.",
    )
    keepalive: Seconds = Field(default=15, description="Seconds between keepalives; 0: off.")
    retries: int = Field(
        default=2, ge=0, le=100, description="How often connecting is tried again."
    )
    jump_host: Jump | None = Field(
        default=None,
        description="user@host:port, several with commas between; or host, user, port, key, via.",
    )
    shared_host_keys: bool = Field(
        default=False, description="Whether machines may have one host key; copies have."
    )
    accept_new: bool = Field(
        default=False,
        description="Accept new host keys unasked, also where passwords are sent over them.",
    )
    legacy_algorithms: bool = Field(
        default=False,
        description="Offer weak ciphers and MACs (CBC, MD5, SHA-1) as well, for old SSH servers.",
    )
