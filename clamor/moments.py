"""Times as people type them behind --since and --until: the words of a query."""

from __future__ import annotations

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
