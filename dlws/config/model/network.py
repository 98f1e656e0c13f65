"""The cluster's network."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from pydantic import Field

from dlws.config.model.types import Domain, Freeform, Section, Text


class ClusterNetwork(Section):
    """Names and ranges of the cluster's network."""

    domain: Domain = Field(default="", description="Domain of the machines' full names.")
    container_network_iprange: Text = Field(
        default="",
        alias="container-network-iprange",
        description="Range the containers' networks lie in.",
    )
    trusted_domains: Freeform = Field(
        default={}, alias="trusted-domains", description="More names for certificates."
    )
