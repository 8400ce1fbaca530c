"""Trustpilot: reviews of companies by their lists, newest first, and by the webhook; what is gone by both, by
Trustpilot's list of deletions and by sweeps.

A round reads a company's list back to `look_back` before the newest review of the round before, by Trustpilot's own
times. What was told of, and in which state, stands in the source's notes; so an edit among what is read again is seen,
whoever reads it. What was shown before and is not any more is looked up by itself, and told of when that is gone too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress

import msgspec
import structlog

from config.sources.trustpilot import TrustpilotSource
from ingest.buried import Buried
from ingest.collector import (
    NEVER,
    PAGE_CAP,
    Delivery,
    Denied,
    Draft,
    Existence,
    Found,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
    by_hour,
    left_out,
)
from ingest.cursors import closed, opened
from ingest.networks.trustpilot_api import MOST_PAGES, PAGE, Api, grant_of
from ingest.networks.trustpilot_push import TrustpilotPush
from ingest.networks.trustpilot_reviews import Review, drafts_of, reviews_of
from ingest.push import Push
from ingest.setting import Setting
from ingest.several import Several, filled
from ingest.told import REPLY, Told, deleted, reached, unseen
from ingest.wanted import Wanted
from ingest.web import Unauthorized
from stream.clock import DAY, passed
from stream.records import Author, Millis

MOST_DOUBTED = 20
"""Reviews that are not shown any more and looked up in one round, at most."""
UNREAD = "nothing of a page can be read"
"""Then the others are not asked for: each is a call of the year's."""
SAMPLED = 7 * 24
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
SAMPLED_PAGES = 10
_BY = "by:"
"""In notes: before who wrote a review."""

_log = structlog.get_logger(__name__)


def collector(settings: TrustpilotSource, setting: Setting) -> Trustpilot:
    return Trustpilot(settings, setting)


def push(settings: TrustpilotSource, setting: Setting) -> Push:
    return TrustpilotPush(settings, setting)


Cursor = dict[str, int]
"""By company: when its newest review was written that a whole round has seen."""


