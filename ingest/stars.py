"""How many stars a review gives: in front of its title, where people, searches, mails and exports see it.

A post has no field of its own for them. In the title they are part of its content, so that a review whose text stays
and whose stars change is an edit; a phrase of stars finds those that give so many; and words alone make near copies.
"""

from __future__ import annotations

MOST = 5
GIVEN, LEFT = "★", "☆"


def starred(stars: int | None, title: str | None = "") -> str | None:
    """`★★☆☆☆ Title`; the title alone where `stars` is no number from 0 to 5; None where there is neither."""
    shown = GIVEN * stars + LEFT * (MOST - stars) if stars is not None and 0 <= stars <= MOST else ""
    return f"{shown} {(title or '').strip()}".strip() or None
