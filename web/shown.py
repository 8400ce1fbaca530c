"""From records to what the API answers: nothing of a deleted post, nothing that the asker may not see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from query.document import effective, set_aside
from stream import records
from stream.records import DETRACTOR_LEVELS, EMOTIONS, INTENTS, NO_YES, SENTIMENTS, Millis, Scores
from web import models
from web.truth import OF_COPIES, Found, Hidden

_CLASSES = (
    {"sentiment": SENTIMENTS, "reputation": SENTIMENTS, "intent": INTENTS, "detractor": DETRACTOR_LEVELS}
    | dict.fromkeys(("complaint", "irony", "offensive"), NO_YES)
)  # fmt: skip
CORRECTED = frozenset({"sentiment", "reputation", "intent", "detractor"})
"""Heads that a person may correct."""
_of_copies = re.compile(rf"(?:has:)?(?:{'|'.join(sorted(OF_COPIES))})(?::|$)")
"""A part of a rule that asks for what rests on near copies, as `query.unparse` writes it."""


def at(millis: Millis) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def mention(found: records.Mention, hidden: Hidden) -> models.Mention:
    """`found` is live."""
    post, decision, correction = found.post, found.decision, found.correction
    author = post.author if post else None
    metrics = post.metrics if post else None
    queue = (correction and correction.queue) or (decision.queue if decision else "none")
    return models.Mention(
        id=found.id,
        revision=found.revision,
        brand=found.brand,
        network=found.network,
        source=found.source_id,
        title=post.title if post else None,
        rating=post.rating if post else None,
        text=post.text if post else "",
        author=(author.handle or author.id) if author else None,
        followers=author.followers if author else None,
        link=post.link if post else None,
        reach=models.Reach(likes=metrics.likes, reposts=metrics.reposts, replies=metrics.replies, views=metrics.views)
        if metrics
        else models.Reach(),
        time=at(found.event_time),
        lang=found.lang,
        sentiment=_reading(found, "sentiment"),
        reputation=_reading(found, "reputation"),
        intent=_reading(found, "intent"),
        detractor=_reading(found, "detractor"),
        complaint=_reading(found, "complaint"),
        emotion=_emotion(found),
        irony=_reading(found, "irony"),
        offensive=_reading(found, "offensive"),
        aspects=found.understanding.aspects if found.understanding else (),
        spam=_spam(found, hidden),
        speaker=found.understanding.speaker if found.understanding else "public",
        risk=decision.risk if decision else 0,
        queue=queue,
        priority=decision.priority if decision else "normal",
        rule=decision.rule if decision else "",
        tags=decision.tags if decision else (),
        case=None if found.case_id in hidden.cases else found.case_id,
        conversation=None if found.conversation in hidden.conversations else found.conversation,
        cluster=found.cluster,
        copies=None if hidden.copies else found.copies,
        about=not set_aside(found),
        corrected_by=correction.person if correction else None,
    )


def without_copies(found: Found) -> Found:
    """For an asker who may not know of near copies: without what they tell of the mention, and of its rules."""
    if not found.hidden.copies:
        return found
    decided = found.mention.decision
    return found._replace(
        mention=replace(found.mention, copies=0, spam=(), decision=_without_copies(decided) if decided else None),
        past=[_without_copies(one) for one in found.past],
    )


def _without_copies(found: records.Decision) -> records.Decision:
    return replace(found, facts={part: holds for part, holds in found.facts.items() if not _of_copies.match(part)})


def decision(found: records.Decision, in_words: Sequence[str]) -> models.Decision:
    return models.Decision(
        queue=found.queue,
        rule=found.rule,
        rules_revision=found.rules_revision,
        why=found.why,
        in_words=list(in_words),
        priority=found.priority,
        tags=found.tags,
        risk=found.risk,
        terms=tuple(models.Term(name=term.name, points=term.points, why=term.why) for term in found.terms),
        facts=found.facts,
        model=found.model,
        generation=found.generation,
        person=found.person,
        decided_at=at(found.decided_at),
    )


def coverage_row(row: records.Coverage) -> models.CoverageRow:
    return models.CoverageRow(
        source=row.source_id,
        query=row.query,
        since=at(row.since),
        until=at(row.until),
        state=row.state,
        asked=row.asked,
        received=row.received,
        kept=row.kept,
        filtered=row.filtered,
        duplicates=row.duplicates,
        late=row.late,
        missed=row.missed,
        refused=row.refused,
        reason=row.reason,
    )


def _reading(found: records.Mention, head: str) -> models.Reading | None:
    scores: Scores | None = getattr(found.understanding, head, None)
    if head in CORRECTED and found.correction is not None:
        label = effective(found, head)
        if label and (getattr(found.correction, head) or scores is None or label != scores.label):
            return models.Reading(label=label, probability=1.0)
    if scores is None:
        return None
    by_label = dict(zip(_CLASSES[head], scores.p, strict=False))
    return models.Reading(label=scores.label, probability=min(1.0, max(0.0, by_label.get(scores.label, 0.0))))


def _emotion(found: records.Mention) -> list[models.Reading] | None:
    said = found.understanding.emotion if found.understanding else None
    if said is None:
        return None
    by_label = dict(zip(EMOTIONS, said.p, strict=False))
    return [models.Reading(label=label, probability=by_label.get(label, 0.0)) for label in said.labels]


def _spam(found: records.Mention, hidden: Hidden) -> tuple[str, ...]:
    of_text = found.understanding.spam if found.understanding else ()
    return of_text if hidden.copies else (*of_text, *found.spam)
