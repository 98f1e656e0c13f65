"""The way to Azure: one login, the SDK's clients, and their errors in our words.

No other module imports the SDK, which takes a second to load.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dlws.azure import faults
from dlws.azure.template import names
from dlws.config.model.azure import CLOUDS
from dlws.core import person
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import MIB, read
from dlws.core.nodeset import fold
from dlws.core.program import AZ_TOOLS
from dlws.core.text import since

if TYPE_CHECKING:
    from dlws.config.model.azure import AzureCluster
    from dlws.session import Session

T = TypeVar("T")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_POLL = 5
"""Seconds between two questions, where Azure does not say how many."""
_LONGEST = 600
"""Seconds that are waited at most, whatever Azure asks for."""
_NUMBER = re.compile(r"[0-9]{1,9}")
SUBSCRIPTIONS = "2022-12-01"


@dataclass(frozen=True)
class Subscription:
    """Who pays."""

    id: str
    name: str


class Login:
    """A credential whose tokens are kept as long as they last, and are hidden from all output."""

    def __init__(self, azure: AzureCluster, hide: Callable[[list[str]], None]) -> None:
        self._inner = _credential(azure)
        self._hide, self._lock = hide, threading.Lock()
        self._tokens: dict[tuple[str, ...], Any] = {}

    def get_token(self, *scopes: str, **options: Any) -> Any:
        with self._lock:
            found = self._tokens.get(scopes)
            if found is None or found.expires_on < time.time() + 300 or options.get("claims"):
                found = self._inner.get_token(*scopes, **options)
                self._hide([found.token])
                self._tokens[scopes] = found
            return found


def _credential(azure: AzureCluster) -> Any:
    """Who logs in. No way that asks the network where this machine is: that is for Azure's own."""
    import azure.identity as ways

    authority = azure.cloud.authority
    known = {cloud["authority"] for cloud in CLOUDS.values()}
    at = {"authority": authority, "disable_instance_discovery": authority not in known}
    if azure.auth == "managed-identity":
        return ways.ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))
    environment = ways.EnvironmentCredential(**at)
    if azure.auth == "environment":
        return environment
    cli = ways.AzureCliCredential()
    if azure.auth == "cli":
        return cli
    return ways.ChainedTokenCredential(environment, cli)


