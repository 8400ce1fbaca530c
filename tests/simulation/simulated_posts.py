"""What happens to some posts on their networks: every observation, by the seed, in the order of nobody's clock."""

from __future__ import annotations

import random
from collections.abc import Iterator

from stream.clock import DAY, MINUTE
from stream.records import Author, Metrics, Millis, Post

START: Millis = 1_790_000_000_000
BRANDS = ("acme", "brisa")
INTENTS = ("complaint", "help_request", "purchase_interest", "public_issue", "praise", "churn_threat")
AUTHORS = ("ann", "bob", "cid", "dee", "eve")


def posts_of(dice: random.Random, most: int) -> list[Post]:
    """Observations of 8 to `most` posts, duplicates included, shuffled as far as networks and collectors shuffle."""
    answerable: list[int] = []
    found: list[Post] = []
    for number in range(dice.randint(8, most)):
        found += _observations(dice, number, answerable)
    for author in AUTHORS:
        if dice.random() < 0.4:
            found += _account(dice, author, number)
    found += dice.sample(found, k=len(found) // 6)
    if dice.random() < 0.7:
        dice.shuffle(found)
    return found


def text_of(number: int, version: int, brands: tuple[str, ...], intent: str) -> str:
    """A word that no other version has, the brands that it names, what it wants."""
    return f"t{number}v{version} {' '.join(brands)} {intent}"


def said_by(text: str) -> int:
    """Fingerprint of what a text says: those of one intent are copies of one another, all others are far apart. What
    praises is too short to have one."""
    intent = text.split()[-1]
    return 0 if intent == "praise" else _STRIPES[INTENTS.index(intent)]


_STRIPES = (0x00FF00FF00FF00FF, 0x0F0F0F0F0F0F0F0F, 0x3333333333333333, 0x5555555555555555, 0, 0x0000FFFF0000FFFF)
"""Differ from one another in 32 bits or more."""


def word_of(number: int, version: int) -> str:
    return f"t{number}v{version}"


def _observations(dice: random.Random, number: int, answerable: list[int]) -> Iterator[Post]:
    at = START + number * 7_000
    parent = dice.choice([*answerable, 900 + number]) if answerable and dice.random() < 0.45 else None
    author = dice.choice(AUTHORS)
    fate = dice.choices(("stays", "deleted", "restored", "forgotten"), (60, 20, 15, 5))[0]
    # Whether a deleted reply, whose text is gone, was about the brand of what it answers is not found out later.
    if fate == "stays" and author not in ("dee", "eve"):
        answerable.append(number)
    named = parent is None or dice.random() < 0.5
    brands: tuple[str, ...] = tuple(dice.sample(BRANDS, dice.choice((1, 1, 1, 2)))) if named else ()
    intent = dice.choice(INTENTS)
    counted = dice.random() < 0.3

    def content(kind: str, version: int, seen: Millis, edited: bool) -> Post:
        lead = dice.choice((0, 0, 0, 0, None, DAY))
        return Post(
            id=f"x:{number}", network="x", kind=kind, text=text_of(number, version, brands, intent),  # type: ignore[arg-type]
            author=Author(id=author, handle=author), seen_at=seen, event_time=at,
            edited_at=at + version * 1_000 + lead if edited and not counted and lead is not None else None,
            claimed_at=at if dice.random() < 0.5 else None,
            revision=version + 1 if counted else None, reply_to=f"x:{parent}" if parent is not None else None,
            max_lateness=10 * DAY,
        )  # fmt: skip

    yield content("created", 0, at, False)
    version = 0
    for version in range(1, dice.choice((1, 1, 1, 2, 3))):
        if named and parent is None and dice.random() < 0.3:
            brands = tuple(dice.sample(BRANDS, dice.choice((0, 1))))
        intent = dice.choice((intent, dice.choice(INTENTS)))
        yield content("edited", version, at + version * 1_000, True)
    if dice.random() < 0.3:
        yield content("edited" if version else "created", version, at + 4_500, version > 0)
    for look in range(dice.choice((0, 0, 1, 2))):
        likes = dice.choice((1, 60, 600, 6_000))
        yield Post(
            id=f"x:{number}", network="x", kind="metrics", metrics=Metrics(likes=likes),
            seen_at=at + 5_000 + look, event_time=at + 5_000 + look, max_lateness=10 * DAY,
        )  # fmt: skip
    if fate in ("deleted", "restored"):
        gone = at + dice.choice((1, 1_500, 6_000))
        yield _passing(number, "deleted", gone)
        if fate == "restored":
            yield content("restored", version, at + MINUTE, version > 0)
    elif fate == "forgotten":
        yield _passing(number, "forgotten", at + 6_000)


def _passing(number: int, kind: str, at: Millis) -> Post:
    return Post(id=f"x:{number}", network="x", kind=kind, seen_at=at, event_time=at)  # type: ignore[arg-type]


def _account(dice: random.Random, author: str, last: int) -> Iterator[Post]:
    """The account goes away after, before or amid what it wrote, and perhaps comes back."""
    at = START - 2 * MINUTE + dice.choice((dice.randint(0, last + 1), last + 1)) * 7_000 + dice.choice((1, 3)) * MINUTE
    if author not in ("dee", "eve"):
        return
    for kind in ("author_gone", "author_back")[: dice.choice((1, 1, 2))]:
        at += MINUTE
        yield Post(
            id=f"x:account-{author}", network="x", kind=kind, seen_at=at, event_time=at,  # type: ignore[arg-type]
            author=Author(id=author, handle=author),
        )  # fmt: skip
