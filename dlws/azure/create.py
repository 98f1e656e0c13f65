"""Make what is not there yet, with one deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from dlws.access.sshkey import public_keys
from dlws.azure import deployment, preflight
from dlws.azure.client import Azure, again
from dlws.azure.deployment import made_already
from dlws.azure.template import build, firewall, machines, names, resources
from dlws.azure.template.build import Request
from dlws.azure.template.machines import Vm
from dlws.azure.template.resources import Access
from dlws.core.errors import DeployError, UsageError
from dlws.nodes.directory import check_owner
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.session import Session


def access(session: Session) -> Access:
    """Who logs in to the machines: the cluster's key, and those that the configuration names."""
    config, directory = session.config, session.options.directory
    check_owner(directory, config.cluster_name)
    more = tuple(directory / path for path in names.section(config).ssh_public_keys)
    user = config.cloud_config_nsg_rules.default_admin_username or config.admin_username
    return Access(user, tuple(public_keys(directory, more).decode().splitlines()))


def preview(session: Session) -> None:
    """Print the template that makes all of it, and what it amounts to, without asking Azure."""
    config, directory = session.config, session.options.directory
    vms = machines.wanted(config)
    made = build.request(config, directory, access(session), vms)
    _admitted(session, made)
    for line in build.summary(config, vms, made):
        session.console.say(line)
    session.console.data(json.dumps(made.template, indent=2))


def _admitted(session: Session, made: Request) -> bool:
    actions = (plan.local(f"make {one['type']} {one['name']}") for one in made.resources)
    return session.gate.admit(*actions)


def create(azure: Azure, wait: bool = True) -> None:
    """Make what the configuration asks for and is not there; what is there stays as it is."""
    _make(azure, machines.wanted(azure.config), wait)


def add_workers(azure: Azure, number: int | None, wait: bool = True, size: str = "") -> None:
    """Add so many workers to those that are there; None: as many as the configuration says.

    `size` is theirs, where it is not the configuration's.
    """
    if azure.section.worker_scale_set:
        cure = f"change their number: {again('vmss', 'scale', 'N')}"
        raise UsageError("the workers are a scale set", cure)
    there = [names.number(azure.config, "worker", name) for _, name in made_already(azure)]
    if number is None:
        wanted = [*range(1, azure.section.worker_node_num + 1)]
    else:
        wanted = [*range(max(there, default=0) + 1, max(there, default=0) + number + 1)]
    vms = [machines.vm(azure.config, "worker", each) for each in wanted]
    _make(azure, [replace(vm, size=size or vm.size) for vm in vms], wait)


def create_scale_set(azure: Azure, wait: bool = True) -> None:
    """Make the scale set of workers, and what it needs of the network, where it is not there."""
    if not azure.section.worker_scale_set:
        raise UsageError("the workers are no scale set",
                         "set azure_cluster.worker_scale_set: true first")  # fmt: skip
    _make(azure, [], wait)


def _make(azure: Azure, vms: Sequence[Vm], wait: bool) -> None:
    console = azure.session.console
    say_where(azure)
    if not azure.session.options.dry_run:
        finish_earlier(azure)
    made = missing(azure, vms)
    if not made.resources:
        console.say("nothing to do: all of it is there")
        return
    lacking = set(map(build.key, made.resources))
    new = [vm for vm in vms if (resources.VM.lower(), vm.name) in lacking]
    if (resources.SCALE_SET.lower(), names.scale_set(azure.config)) in lacking:
        new += machines.members(azure.config)
    preflight.require(azure, new)
    if not _admitted(azure.session, made):
        return
    azure.session.run.begin()
    deployment.ensure_group(azure)
    deployment.send(azure, made)
    if not wait:
        console.say(f"Azure makes {len(made.resources)} resources; wait for it: {again('wait')}")
        return
    watch(azure)


