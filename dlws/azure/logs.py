"""A storage account for what jobs log: made, deleted, and the way in to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlws.azure import deployment, estate
from dlws.azure.client import again
from dlws.azure.template import names, storage
from dlws.core.errors import Refused, UsageError
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.azure.client import Azure

KEPT = "logging/connection_string"
"""Below deploy/."""


def _there(azure: Azure) -> Any:
    """The account, if it is there; raises Refused where it is not this cluster's."""
    name = names.storage_account(azure.config)
    with azure.translated(f"the storage account {name} cannot be read"):
        found = azure.found(
            lambda: azure.groups.resources.get_by_id(_id(azure), api_version=storage.STORAGE)
        )
    if found is not None and not estate.is_ours(azure, found):
        raise Refused(f"the storage account {name} is not this cluster's; nothing was changed",
                      "set azure_cluster.storage_account_name to another name")  # fmt: skip
    return found


def _id(azure: Azure) -> str:
    group = f"/subscriptions/{azure.subscription.id}/resourceGroups/{azure.group}"
    return f"{group}/providers/{storage.ACCOUNT}/{names.storage_account(azure.config)}"


def create(azure: Azure) -> None:
    """Make the account and its container, where they are not there yet."""
    session, name = azure.session, names.storage_account(azure.config)
    if _there(azure) is not None:
        session.console.say(f"nothing to do: the storage account {name} is there")
        return
    if not session.gate.admit(plan.local(f"make the storage account {name}")):
        return
    session.run.begin()
    deployment.ensure_group(azure)
    deployment.send(azure, storage.request(azure.config), storage.LOGS)
    deployment.follow(azure, storage.LOGS, "logging_storage create")


def delete(azure: Azure) -> None:
    """Delete the account with all that was logged; consent was asked before."""
    session, name = azure.session, names.storage_account(azure.config)
    if _there(azure) is None:
        session.console.say(f"nothing to do: there is no storage account {name}")
        return
    if not session.gate.admit(plan.local(f"delete the storage account {name}")):
        return
    session.run.begin()
    with azure.translated(f"the storage account {name} was not deleted"):
        azure.groups.resources.begin_delete_by_id(_id(azure), api_version=storage.STORAGE).result()
    session.console.changed(f"deleted the storage account {name}")


def connection_string(azure: Azure) -> None:
    """Keep what leads in to the account in a file of mode 0600, and say which."""
    session, name = azure.session, names.storage_account(azure.config)
    found = _there(azure)
    if found is None:
        raise UsageError(f"there is no storage account {name}",
                         f"make it: {again('logging_storage', 'create')}")  # fmt: skip
    with azure.translated(f"the keys of {name} cannot be read"):
        key = azure.ask(f"{_id(azure)}/listKeys", storage.STORAGE, "POST")["keys"][0]["value"]
    session.console.redactor.add([key])
    endpoint = found["properties"]["primaryEndpoints"]["blob"]
    text = storage.connection_string(name, key, endpoint)
    path = session.options.directory / "deploy" / KEPT
    if path.exists() and session.vault.read(path).decode() == f"{text}\n":
        session.console.say(f"nothing to do: deploy/{KEPT} is as Azure says")
    elif session.gate.admit(plan.local(f"write deploy/{KEPT}")):
        session.run.begin()
        session.vault.write(path, f"{text}\n".encode())
        session.console.changed(f"deploy/{KEPT}: the container is {storage.LOGS}")
