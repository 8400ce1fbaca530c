"""What the rooms expect of one another: the log, a stage's work, the store, the brands in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec

from stream.records import Decided, Mention, Millis

if TYPE_CHECKING:
    from config.aspects import Aspect
    from config.brands import Brand
    from config.people import Person
    from config.teams import Deadline, Team
    from query.tree import Node

POSTS = "posts"
MENTIONS = "mentions"
DECIDED = "decided"
ALERTS = "alerts"
DEAD_LETTER = "dead-letter"
ESCALATIONS: Mapping[str, str] = {queue: f"escalations.{queue}" for queue in ("sales", "support", "pr")}
TOPICS: tuple[str, ...] = (POSTS, MENTIONS, DECIDED, *ESCALATIONS.values(), ALERTS, DEAD_LETTER)


# --- the log -----------------------------------------------------------------------------------------------------


class LogRecord(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    time: Millis
    """Append time, by the log's clock."""


class Append(NamedTuple):
    topic: str
    key: str
    value: bytes


class Commit(NamedTuple):
    """Advance one partition: everything below `next` is done. `expected` is what was stored before."""

    topic: str
    partition: int
    expected: int
    next: int


class TopicSpec(msgspec.Struct, frozen=True):
    name: str
    partitions: int
    retention: Millis
    retention_bytes: int | None = None


class Consumer(Protocol):
    """One member of a group on one topic. Partitions are shared among the living members of the group."""

    def poll(self, max_records: int, timeout: float) -> list[LogRecord]:
        """Up to `max_records`, in offset order per partition; empty after `timeout` seconds without any."""

    def assignment(self) -> frozenset[int]: ...

    def seek(self, partition: int, offset: int) -> None: ...

    def position(self, partition: int) -> int:
        """Offset of the next record that `poll` returns."""

    def commit(self, commits: Sequence[Commit]) -> None:
        """Store the group's offsets (compare-and-set). Raises OffsetConflict when somebody else moved one."""

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    def stay(self, timeout: float) -> bool:
        """Remain a member for `timeout` seconds without a record, for who waits, maybe with records not yet committed.

        The group may be divided anew meanwhile: what was taken away is told as always, and is no longer this member's
        to work on. False while a division is under way, in which nothing can be committed. Raises what `poll` raises.
        """

    def close(self) -> None: ...


class Log(Protocol):
    """Topics of ordered partitions. What `append` returned for is durable; a key always goes to the same partition."""

    def epoch(self) -> str:
        """Identity of this log's offsets: differs after it was made anew."""

    def ensure(self, topics: Sequence[TopicSpec]) -> None: ...

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        """(partition, offset) of each, all durable."""

    def consumer(
        self,
        group: str,
        topic: str,
        *,
        on_assigned: Callable[[frozenset[int]], Mapping[int, int] | None] | None = None,
        on_revoked: Callable[[frozenset[int]], None] | None = None,
    ) -> Consumer:
        """`on_assigned` may return the offsets to start from, where somebody else than the log keeps them."""

    def partitions(self, topic: str) -> int: ...

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """Per partition: (oldest offset kept, offset that the next record will get or more)."""

    def committed(self, group: str, topic: str) -> dict[int, int]: ...

    def lag(self, group: str, topic: str) -> int:
        """Records not yet done by `group` (as the log knows it)."""

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LogRecord]:
        """Without a group: for tools, snapshots, tests."""

    def offset_at(self, topic: str, partition: int, time: Millis) -> int:
        """First offset appended at `time` or later."""

    def close(self) -> None: ...


