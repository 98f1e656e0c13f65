"""The cluster's own registry of images."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from pydantic import Field

from dlws.config.model.machines import Port
from dlws.config.model.types import Domain, NodePath, Section, Text, Texts

PATH = "/var/lib/dlws-registry"


class OwnRegistry(Section):
    """A registry on one of the machines, which every node trusts."""

    enabled: bool | None = Field(
        default=None,
        description="Whether there is one; by default where a machine has the role registry, "
        "where node is given, and where kubernetes.source is bundle.",
    )
    node: Text = Field(
        default="",
        description="Its machine; empty: the one with the role registry, else the first "
        "infrastructure machine.",
    )
    host: Domain = Field(
        default="", description="Name in images' names, which all resolve; empty: its address."
    )
    port: Port = Field(default=5443, description="Its port; a mirror of its own has each next one.")
    pull_port: Port | None = Field(
        default=None,
        description="Where nodes pull without a login while registry_credential has none for it; "
        "empty: the port before its own.",
    )
    path: NodePath = Field(default=PATH, description="Directory of its images on that machine.")
    mirror: Texts = Field(
        default=[], description="Registries that nodes pull from through it, such as docker.io."
    )
