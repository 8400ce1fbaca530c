"""Other rules over stored history: what they would have decided, beside what was decided. Nothing is changed.

A mention is taken as it stands: with its labels, a person's among them, and with the risk and the terms of its
decision, in which the reach and the history of that day are. A queue that a person stated stays, and so does what is
set aside. Where a text has expired, parts of the rules that ask for it are answered from the record of what was asked
that day; where that does not tell, the mention counts as one of which nobody can say.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from query.document import Document
from query.tree import field_of
from routing.bits import reads_text
from routing.decide import PERSON, found_late, held_for_review, may_wake
from routing.rules import LEFT_OUT, Ruled, RuleSet
from routing.truths import Parts, Unreadable
from stream.clock import HOUR
from stream.records import Decision, Mention, Millis, Queue

OF_POST = frozenset(
    {
        "author", "followers", "verified", "country", "media", "address", "likes", "reposts", "replies", "views",
        "reply_to", "quote_of", "seen", "edited", "origin", "query", "copies", "spam", "rating",
    }
)  # fmt: skip
"""Fields that an expired mention has no more, beside those that are read from the text."""
MOST_PER_MOVE = 200
"""Mentions of a sample that are kept for each pair of queues."""


class Moved(msgspec.Struct, frozen=True):
    """A mention that would be elsewhere."""

    mention: str
    n: int
    at: Millis
    old_queue: Queue
    old_rule: str
    old_why: str
    new_queue: Queue
    new_rule: str
    new_why: str


class AlertAsked(NamedTuple):
    at: Millis
    """When the post had come."""
    kind: str
    brand: str
    queue: str
    risk: int
    matter: int


class Side(msgspec.Struct):
    """What one set of rules makes of the mentions."""

    queues: Counter[str] = msgspec.field(default_factory=Counter)
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    hours: Counter[tuple[int, str]] = msgspec.field(default_factory=Counter)
    """By (hours since 1970, queue): mentions that were published in that hour."""
    asked: int = 0
    """Mentions of which people were to be told, whenever they came."""
    alerts: list[AlertAsked] = []
    """Those that were young enough to wake people, or to be told as found late."""
    grown: array[int] = msgspec.field(default_factory=lambda: array("q"))
    """Pairs (matter, time): a mention that asks for work came to a matter."""


class Tally(msgspec.Struct):
    """Of a stretch of history; stretches are added up."""

    mentions: int = 0
    """Decided, and looked at."""
    gone: Counter[str] = msgspec.field(default_factory=Counter)
    """By state: deleted, forgotten or retracted since, of which nothing is left to decide."""
    unknown: int = 0
    """Expired, and what is kept does not tell what the rules say: counted with the old decision on both sides."""
    left_out: int = 0
    persons: int = 0
    """In a queue that a person stated, and stays there."""
    agreed: int = 0
    """Of these, the rules that decided would have put so many there themselves,"""
    would_agree: int = 0
    """and the new rules so many."""
    moves: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """By (old queue, new queue), where they differ."""
    otherwise: int = 0
    """In the same queue by another rule, or with other effects of a rule: priority, tags, alert, assignee, deadline."""
    sample: dict[tuple[str, str], list[tuple[int, Moved]]] = {}
    """Of each pair of queues the mentions with the lowest keys, which are drawn by their number."""
    old: Side = msgspec.field(default_factory=Side)
    new: Side = msgspec.field(default_factory=Side)

    def add(self, other: Tally) -> None:
        self.mentions += other.mentions
        self.gone.update(other.gone)
        self.unknown += other.unknown
        self.left_out += other.left_out
        self.persons += other.persons
        self.agreed += other.agreed
        self.would_agree += other.would_agree
        self.moves.update(other.moves)
        self.otherwise += other.otherwise
        for pair, drawn in other.sample.items():
            self.sample[pair] = sorted([*self.sample.get(pair, ()), *drawn], key=_key)[:MOST_PER_MOVE]
        for mine, theirs in ((self.old, other.old), (self.new, other.new)):
            mine.queues.update(theirs.queues)
            mine.rules.update(theirs.rules)
            mine.hours.update(theirs.hours)
            mine.asked += theirs.asked
            mine.alerts.extend(theirs.alerts)
            mine.grown.extend(theirs.grown)


class Backtest:
    """`rules` over mentions, one after the other; None: those that decided. `of_day` gives the rules of a revision, or
    says why it cannot."""

    def __init__(
        self, rules: RuleSet | None, of_day: Callable[[int], RuleSet | str], *, simulated: bool = False
    ) -> None:
        """`simulated`: the home lives in simulated time, where live posts come when they are seen."""
        self._rules, self._of_day, self._simulated = rules, of_day, simulated
        bits = rules.parts.bit.items() if rules is not None else ()
        self._of_post = sum(bit for leaf, bit in bits if reads_text(leaf) or field_of(leaf) in OF_POST)
        self._answers: dict[tuple[int, str], tuple[int, int]] = {}

    def over(self, mentions: Iterable[tuple[int, Mention]]) -> Tally:
        """`mentions` with their numbers."""
        tally = Tally()
        for n, mention in mentions:
            if mention.decision is None:
                tally.gone[mention.state] += 1
            else:
                tally.mentions += 1
                self._look(tally, n, mention, mention.decision)
        return tally

    def _look(self, tally: Tally, n: int, mention: Mention, old: Decision) -> None:
        if old.rule == LEFT_OUT or self._rules is None:
            tally.left_out += old.rule == LEFT_OUT
            self._both(tally, mention, old)
            return
        new = self._ruled(self._rules, mention, old)
        if new is None:
            tally.unknown += 1
            self._both(tally, mention, old)
        elif old.rule == PERSON:
            tally.persons += 1
            tally.agreed += self._queue_of(old) == old.queue
            tally.would_agree += new.queue == old.queue
            self._both(tally, mention, old)
        else:
            self._count(tally.old, mention, old.queue, old.rule, old.alert, old)
            held = old if old.hold == new.actions.hold else replace(old, hold=new.actions.hold)
            self._count(tally.new, mention, new.queue, new.name, new.alert, held)
            if new.queue != old.queue:
                self._move(tally, n, mention, old, new)
            elif _effects(new) != _effects_of(old):
                tally.otherwise += 1

    def _ruled(self, rules: RuleSet, mention: Mention, old: Decision) -> Ruled | None:
        document = Document(mention, risk=old.risk, terms=old.terms)
        if mention.post is not None or not self._of_post:
            return rules.first(document)
        asked, true = self._answered(rules, old)
        return rules.partly(document, self._of_post & ~asked, self._of_post & asked, true)

    def _answered(self, rules: RuleSet, old: Decision) -> tuple[int, int]:
        """Of the parts that the post is needed for: those that the record of that day answers, and those that hold."""
        key = (old.rules_revision, old.record)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._translated(rules, old)
        return found

    def _translated(self, rules: RuleSet, old: Decision) -> tuple[int, int]:
        of_day = self._of_day(old.rules_revision) if old.record else ""
        if isinstance(of_day, str):
            return 0, 0
        theirs: Parts = of_day.parts
        try:
            truths = theirs.read(old.record)
        except Unreadable:
            return 0, 0
        asked = true = 0
        for leaf, bit in rules.parts.bit.items():
            known = theirs.bit.get(leaf, 0)
            if bit & self._of_post and known & truths.asked:
                asked |= bit
                true |= bit if known & truths.true else 0
        return asked, true

    def _queue_of(self, old: Decision) -> str | None:
        """Queue of the rule that a person's word stands against."""
        of_day = self._of_day(old.rules_revision)
        rule = None if isinstance(of_day, str) else of_day.named(old.overruled)
        return "none" if rule is None and old.overruled else rule.queue if rule is not None else None

    def _both(self, tally: Tally, mention: Mention, old: Decision) -> None:
        for side in (tally.old, tally.new):
            self._count(side, mention, old.queue, old.rule, old.alert, old)

    def _count(self, side: Side, mention: Mention, queue: str, rule: str, alert: bool, decision: Decision) -> None:
        side.queues[queue] += 1
        side.rules[rule] += 1
        side.hours[mention.event_time // HOUR, queue] += 1
        at = mention.appended_at or mention.decided_at
        if queue != "none":
            side.grown.extend((_matter(mention, queue), at))
        if not alert:
            return
        side.asked += 1
        kind = self._woken(mention, decision, at)
        if kind:
            side.alerts.append(AlertAsked(at, kind, mention.brand, queue, decision.risk, _matter(mention, queue)))

    def _woken(self, mention: Mention, decision: Decision, at: Millis) -> str:
        """Kind of the alert; empty where the post had been too old when it came, or is held for review."""
        post = mention.post
        if decision.hold and held_for_review(replace(mention, decision=decision)):
            return ""
        if post is None:
            return "mention" if decision.may_wake else ""
        judged = post.seen_at if self._simulated and post.origin == "live" else at
        return "mention" if may_wake(post, judged) else "found_late" if found_late(post, judged) else ""

    def _move(self, tally: Tally, n: int, mention: Mention, old: Decision, new: Ruled) -> None:
        pair = (old.queue, new.queue)
        tally.moves[pair] += 1
        drawn = tally.sample.setdefault(pair, [])
        key = _drawn(n)
        if len(drawn) >= MOST_PER_MOVE and key >= drawn[-1][0]:
            return
        moved = Moved(
            mention.id, n, mention.event_time, old.queue, old.rule, old.why, new.queue, new.name, new.why
        )  # fmt: skip
        drawn.append((key, moved))
        drawn.sort(key=_key)
        del drawn[MOST_PER_MOVE:]


def sample_of(tally: Tally, most: int) -> list[Moved]:
    """So many moved mentions, of every pair of queues as equally many as there are."""
    left = [[moved for _, moved in drawn] for _, drawn in sorted(tally.sample.items())]
    found: list[Moved] = []
    while any(left) and len(found) < most:
        for drawn in left:
            if drawn and len(found) < most:
                found.append(drawn.pop(0))
    return sorted(found, key=lambda moved: (moved.old_queue, moved.new_queue, moved.at))


def _effects_of(old: Decision) -> tuple[object, ...]:
    return (old.rule, old.priority, old.tags, old.alert, old.assign, old.deadline, old.hold, old.crm)


def _effects(ruled: Ruled) -> tuple[object, ...]:
    return (ruled.name, ruled.priority, ruled.tags, ruled.alert, *ruled.actions)


def _matter(mention: Mention, queue: str) -> int:
    """What a case would be of: the conversation about a brand; outside pr, of one author. As a number above 0."""
    author = mention.post.author.id if mention.post and mention.post.author else ""
    named = f"{mention.brand}\0{mention.conversation or mention.post_id}\0{'' if queue == 'pr' else author}"
    return (int.from_bytes(blake2b(named.encode(), digest_size=8).digest()) >> 1) | 1


def _drawn(n: int) -> int:
    """A key that has nothing to do with when the mention came, and is the same in every run."""
    return (n * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF


def _key(drawn: tuple[int, Moved]) -> int:
    return drawn[0]
