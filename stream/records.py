"""The messages of Clamor: frozen structures that travel on the topics and stand in the tables.

Times are integers: milliseconds since 1970-01-01 UTC (`Millis`). Ids are text: a post is `network:native_id`,
a mention is `post id#brand`. Every record that travels alone carries `v`, its schema's major version; optional
fields may be added without changing it, and an unknown major version is refused by `decode`, never misread.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar, get_args

import msgspec

Millis: TypeAlias = int

MAJOR = 1

PostKind: TypeAlias = Literal[
    "created", "edited", "deleted", "restored", "metrics", "expired", "forgotten", "author_gone", "author_back"
]
Origin: TypeAlias = Literal["live", "gapfill", "backfill", "import", "reprocess"]
MatchedBy: TypeAlias = Literal["text", "source", "parent"]
Speaker: TypeAlias = Literal["public", "own", "press", "competitor"]
BrandKind: TypeAlias = Literal["own", "competitor", "category"]
Queue: TypeAlias = Literal["sales", "support", "pr", "none"]
Tier: TypeAlias = Literal["linear", "fast", "accurate"]
MentionState: TypeAlias = Literal["live", "deleted", "expired", "forgotten", "retracted"]

MOST_STARS = 5
CONTENT_KINDS: frozenset[str] = frozenset({"created", "edited", "restored"})
AWAY_KINDS: frozenset[str] = frozenset({"deleted", "forgotten", "expired", "author_gone"})
"""What takes texts away: never held back by anything, and above all not by a disk that is nearly full."""
WAKING_ORIGINS: frozenset[str] = frozenset({"live", "gapfill"})
TIERS: tuple[str, ...] = get_args(Tier)

SENTIMENTS: tuple[str, ...] = ("negative", "neutral", "positive")
INTENTS: tuple[str, ...] = (
    "public_issue",
    "churn_threat",
    "purchase_interest",
    "help_request",
    "complaint",
    "suggestion",
    "praise",
    "other",
)
DETRACTOR_LEVELS: tuple[str, ...] = ("0", "1", "2", "3")
QUEUES: tuple[str, ...] = ("sales", "support", "pr", "none")
NO_YES: tuple[str, ...] = ("no", "yes")
EMOTIONS: tuple[str, ...] = ("anger", "disgust", "fear", "joy", "sadness", "surprise")


def _major() -> int:
    """A factory, not a default: the version must stand in every record that is written."""
    return MAJOR


class UnknownMajor(ValueError):
    """A record of a schema version that this program does not know. The stage pauses; the record is kept."""

    def __init__(self, record: str, found: int) -> None:
        super().__init__(
            f"{record} has schema version {found}, this program reads version {MAJOR}: "
            "upgrade this process before it goes on; nothing was skipped"
        )
        self.record = record
        self.found = found


class Struct(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Common shape: frozen; a field at its default is not written."""


class Author(Struct, frozen=True, kw_only=True):
    id: str
    handle: str | None = None
    name: str | None = None
    followers: int | None = None
    verified: bool | None = None


class Metrics(Struct, frozen=True, kw_only=True):
    """Reach as the network counts it, all at one observation time (the post's `seen_at`)."""

    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    views: int | None = None


class Post(Struct, frozen=True, kw_only=True):
    """One observation of one post: its creation, an edit, a delete, a new reach."""

    v: int = msgspec.field(default_factory=_major)
    id: str
    """`network:native_id`."""
    network: str
    kind: PostKind = "created"
    text: str = ""
    title: str | None = None
    rating: int | None = None
    """Stars that a review gives, 0 to 5."""
    author: Author | None = None
    lang: str | None = None
    """The network's hint, not what Clamor found."""
    country: str | None = None
    """ISO 3166-1 alpha-2, upper case."""
    claimed_at: Millis | None = None
    """When the network says that it was published."""
    seen_at: Millis
    """When the network received this version, else when we observed it."""
    event_time: Millis
    """The time that counts: `claimed_at` where it is credible, else `seen_at` (see `stream.clock.event_time`)."""
    clock_doubted: bool = False
    """`claimed_at` was not credible and `event_time` is `seen_at`."""
    edited_at: Millis | None = None
    revision: int | None = None
    """The network's own number of this version of the content, where it has one."""
    conversation: str | None = None
    """Post id of the conversation's root, where the network names it."""
    reply_to: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    """Post id of the original of a pure repost: an observation on that post, never a mention of its own."""
    link: str | None = None
    """Address of the post itself."""
    media: tuple[str, ...] = ()
    metrics: Metrics | None = None
    origin: Origin = "live"
    source_id: str = ""
    query_ids: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    """Brands whose own source or query asked for this post: it belongs to them whatever its text says."""
    access: str = "public"
    """Label of who may read it; `public`, or the name of a private source."""
    max_lateness: Millis = 900_000
    """Older than this when it arrives, the post wakes nobody (the source's setting)."""


