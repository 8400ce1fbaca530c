"""How grave what is unusual is: calm, watch, warning, crisis, over; slow to rise by one, slower to fall.

Pure: signals of a minute and the standing so far in, the standing after it out. A rise of praise alone is watched and
wakes nobody: what makes a warning is what hurts (negative posts, detractors).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from stream.clock import DAY, MINUTE
from stream.records import Millis

State: TypeAlias = Literal["watch", "warning", "crisis", "over"]
RANK: dict[str, int] = {"calm": 0, "over": 0, "watch": 1, "warning": 2, "crisis": 3}
STATES: tuple[State | Literal["calm"], ...] = ("calm", "watch", "warning", "crisis")

PERSISTS = (0, 1, 2, 3)
"""In how many of the last WITHIN minutes a level has to hold before it is taken up, by its rank: between two posts of a
slow rise lie minutes that say nothing."""
WITHIN = 15
WARNING_POSTS = 4
"""So many hurtful posts beyond the expected ones of a span, or more, are worth a warning: three where none were are
not."""
STRONGER = 1.5
"""A crisis is so much more surprising than what crosses the threshold, on its logarithmic scale."""
STANDS_AT_MOST: Millis = 7 * DAY
"""What goes on for longer is what is usual from now on."""
SEVERE_POSTS = 5
"""So many posts that call for action against the brand, beyond the expected, weigh like a crisis's number of others."""


class Signal(NamedTuple):
    """What one series is like at a minute, in the span that shows it best."""

    series: str
    """`all`, `negative`, `detractors`, `severe`, and `negative@NETWORK` or `all@NETWORK`, `all:INTENT`."""
    minutes: int
    """The span that ends here."""
    observed: float
    expected: float
    high: float
    """Upper end of what is usual in such a span."""
    surprise: float
    """1.0: just as rare as the setting asks for; 2.0: as rare as that squared."""
    probability: float
    """That something other than chance is behind it, 0 to 1."""

    @property
    def percent(self) -> int:
        """The probability as people are told it: nothing is certain."""
        return min(99, int(100 * self.probability))

    @property
    def kind(self) -> str:
        """Of its series, whatever network or intent it is of: `all`, `negative`, `detractors` or `severe`."""
        return self.series.partition("@")[0].partition(":")[0]

    @property
    def excess(self) -> float:
        return self.observed - self.expected

    @property
    def hurts(self) -> bool:
        return self.series.partition("@")[0] in HURTFUL


_MASK = (1 << WITHIN) - 1
HURTFUL = ("negative", "detractors", "severe")


class Limits(msgspec.Struct, frozen=True):
    """Times in milliseconds."""

    crisis_posts: int = 30
    """Hurtful posts beyond the expected ones, within an hour at most, that make a warning a crisis."""
    ease_after: Millis = 60 * MINUTE
    """A crisis that was none for so long is a warning again."""
    calm_after: Millis = 120 * MINUTE
    """What was not unusual for so long is over."""


class Standing(msgspec.Struct, frozen=True):
    """Where a brand stands; times are event times."""

    state: str = "calm"
    since: Millis = 0
    """First minute of what is going on."""
    seen: Millis = 0
    """Last minute that was unusual."""
    as_grave: Millis = 0
    """Last minute that was as grave as the state says."""
    rising: tuple[int, int, int] = (0, 0, 0)
    """In which of the last WITHIN minutes it was as grave as watch, warning, crisis: a bit each, the last lowest."""
    series: str = ""
    """That showed it first; empty while it is calm."""
    usual: float = 0.0
    """Upper end of what was usual of it in an hour, as it looked then: what goes on for days is soon expected, and is
    not over."""
    unheard: Millis = 0
    """How much of the time since `seen` was not heard: a hole is no calm."""


def level(signals: Iterable[Signal], limits: Limits) -> int:
    """Rank of the gravest state that these signals speak for."""
    found = 0
    for one in signals:
        if one.surprise < 1.0:
            continue
        found = max(found, 1)
        if not one.hurts or one.excess < WARNING_POSTS:
            continue
        found = max(found, 2)
        enough = SEVERE_POSTS if one.series.startswith("severe") else limits.crisis_posts
        if one.surprise >= STRONGER and one.excess >= enough:
            found = 3
    return found


def step(standing: Standing, now: int, minute: Millis, limits: Limits, unheard: Millis = 0) -> Standing:
    """The standing after the minute that begins at `minute` and is of rank `now`; of it, `unheard` was not heard."""
    rising = [(held << 1 | (now >= rank)) & _MASK for rank, held in enumerate(standing.rising, 1)]
    after = replace(standing, rising=(rising[0], rising[1], rising[2]))
    before = RANK[standing.state]
    taken = max((rank for rank in (1, 2, 3) if rising[rank - 1].bit_count() >= PERSISTS[rank]), default=0)
    if before == 0 and not taken:
        return after
    after = replace(
        after,
        since=minute if before == 0 else standing.since,
        seen=minute if now else standing.seen,
        as_grave=minute if now >= max(before, 1) else standing.as_grave,
        unheard=0 if now else standing.unheard + unheard,
    )
    heard_until = minute - after.unheard
    if taken > before:
        return replace(after, state=STATES[taken], as_grave=minute)
    if heard_until - after.seen >= limits.calm_after:
        return Standing(state="over")
    if before == RANK["crisis"] and heard_until - after.as_grave >= limits.ease_after:
        return replace(after, state="warning", as_grave=minute)
    return after


def stands(standing: Standing, last_hour: float, season: float, minute: Millis) -> bool:
    """Whether what began goes on as high, though by now it is expected: for STANDS_AT_MOST it is not over. `season`:
    how much more is usual at this hour than at the one when it began."""
    usual = max(standing.usual * season, float(WARNING_POSTS))
    return standing.state != "calm" and last_hour > usual and minute - standing.since < STANDS_AT_MOST
