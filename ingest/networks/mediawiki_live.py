"""A wiki of Wikimedia as its changes are made: the stream says that a page was changed, the wiki's API says how.

Pages that are deleted or come back and revisions that are hidden or shown again are told of in the stream as well. They
count for posts that are here. Follows the schemas mediawiki/recentchange, page/delete, page/undelete and
revision/visibility-change of schema.wikimedia.org.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from config.sources.mediawiki import MediawikiSource
from ingest.buried import Buried
from ingest.collector import CursorLost, Delivery, Draft, Interrupted, Malformed
from ingest.networks.mediawiki_api import BATCH, Api, Change
from ingest.networks.mediawiki_pages import Pages
from ingest.networks.mediawiki_posts import MOST_NUMBER, Read, Reading, iso
from ingest.networks.mediawiki_stream import CHANGES, SLACK, Line, Place, latest
from ingest.patience import Backoff, Stopped
from ingest.server_sent import Event
from ingest.setting import Setting
from stream.clock import MINUTE, SECOND
from stream.records import Millis, PostKind

T = TypeVar("T")

SLICE = 0.1
"""Seconds that are waited for an event before anything else is looked at."""
PATIENCE: Millis = 15 * SECOND
"""How long a revision is asked for that the wiki does not know yet: its databases follow each other."""
LAGS: Millis = MINUTE
"""How long the wiki's API may fail or ask to wait while the stream goes on."""
QUIET: Millis = 5 * SECOND
"""Of all wikis together nothing came for so long: nothing waits."""
MOST_KNOWN = 100_000
CANARY = "canary"
"""The wiki of changes that nobody made: by them Wikimedia sees that its streams run."""


class _Meta(msgspec.Struct, frozen=True):
    domain: str = ""
    stream: str = ""
    topic: str = ""
    partition: int = 0


class _Head(msgspec.Struct, frozen=True):
    meta: _Meta


class _Revisions(msgspec.Struct, frozen=True):
    new: int | None = None
    old: int | None = None


class _Made(msgspec.Struct, frozen=True):
    """Of `mediawiki.recentchange`."""

    type: str
    title: str = ""
    namespace: int = 0
    timestamp: int = 0
    id: int | None = None
    user: str | None = None
    comment: str | None = None
    bot: bool = False
    revision: _Revisions = _Revisions()


class _Visible(msgspec.Struct, frozen=True):
    text: bool = True
    user: bool = True


class _Prior(msgspec.Struct, frozen=True):
    visibility: _Visible | None = None
    page_id: int | None = None


class _Turned(msgspec.Struct, frozen=True):
    """Of the other streams."""

    page_id: int
    rev_id: int = 0
    visibility: _Visible | None = None
    prior_state: _Prior = _Prior()


_heads = msgspec.json.Decoder(_Head)
_made = msgspec.json.Decoder(_Made)
_turned = msgspec.json.Decoder(_Turned)


class Waiting(NamedTuple):
    """A change whose texts were not asked for, or were not there yet."""

    change: Change
    before: Place
    """Where to go on so that it comes again."""
    at: Millis
    """When it was made, by the stream's clock."""
    since: Millis
    """Steady time at which it came."""


class Turn(NamedTuple):
    """What became of revisions that are here."""

    revids: frozenset[int]
    kind: PostKind
    """Deleted; restored, or edited: then they are asked for as they are now."""
    at: Millis
    before: Place
    since: Millis