class Scores(Struct, frozen=True):
    """What a head of the model says: the label it settles on and the probability of each class, in the head's order."""

    label: str
    p: tuple[float, ...]


class Labels(Struct, frozen=True):
    """What a head says whose classes may hold together: those that hold, and the probability of each by itself, both in
    the head's order."""

    labels: tuple[str, ...]
    p: tuple[float, ...]


class Term(Struct, frozen=True):
    """One named part of a risk score: `points` of 100 (may be negative), and why, in words (no text of the post)."""

    name: str
    points: float
    why: str


class Understanding(Struct, frozen=True, kw_only=True):
    """What the model reads in a post towards one brand (`brand` is empty: towards a brand that is not named)."""

    brand: str
    matched_by: MatchedBy = "text"
    speaker: Speaker = "public"
    sentiment: Scores
    """Of the text. Classes: SENTIMENTS."""
    reputation: Scores | None = None
    """Towards the brand. Classes: SENTIMENTS; empty for a brand of kind category."""
    intent: Scores
    """Classes: INTENTS."""
    detractor: Scores
    """Classes: DETRACTOR_LEVELS."""
    complaint: Scores | None = None
    """Of the text: it tells of an expectation that was not met. Classes: NO_YES. None, here and in the three below: the
    model does not say."""
    emotion: Labels | None = None
    """Of the text. Classes: EMOTIONS."""
    irony: Scores | None = None
    """Of the text. Classes: NO_YES."""
    offensive: Scores | None = None
    """Of the text. Classes: NO_YES."""
    suggested: Queue = "none"
    """The queue that the guidelines' reading of the labels gives."""
    terms: tuple[Term, ...] = ()
    """The risk terms that the text alone gives; routing adds those that need history."""
    review: tuple[str, ...] = ()
    """Heads that abstain."""
    aspects: tuple[str, ...] = ()
    """What of the brand it speaks about: delivery, price."""
    spam: tuple[str, ...] = ()
    """Why the text looks like spam; empty: it does not."""
    about: Scores | None = None
    """Whether the text means this brand, by the brand's learnt filter. Classes: NO_YES; `no` sets the mention aside.
    None: nothing was learnt for it, or the text names a handle or hashtag of the brand's own."""


class Understood(Struct, frozen=True, kw_only=True):
    """One version of a post with all that was understood of it: the record of topic `mentions`, key post id."""

    v: int = msgspec.field(default_factory=_major)
    post: Post
    appended_at: Millis
    """When the log took the post: what latencies are counted from."""
    understood_at: Millis
    content_hash: str = ""
    """`stream.merge.content_hash(post)`; empty where the record has no content."""
    lang: str = ""
    lang_confidence: float = 0.0
    fingerprint: int = 0
    """64-bit SimHash of the normalised text, as a signed integer; 0 for a text too short to have one."""
    generation: int = 0
    """Number of the brands and model in force; grows with every change of them, going back included."""
    tier: Tier = "linear"
    model: str = ""
    mentions: tuple[Understanding, ...] | None = None
    """None: passed through unclassified (a delete, new metrics). Empty: about no brand."""
    provisional: bool = False
    """Read by the linear model because posts came faster than the model in force reads; to be read anew by that."""
    unnamed: Understanding | None = None
    """For a reply: the reading towards a brand not named, should the post it answers turn out to be about one."""


