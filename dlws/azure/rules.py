"""Rules of the security groups that are changed by hand: one at a time, the others stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from dlws.azure import estate
from dlws.azure.client import again
from dlws.azure.template import firewall, names
from dlws.azure.template.firewall import Rule
from dlws.config.model.azure import source
from dlws.core.errors import Refused, UsageError
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.azure.client import Azure

_EVERYWHERE = ("0.0.0.0/0", "::/0")


def have(azure: Azure, group: str) -> dict[str, Any]:
    """The rules of a security group by name."""
    with azure.translated(f"the security group {group} cannot be read"):
        found = azure.found(lambda: azure.network.network_security_groups.get(azure.group, group))
    if found is None:
        raise UsageError(f"there is no security group {group}", f"make it: {again('create')}")
    return {one["name"]: one["properties"] for one in found["properties"]["securityRules"] or ()}


def sources(rule: Any) -> list[str]:
    """Where a rule lets traffic come from."""
    one, many = rule.get("sourceAddressPrefix"), rule.get("sourceAddressPrefixes")
    return [*(many or ()), *([one] if one else [])]


def arrange(azure: Azure, group: str, wanted: Iterable[Rule], gone: Iterable[str] = ()) -> None:
    """Make these rules as they are to be, and take those named away; what is so is left."""
    there = have(azure, group)
    due = [rule for rule in wanted if not _same(there.get(rule.name), rule)]
    leaving = [name for name in gone if name in there]
    words = [f"let {', '.join(rule.sources)} in: {group}/{rule.name}" for rule in due]
    words += [f"remove the rule {group}/{name}" for name in leaving]
    if not words:
        azure.session.console.say(f"nothing to do: {group} is so already")
        return
    if not azure.session.gate.admit(*map(plan.local, words)):
        return
    azure.session.run.begin()
    rules = azure.network.security_rules
    _each(azure, {name: _call(rules.begin_delete, azure.group, group, name) for name in leaving},
          words[len(due) :])  # fmt: skip
    bodies = {rule.name: {"properties": firewall.as_resource(rule)["properties"]} for rule in due}
    put = rules.begin_create_or_update  # once the priorities of those that left are free
    _each(azure, {name: _call(put, azure.group, group, name, body)
                  for name, body in bodies.items()}, words[: len(due)])  # fmt: skip


def _each(azure: Azure, calls: Mapping[str, Callable[[], Any]], words: Sequence[str]) -> None:
    """Make changes, each with its words; raises with what Azure says of the first that failed."""
    if not calls:
        return
    said = dict(zip(calls, words, strict=True))
    ends = {name: _call(azure.session.console.changed, said[name]) for name in calls}
    failed = azure.all_of("changed", lambda name: calls[name](), ends)
    if failed:
        raise next(iter(failed.values()))


def _call(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def _same(there: Any, rule: Rule) -> bool:
    wanted = firewall.as_resource(rule)["properties"]
    has = dict(there or {})
    return all(has.get(key) == value for key, value in wanted.items())


def interconnect(azure: Azure) -> None:
    """Let the machines reach each other's public addresses."""
    addresses = [one.public_ip for one in estate.read(azure) if one.public_ip]
    rule = firewall.interconnect(azure.config, addresses)
    _or_none(azure, names.nsg(azure.config), rule)


def nfs_allow_master(azure: Azure) -> None:
    """Let infra nodes reach the machines that serve files, by their public addresses."""
    infra = [one for one in estate.read(azure) if one.role == "infra" and one.public_ip]
    rule = firewall.nfs_allow_master(azure.config, [one.public_ip for one in infra])
    _or_none(azure, names.nfs_nsg(azure.config), rule)


def _or_none(azure: Azure, group: str, rule: Rule) -> None:
    """The rule; without a source there is none."""
    arrange(azure, group, [rule] if rule.sources else [], [] if rule.sources else [rule.name])


def service_tags(azure: Azure, create: bool) -> None:
    """Make the rules of service_tags, and remove those of tags that are no longer there."""
    wanted, group = azure.config.cloud_config_nsg_rules, names.nsg(azure.config)
    made = firewall.by_tag(wanted.service_tags, wanted.tcp_port_ranges) if create else []
    kept = {rule.name for rule in made}
    ours = [name for name, rule in have(azure, group).items()
            if name.startswith(firewall.TAG) and 950 <= rule["priority"] < 1000]  # fmt: skip
    arrange(azure, group, made, [name for name in ours if name not in kept])


def whitelisted(azure: Azure) -> list[str]:
    """Who is let in by the whitelist."""
    rule = have(azure, names.nsg(azure.config)).get(firewall.WHITELIST)
    return sources(rule) if rule else []


def whitelist(azure: Azure, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
    """Let further addresses and networks in to the ports of users, or no longer."""
    checked = [_network(azure, one) for one in add]
    before = whitelisted(azure)
    leaving = {_network(azure, one) for one in remove}
    if unknown := sorted(leaving - set(before)):
        have_now = ", ".join(before) or "nobody"
        raise UsageError(f"{unknown[0]} is not in the whitelist", f"it lets in: {have_now}")
    left = [one for one in [*before, *checked] if one not in leaving]
    _or_none(azure, names.nsg(azure.config), firewall.whitelist(azure.config, left))


def _network(azure: Azure, text: str) -> str:
    try:
        found = source(text)
    except PydanticCustomError as error:
        raise UsageError(error.message(), "write an address, or a network such as 203.0.113.0/24") \
            from None  # fmt: skip
    if firewall.is_tag(found) and found != firewall.ANY:
        raise UsageError(f"{found} is a service tag",
                         "name it in cloud_config_nsg_rules.service_tags")  # fmt: skip
    if found in (*_EVERYWHERE, firewall.ANY):
        if not azure.session.options.force or found == firewall.ANY:
            cure = "name networks; or, if you mean it: --force whitelist add 0.0.0.0/0"
            raise Refused(f"{found} is everybody; nothing was changed", cure)
        return found
    return firewall.reduced([found])[0]
