"""Lists of reviews, newest first, as stores of apps show them: what is new, what was edited, what fell out of sight.

A list is read from its top until a page has nothing new, and once an hour on to `look_back` behind the newest review
known. What is known is remembered by id and content, since reviews show up out of order and out of caches. All lists of
a source are one round; one that fails keeps no other from being read.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from ingest.buried import Buried
from ingest.collector import Delivery, Denied, Draft, Interrupted, Malformed, Sample, Span, by_hour
from ingest.cursors import closed, opened
from ingest.setting import Setting
from ingest.several import Several, filled
from ingest.told import changed, same_words, state
from ingest.wanted import Wanted
from stream.clock import CREDIBLE_LEAD, DAY, HOUR, SECOND
from stream.records import Millis

FIRST: Millis = DAY
"""How far back the first round goes: what is older comes by `clamor backfill`."""
ODD_BELIEVED: Millis = HOUR
"""How long a list that had reviews has to be empty, or not there, before that is taken for true."""
DEEP_EVERY: Millis = HOUR
"""How often a list is read on to `look_back`."""
MOST_KNOWN = 20_000
CURSOR_EVERY: Millis = 10 * SECOND
SAMPLED = 7 * 24
HISTORY = "history ends"
WINDOW = "list window"
"""Why something is missing: it came and went between two looks."""

_log = structlog.get_logger(__name__)


class Review(msgspec.Struct, frozen=True):
    """One version of a review, or of the answer to one."""

    written: Millis
    """When, by the network's times."""
    draft: Draft
    """As a post that is new."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one request showed."""

    reviews: Sequence[Review] = ()
    """Newest first."""
    answers: Sequence[Review] = ()
    """What the reviews were answered with: in the order of the reviews, not of their own times."""
    malformed: Sequence[Malformed] = ()
    short: bool = False
    """It has room for more: what follows is most likely nothing."""


class Unlisted(Exception):
    """There is no such list: the store does not have the app."""


class Place(Protocol):
    """Where the lists are. Of each, by its name, which stands in the ledger as a query."""

    names: Sequence[str]
    window: Millis | None
    """How long a list shows a review; None: as long as there is room."""
    always: bool
    """A list that had reviews has some for ever."""

    def brands(self, name: str) -> tuple[str, ...]:
        """Those that all of its reviews belong to; none: those that they name."""

    def pages(self, name: str) -> Iterator[Page]:
        """From the newest on, each a request; the last one it has is not `short` where more was left out. Raises
        Interrupted, Denied, Unlisted."""

    def used(self) -> int:
        """Requests since this was asked last."""


class Known(msgspec.Struct, frozen=True, array_like=True):
    written: Millis
    state: str
    """`ingest.told.state`."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a list stands. All of them together are the source's cursor."""

    at: Millis = 0
    """When it last answered, by the home's time; 0: never."""
    begun: Millis = 0
    """What was written before that, by the network's times, and is not known, is old."""
    known: dict[str, Known] = {}
    failing: Millis = 0
    """Since when it has not answered, while others did; 0: it does."""
    doubted: Millis = 0
    """From when on some may be missing, for a look ended before it met what was known; 0: nothing is in doubt."""


