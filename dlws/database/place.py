"""Where the database is, and the ways to it from the devbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, UsageError
from dlws.database import problems
from dlws.kubernetes.labels import nodes_for
from dlws.kubernetes.tunnel import piped
from dlws.nodes.endpoint import inner_address

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

KINDS = ("mysql", "mysqlpool", "mysqldbutilspool")
"""Values of datasource that mean MySQL or MariaDB."""
_SERVICES = ("mysql-server", "mysql")
"""The labels of the database's node, the more special one first."""


@dataclass(frozen=True)
class Place:
    """A database server: a host that the devbox reaches by itself, or a node."""

    host: str
    port: int
    node: Node | None = None

    def __str__(self) -> str:
        name = f"{self.node.name}, " if self.node else ""
        return f"{name}{self.host} port {self.port}"


def place(cluster: Cluster) -> Place:
    """Where the database of this cluster is; raises UsageError where config.yaml does not say."""
    config = cluster.config
    if config.datasource.lower() not in KINDS:
        raise UsageError(
            f"datasource is {config.datasource}, and these commands know MySQL and MariaDB",
            "set datasource: MySQL in config.yaml",
        )
    if config.mysql_host:
        return Place(config.mysql_host, config.mysql_port)
    name = machine_of(config)
    for node in cluster.nodes:
        if name in (node.name, node.fqdn):
            return Place(inner_address(node), config.mysql_port, node)
    raise UsageError(
        f"mysql_node is {name}, and no machine has that name"
        if name
        else "no machine has a database",
        "set mysql_node (a machine), or mysql_host (another server), in config.yaml",
    )


def machine_of(config: Config) -> str:
    """The machine that the database runs on; empty where there is none."""
    if config.mysql_node:
        return config.mysql_node
    carriers = [nodes_for(config, config.kubelabels.get(label, "")) for label in _SERVICES]
    return next((names[0] for names in carriers if names), "")


def sockets(config: Config) -> list[str]:
    """Where a server on a node, in a container or not, may have its Unix socket."""
    return [f"{config.mysql_data_path}/mysql.sock", "/run/mysqld/mysqld.sock"]


@contextmanager
def way(where: Place, path: str = "") -> Iterator[Any]:
    """A connection to the server on a node, or to a Unix socket there, through SSH; None where the
    devbox reaches the server by itself."""
    if where.node is None:
        yield None
        return
    from dlws.ssh.handshake import NothingBehind

    connection = where.node.ssh

    def dial() -> Any:
        if path:
            return connection.forward_socket(path)
        return connection.forward(where.host, where.port)

    with ExitStack() as stack:
        try:
            found = stack.enter_context(piped(dial))
        except NothingBehind as error:
            raise problems.unreachable(where, error.message, bool(where.node)) from error
        except DeployError as error:
            raise problems.no_way(where, error) from error
        yield found
