"""Rows of SQL while a batch works on them. They are mutable; what they held before is kept beside what they become."""

from __future__ import annotations

from routing.contribution import Contribution
from routing.parts import Parts
from stream.records import Decision, Mention, Millis, Post, Understood


class PostRow:
    """A post: known, or only referred to (`awaited`)."""

    __slots__ = (
        "answers_moved", "arrived_at", "author", "cause", "content", "conversation", "dirty", "event_time",
        "generation", "had", "id", "learnt", "n", "new", "parent", "parts", "provisional", "read", "referred",
        "seen_at", "settled", "state", "tier", "was",
    )  # fmt: skip

    def __init__(
        self,
        n: int,
        id: str,
        *,
        author: int | None = None,
        parent: int | None = None,
        conversation: int,
        state: str = "awaited",
        seen_at: Millis = 0,
        arrived_at: Millis = 0,
        event_time: Millis = 0,
        generation: int = 0,
        tier: int = 0,
        provisional: bool = False,
        parts: Parts,
        new: bool,
    ) -> None:
        self.n, self.id, self.author, self.parent, self.conversation = n, id, author, parent, conversation
        self.state, self.was = state, state
        self.seen_at, self.arrived_at, self.event_time = seen_at, arrived_at, event_time
        self.generation, self.tier, self.parts, self.new = generation, tier, parts, new
        self.provisional = provisional
        self.had = parts.content_hash
        """Of the content that it had before this batch."""
        self.dirty = new
        self.referred = False
        """A post of this batch refers to it."""
        self.settled = False
        self.answers_moved = False
        """The brands of the post that it answers changed."""
        self.content: Post | None = None
        """Newest content, where this batch brought it."""
        self.read: Understood | None = None
        """The reading to adopt, where this batch brought one."""
        self.cause: Understood | None = None
        """The record that moved it last: its origin and lateness say whether people may be woken."""
        self.learnt: Millis = 0
        """When the log took the first delete of it that this batch brought."""


class MentionRow:
    """A mention and what becomes of it."""

    __slots__ = (
        "brand", "brand_n", "case_id", "contribution", "earlier", "month", "n", "new", "post", "queue",
        "revision", "risk", "silent", "state", "tell", "touched", "value", "was", "was_case", "was_queue",
        "was_risk", "was_state", "written",
    )  # fmt: skip

    def __init__(
        self,
        n: int,
        post: PostRow,
        brand_n: int,
        *,
        revision: int = 0,
        state: str = "",
        queue: str = "none",
        risk: int = 0,
        case_id: int | None = None,
        month: int = 0,
        written: str | None = None,
        new: bool,
    ) -> None:
        self.n, self.post, self.brand_n, self.brand = n, post, brand_n, ""
        self.revision, self.month, self.new = revision, month, new
        self.state = self.was_state = state
        self.queue = self.was_queue = queue
        self.risk = self.was_risk = risk
        self.case_id = self.was_case = case_id
        self.written = written
        """The contribution as stored."""
        self.was: Mention | None = None
        """The mention as stored, once loaded."""
        self.value: Mention | None = None
        """The mention as it stands in this batch."""
        self.earlier: Decision | None = None
        """The decision that this batch replaced."""
        self.contribution: Contribution | None = None
        self.touched = False
        self.silent = False
        """Nobody outside is told: nobody ever saw it."""
        self.tell = False
        """The rule asks that people be told, and they were not."""

    @property
    def working(self) -> bool:
        """It asks for work: live, and in a queue."""
        return self.state == "live" and self.queue != "none"

    @property
    def was_working(self) -> bool:
        return self.was_state == "live" and self.was_queue != "none"


NO_CONVERSATION = 0
"""Of a case that a person opened: no post has this number."""


class CaseRow:
    """A case and what becomes of it."""

    __slots__ = (
        "assignee", "author", "brand_n", "closed_at", "closed_why", "conversation", "deadline", "dirty",
        "first_response_at", "id", "live", "mentions", "merged_into", "new", "opened_at", "parties", "priority",
        "queue", "revision", "risk", "set_aside_at", "shrunk", "snoozed_until", "state", "strand", "tracking",
        "updated_at", "was_clock", "was_measured", "was_standing",
    )  # fmt: skip

    def __init__(
        self,
        id: int,
        brand_n: int,
        conversation: int,
        author: int,
        queue: str,
        *,
        state: str = "new",
        live: int = 1,
        priority: str = "low",
        risk: int = 0,
        mentions: int = 0,
        opened_at: Millis = 0,
        updated_at: Millis = 0,
        closed_at: Millis | None = None,
        closed_why: str | None = None,
        merged_into: int | None = None,
        assignee: str | None = None,
        revision: int = 0,
        strand: int = 0,
        set_aside_at: Millis | None = None,
        snoozed_until: Millis | None = None,
        first_response_at: Millis | None = None,
        tracking: str = "",
        deadline: str = "",
        new: bool,
    ) -> None:
        self.id, self.brand_n, self.conversation, self.author, self.queue = id, brand_n, conversation, author, queue
        self.state, self.live, self.priority, self.risk, self.mentions = state, live, priority, risk, mentions
        self.opened_at, self.updated_at, self.closed_at = opened_at, updated_at, closed_at
        self.closed_why, self.merged_into, self.new = closed_why, merged_into, new
        self.assignee, self.revision, self.strand = assignee, revision, strand
        self.set_aside_at, self.snoozed_until, self.first_response_at = set_aside_at, snoozed_until, first_response_at
        self.tracking, self.deadline = tracking, deadline
        self.dirty = new
        self.shrunk = False
        """Has lost a mention: its numbers are counted anew."""
        self.parties: set[int] | None = None
        """Authors whose matter it took over, once loaded."""
        self.was_standing, self.was_clock = self.standing, () if new else self.clock
        self.was_measured = () if new else self.measured

    @property
    def standing(self) -> tuple[object, ...]:
        """What a person who changes the case must know of: another one is another revision."""
        return (self.state, self.queue, self.assignee, self.snoozed_until, self.merged_into)

    @property
    def by_hand(self) -> bool:
        """A person opened it: no post stands behind it."""
        return self.conversation == NO_CONVERSATION

    @property
    def clock(self) -> tuple[object, ...]:
        """What its deadlines hang on."""
        return (self.state, self.queue, self.priority, self.first_response_at, self.opened_at, self.deadline)

    @property
    def measured(self) -> tuple[object, ...]:
        """What the key figures hang on, beside deadlines and who spoke in it."""
        mentions = self.mentions if self.state == "resolved" else self.mentions > 0
        return (self.state, self.queue, self.opened_at, self.first_response_at, self.closed_at, mentions)

    @property
    def stands_still(self) -> bool:
        """Nothing is owed now: it waits for its customer, or is over."""
        return self.state == "waiting" or not self.live

    @property
    def holds(self) -> bool:
        """It has its mentions: in work, or resolved."""
        return bool(self.live) or self.state == "resolved"
