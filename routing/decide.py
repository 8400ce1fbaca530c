"""One mention to one decision: pure, from labels, terms, history and rules."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from query.document import Document, effective, set_aside
from query.labels import labels, overruled
from routing.risk import NOTHING_KNOWN, History, added_terms, risk_of
from routing.rules import LEFT_OUT, RuleSet
from stream.records import WAKING_ORIGINS, Decision, Mention, Millis, Post, Term, Tier, Understanding, Understood

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
    rule = rules.first(Document(draft, risk=risk, terms=terms))
    decision = Decision(
        queue=rule.queue,
        rule=rule.name,
        rules_revision=rules.revision,
        why=rule.why,
        priority=rule.priority,
        tags=rule.tags,
        alert=rule.alert,
        may_wake=may_wake,
        facts=rule.facts,
        risk=risk,
        terms=terms,
        model=reader.model,
        tier=reader.tier,
        generation=reader.generation,
        provisional=reader.provisional,
        complaints=None if history is NOTHING_KNOWN else history.complaints,
        decided_at=now,
    )
    person = draft.correction
    if person is not None and person.queue is not None:
        why = f"{person.person} put it here" + ("; the text has changed since" if person.stale else "")
        return replace(decision, queue=person.queue, rule="person", why=why, person=person.person, alert=False)
    return decision


def _left_out(draft: Mention, rules: RuleSet, reader: Reader, now: Millis) -> Decision:
    """Nobody's work, and no risk: the post does not mean the brand."""
    person, read = draft.correction, draft.understanding
    name = rules.said(draft)["brand"]
    if person is not None and person.about is not None:
        why = f"{person.person} says that it is not about {name}" + (
            "; the text has changed since" if person.stale else ""
        )
    else:
        assert read is not None
        assert read.about is not None
        why = f"left out: reads like another {name} ({read.about.p[0]:.2f})"
    return Decision(
        queue="none", rule=LEFT_OUT, rules_revision=rules.revision, why=why, priority="low", model=reader.model,
        tier=reader.tier, generation=reader.generation, provisional=reader.provisional, decided_at=now,
        person=person.person if person is not None and person.about is not None else None,
    )  # fmt: skip


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
    """Whether two decisions say the same; when they were made is set aside."""
    return replace(one, decided_at=0, may_wake=False) == replace(other, decided_at=0, may_wake=False)
