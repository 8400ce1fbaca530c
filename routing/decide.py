"""One mention to one decision: pure, from labels, terms, history and rules."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from query.document import Document, effective, set_aside
from query.labels import labels, overruled
from routing.risk import NOTHING_KNOWN, History, added_terms, risk_of
from routing.rules import LEFT_OUT, Ruled, RuleSet
from stream.records import (
    WAKING_ORIGINS,
    Correction,
    Decision,
    Mention,
    Millis,
    Post,
    Term,
    Tier,
    Understanding,
    Understood,
)

DAY: Millis = 86_400_000
_HURTING = frozenset({"public_issue", "churn_threat", "complaint"})


class Reader(NamedTuple):
    """Who read the text."""

    model: str
    tier: Tier
    generation: int
    provisional: bool = False


def decide(
    draft: Mention, history: History, rules: RuleSet, reader: Reader, now: Millis, *, may_wake: bool
) -> Decision:
    """The decision for a mention whose post, understanding and correction stand in `draft`."""
    understanding = draft.understanding
    assert understanding is not None
    if set_aside(draft):
        return _left_out(draft, rules, reader, now)
    terms = terms_of(draft, history)
    risk = risk_of(terms)
    ruled = rules.first(Document(draft, risk=risk, terms=terms))
    decision = by_rules(
        Decision(
            queue="none", rule="", rules_revision=rules.revision, why="", may_wake=may_wake, risk=risk, terms=terms,
            model=reader.model, tier=reader.tier, generation=reader.generation, provisional=reader.provisional,
            complaints=None if history is NOTHING_KNOWN else history.complaints,
            brands_revision=rules.brands_revision, decided_at=now,
        ),
        ruled,
    )  # fmt: skip
    person = draft.correction
    return decision if person is None or person.queue is None else by_person(decision, person)


def by_rules(decision: Decision, ruled: Ruled) -> Decision:
    """The decision with what the rules say."""
    return replace(
        decision, queue=ruled.queue, rule=ruled.name, why=ruled.why, priority=ruled.priority, tags=ruled.tags,
        alert=ruled.alert, facts=ruled.facts, record=ruled.record, words=ruled.words, assign=ruled.actions.assign,
        deadline=ruled.actions.deadline, hold=ruled.actions.hold, crm=ruled.actions.crm,
    )  # fmt: skip


def by_person(decision: Decision, person: Correction) -> Decision:
    """The decision by the rules, and the queue that a person stated in its place."""
    assert person.queue is not None
    why = f"{person.person} put it here" + (_CHANGED if person.stale else "")
    return replace(
        decision, queue=person.queue, rule=PERSON, why=why, person=person.person, alert=False, overruled=decision.rule,
        assign=(), deadline="", hold=False, crm="",
    )  # fmt: skip


def held_for_review(mention: Mention) -> bool:
    """Whether its rule holds it: a head of the model was unsure, and nobody has looked at it yet."""
    read, decision = mention.understanding, mention.decision
    return bool(decision is not None and decision.hold and mention.correction is None and read and read.review)


def left_out_by(person: Correction | None, read: Understanding | None, name: str) -> str:
    """Why a mention is set aside, in words; empty where it is not, or nobody knows. `name`: the brand's."""
    if person is not None and person.about is not None:
        return (
            ""
            if person.about
            else f"{person.person} says that it is not about {name}" + (_CHANGED if person.stale else "")
        )
    if read is None or read.about is None or read.about.label != "no":
        return ""
    return f"left out: reads like another {name} ({read.about.p[0]:.2f})"


def _left_out(draft: Mention, rules: RuleSet, reader: Reader, now: Millis) -> Decision:
    """Nobody's work, and no risk: the post does not mean the brand."""
    person, said = draft.correction, rules.said(draft)
    return Decision(
        queue="none", rule=LEFT_OUT, rules_revision=rules.revision, priority="low", model=reader.model,
        why=left_out_by(person, draft.understanding, said["brand"]), words=said,
        tier=reader.tier, generation=reader.generation, provisional=reader.provisional, decided_at=now,
        brands_revision=rules.brands_revision,
        person=person.person if person is not None and person.about is not None else None,
    )  # fmt: skip


PERSON = "person"
"""Name of what decides where somebody stated a queue."""
_CHANGED = "; the text has changed since"


def terms_of(draft: Mention, history: History = NOTHING_KNOWN) -> tuple[Term, ...]:
    """The text's terms and, where the mention hurts the brand, those of reach and history. The brand's own posts have
    none."""
    understanding = draft.understanding
    if understanding is None or understanding.speaker == "own":
        return ()
    terms = text_terms(draft, understanding)
    if not hurts(draft):
        return terms
    post = draft.post
    followers = post.author.followers if post and post.author else None
    added = added_terms(followers, post.metrics if post else None, history)
    return terms + added if added else terms


def text_terms(mention: Mention, read: Understanding) -> tuple[Term, ...]:
    """The terms that the text gives. Where a person stated the labels the model's doubts count no more: what is left is
    what the labels bear."""
    if not overruled(mention):
        return read.terms
    settled = labels(mention)
    borne = {
        "severity": settled.detractor != "0",
        "public issue": settled.intent == "public_issue",
        "leaving": settled.intent == "churn_threat",
    }
    grave = settled.reputation == "negative" or settled.intent == "public_issue"
    return tuple([term for term in read.terms if borne.get(term.name, grave)])


def hurts(mention: Mention) -> bool:
    """Whether reach makes it worse: it is negative towards the brand, an issue, a complaint or a threat to leave."""
    read = mention.understanding
    if mention.correction is None and read is not None and read.reputation is not None:
        return read.reputation.label == "negative" or read.intent.label in _HURTING or read.detractor.label != "0"
    return (
        effective(mention, "reputation") == "negative"
        or effective(mention, "intent") in _HURTING
        or effective(mention, "detractor") in ("1", "2", "3")
    )


def judged_at(record: Understood, now: Millis, *, simulated: bool) -> Millis:
    """The time by which a record's lateness is told: now. In simulated time it is when the record came by its story,
    where a live post comes when it is seen: minutes pass there while a machine works, and wake nobody less."""
    if not simulated:
        return now
    return record.post.seen_at if record.post.origin == "live" else record.appended_at


def may_wake(post: Post, now: Millis) -> bool:
    """Whether a post that arrives now may wake people: live or gap-filled, and received lately."""
    return post.origin in WAKING_ORIGINS and now - post.seen_at <= post.max_lateness


def found_late(post: Post, now: Millis) -> bool:
    """Whether it goes into the mail of what was found late: gap-filled, too old to wake, younger than a day."""
    return post.origin == "gapfill" and not may_wake(post, now) and now - post.seen_at < DAY


def same(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same; when they were made, and what of it moved nothing, is set aside."""
    return _said(one) == _said(other)


def _said(decision: Decision) -> Decision:
    return replace(
        decision, decided_at=0, may_wake=False, record="", words={}, brands_revision=0, previous_queue=None,
        overruled="", read=None, correction=None,
    )  # fmt: skip
