"""Structured logs: one line an event, post ids and never a post's text."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO

import structlog

FORBIDDEN = frozenset({"text", "title", "body", "payload", "password", "token", "secret", "authorization"})
"""Keys whose values never reach a log, whoever passes them."""


def configure(form: Literal["json", "console"] = "console", level: str = "info", process: str = "clamor") -> None:
    """Sends structlog and the standard library's warnings to standard error, at `level` and above."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            withhold,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(Steady(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(stream=Steady(sys.stderr), level=max(number, logging.WARNING), force=True)


class Steady:
    """A stream whose faults stop nobody: a log on a full disk, or a pipe that nobody reads, loses its lines only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def withhold(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: the value of a forbidden key is replaced by its length."""
    for key in FORBIDDEN & event.keys():
        event[key] = f"<withheld, {len(str(event[key]))} characters>"
    return event