class Live:
    """What connections of one source share."""

    def __init__(self, settings: MediawikiSource, setting: Setting, reading: Reading, pages: Pages, api: Api) -> None:
        self.settings, self.setting, self.clock = settings, setting, setting.clock
        self.reading, self.pages, self.api = reading, pages, api
        self.buried = Buried()
        self._known: dict[int, None] = {}
        """Revisions that were delivered."""

    def deliveries(self, cursor: str | None) -> Iterator[Delivery]:
        """One connection. Raises Interrupted, Denied, CursorLost."""
        place = None if cursor is None else Place.read(cursor)
        with closing(Line(self.settings, place, self.clock)) as line:
            here = place or Place(line.streams, line.there())
            reached = None if place is None else place.of(CHANGES) + line.skew
            # Whoever is killed before the first event goes on from here, not from when it is started again.
            yield Delivery(cursor=str(here), asked=line.asked, reached=reached)
            yield from self._listen(line, Heard(self, line, here, gone_on=place is not None))

    def keep(self, read: Read) -> None:
        """Whose posts these are, before they are taken. Raises Transient."""
        number = self.reading.number
        self.pages.keep([(page, number(native) or 0) for native, page in read.pages.items()])

    def asked(self, question: Callable[[], T]) -> T:
        """What comes meanwhile waits where it is read. Raises Stopped, and what the question does: a fault that passes
        once it has lasted for `LAGS`."""
        backoff, until = Backoff(), self.clock.steady() + LAGS
        while True:
            try:
                return question()
            except Interrupted as fault:
                wait = max(fault.retry_after or 0, backoff.next())
                if self.clock.steady() + wait > until:
                    raise
                if self.setting.stop.wait(wait / 1000):
                    raise Stopped from fault

    def known(self, revid: int) -> bool:
        return revid in self._known

    def note(self, revids: Sequence[int]) -> None:
        """They are durable."""
        self._known |= dict.fromkeys(revids)
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _listen(self, line: Line, heard: Heard) -> Iterator[Delivery]:
        stop, over = self.setting.stop, None
        told = self.clock.steady()
        while over is None:
            try:
                heard.take(line.take(SLICE))
            except Interrupted as fault:
                over = fault
            if stop.is_set():
                return
            now = self.clock.steady()
            if over is not None or heard.fresh >= BATCH or now - told >= self.settings.gather:
                yield from heard.told()
                told = self.clock.steady()
        raise over


