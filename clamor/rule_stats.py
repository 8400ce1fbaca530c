"""How the rules fare: what each of them decides, whom it would wake, and how often people said otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Engine

from clamor.decisions import before_words, earlier, ruled_by, spoken, stands
from database.engine import read, rows
from routing.changes import Stand
from routing.decide import PERSON
from routing.rules import LEFT_OUT, NO_RULE
from stream.clock import DAY
from stream.records import Mention, Millis, decode

CHUNK = 2_000


class RuleStat(msgspec.Struct, frozen=True):
    rule: str
    in_force: bool
    """The rules of today have it."""
    hits: int
    """Mentions whose decision in force is by this rule."""
    share: float
    """Of all decided mentions, 0 to 1."""
    a_day: float
    alerts: int
    """Of the hits, those of which people were to be told."""
    woke: int
    """Of these, those that were young enough."""
    overruled: int
    """Mentions that a person's word took out of the queue in which this rule had put them."""
    corrected: int
    """Mentions of which a person stated something and which stayed in its queue."""
    last: Millis | None
    """Time of the youngest mention that it decides."""


class RuleStats(msgspec.Struct, frozen=True):
    since: Millis
    until: Millis
    decided: int
    """Mentions with a decision, what people decided included."""
    by_people: int
    set_aside: int
    """What people said is not about the brand: no rule is to blame."""
    rules: list[RuleStat]


class Counts:
    """Adds up mentions; `stats` says what came of it."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        self.woke: Counter[str] = Counter()
        self.overruled: Counter[str] = Counter()
        self.corrected: Counter[str] = Counter()
        self.last: dict[str, Millis] = {}
        self.set_aside = 0

    def add(self, one: _Seen) -> None:
        decision = one.decision
        if decision is None:
            return
        rule = decision.rule
        self.hits[rule] += 1
        self.last[rule] = max(self.last.get(rule, 0), one.event_time)
        if decision.alert:
            self.alerts[rule] += 1
            self.woke[rule] += decision.may_wake

    def add_word(self, held: Sequence[Stand]) -> None:
        """`held`: the decisions about a mention of which a person stated something, newest first."""
        before = before_words(held)
        if before is None or not spoken(held[0]):
            return
        after = held[0].decision
        if after.rule == LEFT_OUT and after.person is not None:
            self.set_aside += 1
        elif before.queue != after.queue or before.rule == PERSON:
            self.overruled[ruled_by(before)] += 1
        else:
            self.corrected[ruled_by(before)] += 1

    def stats(self, names: Sequence[str], since: Millis, until: Millis) -> RuleStats:
        """`names`: of the rules in force, in their order."""
        decided = self.hits.total()
        others = sorted({*self.hits, *self.overruled, *self.corrected} - {*names, NO_RULE, PERSON, LEFT_OUT, ""})
        days = max(1.0, (until - since) / DAY)
        found = [
            RuleStat(
                rule, rule in names or rule == NO_RULE, self.hits[rule], self.hits[rule] / decided if decided else 0.0,
                self.hits[rule] / days, self.alerts[rule], self.woke[rule], self.overruled[rule],
                self.corrected[rule], self.last.get(rule),
            )
            for rule in (*names, NO_RULE, *others)
        ]  # fmt: skip
        return RuleStats(since, until, decided, self.hits[PERSON], self.set_aside, found)


def counted(engine: Engine, counts: Counts, since: Millis, until: Millis) -> Iterator[int]:
    """Add every mention with an event time in [since, until), chunk by chunk; yields the number of the last one."""
    after = 0
    while True:
        with read(engine) as connection:
            found = rows(connection, _MENTIONS, (after, since, until, CHUNK))
            for n, body in found:
                seen = _seen(body)
                counts.add(seen)
                if seen.correction is not None:
                    held = stands(decode(Mention, body), earlier(connection, n))
                    counts.add_word([one for _, one in held])
        if not found:
            return
        after = found[-1][0]
        yield after


class _Decided(msgspec.Struct, gc=False):
    rule: str
    alert: bool = False
    may_wake: bool = False


class _Word(msgspec.Struct, gc=False):
    pass


class _Seen(msgspec.Struct, gc=False):
    event_time: Millis
    decision: _Decided | None = None
    correction: _Word | None = None


_seen = msgspec.json.Decoder(_Seen).decode
_MENTIONS = "SELECT n, body FROM mention WHERE n > ? AND event_time >= ? AND event_time < ? ORDER BY n LIMIT ?"
