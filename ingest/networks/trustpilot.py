"""Trustpilot: reviews of companies by their lists, newest first, and by the webhook; what is gone by both, by
Trustpilot's list of deletions and by sweeps.

A round reads a company's list back to `look_back` before the newest review of the round before, by Trustpilot's own
times. What was told of, and in which state, stands in the source's notes; so an edit among what is read again is seen,
whoever reads it. What was shown before and is not any more is looked up by itself, and told of when that is gone too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import msgspec
import structlog

from config.sources.trustpilot import TrustpilotSource
from ingest.buried import Buried
from ingest.collector import (
    CursorLost,
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
)
from ingest.networks.trustpilot_api import MOST_PAGES, PAGE, Api, grant_of
from ingest.networks.trustpilot_push import TrustpilotPush
from ingest.networks.trustpilot_reviews import REPLY, Review, drafts_of, reviews_of
from ingest.push import Push
from ingest.setting import Setting
from ingest.told import Told, deleted, gone, judged, stands, state
from ingest.wanted import Wanted
from ingest.web import Refused
from stream.clock import DAY, HOUR, passed
from stream.records import Author, Millis

KEEP: Millis = 800 * DAY
"""How long it is known what was told of a review."""
MOST_DOUBTED = 20
"""Reviews that are not shown any more and looked up in one round, at most."""
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
Shown = dict[str, int]
"""What the first page showed, by id: when it was written."""


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
        self._told = Told(setting.notes, setting.clock, KEEP)
        self._buried = Buried()
        self._deletions_at: Millis | None = None

    # --- Collector ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        reached = _opened(cursor)
        for unit in self._settings.units:
            until = reached.get(unit)
            newest = until or 0
            for page in self._pages(self._api, unit, until):
                newest = max([newest, *(review.at for review in page.reviews)])
                yield from self._news(unit, page, until)
                if until is None and page.number == 1:
                    # Killed now, it has begun: what is written from here on is news.
                    yield self._reached({**reached, unit: newest})
            reached = {**reached, unit: newest}
            yield self._reached(reached)
        yield from self._deletions()
        self._told.tidy()

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(self._new_api()) as api:
            for unit in self._settings.units:
                for page in self._pages(api, unit, span.since + self._settings.look_back, span):
                    within = [one for one in page.reviews if span.since <= one.at < span.until and not one.hidden]
                    drafts = [draft for review in within for draft in drafts_of(review)]
                    yield Delivery(
                        drafts=drafts,
                        malformed=page.malformed,
                        asked=api.used(),
                        missed=None if page.cut else 0,
                        reason="page cap" if page.cut else "",
                    )
                    self._told.note({draft.native_id: state(draft) for draft in drafts})

    def close(self) -> None:
        self._api.close()

    # --- Sweepable, Estimable, Checkable ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        with closing(self._new_api()) as api:
            for id in dict.fromkeys(native.removesuffix(REPLY) for native in native_ids):
                now = self._now(api, id) if _ID.fullmatch(id) else None
                found = {one.native_id: msgspec.structs.replace(one, kind="edited") for one in now or ()}
                asked = [native for native in (id, id + REPLY) if native in native_ids]
                existence |= {one: "absent" if now is None else "there" if one in found else "gone" for one in asked}
                drafts += [found[native] for native in asked if native in found]
            if "gone" in existence.values():
                # To whom nothing is shown any more nothing is gone: that raises Denied.
                api.company(self._settings.units[0])
            return Found(existence=existence, drafts=drafts, asked=api.used())

    def sample(self, wanted: Wanted) -> Sample:
        """All reviews of the last week: a company is listened to whole, whatever the brand."""
        now, counts, capped = self._setting.clock.wall(), [0] * SAMPLED, False
        with closing(self._new_api()) as api:
            for unit in self._settings.units:
                for number, page in enumerate(self._pages(api, unit, now - 7 * DAY + self._settings.look_back), 1):
                    for hours in ((now - review.at) // HOUR for review in page.reviews):
                        if 0 <= hours < SAMPLED:
                            counts[SAMPLED - 1 - hours] += 1
                    if number == SAMPLED_PAGES and len(page.reviews) == PAGE:
                        capped = True
                        break
            return Sample(tuple(counts), asked=api.used(), capped=capped)

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

    def _reached(self, reached: Cursor) -> Delivery:
        kept = {unit: reached[unit] for unit in self._settings.units if unit in reached}
        return Delivery(cursor=msgspec.json.encode(kept).decode(), asked=self._api.used())

    def _new_api(self) -> Api:
        return Api(self._settings, self._setting, self.grant)

    def _pages(self, api: Api, unit: str, until: Millis | None, span: Span | None = None) -> Iterator[_Page]:
        """Newest first, back to `look_back` before `until`; without it, before the newest of all. `span`: those behind
        it need not be there."""
        for number in range(1, MOST_PAGES + 1):
            listed = api.page(unit, number, span)
            reviews, malformed = reviews_of(listed, unit)
            if until is None and reviews:
                until = max(review.at for review in reviews)
            floor = (until or 0) - self._settings.look_back
            last = len(listed) < PAGE or any(review.at < floor for review in reviews)
            yield _Page(number, reviews, malformed, number == MOST_PAGES and not last)
            if last:
                return

    def _news(self, unit: str, page: _Page, until: Millis | None) -> Iterator[Delivery]:
        """What of a page was not told of, or has changed. What a first round finds was written before."""
        drafts, states = self._told_apart(page, until)
        if page.number == 1:
            vanished = self._told_of(self._vanished(unit, page))
            drafts += deleted(vanished)
            states |= dict.fromkeys(vanished, gone(self._setting.clock.wall()))
        yield Delivery(
            drafts=drafts,
            malformed=self._buried.fresh(page.malformed),
            asked=self._api.used(),
            missed=None if page.cut else 0,
            reason="page cap" if page.cut else "",
        )
        self._told.note(states)
        if page.number == 1:
            self._note_shown(unit, page)

    def _told_apart(self, page: _Page, until: Millis | None) -> tuple[list[Draft], dict[str, str]]:
        """(what to tell, what is known once that is durable)"""
        found = {draft.native_id: draft for one in page.reviews if not one.hidden for draft in drafts_of(one)}
        at = {review.id: review.at for review in page.reviews}
        known = self._told.of([*at, *(id + REPLY for id in at)])
        drafts: list[Draft] = []
        states: dict[str, str] = {}
        wall = self._setting.clock.wall()
        for id, draft in found.items():
            review = id.removesuffix(REPLY)
            # An answer to a review that was told of is news, however old the review.
            answers = review != id and stands(known.get(review))
            fresh = None if until is None else answers or at[review] >= until - self._settings.look_back
            told, noted = judged(draft, known.get(id), fresh, wall)
            drafts += [told] if told is not None else []
            states |= {id: noted} if noted is not None else {}
        withdrawn = [id for id, value in known.items() if id not in found and stands(value)]
        authors = {_BY + one.consumer.id: "" for one in page.reviews if one.id in states}
        return [*drafts, *deleted(withdrawn)], {**states, **authors, **dict.fromkeys(withdrawn, gone(wall))}

    def _told_of(self, ids: Sequence[str]) -> list[str]:
        """These reviews and their answers, as far as they were told of and stand."""
        known = self._told.of([*ids, *(id + REPLY for id in ids)])
        return [id for id, value in known.items() if stands(value)]

    # --- what is not shown any more ---

    def _vanished(self, unit: str, page: _Page) -> list[str]:
        """Of those that the first page showed, those that it would still show and does not: looked up by themselves."""
        listed = {review.id for review in page.reviews}
        oldest = min(review.at for review in page.reviews) if len(page.reviews) >= PAGE else 0
        doubted = [id for id, at in self._shown(unit).items() if id not in listed and at > oldest]
        return [id for id in doubted[:MOST_DOUBTED] if self._now(self._api, id) == []]

    def _shown(self, unit: str) -> Shown:
        noted = self._setting.notes.get(f"shown:{unit}")
        return msgspec.json.decode(noted, type=Shown) if noted else {}

    def _note_shown(self, unit: str, page: _Page) -> None:
        now = {review.id: review.at for review in page.reviews}
        if now != self._shown(unit):
            self._setting.notes.put(f"shown:{unit}", msgspec.json.encode(now).decode())

    def _now(self, api: Api, id: str) -> list[Draft] | None:
        """The review and its answer as anybody is shown them: none where it is gone; None where that cannot be read."""
        held = api.review(id)
        if held is None:
            return []
        reviews, _ = reviews_of([held], id)
        return [draft for one in reviews if not one.hidden for draft in drafts_of(one)] if reviews else None

    def _deletions(self) -> Iterator[Delivery]:
        """What its writers deleted, and who left: of all companies, told of where it was told of here."""
        clock, notes = self._setting.clock, self._setting.notes
        if self._deletions_at is not None and not passed(self._deletions_at, clock.steady(), self._settings.deletions):
            return
        began = clock.wall()
        since = int(notes.get("deletions") or began) - DAY
        try:
            for found in self._api.deleted("reviews", since):
                theirs = self._told_of(_ids(found.reviews, "reviewId"))
                yield Delivery(drafts=deleted(theirs), asked=self._api.used())
                self._told.note(dict.fromkeys(theirs, gone(clock.wall())))
            for found in self._api.deleted("consumers", since):
                left = self._told.of([_BY + id for id in _ids(found.consumers, "consumerId")])
                people = [name.removeprefix(_BY) for name in left]
                drafts = [Draft(native_id=id, kind="author_gone", author=Author(id=id)) for id in people]
                yield Delivery(drafts=drafts, asked=self._api.used())
                self._told.drop(list(left))
        except (Denied, Refused, Interrupted) as refused:
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
    cut: bool
    """More were left out."""


def _ids(listed: Sequence[object], name: str) -> list[str]:
    held = [one.get(name) for one in listed if isinstance(one, Mapping)]
    return [id for id in held if isinstance(id, str) and id]


def _opened(cursor: str | None) -> Cursor:
    try:
        return {} if cursor is None else msgspec.json.decode(cursor, type=Cursor)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CursorLost("the cursor of this source is not one of Trustpilot's") from None
