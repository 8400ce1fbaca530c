"""The answers of the API, field by field: what OpenAPI shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from stream.ports import Hit
from stream.records import Coverage, Decision, Mention, Millis, Scores

Share = Annotated[float, Field(ge=0, le=1)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reading(Model):
    """What the model says of one head, and the probability of that label."""

    label: str
    probability: Share


class TermOut(Model):
    """One named part of the risk score."""

    name: str
    points: float
    why: str


class DecisionOut(Model):
    """Why the mention is in its queue."""

    queue: str = Field(examples=["support"])
    rule: str = Field(description="First rule that matched; `person` where somebody decided.")
    rules_revision: int
    why: str
    in_words: str
    priority: str
    tags: tuple[str, ...]
    risk: int
    terms: tuple[TermOut, ...]
    facts: dict[str, bool] = Field(description="Truth value of each part of the rule.")
    model: str
    generation: int
    person: str | None
    decided_at: datetime


class MentionOut(Model):
    """One post about one brand."""

    id: str = Field(examples=["x:1234#aurelia"])
    revision: int
    state: str
    brand: str
    network: str
    text: str | None = Field(description="None once the post is deleted or expired.")
    author: str | None
    followers: int | None
    link: str | None
    time: datetime = Field(description="The time that counts (event time).")
    lang: str
    sentiment: Reading | None
    reputation: Reading | None = Field(description="Towards the brand; empty for a category.")
    intent: Reading | None
    detractor: Reading | None
    risk: int
    queue: str
    rule: str
    tags: tuple[str, ...]
    case: int | None
    conversation: str
    corrected_by: str | None


class HitOut(Model):
    mention: MentionOut
    highlights: list[tuple[int, int]] = Field(description="Spans [start, end) of `text` that matched.")


class CountOut(Model):
    value: int
    estimated: bool = Field(description="Counted from a sample; ask with exact=true for the true number.")


class CoverageOut(Model):
    """What a collector asked for, received and missed in a span."""

    source: str
    query: str
    since: datetime
    until: datetime
    state: str
    asked: int
    received: int
    missed: int | None = Field(description="None: missing, and nobody can say how many.")
    reason: str


class SearchOut(Model):
    query: str
    hits: list[HitOut]
    cursor: str | None = Field(description="Pass it back for the next page.")
    total: CountOut
    incomplete: list[CoverageOut] = Field(description="Gaps in what was collected for the time of these hits.")


class FacetOut(Model):
    field: str
    values: list[tuple[str, int]]
    estimated: bool


class HistogramOut(Model):
    interval_seconds: int
    buckets: list[tuple[datetime, int]]
    estimated: bool
    incomplete: list[CoverageOut]


class CaseOut(Model):
    """One matter that a team works on."""

    id: int
    brand: str
    queue: str
    state: str
    priority: str
    risk: int
    mentions: int
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    assignee: str | None
    merged_into: int | None


class CaseEventOut(Model):
    at: datetime
    change: str
    mention: str | None
    detail: str


class CaseWithHistory(CaseOut):
    mention_ids: list[str]
    history: list[CaseEventOut]


class CasesOut(Model):
    cases: list[CaseOut]
    cursor: int | None


class Problem(Model):
    """What went wrong, where, and the way out."""

    error: str
    advice: str = ""
    position: tuple[int, int] | None = None


class Webhooked(Model):
    """Answer of a webhook; the fields depend on the status."""

    model_config = ConfigDict(extra="allow")


class StatusOut(Model):
    model_config = ConfigDict(extra="allow")

    stages: list[dict[str, Any]]


def at(millis: Millis) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def mention_out(mention: Mention) -> MentionOut:
    post, read, decision, correction = mention.post, mention.understanding, mention.decision, mention.correction
    return MentionOut(
        id=mention.id,
        revision=mention.revision,
        state=mention.state,
        brand=mention.brand,
        network=mention.network,
        text=post.text if post else None,
        author=(post.author.handle or post.author.id) if post and post.author else None,
        followers=post.author.followers if post and post.author else None,
        link=post.link if post else None,
        time=at(mention.event_time),
        lang=mention.lang,
        sentiment=_reading(read.sentiment, correction and correction.sentiment) if read else None,
        reputation=_reading(read.reputation, correction and correction.reputation) if read else None,
        intent=_reading(read.intent, correction and correction.intent) if read else None,
        detractor=_reading(read.detractor, correction and correction.detractor) if read else None,
        risk=decision.risk if decision else 0,
        queue=decision.queue if decision else "none",
        rule=decision.rule if decision else "",
        tags=decision.tags if decision else (),
        case=mention.case_id,
        conversation=mention.conversation,
        corrected_by=correction.person if correction else None,
    )


def hit_out(hit: Hit) -> HitOut:
    return HitOut(mention=mention_out(hit.mention), highlights=list(hit.highlights))


def decision_out(decision: Decision, in_words: str) -> DecisionOut:
    return DecisionOut(
        queue=decision.queue,
        rule=decision.rule,
        rules_revision=decision.rules_revision,
        why=decision.why,
        in_words=in_words,
        priority=decision.priority,
        tags=decision.tags,
        risk=decision.risk,
        terms=tuple(TermOut(name=t.name, points=t.points, why=t.why) for t in decision.terms),
        facts=decision.facts,
        model=decision.model,
        generation=decision.generation,
        person=decision.person,
        decided_at=at(decision.decided_at),
    )


def coverage_out(row: Coverage) -> CoverageOut:
    return CoverageOut(
        source=row.source_id,
        query=row.query,
        since=at(row.since),
        until=at(row.until),
        state=row.state,
        asked=row.asked,
        received=row.received,
        missed=row.missed,
        reason=row.reason,
    )


def _reading(scores: Scores | None, corrected: str | None) -> Reading | None:
    """A person's correction counts as certain."""
    if corrected:
        return Reading(label=corrected, probability=1.0)
    return Reading(label=scores.label, probability=min(1.0, max(scores.p))) if scores else None
