"""What stands behind a field's colon: numbers, times, flags and keywords, alone or as a range.

A date names a span, and so does a time without milliseconds: `created:2026-03` is that month, `until:2026-03-07` ends
with that day, `created:>2026-03-07` begins after it. Dates without an offset are UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from query.error import QueryError, did_you_mean, in_quotes, short
from query.fields import RELATIVE_TIME, Field, canonical
from query.text import fold
from query.tree import Between, Equals, Has, Node, StartsWith
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Millis

MIN_PREFIX = 2
MAX_VALUE = 300


class Place(NamedTuple):
    """Where a piece of a query stands, and when and for what it is read."""

    query: str
    start: int
    end: int
    now: Millis
    context: str

    def error(self, message: str, hint: str = "") -> QueryError:
        return QueryError(message, self.query, self.start, self.end, hint)


def comparison(field: Field, text: str, place: Place, *, quoted: bool = False, beginning: bool = False) -> Node:
    """The node for `field:text`, `field:"text"` (quoted) or `field:"text"*` (quoted, beginning).

    Raises QueryError at the place where the text is no value of the field.
    """
    if text == "*" and not quoted:
        return Has(field.name)
    if field.kind == "keyword":
        return _keyword(field, text, place, quoted, beginning)
    if beginning:
        raise place.error(f"{field.name} is a {field.kind}: only words have a beginning.", f"Write {_example(field)}")
    text = text.strip()
    if field.kind == "flag":
        return _flag(field, text, place)
    return _range(field, text, place)


def since(field: Field, text: str, place: Place, operator: str) -> Node:
    """`since:` and `until:` as bounds of a time field; `operator` is `>=` or `<=`."""
    if _OPERATOR.match(text) or ".." in text:
        raise place.error(f"{in_quotes(text)} is not one moment.", _TIMES)
    return _range(field, operator + text.strip(), place)


def _keyword(field: Field, text: str, place: Place, quoted: bool, beginning: bool) -> Node:
    if not quoted and _OPERATOR.match(text):
        raise place.error(
            f"{field.name} is a word: {text[0]} compares numbers and times.",
            f'Write {field.example}, or quote a value that begins so: {field.name}:"{short(text)}"',
        )
    ending = not quoted and text.endswith("*")
    value = canonical(field, text[:-1] if ending else text)
    if "*" in value and not quoted:
        raise place.error("* may only end a value.", f"Write {field.name}:begin* or quote a value that holds a *.")
    if not value:
        raise place.error(f"{field.name}: needs a value.", f"Write {field.example}")
    if len(value) > MAX_VALUE:
        raise place.error(f"A value may have {MAX_VALUE} characters; this one has {len(value)}.")
    if ending or beginning:
        if len(value) < MIN_PREFIX:
            raise place.error(
                f"A prefix needs {MIN_PREFIX} characters before its *.", f"Write {field.name}:be* or more."
            )
        return StartsWith(field.name, value)
    _check(field, value, text, place)
    return Equals(field.name, value)


def _check(field: Field, value: str, text: str, place: Place) -> None:
    if field.vocabulary and value not in field.vocabulary:
        hint = did_you_mean(value, (*field.vocabulary, *field.synonyms))
        raise place.error(
            f"{field.name} is never {in_quotes(text)}.", f"{hint} It may be {', '.join(field.vocabulary)}.".lstrip()
        )
    if field.name == "lang" and not _LANG.fullmatch(value):
        hint = did_you_mean(value, field.synonyms)
        raise place.error(
            f"{in_quotes(text)} is no code of a language.",
            f"{hint} Write two letters: lang:es, or lang:other.".lstrip(),
        )
    if field.name == "country" and not _COUNTRY.fullmatch(value):
        raise place.error(
            f"{in_quotes(text)} is no code of a country.", "Write two letters as in ISO 3166: country:es, country:mx."
        )


def _flag(field: Field, text: str, place: Place) -> Node:
    word = fold(text)
    if word in _YES or word in _NO:
        return Equals(field.name, word in _YES)
    raise place.error(
        f"{field.name} is yes or no, not {in_quotes(text)}.", f"Write {field.name}:yes or {field.name}:no."
    )


class _Span(NamedTuple):
    """A literal: the values from `low` to `high`; an instant or number where they are equal, else without `high`."""

    low: float
    high: float


def _range(field: Field, text: str, place: Place) -> Node:
    """`70`, `>=70`, `10..20`, `10..`, `..20`, `>10..<20`."""
    if ".." in text:
        first, _, last = text.partition("..")
        after, before = first.startswith(">"), last.startswith("<")
        low = _span(field, first.removeprefix(">"), place) if first else None
        high = _span(field, last.removeprefix("<"), place) if last else None
        if low is None and high is None:
            raise place.error("A range needs a bound.", f"Write {_example(field)}")
        node = _between(field, low, high, after, before)
        if low is not None and high is not None and low.low > high.low:
            raise place.error(f"This range is empty: {first} lies above {last}.", f"Write {last}..{first}")
        return node
    found = _OPERATOR.match(text)
    operator = found.group(1) if found else ""
    span = _span(field, text[len(operator) :], place)
    if operator in (">", ">="):
        return _between(field, span, None, operator == ">", False)
    if operator in ("<", "<="):
        return _between(field, None, span, False, operator == "<")
    if field.kind == "number":
        return Equals(field.name, span.low)
    return _between(field, span, span, False, False)


def _between(field: Field, low: _Span | None, high: _Span | None, after: bool, before: bool) -> Between:
    """Spans as bounds: `after` and `before` leave the whole literal out, otherwise the whole of it is in."""
    bottom, top, with_low, with_high = None, None, True, True
    if low is not None:
        bottom, with_low = (low.high, low.high > low.low) if after else (low.low, True)
    if high is not None:
        top, with_high = (high.low, False) if before else (high.high, high.high == high.low)
    return Between(field.name, bottom, top, with_low, with_high)


def _span(field: Field, text: str, place: Place) -> _Span:
    text = text.strip()
    return _number(field, text, place) if field.kind == "number" else _time(field, text, place)


def _number(field: Field, text: str, place: Place) -> _Span:
    found = _NUMBER.fullmatch(text)
    if not found:
        raise place.error(f"{field.name} is a number, not {in_quotes(text)}.", f"Write {_example(field)}")
    value = float(found.group(1)) * _UNITS[found.group(2).lower()]
    low, high = field.within or (value, value)
    if not low <= value <= high:
        raise place.error(
            f"{field.name} goes from {low:.0f} to {high:.0f}: {text} is outside.", f"Write {_example(field)}"
        )
    return _Span(value, value)


def _time(field: Field, text: str, place: Place) -> _Span:
    if found := _AGO.fullmatch(text):
        return _relative(place.now - int(found.group(1)) * _AGO_UNITS[found.group(2).lower()], 0, text, place)
    if text.lower() == "now":
        return _relative(place.now, 0, text, place)
    if text.lower() in ("today", "yesterday"):
        midnight = place.now - place.now % DAY
        return _relative(midnight if text.lower() == "today" else midnight - DAY, DAY, text, place)
    found = _DATE.fullmatch(text)
    span = _dated(found) if found else None
    if span is None:
        hint = f"Did you mean -{text}? " if _AGO.fullmatch(f"-{text}") else ""
        raise place.error(f"{in_quotes(text)} is no time.", hint + _TIMES)
    return span


def _relative(start: Millis, width: Millis, text: str, place: Place) -> _Span:
    if place.context not in RELATIVE_TIME:
        raise place.error(
            f"{text} is counted from now: a {place.context} may not, its answer would change by itself.",
            "Write a date: 2026-03-01",
        )
    if not 0 <= start <= _LAST:
        raise place.error(f"{text} is before 1970.", _TIMES)
    return _Span(float(start), float(start + width))


def _dated(found: re.Match[str]) -> _Span | None:
    """The span that a date or time names; None where the calendar or clock has no such. From 1970 to 9998."""
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        start = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=_zone(offset),
        )
        milliseconds = int((start - _EPOCH) / timedelta(milliseconds=1)) + int((fraction or "").ljust(3, "0")[:3] or 0)
        if month is None:
            end = start.replace(year=start.year + 1)
        elif day is None:
            end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        else:
            width = 0 if fraction else SECOND if second else MINUTE if minute else DAY
            return _in_calendar(milliseconds, milliseconds + width)
    except ValueError:
        return None
    return _in_calendar(milliseconds, int((end - _EPOCH) / timedelta(milliseconds=1)))


def _in_calendar(start: int, end: int) -> _Span | None:
    return _Span(float(start), float(end)) if 0 <= start <= end <= _LAST else None


def _zone(offset: str | None) -> timezone:
    if not offset or offset in "zZ":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError
    return timezone((-1 if offset[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _example(field: Field) -> str:
    if field.kind == "time":
        return f"{field.name}:2026-03-01, {field.name}:>=2026-03-01 or {field.name}:2026-03-01..2026-03-07"
    if field.within and field.within[1] <= 100:
        return (
            f"{field.name}:>={field.within[1] * 0.7:.0f} or {field.name}:{field.within[0]:.0f}..{field.within[1]:.0f}"
        )
    return f"{field.name}:>=1000, {field.name}:>10k or {field.name}:10..20"


_OPERATOR = re.compile(r"(>=|<=|>|<)")
_NUMBER = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)([kKmM]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_AGO = re.compile(r"-([0-9]{1,6})([mhdwMHDW])")
_AGO_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,3}))?)?)?)?)?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_370_764_800_000
_TIMES = "Write a date (2026-03-01), a time (2026-03-01T08:30+01:00), or how long ago (-7d, -12h, -30m, -2w)."
_LANG = re.compile("[a-z]{2,3}|other")
_COUNTRY = re.compile("[a-z]{2}")
_YES = frozenset({"yes", "true", "si", "y", "1"})
_NO = frozenset({"no", "false", "n", "0"})
