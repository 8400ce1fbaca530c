"""Small readings of what people write about cases."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import UTC, datetime

from stream.records import Millis

MOST_NAMED = 20
_NAME = re.compile(r"(?<![\w@.])@([a-z0-9][a-z0-9_-]*)", re.IGNORECASE)


def named_in(text: str, people: Container[str]) -> tuple[list[str], list[str]]:
    """(ids of the people whom a note names with @, names that nobody of them has): each once, in their order.

    An address such as ana@example.org names nobody.
    """
    names = list(dict.fromkeys(name.casefold() for name in _NAME.findall(text)))[:MOST_NAMED]
    return [name for name in names if name in people], [name for name in names if name not in people]


def moment(at: Millis) -> str:
    """2026-11-27 09:30 UTC"""
    return f"{datetime.fromtimestamp(at / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
