"""Times as people's files write them, read as milliseconds UTC.

Epoch seconds, milliseconds, microseconds and nanoseconds are told apart by size; a spreadsheet's serial number is
days since 1899-12-30 (ECMA-376 part 1, 18.17.4.1, 1900 date base); texts are ISO 8601, RFC 5322, the form
`Tue Oct 31 22:10:47 +0000 2017` of Twitter's first API, `31-Oct-2017 10:10 PM` as spreadsheets show it, and day, month
and year with `/`, `.` or `-` between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_tz
from typing import Literal

from stream.records import Millis

Order = Literal["dmy", "mdy"]

EARLIEST: Millis = 631_152_000_000
"""1990-01-01: nothing that is collected here is older; what reads as older was misread."""
LATEST: Millis = 4_102_444_800_000
"""2100-01-01."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPREADSHEET_ZERO = datetime(1899, 12, 30, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?\Z", re.ASCII)
_PARTED = re.compile(
    r"(?P<a>\d{1,4})[/.-](?P<b>\d{1,2})[/.-](?P<c>\d{2,4})"
    r"(?:[T ,]+(?P<h>\d{1,2})[:.h](?P<m>\d{2})(?:[:.](?P<s>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?\Z",
    re.ASCII,
)
_TWITTER = re.compile(
    r"\w{3} (?P<month>\w{3}) +(?P<day>\d{1,2}) (?P<time>\d{2}:\d{2}:\d{2}) (?P<zone>[+-]\d{4}) (?P<year>\d{4})\Z"
)
_NAMED = re.compile(
    r"(?P<day>\d{1,2})[- ](?P<month>[A-Za-z]{3})[- ](?P<year>\d{4}|\d{2})"
    r"(?:[T ,]+(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))? ?(?P<half>[AaPp][Mm])?)?\Z",
    re.ASCII,
)
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip


class NoDate(ValueError):
    """The value is no time that this program can read."""