class Decision(Struct, frozen=True, kw_only=True):
    """Why a mention is where it is. References and scores only: no text of the post."""

    queue: Queue
    rule: str
    """Name of the first rule that matched; `person` where somebody decided; `default` where none matched."""
    rules_revision: int
    why: str
    """In words, for people."""
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    tags: tuple[str, ...] = ()
    alert: bool = False
    """The rule asks that people be told."""
    assign: tuple[str, ...] = ()
    """To whom the rule gives a case that nobody has: tried in this order. Ids of people, `last-agent`,
    `round-robin:TEAM`."""
    deadline: str = ""
    """Deadline that the rule names; empty: the one of its queue and brand."""
    hold: bool = False
    """The rule holds it where a head of the model abstained: nobody is woken until a person has looked at it."""
    crm: str = ""
    """Channel to which the rule has the case posted, once."""
    may_wake: bool = False
    """The post was young enough, and of an origin, to wake people."""
    facts: dict[str, bool] = {}
    """Truth value of each part of the rule's `when`, by its source text without quoted words of the post."""
    record: str = ""
    """Truth value of each part that had to be asked of this rule and of all before it (`routing.truths`): what the
    decision is replayed from, with risk terms and words. Empty: no rule was asked."""
    words: dict[str, str] = {}
    """What stands in the braces of the rule's reason."""
    risk: int = 0
    terms: tuple[Term, ...] = ()
    model: str = ""
    tier: Tier = "linear"
    generation: int = 0
    provisional: bool = False
    """The reading is: see Understood."""
    complaints: int | None = None
    """The author's earlier complaints about the brand, as known at the first decision; None: not asked for."""
    brands_revision: int = 0
    """Revision of the brands that were in force: their names, kinds and customers."""
    person: str | None = None
    overruled: str = ""
    """Rule that decides where nobody states a queue; empty: nobody did."""
    decided_at: Millis = 0
    previous_queue: Queue | None = None
    read: Understanding | None = None
    """The reading that it rested on, without its terms. Only in a decision that was replaced while the text was there:
    that of the one in force is the mention's."""
    correction: Correction | None = None
    """What a person had stated, likewise."""


class Correction(Struct, frozen=True, kw_only=True):
    """A person's reading; it wins over the model's and is bound to the text it was made for."""

    person: str
    at: Millis
    content_hash: str
    sentiment: str | None = None
    reputation: str | None = None
    intent: str | None = None
    detractor: str | None = None
    queue: Queue | None = None
    about: bool | None = None
    """Whether the post means this brand; false sets the mention aside. None: nothing is said of it."""
    stale: bool = False
    """The text has changed since: to be looked at again."""


class Mention(Struct, frozen=True, kw_only=True):
    """One post about one brand, understood and decided: the row of SQL table `mention`, whole."""

    v: int = msgspec.field(default_factory=_major)
    id: str
    """`post id#brand`."""
    revision: int
    state: MentionState = "live"
    post: Post | None = None
    """None once text and author are gone (deleted, expired, forgotten, retracted)."""
    post_id: str
    brand: str
    brand_kind: BrandKind = "own"
    network: str
    event_time: Millis
    source_id: str = ""
    access: str = "public"
    conversation: str = ""
    """Id of the conversation that routing settled on."""
    lang: str = ""
    lang_confidence: float = 0.0
    fingerprint: int = 0
    cluster: int | None = None
    """Number of the near copies that it is one of; None for a post without fingerprint or text."""
    copies: int = 0
    """Posts that were in its cluster when it joined, itself included."""
    spam: tuple[str, ...] = ()
    """Why it looks like spam, beyond what its text shows: what its near copies and its author tell."""
    content_hash: str = ""
    understanding: Understanding | None = None
    correction: Correction | None = None
    decision: Decision | None = None
    case_id: int | None = None
    appended_at: Millis = 0
    understood_at: Millis = 0
    decided_at: Millis = 0
    gone_since: Millis = 0
    """When the log took the delete that took text and author away: what its time to unreachable counts from. 0 where
    there was none, or nobody had seen the text."""


class Decided(Struct, frozen=True, kw_only=True):
    """Record of topic `decided`, key mention id: the mention as of `revision`. A retraction carries no text."""

    v: int = msgspec.field(default_factory=_major)
    epoch: int = 0
    """Grows when SQL was restored from a backup; (epoch, revision) orders the projections."""
    month: int = 0
    """yyyymm of the mention's first revision, never changed: its home in a store of one index a month. 0: not told."""
    mention: Mention


