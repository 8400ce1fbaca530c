"""Ways to people beside mail, and to other programs: chat, push, SMS and pagers by Apprise, and signed webhooks."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from config.brands import Slug
from config.section import EnvName, Section
from config.units import Duration

Tells: TypeAlias = Literal["crisis", "warning", "alert", "trouble"]


class Channel(Section):
    id: Slug
    """People and teams name it in `channels`, rules in `crm`."""
    kind: Literal["apprise", "webhook"]
    """`apprise`: a chat, push or SMS service or a pager; needs the extra `apprise`. `webhook`: a signed POST."""
    url_env: EnvName
    """NAME of the environment variable (or of the line in secrets.env) that holds the address: of `apprise` as its list
    of services writes it, of `webhook` an https address. It is never shown or logged."""
    secret_env: EnvName | None = None
    """Of `webhook`: NAME of what holds the key that bodies are signed with, at least 16 characters."""
    former_secret_env: EnvName | None = None
    """Of `webhook`: NAME of the key before, while both are in use: bodies are signed with both."""
    tells: tuple[Tells, ...] = ("crisis", "warning")
    """What of that which its people are told by mail: a crisis, a warning, an `alert` of a single severe post, a
    `trouble` of Clamor. Tests always."""
    language: Literal["en", "es"] = "en"
    """Of what a team is told; a person reads their own."""
    access: tuple[Slug, ...] = ("public",)
    """Of `webhook`: labels of the sources whose texts it may get of a case, or where it is a team's."""
    allow_private: bool = False
    """Of `webhook`: whether it may lead into the network that Clamor runs in, and be http."""
    timeout: Annotated[Duration, Field(ge=1_000, le=60_000)] = 10_000
    """Of `webhook`: how long the answer may take."""

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.kind == "webhook" and self.secret_env is None:
            raise ValueError("a webhook is signed: name the variable of its key in `secret_env`")
        if self.kind == "apprise" and (self.secret_env or self.former_secret_env or self.allow_private):
            raise ValueError("secret_env, former_secret_env and allow_private are of kind webhook: delete them")
        return self