def watch(azure: Azure) -> None:
    """Follow the deployment to its end; Ctrl-C leaves it at work."""
    try:
        deployment.follow(azure)
    except KeyboardInterrupt:
        say = azure.session.console.say
        say(f"the deployment goes on in Azure; wait for it: {again('wait')}")
        raise


def wait(azure: Azure) -> None:
    """Wait for the deployment that an earlier run began."""
    say_where(azure)
    if deployment.running(azure):
        azure.session.run.begin()
        watch(azure)
    else:
        azure.session.console.say("nothing to do: no deployment is at work")


def finish_earlier(azure: Azure) -> None:
    """Let a deployment that an earlier run began come to its end first, whatever it is."""
    if not deployment.running(azure):
        return
    azure.session.console.say("an earlier deployment is at work; waiting for its end")
    azure.session.run.begin()
    try:
        watch(azure)
    except DeployError as error:
        azure.session.console.warn(f"it ended: {error.message}")


def say_where(azure: Azure) -> None:
    found = azure.subscription
    azure.session.console.say(
        f"subscription {found.name} ({found.id}), resource group {azure.group}, {azure.location}"
    )


def missing(azure: Azure, vms: Sequence[Vm]) -> Request:
    """What has to be made, or made anew: resources that are not there or that failed, and rules."""
    session, there = azure.session, made_already(azure)
    made = build.request(
        azure.config, session.options.directory, access(session), vms, there, pinned(azure)
    )
    groups = [name for kind, name in there if kind == resources.NSG.lower()]
    rules = [*_rules(azure, groups)]
    return Request([*rules, *made.resources], made.secrets)


def _rules(azure: Azure, groups: Iterable[str]) -> Iterable[resources.Resource]:
    """The rules of the configuration that security groups lack, or have otherwise."""
    for name in dict.fromkeys((names.nsg(azure.config), names.nfs_nsg(azure.config))):
        if name.lower() not in groups:
            continue
        with azure.translated(f"the security group {name} cannot be read"):
            found = azure.network.network_security_groups.get(azure.group, name)
        have = {rule["name"]: rule["properties"] for rule in found["properties"]["securityRules"]}
        levels = {about["priority"]: rule for rule, about in have.items()}
        for rule in firewall.rules(azure.config, name):
            wanted = firewall.as_resource(rule)["properties"]
            has = have.get(rule.name, {})
            if (other := levels.get(rule.priority, rule.name)) != rule.name:
                azure.session.console.warn(_occupied(name, rule, other))
            elif any(has.get(key) != value for key, value in wanted.items()):
                yield resources.security_rule(name, rule)


def _occupied(group: str, rule: firewall.Rule, other: str) -> str:
    way = again("service_tag_rules", "create")
    return (
        f"{group}: the rule {rule.name} is not made: {other} has its priority, {rule.priority}; "
        f"remove that one; of a service tag: {way}"
    )


def pinned(azure: Azure) -> Callable[[str], str]:
    """Gives an image the version that `latest` is now."""

    @cache
    def pin(image: str) -> str:
        publisher, offer, sku, version = image.split(":") if ":" in image else ("", "", "", "")
        if version != "latest":
            return image
        listed = azure.compute.virtual_machine_images.list
        with azure.translated(f"the image {image} cannot be read"):
            found = listed(azure.location, publisher, offer, sku, top=1, orderby="name desc")
        if not found:
            words = f"there is no image {image} in {azure.location}"
            raise UsageError(words, "correct azure_cluster.vm_image")
        return f"{publisher}:{offer}:{sku}:{found[0]['name']}"

    return pin


def show_what_if(azure: Azure) -> None:
    """Say what Azure would change, by its own account."""
    say_where(azure)
    made = missing(azure, machines.wanted(azure.config))
    if not made.resources:
        azure.session.console.say("nothing to do: all of it is there")
        return
    for change, resource in deployment.what_if(azure, made):
        azure.session.console.data(f"{change:9} {resource}")
