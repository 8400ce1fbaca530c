"""A brand as people write it: what is listened for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.aspects import Aspect, Slug
from config.priors import Priors

__all__ = ["Brand", "Phrase", "Slug"]

Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

WATCHED = "watch-"
"""How ids of brands begin that `clamor watch` made: `clamor apply` leaves them alone unless a file states them."""


class Brand(BaseModel):
    """Names are matched without regard to case and accents, as whole words."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: Slug
    """Stands in ids of mentions and in queries: never change it."""
    name: Phrase
    """What people call it. An address with a path (`https://example.org/story`), here and in `aliases`, stands for
    posts that link to it, however they write it."""
    kind: Literal["own", "competitor", "category"] = "own"
    """`category`: a need, a route, an event without a brand name; it has no reputation."""
    aliases: tuple[Phrase, ...] = ()
    """Other names."""
    handles: tuple[Phrase, ...] = ()
    """Accounts as they are addressed, `@acme`."""
    hashtags: tuple[Phrase, ...] = ()
    """Hashtags of its own, `#acme`; they count always."""
    require: tuple[Phrase, ...] = ()
    """A name or alias counts only beside one of these (handles and hashtags count always)."""
    exclude: tuple[Phrase, ...] = ()
    """Phrases that make a name or alias beside them mean something else."""
    accounts: tuple[Phrase, ...] = ()
    """The brand's own accounts, as `network:handle` or `@handle`: posts by them are `speaker: own`."""
    press: tuple[Phrase, ...] = ()
    """Accounts of journalists and outlets: `speaker: press`."""
    rivals: tuple[Phrase, ...] = ()
    """Accounts of competitors: `speaker: competitor`."""
    customers: dict[str, Literal["normal", "valued", "key"]] = Field(default_factory=dict)
    """Value of known customers by handle, where a team keeps such a list."""
    prior: Priors = Priors()
    """How often each label is true of the brand's mentions, where that has been counted."""
    aspects: tuple[Aspect, ...] = ()
    """Of this brand alone: laid over the shipped aspects and over the section `aspects`."""
