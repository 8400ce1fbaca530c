"""What a network's file has to offer so that the runner can do the rest.

One network is one file with one class that keeps the `Collector` protocol: it turns the network's answers into `Draft`s
and says how far it came. What every network needs is written once, elsewhere: stamping and appending in `intake`,
cursor, back-off, budget and coverage in `runner`. A push (a webhook) has no loop of its own and hands its drafts to the
same intake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec

from ingest.wanted import Wanted
from stream.clock import HOUR, MINUTE
from stream.records import Author, Metrics, Millis, PostKind

Style = Literal["stream", "poll"]
Existence = Literal["there", "gone", "absent"]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A configured place to listen at, as far as collecting needs to know it."""

    id: str
    network: str
    brands: tuple[str, ...] = ()
    """Brands that its posts belong to whatever their text says (an own page, a review page)."""
    access: str = "public"
    max_lateness: Millis = 15 * MINUTE
    """Older than this on arrival, a post wakes nobody: 15 minutes for a stream, three intervals for a poll."""
    firehose: bool = False
    """It brings posts that nobody asked for: of these only those that pass the pre-filter are kept."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A post as its network tells it; the intake makes a `stream.records.Post` of it.

    Ids are the network's own; an id that already starts with the network's name and a colon stays as it is.
    """

    native_id: str
    network: str = ""
    """Empty: the source's."""
    kind: PostKind = "created"
    text: str = ""
    title: str | None = None
    rating: int | None = None
    """Stars that a review gives, 0 to 5: see `ingest.stars`."""
    author: Author | None = None
    lang: str | None = None
    country: str | None = None
    claimed_at: Millis | None = None
    seen_at: Millis | None = None
    """When the network received this version; None: now."""
    edited_at: Millis | None = None
    revision: int | None = None
    conversation: str | None = None
    reply_to: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    link: str | None = None
    media: tuple[str, ...] = ()
    metrics: Metrics | None = None
    query_ids: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    access: str | None = None


class Span(NamedTuple):
    """Half-open [since, until), in milliseconds UTC."""

    since: Millis
    until: Millis


class Malformed(NamedTuple):
    """Something the network sent that is no post: it goes to the dead letters, the rest goes on."""

    place: str
    reason: str
    payload: bytes
    error: str = "Malformed"
    number: int = 0
    """Line, page or event number, where there is one."""


class Hole(NamedTuple):
    """What a query misses while the others of its source go on."""

    since: Millis
    until: Millis
    reason: str
    lasts: bool = False
    """It still grows, and is told of again, longer, with the same beginning; it is filled once it does not."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What one request or one moment of a stream brought."""

    drafts: Sequence[Draft] = ()
    malformed: Sequence[Malformed] = ()
    cursor: str | None = None
    """Where to go on once these posts are durable; None: unchanged. Its meaning is the collector's own."""
    query: str = ""
    span: Span | None = None
    """The time that is now fully asked for; None: the runner takes the time of asking."""
    page: str = ""
    """Key of the ledger row where the network pages without times."""
    asked: int = 1
    """Requests made for it."""
    cost: int = 0
    """Units of the source's budget that it used up."""
    payer: str | None = None
    """The brand whose budget it is, where `query` is not one's name; empty: nobody's in particular."""
    missed: int | None = 0
    """Posts known to be missing; None: missing, and nobody can say how many."""
    reason: str = ""
    """Why something is missing: page cap, rate limit."""
    filtered: int = 0
    """Posts of a firehose that the collector itself left out by the pre-filter: received, and about nobody who is
    listened for."""
    hole: Hole | None = None
    """Of `query`: a gap of its own in the ledger, that `fill` is asked for by that query. Such a delivery brings
    nothing else."""
    reached: Millis | None = None
    """Up to when a stream has been read, in its network's times; None: as its drafts say, and one without drafts has
    caught up."""

    def whose(self, asked: str) -> str:
        """The brand that pays for it, where `asked` was asked for."""
        return self.query or asked if self.payer is None else self.payer


PAGE_CAP = "page cap"
"""Why something is missing: the list goes on, and was not asked for further."""


def left_out(why: str) -> dict[str, Any]:
    """What a delivery says where more is missing than anybody can count; nothing where `why` is empty."""
    return {"missed": None, "reason": why} if why else {}


