"""How many stars a review gives: in front of its title, where people, searches, mails and exports see it.

They stand in the post's `rating` as well, for queries and rules. In the title they are part of its content, so that a
review whose text stays and whose stars change is an edit; a phrase of stars finds those that give so many; and words
alone make near copies.
"""

from __future__ import annotations

from stream.records import MOST_STARS

GIVEN, LEFT = "★", "☆"


def rated(stars: float | None) -> int | None:
    """As a post's `rating`; None where it is no whole number from 0 to 5."""
    return int(stars) if stars is not None and stars in range(MOST_STARS + 1) else None


def starred(stars: int | None, title: str | None = "") -> str | None:
    """`★★☆☆☆ Title`; the title alone where `stars` is no number from 0 to 5; None where there is neither."""
    shown = GIVEN * stars + LEFT * (MOST_STARS - stars) if stars is not None and 0 <= stars <= MOST_STARS else ""
    return f"{shown} {(title or '').strip()}".strip() or None
