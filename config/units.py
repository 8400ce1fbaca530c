"""Spans of time and sizes as people write them: `15m`, `6d`, `500MB`; in the program, milliseconds and bytes."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SPANS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_SIZES = {
    "GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6, "KiB": 2**10, "kB": 10**3, "B": 1
}  # fmt: skip
_SIZES_READ = {name.casefold(): factor for name, factor in _SIZES.items()}
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*(ms|[dhms])", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*([kmg]?i?b)", re.IGNORECASE | re.ASCII)


def parse_duration(text: str) -> int:
    """Milliseconds of `15m`, `1.5h`, `6d`, `90s`, `500ms`. Raises ValueError, with the way out, for anything else."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a span of time: write a number with d, h, m, s or ms, such as 15m or 6d")
    return round(float(match[1]) * _SPANS[match[2]])


def format_duration(millis: int) -> str:
    """The shortest exact form: 900000 is `15m`."""
    return _shortest(millis, _SPANS, "s")


def parse_size(text: str) -> int:
    """Bytes of `500MB`, `2GiB`, `64kB`. Raises ValueError, with the way out, for anything else."""
    match = _SIZE.fullmatch(text.strip())
    factor = _SIZES_READ.get(match[2].casefold()) if match else None
    if match is None or factor is None:
        raise ValueError("not a size: write a number with kB, MB, GB, KiB, MiB or GiB, such as 500MB")
    return round(float(match[1]) * factor)


def format_size(size: int) -> str:
    """The shortest exact form: 500000000 is `500MB`."""
    return min((f"{size // factor}{name}" for name, factor in _SIZES.items() if size % factor == 0), key=len)


def _shortest(value: int, units: dict[str, int], zero: str) -> str:
    if value == 0:
        return f"0{zero}"
    return next(f"{value // factor}{name}" for name, factor in units.items() if value % factor == 0)


def _duration(value: object) -> int:
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError("a span of time needs its unit: write it with d, h, m, s or ms, such as 15m or 6d")


def _size(value: object) -> int:
    if isinstance(value, str):
        return parse_size(value)
    raise ValueError("a size needs its unit: write it with kB, MB or GB, such as 500MB")


Duration = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|[dhms])$", "title": "span of time"}),
]
"""Milliseconds; written as text with a unit."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(format_size, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*[kKmMgG]?[iI]?[bB]$", "title": "size"}),
]
"""Bytes; written as text with a unit."""
