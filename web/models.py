"""The answers of the API, field by field: what OpenAPI shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

Share = Annotated[float, Field(ge=0, le=1)]


def _written(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1_000:03}Z"


Time = Annotated[
    datetime,
    PlainSerializer(_written, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T09:00:00.000Z"]}),
]
"""UTC, always to the millisecond, so that the texts sort like the times."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Problem(Model):
    """What went wrong, where, and the way out: every refusal looks like this."""

    error: str = Field(examples=['There is no field "brnd".'])
    advice: str = Field(default="", examples=["Did you mean brand?"])
    position: tuple[int, int] | None = Field(default=None, examples=[[0, 4]])
    """Characters [start, end) of `q` that are meant."""
    retry_after: int | None = None
    """Seconds after which it is worth trying again; the header Retry-After says the same."""


class Reading(Model):
    """A label, and how sure the model is of it; what a person corrected, and what follows from it, is certain."""

    label: str = Field(examples=["complaint"])
    probability: Share = Field(examples=[0.87])


class Term(Model):
    """One named part of the risk score: points of 100, and why."""

    name: str = Field(examples=["severity"])
    points: float = Field(examples=[30])
    why: str = Field(examples=["a strong complaint"])


class Decision(Model):
    """Why the mention is, or was, in a queue."""

    queue: str = Field(examples=["support"])
    rule: str = Field(examples=["complaints"])
    """The first rule that was true; `person` where somebody decided, `left-out` where the post does not mean the brand,
    `default` where no rule asks for action."""
    rules_revision: int = Field(examples=[3])
    why: str = Field(examples=["a complaint that asks for an answer"])
    in_words: list[str] = Field(examples=[["Queue support, priority normal: a complaint that asks for an answer."]])
    """The whole decision in sentences, the most important first."""
    priority: str = Field(examples=["normal"])
    tags: tuple[str, ...] = Field(examples=[["refund"]])
    risk: int = Field(examples=[42])
    terms: tuple[Term, ...]
    facts: dict[str, bool] = Field(examples=[{"intent:complaint": True, "risk:>=70": False}])
    """Truth value of each part of the rule; a token that sees only a part of all posts is not told those about near
    copies and spam."""
    model: str = Field(examples=["linear-1"])
    generation: int
    """Number of the brands and model in force when it was made."""
    person: str | None
    decided_at: Time


class Reach(Model):
    """As the network counts it; null where it does not say."""

    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    views: int | None = None


class Mention(Model):
    """One post about one brand, as it is now."""

    id: str = Field(examples=["mastodon:113#aurelia"])
    revision: int
    """Grows with every change."""
    brand: str = Field(examples=["aurelia"])
    network: str = Field(examples=["mastodon"])
    source: str = Field(examples=["community"])
    """Id of the source that brought it."""
    title: str | None
    rating: int | None = None
    """Stars that a review gives, 0 to 5."""
    text: str = Field(examples=["Two hours on the tarmac and nobody tells us anything."])
    author: str | None = Field(examples=["ana_viaja"])
    """Handle, else the network's id."""
    followers: int | None
    link: str | None = Field(examples=["https://social.example/@ana_viaja/113"])
    reach: Reach
    time: Time
    """The time that counts (event time)."""
    lang: str = Field(examples=["en"])
    sentiment: Reading | None
    """Of the text."""
    reputation: Reading | None
    """Towards the brand; null for a category."""
    intent: Reading | None
    detractor: Reading | None
    complaint: Reading | None = Field(examples=[{"label": "yes", "probability": 0.93}])
    """Of the text, yes or no: it tells of an expectation that was not met. Null, here and in the three below: the model
    does not say."""
    emotion: list[Reading] | None = Field(examples=[[{"label": "anger", "probability": 0.81}]])
    """Of the text: those that are there; empty: none."""
    irony: Reading | None
    """Of the text, yes or no."""
    offensive: Reading | None
    """Of the text, yes or no."""
    aspects: tuple[str, ...] = Field(examples=[["delivery"]])
    """What of the brand it speaks about."""
    spam: tuple[str, ...] = Field(examples=[["giveaway"]])
    """Why it looks like spam; empty: it does not. A token that sees only a part of all posts is told what the text
    alone shows."""
    speaker: str = Field(examples=["public"])
    """`public`, `own` (the brand itself), `press` or `competitor`."""
    risk: int = Field(ge=0, le=100)
    queue: str = Field(examples=["support"])
    priority: str = Field(examples=["normal"])
    rule: str
    tags: tuple[str, ...]
    case: int | None
    """Null without a case, or with one that this token may not see."""
    conversation: str | None
    """Posts that answer one another share it; null where this token may not see the post that it is named after."""
    cluster: int | None
    """Near copies share it, whatever their brand and source; null for a post too short to have any."""
    copies: int | None = Field(examples=[37])
    """Posts that were in its cluster when it joined, itself included; 0 without a cluster, null for a token that sees
    only a part of all posts."""
    about: bool
    """False: the post does not mean the brand; it is set aside, neither counted nor routed."""
    corrected_by: str | None
    """The person whose labels stand in place of the model's."""


