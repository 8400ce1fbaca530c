"""A person who is told: of which brands and queues, in which language."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.brands import Slug
from config.section import Address, Section, Text, TimeZone


class Person(Section):
    id: Slug
    """Stands in the history of cases: never change it."""
    name: Text
    """As mails and pages show it."""
    email: Address
    """Where mails go."""
    language: Literal["en", "es"] = "en"
    """Language of the mails."""
    brands: tuple[Slug, ...] = ()
    """Brands whose alerts the person gets. Empty: all."""
    queues: tuple[Literal["sales", "support", "pr"], ...] = ()
    """Queues whose alerts the person gets. Empty: all."""
    access: tuple[Slug, ...] = ("public",)
    """Labels of the sources whose texts the person may read; posts of others arrive as a reference without text."""
    operations: bool = False
    """Is told when Clamor itself needs somebody (a paused stage, a silent source, a full disk). Where nobody is named,
    everybody is."""
    channels: tuple[Slug, ...] = ()
    """Ids of `channels` by which the person is told as well."""
    digest: Literal["daily", "weekly", "none"] = "none"
    """A mail that sums up the day, or the week, at eight in the morning, weekly ones on Mondays."""
    zone: TimeZone = "UTC"
    """Time zone of that."""
    max_mails_per_hour: int | None = Field(default=None, ge=1, le=1000)
    """Empty: as `alerts: max_mails_per_hour` says."""

    def hears(self, brand: str, queue: str) -> bool:
        return (not self.brands or brand in self.brands) and (not self.queues or queue in self.queues)