class Escalation(Struct, frozen=True, kw_only=True):
    """Record of topics `escalations.sales|support|pr`, key case id: a case and the mention that moved it."""

    v: int = msgspec.field(default_factory=_major)
    case_id: int
    change: Literal[
        "opened", "grew", "raised", "shrank", "closed", "reopened", "assigned", "waiting", "snoozed", "woken",
        "resolved", "split",
    ]  # fmt: skip
    brand: str
    queue: Queue
    mention: Mention
    """That moved the case; where a person did, the oldest that asks for work."""
    at: Millis
    state: str = ""
    """Of the case, when the record was written."""
    assignee: str | None = None


class Alert(Struct, frozen=True, kw_only=True):
    """Record of topic `alerts`, key alert id: something that people were or will be told, by reference."""

    v: int = msgspec.field(default_factory=_major)
    id: int
    kind: Literal["mention", "case", "summary", "stage", "coverage", "retention", "incident"]
    brand: str = ""
    queue: Queue = "none"
    case_id: int | None = None
    mention_id: str | None = None
    risk: int = 0
    why: str = ""
    """The rule's reason, or what is wrong."""
    at: Millis = 0
    found_late: bool = False
    """Gap-filled and too old to wake anybody: told in one mail with the others of its gap."""
    incident_id: int | None = None
    word: Literal["", "warning", "crisis", "another", "still", "over"] = ""
    """What people are told of an incident; `still`: it goes on, and nobody looks after it."""
    state: str = ""
    """Of the incident, when the record was written: watch, warning, crisis or over."""
    since: Millis = 0
    """Event time of the incident's first unusual minute."""
    acknowledged_by: str | None = None
    """Who looked after the incident, when the record was written."""


class Coverage(Struct, frozen=True, kw_only=True):
    """A row of the coverage ledger: what was asked for, received and missed in a span (replaced, never added to)."""

    v: int = msgspec.field(default_factory=_major)
    source_id: str
    query: str = ""
    since: Millis
    until: Millis
    state: Literal["complete", "partial", "gap", "backfilled", "lost"]
    asked: int = 0
    """Requests made."""
    received: int = 0
    """Distinct native ids."""
    kept: int = 0
    """Of these, those of which something was appended: a new post, or a new version of one."""
    filtered: int = 0
    """Of these, those that the pre-filter left out."""
    duplicates: int = 0
    """Times that a post came again just as it was, and was not appended once more."""
    late: int = 0
    """Of the kept, those that came too late to wake anybody, however severe they are."""
    missed: int | None = None
    """None: missing, and nobody can say how many."""
    refused: int = 0
    """Came, could be no post, and are kept as dead letters (a push's are told to its sender): not missed."""
    reason: str = ""
    recorded_at: Millis = 0


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Record of topic `dead-letter`, key of the refused record: its payload untouched, and why it was refused."""

    v: int = msgspec.field(default_factory=_major)
    stage: str
    topic: str
    partition: int
    offset: int
    key: str
    reason: str
    error: str
    """Name of the error's class."""
    payload: str
    """The record's bytes, base64."""
    at: Millis


WIRE_RECORDS: tuple[type[Struct], ...] = (
    Post, Understood, Mention, Decided, Escalation, Alert, Coverage, DeadLetter
)  # fmt: skip

R = TypeVar("R", bound=Struct)

_encoder = msgspec.json.Encoder()
_decoders: dict[type[Struct], msgspec.json.Decoder[Any]] = {}


class _Version(msgspec.Struct):
    v: int = 1


_version = msgspec.json.Decoder(_Version)


def encode(record: Struct) -> bytes:
    """UTF-8 JSON of a record."""
    return _encoder.encode(record)


def decode(kind: type[R], raw: bytes) -> R:
    """The record of `kind` in `raw`.

    Raises UnknownMajor where the record's version is not ours, msgspec.ValidationError or msgspec.DecodeError
    where it is malformed.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        record: R = decoder.decode(raw)
    except msgspec.ValidationError:
        found = _version.decode(raw).v
        if found != MAJOR:
            raise UnknownMajor(kind.__name__, found) from None
        raise
    if record.v != MAJOR:  # type: ignore[attr-defined]
        raise UnknownMajor(kind.__name__, record.v)  # type: ignore[attr-defined]
    return record


def mention_id(post_id: str, brand: str) -> str:
    return f"{post_id}#{brand}"
