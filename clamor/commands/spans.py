"""How long something lasts, as an option says it."""

from __future__ import annotations

import typer

from config.units import format_duration, parse_duration
from stream.records import Millis


def spanned(text: str, option: str, least: Millis, most: Millis) -> Millis:
    """Raises typer.BadParameter."""
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    if not least <= span <= most:
        raise typer.BadParameter(f"from {format_duration(least)} to {format_duration(most)}", param_hint=option)
    return span
