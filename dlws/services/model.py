"""service.yaml: what a service has to say beside its manifests."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dlws.config.model.types import Architecture, Text, Texts


class ServiceFile(BaseModel):
    """What a service.yaml says; every key in it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Text = Field(default="", description="The service in one line.")
    namespace: Text = Field(
        default="default", description="Namespace of objects that name none themselves."
    )
    needs: Texts = Field(default=[], description="Services that are started before it.")
    aliases: Texts = Field(default=[], description="Its older names.")
    waits: dict[str, Text] = Field(
        default={},
        description="KIND/NAME: the condition that start waits for (Available), or none.",
    )
    offers: Texts = Field(
        default=[],
        description="Extended resources (nvidia.com/gpu) that the nodes of its DaemonSets offer "
        "once its pods run there: start waits for them.",
    )
    images: dict[str, Text] = Field(
        default={}, description="Name of an image in its templates: where it comes from."
    )
    labels: Texts = Field(
        default=[],
        description="Labels of kubelabels by which it finds its nodes; left out where no node of "
        "the cluster carries any of them.",
    )
    architectures: list[Annotated[Literal["amd64", "arm64"], Architecture]] = Field(
        default=[], description="Architectures that it is for; empty: all."
    )