class Azure:
    """One invocation's way to Azure. Nothing is asked before it is used."""

    def __init__(self, session: Session) -> None:
        self.session, self.config = session, session.config
        self.section = names.section(self.config)
        self.location, self.group = self.section.azure_location, names.resource_group(self.config)
        for name in ("azure", "msal"):  # their warnings quote what they were told
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False

    @cached_property
    def _login(self) -> Login:
        hide = self.session.console.redactor.add
        hide([os.environ.get("AZURE_CLIENT_SECRET", "")])
        return Login(self.section, hide)

    def _client(self, kind: Any, subscription: str) -> Any:
        cloud = self.section.cloud
        scope = f"{(cloud.audience or cloud.resource_manager).rstrip('/')}/.default"
        base = cloud.resource_manager.rstrip("/")
        return kind(self._login, subscription, base, credential_scopes=[scope],
                    polling_interval=_POLL)  # fmt: skip

    @cached_property
    def subscription(self) -> Subscription:
        """The one of the option, of config.yaml, of the environment, of `az`; or the only one."""
        given = self.session.options.subscription or self.section.subscription
        given = given or os.environ.get("AZURE_SUBSCRIPTION_ID", "") or _default_of_cli()
        with self.translated("the subscriptions cannot be read"):
            if _ID.fullmatch(given):
                row = self.ask(f"/subscriptions/{given}", SUBSCRIPTIONS)
                return Subscription(row["subscriptionId"], row["displayName"])
            rows = self.ask("/subscriptions", SUBSCRIPTIONS)["value"]
        found = [row for row in rows if not given or row["displayName"] == given]
        if len(found) != 1:
            seen = ", ".join(sorted(row["displayName"] for row in rows)) or "none"
            what = f"named {given}" if given else "to choose"
            raise UsageError(
                f"there are {len(found)} subscriptions {what}; you have: {seen}",
                "give its id: --subscription, or azure_cluster.subscription in config.yaml",
            )
        return Subscription(found[0]["subscriptionId"], found[0]["displayName"])

    @cached_property
    def _any(self) -> Any:
        """A client that needs no subscription."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        return self._client(ResourceManagementClient, "-")

    @cached_property
    def groups(self) -> Any:
        from azure.mgmt.resource.resources import ResourceManagementClient

        return self._client(ResourceManagementClient, self.subscription.id)

    @cached_property
    def deployments(self) -> Any:
        from azure.mgmt.resource.deployments import DeploymentsMgmtClient

        return self._client(DeploymentsMgmtClient, self.subscription.id)

    @cached_property
    def compute(self) -> Any:
        from azure.mgmt.compute import ComputeManagementClient

        return self._client(ComputeManagementClient, self.subscription.id)

    @cached_property
    def network(self) -> Any:
        from azure.mgmt.network import NetworkManagementClient

        return self._client(NetworkManagementClient, self.subscription.id)

    def ask(self, path: str, version: str, method: str = "GET") -> Any:
        """What Azure answers to a question that the SDK's clients do not ask."""
        from azure.core.rest import HttpRequest

        answer = self._any.send_request(HttpRequest(method, path, params={"api-version": version}))
        answer.raise_for_status()
        return answer.json()

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Azure's errors as ours: `what` went wrong, and its own words."""
        from azure.core.exceptions import AzureError

        try:
            with self.session.console.working("asking Azure"):
                yield
        except AzureError as error:
            raise _ours(what, error) from error

    def found(self, question: Callable[[], T]) -> T | None:
        """The answer to a question, or None where there is no such thing."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return question()
        except ResourceNotFoundError:
            return None

    def all_of(
        self, what: str, begin: Callable[[str], Any], ends: Mapping[str, Callable[[], None]]
    ) -> dict[str, DeployError]:
        """Begin a long call for each name, then wait for all of them; those that failed.

        `ends` is called with each that is done. All are begun before any is waited for.
        """
        failed: dict[str, DeployError] = {}
        left, start = set(ends), time.monotonic()

        def told() -> str:
            done = len(ends) - len(left)
            head = f"{done}/{len(ends)} {what}"
            return f"{head}, Azure is at work on {fold(sorted(left))}, {since(start)}"

        with self.session.console.status(told):
            for name, poller in self._begun(what, begin, ends).items():
                late = not isinstance(poller, DeployError)
                ended = self._tried(what, partial(_result, poller))(name) if late else poller
                left.discard(name)
                if isinstance(ended, DeployError):
                    failed[name] = ended
                else:
                    ends[name]()
        return failed

    def _begun(
        self, what: str, begin: Callable[[str], Any], names: Collection[str]
    ) -> dict[str, Any]:
        """What waits for the end of each call, or why it was not begun."""
        lanes = max(1, min(self.session.options.parallel, len(names)))
        with ThreadPoolExecutor(lanes) as pool:
            return dict(zip(names, pool.map(self._tried(what, begin), names), strict=True))

    def _tried(self, what: str, call: Callable[[str], Any]) -> Callable[[str], Any]:
        def tried(name: str) -> Any:
            try:
                with self.translated(f"{name} was not {what}"):
                    return call(name)
            except DeployError as error:
                return error

        return tried

    def pause(self, headers: Mapping[str, str]) -> None:
        """Wait as long as Azure asks before the next question."""
        after = {name.lower(): value for name, value in headers.items()}
        milliseconds, seconds = after.get("retry-after-ms", ""), after.get("retry-after", "")
        if _NUMBER.fullmatch(milliseconds):
            time.sleep(min(int(milliseconds) / 1000, _LONGEST))
        else:
            asked = int(seconds) if _NUMBER.fullmatch(seconds) else 0
            time.sleep(min(asked or _POLL, _LONGEST))


def _result(poller: Any, _: str) -> Any:
    return poller.result()


def _default_of_cli() -> str:
    """The subscription that `az account set` chose, if az is used here."""
    place = Path(
        os.environ.get("AZURE_CONFIG_DIR") or (person.known_home() or Path("/")) / ".azure"
    )
    try:
        rows = json.loads(read(place / "azureProfile.json", 4 * MIB).decode("utf-8-sig"))
        return next((row["id"] for row in rows["subscriptions"] if row.get("isDefault")), "")
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _ours(what: str, error: Any) -> DeployError:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

    if isinstance(error, ClientAuthenticationError) and not _body(error):
        return DeployError(
            f"Azure lets nobody in: {_first(error)}",
            "log in with az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        )
    if isinstance(error, ServiceRequestError):
        return DeployError(f"{what}: Azure is not reached: {_first(error)}",
                           "look at the network, HTTPS_PROXY and azure_cluster.cloud")  # fmt: skip
    found = faults.faults(_body(error)) or [faults.Fault(type(error).__name__, _first(error))]
    return faults.error(what, found)


def _body(error: Any) -> Any:
    """What Azure's answer says went wrong."""
    response = getattr(error, "response", None)
    try:
        body = json.loads(response.text()) if response is not None else None
    except (ValueError, TypeError, AttributeError):
        return None
    return body if isinstance(body, dict) and ("error" in body or "code" in body) else None


def _first(error: Any) -> str:
    """The first lines of an error that has no more to it."""
    lines: Sequence[str] = str(error.message if hasattr(error, "message") else error).split("\n")
    return " ".join(" ".join(lines[:6]).split())[:500] or type(error).__name__


def again(*words: str) -> str:
    """A line of az_tools.py to be typed."""
    return " ".join([str(AZ_TOOLS), *words])
