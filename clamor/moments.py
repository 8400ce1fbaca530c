"""Times as people type them behind --since and --until: the words of a query."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from query.parse import parse
from query.tree import Between
from stream.records import Millis


def moment(text: str, now: Millis, option: str) -> Between:
    """`2026-03-01`, `2026-03-01T08:30`, `-7d`, as `since:` and `until:` mean it. Raises query.error.QueryError."""
    found = parse(f"{option}:{text}", now=now, context="search")
    if not isinstance(found, Between):
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-03-01, or how long ago (-7d)", param_hint=f"--{option}"
        )
    return found


def instant(text: str, option: str) -> Millis:
    """A time to come or past: `2026-12-01`, `2026-12-01T09:00`, UTC. Raises typer.BadParameter."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-12-01, or 2026-12-01T09:00", param_hint=option
        ) from None
    placed = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return round(placed.timestamp() * 1_000)
