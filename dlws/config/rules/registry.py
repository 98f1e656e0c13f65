"""The cluster's own registry: its machine, its ports, what it mirrors, who may use it."""

from __future__ import annotations

from dlws.config.model.config import Config
from dlws.config.problems import closest
from dlws.config.reading.sources import Sources
from dlws.config.registry import ROLE, is_server_name, registry_of, server_name


def place(config: Config, sources: Sources) -> None:
    said, named = config.registry, [machine.name for machine in config.with_role(ROLE)]
    names = [name for machine in config.machines.values() for name in (machine.name, machine.fqdn)]
    if said.node and said.node not in names:
        near = closest(said.node, names)
        cure = f"Did you mean {near}?" if near else "Name one of machines."
        sources.error(("registry", "node"), f"{said.node} is not one of the machines", cure)
    for other in named[0 if said.node else 1 :]:
        if said.node and other == said.node:
            continue
        words = f"the registry is on {said.node or named[0]}, and there can be one only"
        sources.error(("machines", other, "role"), words, f"Take the role {ROLE} from {other}.")
    if named and said.enabled is False:
        words = f"{named[0]} has the role {ROLE}"
        sources.error(("registry", "enabled"), words, "Write true, or take the role away.")
    if said.path.strip("/").count("/") < 1:
        words = f'"{said.path}" is no directory for images alone'
        sources.error(("registry", "path"), words, "Write one like /data/registry.")


def mirrors(config: Config, sources: Sources) -> None:
    said = config.registry
    for number, text in enumerate(said.mirror):
        where = ("registry", "mirror", number)
        name = server_name(text)
        if not is_server_name(name):
            words = f'"{text}" is not the name of a registry'
            sources.error(where, words, "Write one like docker.io, or HOST:PORT.")
        elif text != name:
            sources.error(where, f'"{text}" is written with more than its name', f"Write {name}.")
        elif name in said.mirror[:number]:
            sources.error(where, f"{name} is given twice", "Give every registry once.")
    found = registry_of(config, {})
    ports = [one.port for one in found.instances] if found else []
    taken = {config.kubernetes.api_port: "the API server", config.mysql_port: "the database",
             config.restfulapiport: "the REST API", config.webuiport: "the portal",
             config.ssh.port: "SSH", 2379: "etcd", 2380: "etcd", 10250: "the kubelet"}  # fmt: skip
    for port, who in taken.items():
        if port in ports:
            words = f"port {port}, of the registry or a mirror of it, is that of {who}"
            sources.error(("registry", "port"), words, "Choose another one.")
    if ports and max(ports) > 65535:
        sources.error(("registry", "port"), "its mirrors would need ports above 65535", "Lower it.")
    if len({*ports}) < len(ports):
        words = f"port {said.pull_port} is that of the registry or of a mirror of it"
        sources.error(("registry", "pull_port"), words, "Choose another one.")


def login(config: Config, sources: Sources) -> None:
    found = registry_of(config, {})
    if not found or not found.login:
        return
    name = next(name for name in config.registry_credential if server_name(name) in found.places)
    where = ("registry_credential", name)
    if ":" in found.login.username or not found.login.username.isprintable():
        words = "a user of the registry has no : in the name"
        sources.error((*where, "username"), words, "Choose another name.")