class Collector(Protocol):
    """One network, seen from one source.

    `collect` and `fill` raise `Interrupted` for what passes (a lost connection, a time-out, a rate limit), `Denied` for
    what a person has to mend, `CursorLost` when the network no longer knows the cursor, `Exhausted` when there is an
    end. Any other exception is taken as `Interrupted` and logged with its class.
    """

    source: Source
    style: Style
    resumes: bool
    """`collect` brings all that came since its cursor, so that a cut misses nothing (polls that page back, streams that
    rewind). Otherwise what a cut missed is asked for by `fill`."""
    interval: Millis
    """Of a poll: between the ends of two rounds. Of a stream: how often an idle one yields an empty delivery."""

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        """From `cursor` on (None: from now). A poll ends when it has caught up; a stream ends when it is cut.

        A stream yields an empty delivery once it is connected, and at least every `interval` while nothing comes, so
        that it can be stopped and is known to live.
        """

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """The posts of a span that was missed, oldest first where the network allows; `cursor`: as the last fill of it
        left it. Raises `Unfillable` where the network gives no history. Called from a thread of its own."""

    def close(self) -> None: ...


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What looking up posts by their ids brought."""

    existence: Mapping[str, Existence]
    """Of every id that was asked for: `gone` is the network's explicit word; `absent` only means that it was not in the
    answer."""
    drafts: Sequence[Draft] = ()
    """Those that are there, as they are now: kind `edited` where the text may have changed, else `metrics`."""
    asked: int = 1
    cost: int = 0


@runtime_checkable
class Sweepable(Protocol):
    """A collector whose network does not tell of deletes and edits by itself, but can be asked about single posts."""

    most_looked_up: int
    """Ids in one request."""

    def look_up(self, native_ids: Sequence[str]) -> Found:
        """At most `most_looked_up` ids. Raises what `collect` raises. Called from a thread of its own."""


@runtime_checkable
class Showable(Protocol):
    """A Sweepable that looks posts up without the texts that cannot have changed, but can bring one whole."""

    def show(self, native_id: str) -> Found:
        """Raises what `collect` raises."""


@runtime_checkable
class Contextual(Protocol):
    """A collector that can fetch what a post answers."""

    def context(self, native_id: str) -> Iterator[Delivery]:
        """The posts above it in its thread, nearest first; those below it too where they come in the same answer.
        Raises what `collect` raises. Called from a thread of its own."""


class Sample(NamedTuple):
    """What a query brought in a span that has passed, so that its volume can be forecast."""

    posts_by_hour: tuple[int, ...]
    """Oldest first; the span ends now."""
    asked: int = 1
    cost: int = 0
    capped: bool = False
    """The network had more than it showed: the numbers are a lower bound."""
    per_day: int = 0
    """Units that asking for it costs a day, however many posts come; what each post costs besides is the `per_post` of
    the network's `costs`."""


def by_hour(times: Iterable[Millis], now: Millis, hours: int) -> tuple[int, ...]:
    """How many of these times lie in each of the last hours, the oldest first."""
    back = Counter((now - time) // HOUR for time in times)
    return tuple(back[hour] for hour in reversed(range(hours)))


@runtime_checkable
class Estimable(Protocol):
    """A collector that can say how much a query would bring before it is switched on."""

    def sample(self, wanted: Wanted) -> Sample: ...


@runtime_checkable
class Unforeseeable(Protocol):
    """A collector that never can, since its network shows nothing of the past."""

    unforeseeable: str
    """Why, and what to do instead."""


@runtime_checkable
class Checkable(Protocol):
    """A collector whose access can be tested."""

    def check(self) -> str:
        """One cheap request; a sentence on what works and as whom. Raises Denied with what is missing and where to get
        it, Interrupted where the network does not answer."""


@runtime_checkable
class CheckCounted(Protocol):
    """A Checkable whose test is not one request that costs no units."""

    check_used: tuple[int, int]
    """(requests, units) of the latest `check`, however it ended."""


NEVER: Millis = 2**62
"""The end of what does not end."""


@runtime_checkable
class Expiring(Protocol):
    """A collector that comes to know until when its credential counts, so that people are told ahead of its end."""

    def ends(self) -> Millis | None:
        """Time of the wall from which on a person must have given a new one; NEVER: nobody need; None: not known (yet).
        Asked often and from other threads: it does not ask the network."""


@runtime_checkable
class AccountCounted(Protocol):
    """An Accountable whose look is not one request that costs no units."""

    account_used: tuple[int, int]
    """(requests, units) of a look."""


AccountState = Literal["there", "limited", "suspended", "gone"]
"""`limited`: its posts are shown to fewer people, by a moderator's word. `gone`: deactivated, deleted or renamed."""


@runtime_checkable
class Accountable(Protocol):
    """A collector whose network says in public how an account stands."""

    def account(self, handle: str) -> AccountState:
        """`handle` without `@` and network. Raises what `collect` raises. Called from a thread of its own."""


class Budget(Protocol):
    """Money, quota units or requests that a source may use up (see `ingest.budget`)."""

    def wait(self, source_id: str, now: Millis, brand: str | None = None) -> Millis:
        """How long to wait before the next request; 0: go ahead; -1: used up for this period, which is then missed.
        `brand`: the one that it is for, empty where it is for none; None: for those that `Setting.allowed` lets in."""

    def spent(self, source_id: str, cost: int, requests: int, now: Millis, brand: str = "") -> None: ...

    def leave(self) -> None:
        """This thread asks no more: what was kept for its next request is free again."""


class Interrupted(Exception):
    """A fault that passes: the runner records the gap, waits (`retry_after` where the network named it) and goes on.

    `since`: when the connection was really lost, where that is known to be earlier than the last delivery.
    """

    def __init__(self, reason: str, retry_after: Millis | None = None, since: Millis | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.since = reason, retry_after, since


class Denied(Exception):
    """The network refuses this account or request: trying again does not help, a person has to act."""

    since: Millis | None = None
    """Since when, where that is known to be earlier than the last delivery."""


class CursorLost(Exception):
    """The network no longer reaches back to the cursor: what lies between is a gap."""


class Exhausted(Exception):
    """Nothing will come any more: the source has an end (a scenario, a closed network)."""


class Unfillable(Exception):
    """The network gives no history for this span: it is lost, and the ledger says so."""
