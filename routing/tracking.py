"""The key that people know a case by, in mails and on the phone: `ACM-2026-000123`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from stream.records import Millis

LETTERS = 3
_KEY = re.compile(r"[A-Z0-9]{1,3}-\d{4,}-(\d+)")


def tracking_key(brand: str, opened_at: Millis, id: int) -> str:
    """The brand's first letters, the year (UTC), the number of the case: never the same for two cases."""
    letters = re.sub(r"[^A-Z0-9]", "", brand.upper())[:LETTERS] or "X"
    return f"{letters}-{datetime.fromtimestamp(opened_at / 1000, UTC):%Y}-{id:06}"


def number_in(text: str) -> int | None:
    """The number of the case that a key or a bare number names; None where it is neither."""
    found = _KEY.fullmatch(text.strip().upper())
    digits = found[1] if found else text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