class Heard:
    """What came on one connection."""

    def __init__(self, live: Live, line: Line, place: Place, *, gone_on: bool) -> None:
        self._live, self._line = live, line
        since = place.of(CHANGES)
        self._place = Place(line.streams, since, place.at if place.streams == line.streams else {})
        self._asked_from = since if gone_on else None
        """Until the first change came."""
        self._waiting: list[Waiting] = []
        self._turns: list[Turn] = []
        self._malformed: list[Malformed] = []
        self._id = b""
        """Of the last event."""
        self._made_at: Millis | None = None
        self._heard_at = live.clock.steady()
        self.fresh = 0
        """Changes whose texts were not asked for yet."""

    def take(self, events: Sequence[Event]) -> None:
        """Raises CursorLost where the stream does not reach back to where it was to go on."""
        if events:
            self._heard_at = self._live.clock.steady()
        for event in events:
            try:
                head = _heads.decode(event.data).meta
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                head = _Meta()
            self._take(event, head)
            self._id = event.id or self._id

    def _take(self, event: Event, head: _Meta) -> None:
        ours = self._live.reading.place
        if head.domain == CANARY or (not head.domain and ours.encode() not in event.data):
            return
        at = self._time(event, head)
        if head.stream == CHANGES:
            if self._asked_from is not None and at - self._asked_from > SLACK:
                raise CursorLost("the stream does not reach back to the cursor any more")
            self._asked_from, self._made_at = None, at
        if head.domain in ("", ours):
            self._own(event, head, at)

    def _time(self, event: Event, head: _Meta) -> Millis:
        """By the stream's clock."""
        moved = Place(self._line.streams, 0).moved(event.id, latest(self._line))
        return moved.at.get(f"{head.topic}/{head.partition}") or moved.of(CHANGES) or self._line.there()

    def _own(self, event: Event, head: _Meta, at: Millis) -> None:
        """An event of this wiki."""
        before, now = self._place.moved(self._id, latest(self._line)), self._live.clock.steady()
        try:
            if head.stream == CHANGES:
                change = self._change(_made.decode(event.data))
                if change is not None and not self._live.known(change.revid):
                    self._waiting.append(Waiting(change, before, at, now))
                    self.fresh += 1
            elif head.stream:
                revids, kind = self._turned(head.stream, _turned.decode(event.data))
                if revids:
                    self._turns.append(Turn(revids, kind, at, before, now))
            else:
                raise ValueError("it says nothing of where it comes from")
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as wrong:
            place = f"{self._live.setting.source.id}:{head.stream or 'stream'}"
            self._malformed.append(Malformed(place, f"no event of the stream: {wrong}"[:300], event.data))

    def _change(self, made: _Made) -> Change | None:
        """None for what is not read: entries of logs, other namespaces, bots."""
        settings = self._live.settings
        if made.type not in ("edit", "new") or made.namespace not in settings.namespaces:
            return None
        if made.bot and not settings.bots:
            return None
        new, old = made.revision.new or 0, made.revision.old or 0
        if not 0 < new < MOST_NUMBER or not 0 <= old < MOST_NUMBER:
            raise ValueError("it names no revision")
        return Change(
            rcid=made.id or 0,
            revid=new,
            old_revid=old,
            title=made.title,
            timestamp=iso(min(max(made.timestamp, 0), 2**33) * SECOND),
            user=made.user,
            comment=made.comment,
        )

    def _turned(self, stream: str, event: _Turned) -> tuple[frozenset[int], PostKind]:
        """(what it is about of what is here, what became of that)."""
        prior = event.prior_state
        revids = frozenset(self._live.pages.of([event.page_id, *([prior.page_id] if prior.page_id else [])]))
        if stream.endswith("page-delete"):
            return revids, "deleted"
        if stream.endswith("page-undelete"):
            return revids, "restored"
        shown, before = event.visibility or _Visible(), prior.visibility or _Visible()
        changed = (shown.text, shown.user) != (before.text, before.user)
        kind: PostKind = "deleted" if not shown.text else "edited" if before.text else "restored"
        return revids & {event.rev_id} if changed else frozenset(), kind

    # --- what is told of it ---

    def told(self) -> Iterator[Delivery]:
        """All that came, even if it is nothing. Raises what the API's questions do."""
        queue, self._waiting, self.fresh = self._waiting, [], 0
        while queue:
            batch, queue = queue[:BATCH], queue[BATCH:]
            yield from self._changes_told(batch, queue)
        malformed, self._malformed = self._live.buried.unknown(self._malformed), []
        drafts = self._turns_told()
        left = self._left()
        self._place = self._place.moved(self._id, latest(self._line))
        quiet = self._live.clock.steady() - self._heard_at >= QUIET
        reached = left.at if left is not None else None if quiet else self._made_at
        yield Delivery(
            drafts=drafts,
            malformed=malformed,
            asked=self._live.api.used(),
            cursor=str(self._place if left is None else left.before),
            reached=None if reached is None else reached + self._line.skew,
        )
        self._live.buried.note(malformed)

    def _changes_told(self, batch: Sequence[Waiting], queue: Sequence[Waiting]) -> Iterator[Delivery]:
        """Those that the wiki does not know yet wait on."""
        live, now = self._live, self._live.clock.steady()
        read = live.asked(lambda: live.reading.read(live.api, [one.change for one in batch]))
        live.keep(read)
        still = [one for one in batch if one.change.revid in read.unseen and now - one.since < PATIENCE]
        self._waiting += still
        left = self._left(queue)
        reached = left.at if left is not None else self._made_at
        yield Delivery(
            drafts=read.drafts,
            filtered=read.left_out + len(read.unseen) - len(still),
            asked=live.api.used(),
            cursor=None if left is None else str(left.before),
            reached=None if reached is None else reached + self._line.skew,
        )
        live.note([one.change.revid for one in batch if one not in still])

    def _turns_told(self) -> list[Draft]:
        live, drafts, now = self._live, list[Draft](), self._live.clock.steady()
        turns, self._turns = self._turns, []
        for one in turns:
            seen_at, revids = one.at + self._line.skew, sorted(one.revids)
            if one.kind == "deleted":
                gone = map(live.reading.native_id, revids)
                drafts += [Draft(native_id=id, kind="deleted", seen_at=seen_at) for id in gone]
                continue
            read = live.asked(partial(live.reading.again, live.api, revids))
            live.keep(read)
            told_at = seen_at if one.kind == "restored" else None
            drafts += [replace(draft, kind=one.kind, seen_at=told_at) for draft in read.drafts]
            if read.unseen and now - one.since < PATIENCE:
                self._turns.append(one._replace(revids=read.unseen))
        return drafts

    def _left(self, queue: Sequence[Waiting] = ()) -> Waiting | Turn | None:
        """What waits and was made first."""
        left: list[Waiting | Turn] = [*self._waiting, *self._turns, *queue]
        return min(left, key=lambda one: one.at, default=None)
