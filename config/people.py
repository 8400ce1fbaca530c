"""A person who is told: of which brands and queues, in which language."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.brands import Slug
from config.schema import Address, Section, Text


class Person(Section):
    id: Slug
    name: Text
    email: Address
    language: Literal["en", "es"] = "en"
    """Language of the mails."""
    brands: tuple[Slug, ...] = ()
    """Brands whose alerts the person gets. Empty: all."""
    queues: tuple[Literal["sales", "support", "pr"], ...] = ()
    """Queues whose alerts the person gets. Empty: all."""
    max_mails_per_hour: int | None = Field(default=None, ge=1, le=1000)
    """Empty: as `alerts: max_mails_per_hour` says."""

    def hears(self, brand: str, queue: str) -> bool:
        return (not self.brands or brand in self.brands) and (not self.queues or queue in self.queues)
