"""Decisions as they are stored: the one in force in the mention, those that it replaced beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, Engine

from clamor.rules_of_day import RulesOfDay
from database.engine import read, rows, rows_in
from routing.behaviour import of_mentions
from routing.changes import Stand, stand
from routing.decide import PERSON
from routing.policies import Policies
from routing.replayed import Difference, Outcome, Replayed, replay
from routing.rules import LEFT_OUT
from stream.records import Decision, Mention, Millis, decode

CHUNK = 500
MOST_EXAMPLES = 20


class Earlier(msgspec.Struct, frozen=True):
    """A decision that was replaced."""

    revision: int
    """The last revision of the mention that rested on it."""
    replaced_at: Millis
    decision: Decision


class Again(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored decision, replayed."""

    mention: str
    revision: int
    """The last revision of the mention that rests on it."""
    in_force: bool
    queue: str
    rule: str
    rules_revision: int
    outcome: Outcome
    why: str = ""
    differences: tuple[Difference, ...] = ()
    kind: str = ""
    """By the policy for detractors, as it is stored beside the decision in force; empty: none is."""
    kind_again: str = ""
    """As it follows from its own record; empty: that is not to be told."""


class Sum(msgspec.Struct):
    """Of many decisions that were replayed."""

    mentions: int = 0
    decisions: int = 0
    same: int = 0
    differs: int = 0
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    """By why."""
    examples: list[Again] = []
    """Of those that differ, the first MOST_EXAMPLES."""

    def add(self, found: Again) -> None:
        self.decisions += 1
        if found.outcome == "same":
            self.same += 1
        elif found.outcome == "unknown":
            self.unknown[found.why] += 1
        else:
            self.differs += 1
            if len(self.examples) < MOST_EXAMPLES:
                self.examples.append(found)


def earlier(connection: Connection, n: int) -> list[Earlier]:
    """What was decided of the mention of this number before, newest first."""
    return [Earlier(revision, at, _decision(body)) for revision, at, body in rows(connection, _EARLIER, (n,))]


def stands(mention: Mention, before: list[Earlier]) -> list[tuple[int, Stand]]:
    """Every decision with the last revision that rests on it, newest first."""
    found = [(one.revision, stand(one.decision)) for one in before]
    if mention.decision is not None:
        found.insert(0, (mention.revision, stand(mention.decision, mention.understanding, mention.correction)))
    return found


def before_words(held: Sequence[Stand]) -> Decision | None:
    """The decision that what people stated stands against: the newest without a word of theirs; where each bore one,
    the oldest by a rule, else by a queue that they stated. `held`: newest first."""
    ruled = next((one.decision for one in held if not spoken(one)), None)
    oldest = [one.decision for one in reversed(held) if not _set_aside(one.decision)]
    return ruled or next((one for one in oldest if one.rule != PERSON), None) or next(iter(oldest), None)


def spoken(one: Stand) -> bool:
    """Whether a person's word stood when this was decided."""
    return one.correction is not None or one.decision.rule == PERSON or _set_aside(one.decision)


def _set_aside(decision: Decision) -> bool:
    return decision.rule == LEFT_OUT and decision.person is not None


def ruled_by(decision: Decision) -> str:
    """The rule that decided, or would have where a person stated the queue."""
    return decision.overruled if decision.rule == PERSON else decision.rule


def again(mention: Mention, revision: int, one: Stand, rules: RulesOfDay) -> Again:
    """The decision made once more, beside the stored one."""
    decision = one.decision
    found = replayed(one, rules)
    in_force = mention.decision is not None and revision == mention.revision
    return Again(
        mention.id, revision, in_force, decision.queue, decision.rule, decision.rules_revision, found.outcome,
        found.why, found.differences,
    )  # fmt: skip


def with_kind(connection: Connection, found: Again, n: int) -> Again:
    """With the kind by the policy that stands beside the decision in force, replayed as well."""
    held = of_mentions(connection, [n]).get(n) if found.in_force else None
    if held is None:
        return found
    return msgspec.structs.replace(found, kind=held.kind, kind_again=Policies(connection).replayed(held))


def replayed(one: Stand, rules: RulesOfDay) -> Replayed:
    of_day = rules.of(one.decision.rules_revision)
    return replay(one.decision, of_day, read=one.read, correction=one.correction)


def all_again(engine: Engine, total: Sum, since: Millis, until: Millis) -> Iterator[int]:
    """Add every decision about mentions with an event time in [since, until) to the total, chunk by chunk; yields the
    number of the last mention that was looked at."""
    rules, after = RulesOfDay(engine), 0
    while True:
        held: dict[int, list[Earlier]] = {}
        with read(engine) as connection:
            found = rows(connection, _MENTIONS, (after, since, until, CHUNK))
            for n, revision, at, body in rows_in(connection, _ALL_EARLIER, [n for n, _ in found]):
                held.setdefault(n, []).append(Earlier(revision, at, _decision(body)))
        if not found:
            return
        for n, body in found:
            mention = decode(Mention, body)
            total.mentions += 1
            for revision, one in stands(mention, held.get(n, [])):
                total.add(again(mention, revision, one, rules))
        after = found[-1][0]
        yield after


_decision = msgspec.json.Decoder(Decision).decode
_EARLIER = "SELECT revision, at, body FROM decision WHERE mention = ? ORDER BY revision DESC"
_ALL_EARLIER = "SELECT mention, revision, at, body FROM decision WHERE mention IN (??)"
_MENTIONS = "SELECT n, body FROM mention WHERE n > ? AND event_time >= ? AND event_time < ? ORDER BY n LIMIT ?"
