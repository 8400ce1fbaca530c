"""Days and hours of a week, as the configuration writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]|24):([0-5]\d)")


def hours(text: str) -> tuple[int, int]:
    """Minutes of the day at which it opens and closes; the latter beyond 1440 where it closes on the next day. Raises
    ValueError."""
    found = _HOURS.fullmatch(text)
    begin, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if found is None or begin == end or end > 1_440:
        raise ValueError("not hours of a day: write 09:00-18:00, 00:00-24:00, or 22:00-06:00 over midnight")
    return begin, end if end > begin else end + 1_440


def kept(reader: Callable[[str], object]) -> AfterValidator:
    """A text that `reader` can read, as it stands."""

    def check(text: str) -> str:
        reader(text)
        return text

    return AfterValidator(check)


Hours = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20), kept(hours)]