class Trustpilot:
    style: Style = "poll"
    resumes = True
    most_looked_up = 10
    check_used = (2, 0)

    def __init__(self, settings: TrustpilotSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self.grant = grant_of(settings, setting)
        self._api = self._new_api()
        self._told = Told(setting.notes, setting.clock)
        self._buried = Buried()
        self._several = Several()
        self._deletions_at: Millis | None = None

    # --- Collector ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        held, units = opened(cursor, Cursor, "Trustpilot's"), self._settings.units
        failed = yield from self._several.round(units, self._setting, lambda unit: self._read(unit, held))
        if self._setting.stop.is_set():
            return
        if self._several.answered:
            yield from self._deletions()
        self._told.tidy()
        if failed is not None:
            if self._several.answered:
                # Those that never answered yet have begun as well: what is written from here on is news.
                yield self._reached(dict.fromkeys(units, unseen(self._setting.clock.wall())) | held)
            raise failed

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(self._new_api()) as api:
            yield from filled(self._settings.units, cursor, lambda unit: self._fill(api, unit, span))

    def close(self) -> None:
        self._api.close()

    # --- Sweepable, Estimable, Checkable ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        with closing(self._new_api()) as api:
            for id in dict.fromkeys(native.removesuffix(REPLY) for native in native_ids):
                asked = [native for native in (id, id + REPLY) if native in native_ids]
                if not _ID.fullmatch(id):
                    existence |= dict.fromkeys(asked, "absent")
                    continue
                now = self._now(api, id)
                found = {one.native_id: msgspec.structs.replace(one, kind="edited") for one in now or ()}
                existence |= {one: "there" if now is None or one in found else "gone" for one in asked}
                drafts += [found[native] for native in asked if native in found]
            if "gone" in existence.values():
                self._shown_any(api)
            return Found(existence=existence, drafts=drafts, asked=api.used())

    def sample(self, wanted: Wanted) -> Sample:
        """All reviews of the last week: a company is listened to whole, whatever the brand."""
        now, times, capped = self._setting.clock.wall(), list[Millis](), False
        with closing(self._new_api()) as api:
            for unit in self._settings.units:
                for number, page in enumerate(self._pages(api, unit, now - 7 * DAY + self._settings.look_back), 1):
                    times += [review.at for review in page.reviews]
                    if number == SAMPLED_PAGES and page.reviews:
                        capped = True
                        break
            return Sample(by_hour(times, now, SAMPLED), asked=api.used(), capped=capped)

    def check(self) -> str:
        with closing(self._new_api()) as api:
            try:
                company = api.company(self._settings.units[0])
                api.page(company.id, 1)
            finally:
                self.check_used = (api.used(), 0)
        total = company.numberOfReviews.get("total")
        others = len(self._settings.units) - 1
        more = f", and {others} more are named" if others else ""
        what = "what anybody may see" if self.grant is None else "what its company may see"
        return f"Trustpilot shows {company.displayName or company.id} with {total} reviews, {what}{more}"

    # --- a round ---

    def _fill(self, api: Api, unit: str, span: Span) -> Iterator[Delivery]:
        for page in self._pages(api, unit, span.since + self._settings.look_back, span):
            within = [one for one in page.reviews if span.since <= one.at < span.until and not one.hidden]
            drafts = [draft for review in within for draft in drafts_of(review)]
            yield Delivery(
                drafts=drafts,
                malformed=page.malformed,
                asked=api.used(),
                **left_out(page.cut),
            )
            self._told.note_found(drafts)

    def _read(self, unit: str, cursor: Cursor) -> Iterator[Delivery]:
        """What is new of one company; `cursor` is moved on."""
        until = last = cursor.get(unit)
        for page in self._pages(self._api, unit, until):
            last = self._until(last, page.reviews)
            yield from self._news(unit, page, until)
            if until is None and page.number == 1:
                # Killed now, it has begun: what is written from here on is news.
                cursor[unit] = last
                yield self._reached(cursor)
        if last is not None:
            cursor[unit] = last
        yield self._reached(cursor)

    def _until(self, before: Millis | None, reviews: Sequence[Review]) -> Millis:
        return reached(before, [review.at for review in reviews], self._setting.clock.wall())

    def _reached(self, cursor: Cursor) -> Delivery:
        kept = {unit: cursor[unit] for unit in self._settings.units if unit in cursor}
        return Delivery(cursor=closed(kept), asked=self._api.used())

    def _new_api(self) -> Api:
        return Api(self._settings, self._setting, self.grant)

    def _pages(self, api: Api, unit: str, until: Millis | None, span: Span | None = None) -> Iterator[_Page]:
        """Newest first, back to `look_back` before `until`; without it, before the newest of all. `span`: those behind
        it need not be there."""
        for number in range(1, MOST_PAGES + 1):
            listed = api.page(unit, number, span)
            reviews, malformed = reviews_of(listed, unit)
            if until is None and reviews:
                until = self._until(None, reviews)
            floor = (until or 0) - self._settings.look_back
            # A page may lack what is not shown to everybody: only an empty one is behind the last.
            last = not listed or any(review.at < floor for review in reviews)
            cut = "" if last else UNREAD if not reviews else PAGE_CAP if number == MOST_PAGES else ""
            yield _Page(number, reviews, malformed, cut)
            if last or cut:
                return

    def _news(self, unit: str, page: _Page, until: Millis | None) -> Iterator[Delivery]:
        """What of a page was not told of, or has changed. What a first round finds was written before."""
        drafts, states = self._told_apart(page, until)
        wrong = self._buried.unknown(page.malformed)
        yield Delivery(
            drafts=drafts,
            malformed=wrong,
            asked=self._api.used(),
            **left_out(page.cut),
        )
        self._told.note(states)
        self._buried.note(wrong)
        if page.number == 1:
            yield from self._vanished(unit, page)

    def _told_apart(self, page: _Page, until: Millis | None) -> tuple[list[Draft], dict[str, str]]:
        """(what to tell, what is known once that is durable)"""
        shown = {draft.native_id: draft for one in page.reviews if not one.hidden for draft in drafts_of(one)}
        written = {review.id: review.at for review in page.reviews}
        drafts, states = self._told.judge(shown, written, None if until is None else until - self._settings.look_back)
        return drafts, states | {_BY + one.consumer.id: "" for one in page.reviews if one.id in states}

    # --- what is not shown any more ---

    def _vanished(self, unit: str, page: _Page) -> Iterator[Delivery]:
        """Of those that the first page showed, those that it would still show and does not: looked up by themselves,
        and told of where they are gone. What could not be looked up is in the next round, after the others."""
        shown, listed = self._told.shown(unit), {review.id: review.at for review in page.reviews}
        full = len(page.reviews) + len(page.malformed) >= PAGE
        oldest = min(listed.values(), default=NEVER) if full else 0
        doubted = {id: at for id, at in shown.items() if id not in listed and at > oldest}
        asked, failed = list(doubted)[:MOST_DOUBTED], dict[str, Millis]()
        away: list[str] = []
        for id in asked:
            at = doubted.pop(id)
            try:
                away += [id] if self._now(self._api, id) == [] else []
            except (Interrupted, Denied) as fault:
                if isinstance(fault, Unauthorized) or getattr(fault, "retry_after", None) is not None:
                    raise
                failed[id] = at
        if away:
            self._shown_any(self._api)
        theirs = self._told.standing(away)
        yield Delivery(drafts=deleted(theirs), asked=self._api.used())
        self._told.note(self._told.gone(theirs))
        now = {**listed, **doubted, **failed}
        if now != shown:
            self._told.note_shown(unit, now)

    def _now(self, api: Api, id: str) -> list[Draft] | None:
        """The review and its answer as anybody is shown them: none where it is gone; None where it is there and cannot
        be read."""
        held = api.review(id)
        if held is None:
            return []
        reviews, _ = reviews_of([held], id)
        if reviews:
            return [draft for one in reviews if not one.hidden for draft in drafts_of(one)]
        if isinstance(held, Mapping) and held.get("id") == id:
            return None
        raise Interrupted("what Trustpilot answered is no review")

    def _shown_any(self, api: Api) -> None:
        """To whom nothing is shown any more nothing is gone. Raises Denied then."""
        for unit in self._settings.units[:-1]:
            with suppress(Denied):
                api.company(unit)
                return
        api.company(self._settings.units[-1])

    def _deletions(self) -> Iterator[Delivery]:
        """What its writers deleted, and who left: of all companies, told of where it was told of here."""
        clock, notes = self._setting.clock, self._setting.notes
        if self._deletions_at is not None and not passed(self._deletions_at, clock.steady(), self._settings.deletions):
            return
        began = clock.wall()
        since = int(notes.get("deletions") or began) - DAY
        try:
            for found in self._api.deleted("reviews", since):
                theirs = self._told.standing(_ids(found.reviews, "reviewId"))
                yield Delivery(drafts=deleted(theirs), asked=self._api.used())
                self._told.note(self._told.gone(theirs))
            for found in self._api.deleted("consumers", since):
                left = self._told.of([_BY + id for id in _ids(found.consumers, "consumerId")])
                people = [name.removeprefix(_BY) for name in left]
                drafts = [Draft(native_id=id, kind="author_gone", author=Author(id=id)) for id in people]
                yield Delivery(drafts=drafts, asked=self._api.used())
                self._told.drop(list(left))
        except (Denied, Interrupted) as refused:
            if isinstance(refused, Interrupted) and refused.retry_after is not None:
                raise
            # The reviews go on; sweeps learn of what is gone, and a person sees why that takes longer.
            _log.warning("trustpilot.no_deletions", source=self.source.id, why=str(refused))
        else:
            notes.put("deletions", str(began))
        self._deletions_at = clock.steady()


class _Page(msgspec.Struct, frozen=True):
    number: int
    reviews: list[Review]
    malformed: list[Malformed]
    cut: str
    """Why more were left out; empty: none were."""


def _ids(listed: Sequence[object], name: str) -> list[str]:
    held = [one.get(name) for one in listed if isinstance(one, Mapping)]
    return [id for id in held if isinstance(id, str) and id]
