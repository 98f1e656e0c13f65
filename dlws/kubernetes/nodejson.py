"""The shape of a Node in the API server's JSON: what is read of it, and of no other shape."""

# Annotations are values here: Pydantic reads them.
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dlws.core.errors import DeployError


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Metadata(_Shape):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
    labels: dict[str, str] | None = None


def _taint(value: dict[str, str]) -> dict[str, str]:
    if not {"key", "effect"} <= value.keys():
        raise ValueError("a taint has a key and an effect")
    return value


class Spec(_Shape):
    taints: list[Annotated[dict[str, str], AfterValidator(_taint)]] | None = None
    unschedulable: bool | None = None
    podCIDR: str | None = None


class Condition(_Shape):
    type: str
    status: str = ""
    message: str | None = None


class Address(_Shape):
    type: str
    address: str


class Info(_Shape):
    kubeletVersion: str = ""


class Status(_Shape):
    conditions: list[Condition] | None = None
    addresses: list[Address] | None = None
    nodeInfo: Info = Info()
    allocatable: dict[str, str] | None = None


class NodeObject(_Shape):
    metadata: Metadata
    spec: Spec = Spec()
    status: Status = Status()


def parse(item: object) -> NodeObject:
    """A Node from its JSON; DeployError where it is none."""
    try:
        return NodeObject.model_validate(item)
    except ValidationError as error:
        place = ".".join(str(part)[:80] for part in error.errors()[0]["loc"])
        raise _senseless(f"{place or 'it'} is not what it should be") from error
    except ValueError as error:
        raise _senseless(str(error)) from error


def _senseless(why: str) -> DeployError:
    return DeployError(
        f"the API server's answer about a node makes no sense: {why}",
        "see whether the address in config.yaml is that of this cluster's API server",
    )