class Hit(Model):
    mention: Mention
    highlights: list[tuple[int, int]] = Field(examples=[[[4, 9]]])
    """Characters [start, end) of `text` that matched."""


class Count(Model):
    value: int = Field(examples=[1234])
    estimated: bool = Field(examples=[False])
    """Counted from a sample; ask with exact=true for the true number."""


class CoverageRow(Model):
    """What a collector asked for, received and missed in a span [since, until)."""

    source: str = Field(examples=["community"])
    query: str
    since: Time
    until: Time
    state: str = Field(examples=["gap"])
    """`complete`, `partial`, `gap`, `backfilled` (a gap that was closed later) or `lost` (one that cannot be)."""
    asked: int
    """Requests made."""
    received: int
    """Distinct posts."""
    kept: int
    """Of these, those of which something was new: the post, or a version of it."""
    filtered: int
    """Of these, those that the pre-filter of a firehose left out."""
    duplicates: int
    """Times that a post came again just as it was."""
    late: int
    """Of the kept, those that came too late to wake anybody."""
    missed: int | None
    """Null: missing, and nobody can say how many."""
    refused: int
    """Came and could be no post: kept as dead letters, not missed."""
    reason: str = Field(examples=["the source did not answer"])


class Covered(Model):
    """How far a number can be trusted, beside the number: over the time that the query asks for (of its last 90 days
    where it names no beginning), for the sources and brands that it names."""

    complete: float | None = Field(examples=[0.93])
    """Part of the time asked for that was received, 0 to 1; 1 also where all holes were filled. Null: nothing was asked
    for then."""
    gaps: list[CoverageRow] = Field(description="The newest 20 holes in what was collected, newest first.")
    unseen: list[str] = Field(examples=[["messengers", "print"]])
    """Where people speak as well and no collector of any source listens."""


class SearchPage(Covered):
    hits: list[Hit]
    cursor: str | None
    """Pass it back, with the same `q` and `order`, for the next page; null at the end."""
    total: Count | None
    """Null where it was not asked for."""


class Counted(Count, Covered):
    """How many match."""


class Value(Model):
    value: str = Field(examples=["support"])
    count: int = Field(examples=[321])


class Facet(Model):
    field: str = Field(examples=["queue"])
    values: list[Value]
    estimated: bool


class Facets(Covered):
    facets: list[Facet]


class Bucket(Model):
    start: Time
    count: int


class Histogram(Covered):
    interval_seconds: int = Field(examples=[3600])
    buckets: list[Bucket]
    """Oldest first; intervals without a mention are left out."""
    estimated: bool
    truncated: bool
    """Older buckets were left out: narrow the time or take a wider interval."""


class Case(Model):
    """One matter that a team works on."""

    id: int = Field(examples=[12])
    brand: str = Field(examples=["aurelia"])
    queue: str = Field(examples=["support"])
    state: str = Field(examples=["open"])
    """`new`, `open`, `waiting`, `snoozed`, `resolved`, `reopened`, `closed` or `merged`."""
    priority: str = Field(examples=["high"])
    risk: int
    """The worst of the mentions in it that this token may see."""
    mentions: int
    """Those in it that ask for work and that this token may see (a limited token counts up to 2,000)."""
    opened_at: Time
    updated_at: Time
    closed_at: Time | None
    closed_why: str | None
    assignee: str | None
    merged_into: int | None
    tracking: str = Field(examples=["AUR-2026-000012"])
    """The key that people know it by."""
    revision: int
    """Grows with its state, queue, assignee, and when it is snoozed or merged; not with each post."""
    snoozed_until: Time | None
    first_response_at: Time | None
    """When the brand answered first."""


class CaseEvent(Model):
    at: Time
    change: str = Field(examples=["grew"])
    """`opened`, `grew`, `raised`, `shrank`, `closed`, `reopened`, `merged`, `parted`, `split`, `assigned`, `waiting`,
    `snoozed`, `woken`, `resolved`, `note`, `tagged`, `watched`, `exception` (from the policy) or `policy` (people were
    told of a kind), `kept_apart` (from another case)."""
    mention: str | None
    """The mention that moved it; null once it is deleted."""
    detail: str
    person: str
    """Who did it; empty: Clamor."""


class CaseNote(Model):
    at: Time
    person: str = Field(examples=["ana"])
    text: str = Field(examples=["@ben, the bag is in Lisbon"])
    case: int
    """That it was written in: one that was merged into this one may be."""