def millis_reader(zone: tzinfo = UTC, order: Order = "dmy") -> Callable[[object], Millis]:
    """A function from a value (text or number) to milliseconds UTC; it raises NoDate.

    `zone` is taken where a text names none, `order` where day and month could be either.
    """

    def read(value: object) -> Millis:
        if type(value) is str:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                return _checked(_text(value.strip(), zone, order), value)
            if len(value) < 10 or value.isdigit():
                return _checked(_text(value.strip(), zone, order), value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            return _checked(_millis(moment), value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _checked(_number(value, value, zone), value)
        raise NoDate(f"{_shown(value)} is no date")

    return read


def iso_millis(said: object) -> Millis | None:
    """Of a time as networks write it, in ISO 8601, UTC where it names no zone; None for what is none."""
    try:
        return datetime_millis(datetime.fromisoformat(said)) if isinstance(said, str) else None
    except ValueError:
        return None


def datetime_millis(moment: datetime) -> Millis:
    """UTC where it names no zone. Raises NoDate."""
    return _millis(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def day_order(values: Iterable[object]) -> tuple[Order, bool]:
    """(which of day and month comes first in these values, whether some value settles it). Undecided: day first."""
    undecided = False
    for value in values:
        match = _PARTED.match(value.strip()) if isinstance(value, str) else None
        if match is None or len(match["a"]) > 2:
            continue
        undecided = True
        if int(match["a"]) > 12:
            return "dmy", True
        if int(match["b"]) > 12:
            return "mdy", True
    return "dmy", not undecided


def _text(value: str, zone: tzinfo, order: Order) -> Millis:
    if _NUMBER.match(value):
        if value.isdigit() and len(value) in (8, 14) and value[:2] in ("19", "20"):
            return _compact(value, zone)
        return _number(float(value) if "." in value else int(value), value, zone)
    match = _TWITTER.match(value)
    try:
        if match:
            hour, minute, second = (int(part) for part in match["time"].split(":"))
            month = _MONTHS[match["month"].lower()]
            parts = (int(match["year"]), month, int(match["day"]), hour, minute, second)
            return _millis(datetime(*parts, tzinfo=_offset(match["zone"])))
        match = _PARTED.match(value)
        if match:
            return _parted(match, zone, order)
        match = _NAMED.match(value)
        if match:
            return _named(match, zone)
        return _mail(value, zone)
    except (ValueError, KeyError, OverflowError):
        raise NoDate(f"{_shown(value)} is no date") from None


def _number(value: float, shown: object, zone: tzinfo) -> Millis:
    if not -1e19 < value < 1e19:
        raise NoDate(f"{_shown(shown)} is no date")
    if 20_000 <= value < 80_000:
        # A serial number is the time on somebody's wall.
        return _millis((_SPREADSHEET_ZERO + timedelta(milliseconds=round(value * 86_400_000))).replace(tzinfo=zone))
    size = abs(value)
    if size < 1e11:
        return round(value * 1000)
    if size < 1e14:
        return round(value)
    return round(value / 1e3) if size < 1e17 else round(value / 1e6)


def _compact(value: str, zone: tzinfo) -> Millis:
    parts = [int(value[:4]), int(value[4:6]), int(value[6:8])]
    parts += [int(value[at : at + 2]) for at in (8, 10, 12)] if len(value) == 14 else []
    try:
        return _millis(datetime(*parts, tzinfo=zone))  # type: ignore[arg-type, misc]
    except ValueError:
        raise NoDate(f"{_shown(value)} is no date") from None


def _parted(match: re.Match[str], zone: tzinfo, order: Order) -> Millis:
    a, b, c = int(match["a"]), int(match["b"]), int(match["c"])
    if len(match["a"]) > 2:
        year, month, day = a, b, c
    else:
        day, month = (a, b) if order == "dmy" else (b, a)
        year = c if c > 99 else 2000 + c
    hour = _hour(match)
    where = _offset(match["zone"]) if match["zone"] else zone
    return _millis(datetime(year, month, day, hour, int(match["m"] or 0), int(match["s"] or 0), tzinfo=where))


def _named(match: re.Match[str], zone: tzinfo) -> Millis:
    year, month = int(match["year"]), _MONTHS[match["month"].lower()]
    day, minute, second = int(match["day"]), int(match["m"] or 0), int(match["s"] or 0)
    full = year if year > 99 else 2000 + year
    return _millis(datetime(full, month, day, _hour(match), minute, second, tzinfo=zone))


def _hour(match: re.Match[str]) -> int:
    hour = int(match["h"] or 0)
    return hour % 12 + (12 if match["half"][0] in "pP" else 0) if match["half"] else hour


def _mail(value: str, zone: tzinfo) -> Millis:
    found = parsedate_tz(value) if len(value) <= 64 else None
    if found is None:
        raise ValueError
    offset = found[9]
    named = re.search(r"[+-]\d{4}|\b[A-Z]{2,4}\b\s*(?:\(.*\))?$", value) is not None
    where = timezone(timedelta(seconds=offset)) if offset is not None and named else zone
    return _millis(datetime(*found[:6], tzinfo=where))


def _offset(text: str) -> tzinfo:
    if text in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(away if text[0] == "+" else -away)


def _millis(moment: datetime) -> Millis:
    try:
        since = moment - _EPOCH
    except OverflowError:
        raise NoDate("the date lies outside the calendar") from None
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def credible(found: Millis) -> Millis:
    """A time as it was read; raises NoDate where it was misread."""
    if EARLIEST <= found < LATEST:
        return found
    raise NoDate("its time is before 1990 or after 2099")


def _checked(found: Millis, value: object) -> Millis:
    if EARLIEST <= found < LATEST:
        return found
    raise NoDate(f"{_shown(value)} reads as a date before 1990 or after 2099")


def _shown(value: object) -> str:
    return "a very large number" if isinstance(value, int) and value.bit_length() > 400 else repr(str(value)[:40])
