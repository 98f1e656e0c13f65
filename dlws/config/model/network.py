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
        description="Does nothing on nodes: pods have the addresses of kubernetes.pod_cidr. "
        "Of use to `sandbox up --config` alone, which keeps its nodes out of it.",
        json_schema_extra={"deprecated": True},
    )
    trusted_domains: Freeform = Field(
        default={}, alias="trusted-domains", description="More names for certificates."
    )