class Lists:
    """Of one source; for one thread."""

    def __init__(self, place: Place, setting: Setting, look_back: Millis) -> None:
        self._place, self._setting, self._look_back = place, setting, look_back
        self._buried = Buried()
        self._odd_since: dict[str, Millis] = {}
        """By `clock.steady()`."""
        self._deep_at: dict[str, Millis] = {}
        """By `clock.steady()`."""
        self._several = Several()
        self._had: frozenset[str] = frozenset()
        """Lists that are known to have reviews."""
        self._unlisted: set[str] = set()
        self._said: dict[str, str] = {}

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        """A round. Lists that were not read for longest come first, so that each has its turn where a limit ends it."""
        held = opened(cursor, dict[str, Seen], "lists of reviews")
        seen = {name: held[name] for name in self._place.names if name in held}
        self._had = frozenset(name for name, one in seen.items() if one.known)
        faults: dict[str, Interrupted | Denied] = {}
        several, kept = self._several, self._setting.clock.steady()
        for name in several.in_turn(sorted(self._place.names, key=lambda one: seen[one].at if one in seen else 0)):
            if self._setting.stop.is_set():
                # Whoever goes on need not compare again what was read.
                yield Delivery(asked=0, cursor=closed(seen))
                return
            before = seen.get(name) or Seen(begun=self._setting.clock.wall() - FIRST)
            try:
                found = yield from self._look(name, before)
            except Unlisted as unlisted:
                self._unlisted.add(name)
                self._tell(name, str(unlisted))
                continue
            except (Interrupted, Denied) as fault:
                faults[name] = fault
                if several.passes_over(name, fault):
                    continue
                if several.answered:
                    yield Delivery(asked=self._place.used(), cursor=closed(seen))
                raise
            several.answers(name, found.at)
            seen[name] = found
            self._unlisted.discard(name)
            self._said.pop(name, None)
            if before.failing:
                yield self._answers_again(name, before)
            if self._setting.clock.steady() - kept >= CURSOR_EVERY:
                kept = self._setting.clock.steady()
                yield Delivery(asked=0, cursor=closed(seen))
        if set(self._place.names) <= self._unlisted:
            raise Denied(f"{', '.join(self._place.names)[:300]}: none of them is there; are the names right?")
        if faults and not several.answered:
            raise next(iter(faults.values()))
        for name, why in faults.items():
            if isinstance(why, Denied):
                self._tell(name, str(why))
            seen[name], missing = self._missing(name, seen.get(name), why)
            yield missing
        yield Delivery(asked=self._place.used(), cursor=closed(seen))

    def fill(self, place: Place, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """What the lists still show of a span. `place`: this thread's own way to them."""
        return filled(place.names, cursor, lambda name: self._fill(place, name, span))

    def sample(self, place: Place, wanted: Wanted) -> Sample:
        """How many reviews were written in each hour of the last week, or since the lists begin: of this brand's lists
        and of those that are no brand's own."""
        now, times, asked, capped = self._setting.clock.wall(), list[Millis](), 0, False
        refused: Unlisted | None = None
        listed = False
        for name in place.names:
            if (own := place.brands(name)) and wanted.brand not in own:
                continue
            oldest, ended = now, False
            try:
                for page in _read(place, name):
                    listed = True
                    asked += place.used()
                    shown = [review.written for review in page.reviews]
                    times += shown
                    oldest = min([oldest, *shown])
                    ended = page.short
                    if now - oldest > SAMPLED * HOUR:
                        break
            except Unlisted as unlisted:
                refused = unlisted
                continue
            capped = capped or (not ended and now - oldest <= SAMPLED * HOUR)
        if refused is not None and not listed:
            raise Denied(str(refused))
        return Sample(by_hour(times, now, SAMPLED), asked=asked + place.used(), capped=capped)

    # --- one list ---

    def _fill(self, place: Place, name: str, span: Span) -> Iterator[Delivery]:
        oldest, ended = span.until, False
        try:
            for number, page in enumerate(_read(place, name)):
                within = [one.draft for one in _all(page) if span.since <= one.written < span.until]
                oldest = min([oldest, *(one.written for one in page.reviews)])
                ended = page.short and not (number == 0 and self._bare(name, page))
                yield Delivery(drafts=within, malformed=page.malformed, asked=place.used())
                if oldest < span.since:
                    break
        except Unlisted:
            if name not in self._had:
                return
            ended = False
        if oldest >= span.since and (not ended or self._gone_by(span.since)):
            yield Delivery(asked=place.used(), missed=None, reason=HISTORY)

    def _look(self, name: str, before: Seen) -> Generator[Delivery, None, Seen]:
        """What is new on one list. Returns where it stands now. Raises what `Place.pages` raises."""
        now, steady, known = self._setting.clock.now(), self._setting.clock.steady(), dict(before.known)
        deep = name not in self._deep_at or steady - self._deep_at[name] >= DEEP_EVERY
        floor = max(before.begun, _newest(known, now) - self._look_back)
        oldest, met, ended = now + DAY, False, False
        for page in self._pages(name, before):
            shown = [(one, Known(one.written, state(one.draft))) for one in _all(page)]
            news = [made for one, seen in shown if (made := _news(one.draft, seen, known, before, now)) is not None]
            reviews = shown[: len(page.reviews)]
            met = met or any(_unchanged(seen, before.known.get(one.draft.native_id)) for one, seen in reviews)
            known |= {one.draft.native_id: seen for one, seen in shown if not _outdated(one, known)}
            oldest = min([oldest, *(one.written for one in page.reviews)])
            ended, wrong = page.short, self._buried.unknown(page.malformed)
            yield Delivery(drafts=news, malformed=wrong, asked=self._place.used())
            self._buried.note(wrong)
            unread = bool(page.malformed) and not page.reviews
            nothing_new = all(one.kind == "metrics" for one in news)
            # A page that repeats the one before, for others were written meanwhile, does not show how far it was read.
            if unread or (nothing_new and (page.short or oldest < floor or (met and not deep))):
                break
        seen_all = ended or met or oldest <= floor
        since, doubted = self._lost_since(before, now, seen_all=seen_all), before.doubted
        if since is not None:
            begun = before.doubted or before.at or before.failing
            span = Span(begun, max(since, begun + 1))
            yield Delivery(query=name, span=span, page=f"{name}:{begun}", asked=0, missed=None, reason=WINDOW)
            self._deep_at.pop(name, None)
            doubted = 0 if seen_all or self._place.window is None else begun
        elif not (before.at or before.failing or seen_all) and now - FIRST < oldest:
            # The first look wanted a day of it, and the list ended before; of its last second some may be missing.
            span = Span(now - FIRST, min(oldest + SECOND, now))
            yield Delivery(query=name, span=span, page=f"{name}:first", asked=0, missed=None, reason=WINDOW)
        elif doubted and self._gone_by(doubted):
            doubted = 0
        elif doubted and (oldest <= doubted or (ended and oldest <= now)):
            # It shows all that was written since then: what was in doubt is here.
            yield Delivery(query=name, span=Span(doubted, max(now, doubted + 1)), page=f"{name}:{doubted}", asked=0)
            doubted = 0
        if since is None and deep:
            self._deep_at[name] = steady
        return _remembered(Seen(at=now, begun=before.begun, known=known, doubted=doubted), self._look_back)

    def _lost_since(self, before: Seen, now: Millis, *, seen_all: bool) -> Millis | None:
        """Up to when what was written since the last look may have fallen out of sight; None: nothing has."""
        begun = before.at or before.failing
        if not begun:
            return None
        if not seen_all:
            return now
        return now - (self._place.window or 0) if self._gone_by(begun) else None

    def _gone_by(self, at: Millis) -> bool:
        return self._place.window is not None and self._setting.clock.now() - at > self._place.window

    def _pages(self, name: str, before: Seen) -> Iterator[Page]:
        """Raises Interrupted where a list is empty, or is not there, all at once: a store shows that now and then."""
        try:
            for number, page in enumerate(_read(self._place, name)):
                if number == 0:
                    empty = self._bare(name, page)
                    if empty and self._doubted(name):
                        raise Interrupted(f"{name} shows no reviews, though it had some")
                    if not empty:
                        self._odd_since.pop(name, None)
                yield page
        except Unlisted as unlisted:
            if before.at and self._doubted(name):
                raise Interrupted(f"{unlisted}, though it had") from None
            raise

    def _bare(self, name: str, page: Page) -> bool:
        """It shows nothing, though it had reviews and has some for ever."""
        return self._place.always and name in self._had and not (page.reviews or page.malformed)

    def _doubted(self, name: str) -> bool:
        steady = self._setting.clock.steady()
        return steady - self._odd_since.setdefault(name, steady) < ODD_BELIEVED

    # --- one of several ---

    def _missing(self, name: str, known: Seen | None, fault: Interrupted | Denied) -> tuple[Seen, Delivery]:
        """What one list of several could not tell: a row that grows until it answers again."""
        now, known = self._setting.clock.now(), known or Seen(begun=self._setting.clock.wall() - FIRST)
        since = known.failing or known.at or now - 1
        span, page = Span(since, max(now, since + 1)), f"{name}:failing:{since}"
        missing = Delivery(query=name, span=span, page=page, asked=0, missed=None, reason=str(fault)[:300])
        return replace(known, failing=since), missing

    def _answers_again(self, name: str, before: Seen) -> Delivery:
        """The row of a list that failed, closed: what was missed has come, or stands in a row of its own."""
        span = Span(before.failing, max(self._setting.clock.now(), before.failing + 1))
        return Delivery(query=name, span=span, page=f"{name}:failing:{before.failing}", asked=0)

    def _tell(self, name: str, words: str) -> None:
        """Once, until it answers again."""
        if self._said.get(name) != words:
            self._said[name] = words
            _log.warning("reviews.needs_somebody", source=self._setting.source.id, why=words)


def _read(place: Place, name: str) -> Iterator[Page]:
    """Behind a full page a store shows an empty one now and then: that is no end."""
    full = False
    for page in place.pages(name):
        yield replace(page, short=False) if full and not (page.reviews or page.malformed) else page
        full = not page.short


def _all(page: Page) -> list[Review]:
    return [*page.reviews, *page.answers]


def _news(draft: Draft, seen: Known, known: dict[str, Known], before: Seen, now: Millis) -> Draft | None:
    """The own time of a review that is older than is credible without counts as that of its receipt where it fits
    between two looks, and at the first look: what is old wakes nobody. Else it was received now, so that of two
    versions of one second, the first of which was forgotten with a process, the one that was seen last is the newer."""
    held = known.get(draft.native_id)
    if held is None:
        old = before.at <= seen.written < now - CREDIBLE_LEAD
        return replace(draft, seen_at=seen.written if old else None) if seen.written >= before.begun else None
    if seen.written < held.written:
        return None
    made = changed(draft, held.state, seen.state)
    return edited(Review(seen.written, draft)) if made is not None and made.kind == "edited" else made


def edited(review: Review) -> Draft:
    """The version of a review that was known in another one: when that was published is not told any more."""
    return replace(review.draft, kind="edited", claimed_at=None, edited_at=review.written)


def _unchanged(seen: Known, held: Known | None) -> bool:
    """An edited review stands at the top again, even with the same time: it does not show how far the list reaches."""
    return held is not None and held.written == seen.written and same_words(held.state, seen.state)


def _outdated(review: Review, known: dict[str, Known]) -> bool:
    held = known.get(review.draft.native_id)
    return held is not None and review.written < held.written


def _remembered(seen: Seen, look_back: Millis) -> Seen:
    """Without what is so old that no round reads back to it: what of that shows up once more is old."""
    begun = max(seen.begun, _newest(seen.known, seen.at) - 2 * look_back)
    kept = sorted(((id, one) for id, one in seen.known.items() if one.written >= begun), key=lambda one: one[1].written)
    if len(kept) > MOST_KNOWN:
        kept = kept[-MOST_KNOWN:]
        begun = kept[0][1].written
    return replace(seen, begun=begun, known=dict(kept))


def _newest(known: dict[str, Known], now: Millis) -> Millis:
    """No later than now: a time that lies ahead must not make all others old."""
    return min(max((one.written for one in known.values()), default=0), now)
