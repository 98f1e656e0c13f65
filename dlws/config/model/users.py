"""Groups of users, and API tokens."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Literal

from pydantic import Field

from dlws.config.model.types import SecretText, Section, Text, Texts


class UserGroup(Section):
    """Who belongs to a group of users, and the ids they get."""

    allowed: Texts = Field(
        default=[], alias="Allowed", description="E-mail addresses, or @domain for all."
    )
    uid: Text = Field(default="", description="User id, or a range such as 20001-29999.")
    gid: Text = Field(default="", description="Group id.")


class Jwt(Section):
    """How API tokens are signed."""

    secret_key: SecretText | None = Field(default=None, description="Key; generated when absent.")
    algorithm: Literal["HS256", "HS384", "HS512"] = Field(default="HS256", description="Algorithm.")
    token_ttl: int = Field(default=86400, ge=1, description="Seconds a token is valid.")