class CaseDeadline(Model):
    """By when a case has to be answered (`first_response`) or done (`resolution`)."""

    what: str = Field(examples=["first_response"])
    deadline: str = Field(examples=["standard"])
    """Its id in the configuration."""
    target: str = Field(examples=["4h business"])
    due: Time | None
    """Null: the clock stands still, or nobody works who would count."""
    done_at: Time | None
    missed: bool


class AbovePost(Model):
    """A post that stands above a reply. It may be about no brand at all."""

    post: str = Field(examples=["mastodon:https://example.social/users/ana/statuses/1"])
    network: str
    title: str | None
    text: str
    author: str | None
    link: str | None
    time: Time
    mentions: list[str]
    """Of it, those that this token may see."""


class CaseThread(Model):
    """What a reply in the case answers."""

    mention: str
    state: str = Field(examples=["shown"])
    """`shown`; or why the post that it answers is not: `not_asked`, `asked` (the network has not answered yet, `why`
    says what holds it up), `fetched` (it is on its way, or was not kept), `none` (not to be had), `refused` (by the
    network), `gone` (deleted, or kept no longer)."""
    why: str
    above: list[AbovePost]
    """Nearest first, up to 20; ends where the next is not here."""


class ContextAsked(Model):
    """What came of asking what the replies of a case answer. The answers stand in the case's `threads` later."""

    asked: int
    """Replies that their networks are asked about now: at most 50 a call, one for each post that is answered."""
    waiting: int
    """Were asked about before, and the answer is not here yet."""
    impossible: int
    """Their sources cannot be asked, or have answered that it is not to be had."""
    left: int
    """Beyond the 50: ask again once these are through."""


class CaseAdvice(Model):
    """What the policy for detractors advises for one kind of behaviour that stands in the case."""

    kind: str = Field(examples=["press-question"])
    policy: int
    """Revision of the policy that found it last."""
    why: str
    posts: int
    """Of the newest 2,000 of the case, those that this token may see."""
    people: int
    since: Time
    until: Time
    """From then on it stands no more."""
    queue: str = Field(examples=["pr"])
    """Who answers; `none`: nobody. Empty, as all below: no policy has this kind any more."""
    team: str
    person: str
    where: str = Field(examples=["public_then_private"])
    """`public`, `private`, `public_then_private` or `nowhere`."""
    due: Time | None
    """By when the newest of those posts is to be answered."""
    tone: str
    lines: tuple[str, ...]
    """Approved, as they may be sent."""
    not_when: str
    remove: str = Field(examples=["never"])
    """`never` or `unlawful_only`: what may be taken off a page of one's own."""
    tell: tuple[str, ...]
    stop: str


class CaseMatter(Model):
    """Another case that is, may be, or is not the same matter."""

    case: int
    brand: str = Field(examples=["aurelia"])
    state: str = Field(examples=["proposed"])
    """`proposed` (a person decides), `linked` (the same matter at another brand) or `apart` (somebody said no)."""
    certainty: float
    """That it is one matter, 0 to 1; 0 where only a person spoke."""
    why: str = Field(examples=["near copies, the same link"])
    mentions: list[str]
    """Those that show it, as far as they are live and this token may see them."""


class CaseProposal(Model):
    """Two cases that may be one matter."""

    one: int
    other: int
    certainty: float
    why: str


class CaseHold(Model):
    """PR keeps canned replies back, because the case is one of an incident."""

    incident: int
    since: Time
    why: str
    """Empty for a token that may not see all: a person wrote it."""
    lines: list[str]
    """Approved: what may be said meanwhile."""
    who: list[str] = Field(examples=[["ana"]])
    """May lift it."""


class CaseWithHistory(Case):
    mention_ids: list[str]
    """Live mentions in it, the newest 500."""
    history: list[CaseEvent]
    """Oldest first, the newest 500."""
    tags: list[str]
    watchers: list[str]
    deadlines: list[CaseDeadline]
    notes: list[CaseNote]
    """Oldest first; none for a token that is limited to queues or sources."""
    threads: list[CaseThread]
    """Of the mentions that are replies, the newest 200."""
    policy: list[CaseAdvice]
    """What the policy for detractors advises, the gravest kind first."""
    matters: list[CaseMatter]
    """Other cases that this token may see and that are, may be or are not the same matter, the most certain first."""
    holds: list[CaseHold]
    """Canned replies are kept back while one stands; its lines go before the policy's."""


class CasePage(Model):
    cases: list[Case]
    cursor: int | None
    """Pass it back for the next page; null at the end. A page may be empty and yet have one."""


