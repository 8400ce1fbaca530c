"""Mentions that a store cannot take while it takes the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Refusal(NamedTuple):
    mention_id: str
    revision: int
    reason: str
    """In words, without anything of the post."""
    error: str
    """Name of the error's class or type."""


class NotIndexed(Exception):
    """These can never be written as they are; what could be was, the offsets did not move."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(
            f"{len(refusals)} mentions cannot be indexed, the first ({refusals[0].mention_id}): {refusals[0].reason}"
        )
        self.refusals = list(refusals)
