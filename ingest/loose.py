"""Answers whose form nobody promises: what is listed is read one by one, a field is what was hoped for, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from ingest.collector import Malformed

T = TypeVar("T")


def each_of(
    listed: Iterable[Any], read: Callable[[Any], T | None], place: str, what: str
) -> tuple[list[T], list[Malformed]]:
    """(what was read, what is no `what`): one of another form costs itself alone. `read` raises ValidationError,
    ValueError, OverflowError; None: it has no id, or no time."""
    found, malformed = list[T](), list[Malformed]()
    for number, one in enumerate(listed):
        try:
            item = read(one)
            if item is None:
                raise ValueError("it has no id, or no time that can be read")
            found.append(item)
        except (msgspec.ValidationError, ValueError, OverflowError) as wrong:
            payload = msgspec.json.encode(one)
            malformed.append(Malformed(place, f"it is no {what}: {wrong}"[:300], payload, type(wrong).__name__, number))
    return found, malformed


def text_of(one: Any, name: str) -> str:
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, str) else ""


def table(one: Any, name: str) -> dict[str, Any]:
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, dict) else {}


def list_of(one: Any, name: str) -> list[Any]:
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, list) else []


def count_of(one: Any, name: str) -> int | None:
    """A whole number that is not negative."""
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, int) and not isinstance(held, bool) and held >= 0 else None