class Coverage(Model):
    """How far the numbers of a time can be trusted."""

    since: Time
    until: Time
    share: Share | None = Field(examples=[0.998])
    """Part of the time asked for that was received; null: nothing was asked for."""
    received: int
    kept: int
    filtered: int
    duplicates: int
    late: int
    refused: int
    """Came and could be no post: kept as dead letters, not missed."""
    known_missed: int
    unknown_gaps: int
    """Holes of which nobody can say how many posts they hold."""
    rows: list[CoverageRow]
    """The newest 1,000, newest first."""
    truncated: bool
    """More than 20,000 rows overlap the time: the figures rest on the newest of them."""
    unseen: list[str] = Field(examples=[["closed groups and private accounts", "messengers"]])
    """Where people speak as well and Clamor does not listen: no figure covers it."""


class Rejected(Model):
    index: int
    """Place in the list that was sent."""
    error: str


class Mended(Model):
    index: int
    """Place in the push, from 0."""
    note: str


class Pushed(Model):
    """The posts that were taken are durable."""

    accepted: int
    duplicates: int
    """Taken before, in the same version."""
    rejected: list[Rejected] = []
    """Each with its reason; the others were taken."""
    notes: list[Mended] = []
    """What was set right in posts that were taken: half a character, an address that is no link."""


class PushProblem(Problem):
    accepted: int | None = None
    duplicates: int | None = None
    rejected: list[Rejected] | None = None


class Health(Model):
    status: str = Field(examples=["ok"])


class Readiness(Model):
    status: str = Field(examples=["ready"])
    missing: list[str] = []
    """Parts that keep it from serving."""


class SourceStatus(Model):
    """How a source in force stands. Times in milliseconds since 1970 UTC, spans in milliseconds."""

    model_config = ConfigDict(extra="allow")

    source: str
    kind: str = Field(default="webhook", examples=["mastodon"])
    network: str = ""
    state: str
    """Of a webhook `open`, `paused` (for want of disk), `silent`, `shut` (nobody listens: the API does not run). Of a
    source that Clamor asks: `starting`, `listening`, `waiting` (for the stages behind), `paused` (for want of disk),
    `cut` (the network does not answer), `refused` (a person has to act there), `broken` (its section makes no
    collector), `ended`, and `shut`: no process collects."""
    trouble: str = ""
    """In words; empty: none is known."""
    since: int | None = None
    """When it came into this state, where that is known."""
    last_post_at: int | None
    """None: it never brought any."""
    silent_for: int
    """Of a webhook: time listened since the last post."""
    looked_at: int
    appended: int = 0
    filled: int = 0
    """Posts that filled holes: not among `appended`."""
    filtered: int = 0
    """Left out, since they named nobody who is listened for."""
    dead: int = 0
    cuts: int = 0
    lag: int | None = None
    """How far what came lies behind now; None: it has not been asked, or pushes."""
    ends_at: int | None = None
    """When its credential ends; None: not at all, or nobody knows."""
    ends_in: int | None = None
    """How long it still counts; below 0: it has ended."""


class BudgetStatus(Model):
    """How much of a cap, or without one of money or units, is used up in the period that it is now."""

    model_config = ConfigDict(extra="allow")

    source: str
    brand: str
    """Empty: the source as a whole."""
    measure: str = Field(examples=["money"])
    """`money` or `units`."""
    unit: str = Field(examples=["USD"])
    used: float
    """In `unit`, what is reserved for requests under way included."""
    limit: float | None
    """None: no cap."""
    share: float | None
    """Part of the cap, 0 to 1 and beyond; None: no cap."""
    level: int
    """The highest of 50, 80 and 100 % that was reached."""
    since: int
    """Begin and end of the period, milliseconds since 1970 UTC."""
    until: int
    left_out: list[str] = []
    """Kinds of brands that are not asked for any more."""
    told: str = ""
    """In words."""


class SweepStatus(Model):
    """How the looking up again of a source's posts stands. Times in milliseconds since 1970 UTC."""

    model_config = ConfigDict(extra="allow")

    source: str
    state: str = Field(examples=["on time"])
    """`on time`, `late`, `paused`."""
    held: int
    """Posts that are looked up again."""
    overdue: int
    """Of these: not looked up in time."""
    oldest_limit: int | None
    """By when the first of them had to be."""
    why: str
    """Why it is paused or waits, in words; empty: it does not."""
    looked_at: int


class Status(Model):
    """What `clamor status --json` prints. A token that sees only a part gets `now`, `simulated`, `running`, `stages`,
    `waiting` and `latency`: what it may not see is not in the answer."""

    model_config = ConfigDict(extra="allow")

    now: int
    """Milliseconds since 1970 UTC."""
    stages: list[dict[str, Any]]
    """Lag, records, dead letters and retries of each."""
    sources: list[SourceStatus] = []
    """Those in force that posts come from by themselves."""
    budgets: list[BudgetStatus] = []
    """Of each source that has caps or costs, then of its brands."""
    sweeps: list[SweepStatus] = []
    """Of each source that was swept."""
