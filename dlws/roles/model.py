"""role.yaml: what a role asks of a node that is not a file. Texts in it are templates."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dlws.config.model.types import Architecture, Text, Texts, wrong

Family = Literal["debian", "redhat"]
_FAMILIES = {"ubuntu": "debian", "openeuler": "redhat", "centos": "redhat", "rocky": "redhat"}


class Part(BaseModel):
    """A frozen part of a role.yaml, in which every key is known."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")


def _named(value: Any) -> Any:
    """A name alone stands for a map with nothing but the name."""
    return {"name": value} if isinstance(value, (str, int, float)) else value


def _families(value: Any) -> Any:
    if not isinstance(value, dict):
        raise wrong(
            "packages differ by family of systems", "Write {debian: [NAME], redhat: [NAME]}."
        )
    return {_FAMILIES.get(str(key).lower(), key): item for key, item in value.items()}


class Group(Part):
    """A group of users."""

    name: Text = Field(description="Its name.")
    gid: int | None = Field(default=None, ge=1, description="Its number; empty: any.")


class User(Part):
    """A user that the role's programs run as."""

    name: Text = Field(description="Login name.")
    uid: int | None = Field(default=None, ge=1, description="Its number; empty: any.")
    group: Text = Field(default="", description="First group; empty: one of the same name.")
    groups: Texts = Field(default=[], description="Further groups.")
    home: Text = Field(default="/nonexistent", description="Home directory; it is not made.")
    shell: Text = Field(default="/usr/sbin/nologin", description="Login shell.")


class Remove(Part):
    """What `role remove` does beyond units, files and links, which always go."""

    before: Texts = Field(default=[], description="Commands before anything goes.")
    after: Texts = Field(default=[], description="Commands when units and files are gone.")
    packages: bool = Field(default=False, description="Whether its packages go, too.")


class Each(Part):
    """A file of the folder that becomes several on the node: one for each item of a list."""

    of: Text = Field(description="An expression: the list. Templates see an item as `item`.")
    name: Text = Field(description="The name of an item's file, below the template's directory.")


class RoleFile(Part):
    """What a role.yaml says."""

    description: Text = Field(default="", description="The role in one line.")
    hint: Text = Field(default="", description="What to do where no machine carries it.")
    on: Texts = Field(
        default=[],
        description="Roles of machines that carry it, or all; a|b: of the first that there is.",
    )
    when: Text = Field(
        default="", description="An expression; only machines for which it holds carry the role."
    )
    architectures: list[Annotated[Literal["amd64", "arm64"], Architecture]] = Field(
        default=[], description="Architectures that it is for; empty: all."
    )
    needs: Texts = Field(default=[], description="Roles that are applied before it.")
    apart: bool = Field(
        default=False, description="Whether `up` leaves it to a command of its own."
    )
    vars: dict[str, Any] = Field(default={}, description="Names for its templates, in order.")
    packages: Annotated[dict[Family, Texts], BeforeValidator(_families)] = Field(
        default={}, description="Packages by family of systems; a|b: the first that can be had."
    )
    groups: list[Annotated[Group, BeforeValidator(_named)]] = Field(
        default=[], description="Groups to make."
    )
    users: list[Annotated[User, BeforeValidator(_named)]] = Field(
        default=[], description="Users to make."
    )
    directories: Texts = Field(default=[], description="PATH MODE OWNER:GROUP.")
    files: dict[str, Text] = Field(
        default={}, description="Pattern of files: MODE [OWNER:GROUP], where not by convention."
    )
    each: dict[str, Each] = Field(
        default={}, description="Pattern of files: the list of which each item gets a file."
    )
    links: dict[str, Text] = Field(default={}, description="Path of a link: what it leads to.")
    link_lines: Texts = Field(default=[], description="More links: PATH -> TARGET.")
    modules: Texts = Field(default=[], description="Kernel modules that its units need.")
    units: Texts = Field(default=[], description="systemd units to enable and start.")
    folders: Texts = Field(
        default=[],
        description="PATH MODE: made in what units mount, and left as they are where they exist.",
    )
    before_start: dict[str, Texts] = Field(
        default={}, description="Pattern of files: commands before units start, if one changed."
    )
    after: dict[str, Texts] = Field(
        default={},
        description="Pattern of files: `restart UNIT`, `reload UNIT` or a command, if one changed.",
    )
    validate_: dict[str, Text] = Field(
        default={}, alias="validate", description="Pattern of files: what checks one, named by {}."
    )
    listens: list[Text] = Field(default=[], description="Ports it listens on: 80, or 53/udp.")
    true_afterwards: Texts = Field(
        default=[], description="Commands that succeed when it works, and change nothing."
    )
    remove: Remove = Field(default_factory=Remove, description="What `role remove` also does.")
