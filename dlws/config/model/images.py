"""Where images come from."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from pydantic import Field

from dlws.config.model.types import Freeform, SecretText, Section, Text, Texts


class Dockers(Section):
    """Where the system's own images come from."""

    hub: Text = Field(default="", description="Registry prefix.")
    tag: Text = Field(default="", description="Tag.")
    build: bool | None = Field(
        default=None,
        description="Services take images that docker push makes, not those of others; default: "
        "where kubernetes.source is bundle.",
    )
    system: Freeform = Field(default={}, description="Further system images.")
    external: Freeform = Field(default={}, description="Images of others, by full name.")
    infrastructure: Freeform = Field(default={}, description="Infrastructure images.")
    customize: Freeform = Field(default={}, description="Images of your own.")
    container: Freeform = Field(default={}, description="Names of single images.")


class Registry(Section):
    """Credentials for one registry."""

    username: Text = Field(default="", description="User.")
    password: SecretText | None = Field(default=None, description="Password.")
    pre_download_images: Texts = Field(default=[], description="Images fetched beforehand.")
