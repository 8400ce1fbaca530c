"""A stored decision made once more from what is stored of it, by the rules of its day: neither model nor text is asked.

What is taken as stored: the risk's terms, the truth of each part that the rules asked for, the words in the reason's
braces, what a person had stated, and whether the post was young enough to wake people. All else follows from these.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from routing.decide import PERSON, by_person, by_rules, left_out_by
from routing.risk import risk_of
from routing.rules import LEFT_OUT, RuleSet
from routing.truths import Unreadable
from stream.records import Correction, Decision, Struct, Understanding

Outcome = Literal["same", "differs", "unknown"]
_FOLLOWING = (
    "queue", "rule", "priority", "tags", "alert", "assign", "deadline", "hold", "crm", "why", "facts", "risk",
    "person", "overruled",
)  # fmt: skip


class Difference(Struct, frozen=True):
    what: str
    stored: object
    replayed: object


class Replayed(Struct, frozen=True):
    outcome: Outcome
    """`unknown`: what is stored does not suffice."""
    why: str = ""
    """Of `unknown`, in words."""
    differences: tuple[Difference, ...] = ()


def replay(
    decision: Decision,
    rules: RuleSet | str,
    *,
    read: Understanding | None = None,
    correction: Correction | None = None,
) -> Replayed:
    """`rules` are those of the decision's revision, or why they are not to be had. `read`, `correction`: what it rested
    on; of a decision that was replaced they stand in itself."""
    read, correction = decision.read or read, decision.correction or correction
    if decision.rule == LEFT_OUT:
        return _left_out(decision, read, correction)
    if isinstance(rules, str):
        return Replayed("unknown", rules)
    if not decision.record:
        return Replayed("unknown", "it was made before the truth of every part of the rules was kept")
    try:
        ruled = rules.replayed(decision.record, decision.words)
    except Unreadable as error:
        return Replayed("unknown", f"this release reads the rules of revision {rules.revision} otherwise: {error}")
    if ruled is None:
        return Replayed("unknown", "what is kept of the parts of the rules does not suffice to tell which one decides")
    made = by_rules(replace(decision, risk=risk_of(decision.terms), person=None, overruled=""), ruled)
    if decision.rule != PERSON:
        return _compared(decision, made)
    if correction is None or correction.queue is None:
        return Replayed("unknown", f"what {decision.person or 'a person'} stated is not kept")
    return _compared(decision, by_person(made, correction))


def _left_out(decision: Decision, read: Understanding | None, correction: Correction | None) -> Replayed:
    name = decision.words.get("brand")
    why = left_out_by(correction, read, name) if name is not None else ""
    if not why:
        return Replayed("unknown", "what said that the post does not mean the brand is not kept")
    by = correction.person if correction is not None and correction.about is not None else None
    made = replace(
        decision, queue="none", priority="low", tags=(), alert=False, assign=(), deadline="", hold=False, crm="",
        why=why, facts={}, risk=0, person=by, overruled="",
    )  # fmt: skip
    return _compared(decision, made)


def _compared(stored: Decision, made: Decision) -> Replayed:
    pairs = [(name, getattr(stored, name), getattr(made, name)) for name in _FOLLOWING]
    found = tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])
    return Replayed("differs" if found else "same", differences=found)


def in_words(found: Replayed) -> str:
    """In one sentence, without its full stop."""
    if found.outcome == "same":
        return "the same"
    if found.outcome == "unknown":
        return f"cannot be replayed: {found.why}"
    told = (
        f"{one.what} is stored as {_shown(one.stored)} and follows as {_shown(one.replayed)}"
        for one in found.differences
    )
    return f"differs: {'; '.join(told)}"


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()
