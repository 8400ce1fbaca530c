"""Fields of answers whose form nobody promises: each is what was hoped for, or nothing."""

from __future__ import annotations

from typing import Any


def text_of(one: Any, name: str) -> str:
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, str) else ""


def table(one: Any, name: str) -> dict[str, Any]:
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, dict) else {}


def count_of(one: Any, name: str) -> int | None:
    """A whole number that is not negative."""
    held = one.get(name) if isinstance(one, dict) else None
    return held if isinstance(held, int) and not isinstance(held, bool) and held >= 0 else None