@runtime_checkable
class Brokered(Protocol):
    """A log that others keep: they remove its records by themselves, and offsets may come not to fit it."""

    def tell_loss(self, group: str, topic: str, partition: int, following: int, low: int) -> None:
        """Keep for good what a group has lost that goes on at `following` in a log that keeps from `low` on."""

    def move(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Let the group go on there, whatever it had stored. Raises Transient, LogUnusable where it has members."""


class OffsetConflict(Exception):
    """Somebody else advanced this partition: roll back and drop it."""


class OffsetOutside(Exception):
    """A stored offset or epoch does not belong to this log: the stage stops and names the command that decides."""


class Transient(Exception):
    """A fault that passes (locked, refused, timed out): the stage retries the batch with back-off, nothing is lost."""


class Unusable(Exception):
    """What a stage works with is damaged or out of reach until a person decides: the stage pauses, nothing is lost."""


class LogUnusable(Unusable):
    """The log cannot be used as it is (damaged, on a network file system, no permission)."""


class RecordTooLarge(ValueError):
    """A record above the log's bound; nothing of the call was appended."""


class Refused(Exception):
    """Raised by a Work before any effect: these records cannot be processed, the rest of the batch can."""

    def __init__(self, records: Sequence[tuple[LogRecord, str, str]]) -> None:
        """Each: (record, reason in words without the post's text, name of the error's class)."""
        super().__init__(f"{len(records)} records refused")
        self.records = list(records)


# --- a stage's work ----------------------------------------------------------------------------------------------


class Work(Protocol):
    """What a stage does with a batch; it knows nothing of the loop, the loop knows nothing of it.

    `run` returns the records to append to the log. Where `owns_offsets` is true its effects are durable on return and
    contain `commits` (compare-and-set, raising OffsetConflict); elsewhere the stage appends what it returns and then
    commits.
    """

    name: str
    topic: str
    group: str
    owns_offsets: bool

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> Sequence[Append]: ...

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        """Stored offsets, where `owns_offsets`. Raises OffsetOutside when they belong to another log."""

    def idle(self, now: Millis) -> None:
        """Called between batches and when there is none: adopt a new configuration, fold counts, flush."""

    def close(self) -> None: ...


# --- the store ---------------------------------------------------------------------------------------------------


class AccessScope(msgspec.Struct, frozen=True):
    """What the asker may see. None means all; `access` holds the labels allowed (see Post.access)."""

    brands: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    access: frozenset[str] | None = frozenset({"public"})
    acts: bool = False
    """Whether it may do what people do, such as to look after an incident; else it reads."""


EVERYTHING = AccessScope(access=None)


class Hit(msgspec.Struct, frozen=True):
    mention: Mention
    highlights: tuple[tuple[int, int], ...] = ()
    """Spans [start, end) of `mention.post.text` that matched."""


class Page(msgspec.Struct, frozen=True):
    hits: tuple[Hit, ...]
    cursor: str | None
    """Pass it back for the next page; None at the end."""


class Count(msgspec.Struct, frozen=True):
    value: int
    estimated: bool = False


class Facet(msgspec.Struct, frozen=True):
    field: str
    values: tuple[tuple[str, int], ...]
    estimated: bool = False


class Bucket(msgspec.Struct, frozen=True):
    start: Millis
    count: int


class Histogram(msgspec.Struct, frozen=True):
    interval: Millis
    buckets: tuple[Bucket, ...]
    estimated: bool = False


class Store(Protocol):
    """Every mention, searchable. A projection of SQL: the highest (epoch, revision) of a mention wins."""

    def apply(self, decided: Sequence[Decided], commits: Sequence[Commit], epoch: str, now: Millis) -> None:
        """Durable and idempotent; `commits` stored in the same transaction (compare-and-set)."""

    def offsets(self, topic: str, partitions: frozenset[int], epoch: str) -> Mapping[int, int]: ...

    # Of every question: mentions that are set aside are left out, unless the query asks for them (query.aside.shown).

    def search(
        self,
        query: Node,
        scope: AccessScope,
        *,
        limit: int = 20,
        cursor: str | None = None,
        order: Literal["newest", "oldest", "risk", "relevance"] = "newest",
    ) -> Page: ...

    def count(self, query: Node, scope: AccessScope, *, exact: bool = True) -> Count: ...

    def facets(
        self, query: Node, scope: AccessScope, fields: Sequence[str], *, size: int = 10, exact: bool = False
    ) -> list[Facet]: ...

    def histogram(self, query: Node, scope: AccessScope, interval: Millis, *, exact: bool = False) -> Histogram: ...

    def get(self, mention_id: str, scope: AccessScope) -> Mention | None: ...

    def close(self) -> None: ...


# --- what is in force ---------------------------------------------------------------------------------------------


class InForce(NamedTuple):
    """The numbered configuration that a stage works by; it adopts a new one between batches."""

    generation: int
    brands: tuple[Brand, ...]
    rules_revision: int
    rules_yaml: str
    aspects: tuple[Aspect, ...] = ()
    """Laid over the shipped ones."""
    filters: tuple[tuple[str, str], ...] = ()
    """(brand's id, what was learnt of which posts mean it, as JSON)."""
    swept: frozenset[str] = frozenset()
    """Sources whose posts are looked up again on their network."""
    policy_revision: int = 0
    policy_yaml: str = ""
    """For detractors; empty: none is in force."""
    brands_revision: int = 0
    people: tuple[Person, ...] = ()
    teams: tuple[Team, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    deadlines_revision: tuple[int, int] = (0, 0)
    """Of teams and of deadlines."""


class Registry(Protocol):
    def current(self) -> InForce:
        """Cheap enough to be asked between batches."""
