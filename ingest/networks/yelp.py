"""Yelp: reviews of businesses by its Private Reviews API (https://docs.developer.yelp.com/docs/private-reviews-api).

A business's list is one answer without pages, as long as the agreement with Yelp says. What was told of stands in the
source's notes. Where no review of a list was there before, others may have come and gone in between: the ledger says
so. How long a text may stay here is not this file's matter: `retention: networks` takes it away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any

import msgspec

from config.sources.yelp import YelpSource
from ingest.buried import Buried
from ingest.collector import (
    NEVER,
    PAGE_CAP,
    Collector,
    Delivery,
    Denied,
    Draft,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
    by_hour,
    left_out,
)
from ingest.cursors import closed, opened
from ingest.networks.yelp_reviews import Review, drafts_of, reviews_of
from ingest.setting import Setting
from ingest.several import Several, filled
from ingest.told import Told, deleted, reached, unseen
from ingest.wanted import Wanted
from ingest.web import Answer, Refused, Web, retry_after
from stream.clock import HOUR
from stream.records import Millis

SHORTEST = 3
"""Reviews that the smallest agreement shows: a list that is shorter is a whole one."""
MISSING = 2
"""Rounds in a row in which one has to be missing from a list."""
EMPTY_BELIEVED: Millis = HOUR
"""How long a list that had reviews has to be empty before that is taken for true."""
SAMPLED = 7 * 24


def collector(settings: YelpSource, setting: Setting) -> Collector:
    return Yelp(settings, setting)


Cursor = dict[str, int]
"""By business and locale: when its newest review was written that was seen."""


class Listed(msgspec.Struct):
    reviews: list[Any] | dict[str, Any]
    """By the table of fields a list; by the example an object with that list as `review`."""


class Yelp:
    style: Style = "poll"
    resumes = True

    def __init__(self, settings: YelpSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self._web = self._new_web()
        self._told = Told(setting.notes, setting.clock)
        self._buried = Buried()
        self._several = Several()
        self._missing: dict[str, tuple[int, Millis]] = {}
        """Of what is missing from a list: in how many rounds, and since when, by `clock.steady()`."""

    # --- Collector ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        places = [" ".join(each) for each in self._places()]
        known = opened(cursor, Cursor, "Yelp's")
        held = {place: known[place] for place in places if place in known}
        failed = yield from self._several.round(places, self._setting, lambda place: self._read(place, held))
        if self._setting.stop.is_set():
            return
        self._told.tidy()
        if failed is not None:
            if self._several.answered:
                # Those that never answered yet have begun as well: what is written from here on is news.
                yield _kept(dict.fromkeys(places, unseen(self._setting.clock.wall())) | held)
            raise failed

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """What of it the lists still show."""
        with closing(self._new_web()) as web:
            places = [" ".join(each) for each in self._places()]
            yield from filled(places, cursor, lambda place: self._fill(web, place, span))

    def close(self) -> None:
        self._web.close()

    # --- Estimable, Checkable ---

    def sample(self, wanted: Wanted) -> Sample:
        """All reviews of the last week that are shown: a business is listened to whole, whatever the brand."""
        now, times, capped = self._setting.clock.wall(), list[Millis](), False
        with closing(self._new_web()) as web:
            for business, locale in self._places():
                reviews, _ = self._asked(web, business, locale)
                shown = [review.at for review in reviews]
                capped |= len(shown) >= SHORTEST and min(shown) > now - SAMPLED * HOUR
                times += shown
            return Sample(by_hour(times, now, SAMPLED), asked=web.used(), capped=capped)

    def check(self) -> str:
        business, locale = next(self._places())
        with closing(self._new_web()) as web:
            reviews, _ = self._asked(web, business, locale)
        return f"Yelp shows {len(reviews)} reviews of {business} in {locale}, as many as the agreement with it allows"

    # --- a round ---

    def _places(self) -> Iterator[tuple[str, str]]:
        return ((one, locale) for one in self._settings.businesses for locale in self._settings.locales)

    def _fill(self, web: Web, place: str, span: Span) -> Iterator[Delivery]:
        business, _, locale = place.partition(" ")
        reviews, malformed = self._asked(web, business, locale)
        within = [one for one in reviews if span.since <= one.at < span.until]
        long = len(reviews) + len(malformed) >= SHORTEST or (not reviews and bool(self._told.shown(place)))
        oldest = min((one.at for one in reviews), default=NEVER) if long else 0
        drafts = [draft for one in within for draft in drafts_of(one, business, locale)]
        yield _delivery(web, drafts, malformed, cut=oldest > span.since)
        self._told.note_found(drafts)

    def _read(self, place: str, cursor: Cursor) -> Iterator[Delivery]:
        """What is new of one list; `cursor` is moved on."""
        business, _, locale = place.partition(" ")
        reviews, malformed = self._asked(self._web, business, locale)
        before = cursor.get(place)
        yield from self._news(place, reviews, malformed, before)
        cursor[place] = reached(before, [review.at for review in reviews], self._setting.clock.wall())
        yield _kept(cursor)

    def _news(
        self, place: str, reviews: Sequence[Review], malformed: Sequence[Malformed], until: Millis | None
    ) -> Iterator[Delivery]:
        """What of a list was not told of, has changed, or is shown no more. What a first round finds was written
        before."""
        business, _, locale = place.partition(" ")
        shown = {draft.native_id: draft for one in reviews for draft in drafts_of(one, business, locale)}
        at = {review.key: review.at for review in reviews}
        drafts, states = self._told.judge(shown, at, None if until is None else until - self._settings.look_back)
        before = self._told.shown(place)
        vanished, doubted = self._vanished(before, at, len(malformed))
        theirs = self._told.standing(vanished)
        # One that was edited may have a new time and stand at the top again: it shows not how far the list reaches.
        met = any(before.get(id) == written for id, written in at.items())
        turned_over = until is not None and len(at) + len(malformed) >= SHORTEST and not met
        wrong = self._buried.unknown(malformed)
        yield _delivery(self._web, [*drafts, *deleted(theirs)], wrong, cut=turned_over)
        self._told.note(states | self._told.gone(theirs))
        self._buried.note(wrong)
        for id in vanished:
            self._missing.pop(id, None)
        if (now := {**doubted, **at}) != before:
            self._told.note_shown(place, now)

    def _vanished(
        self, before: Mapping[str, Millis], at: Mapping[str, Millis], unread: int
    ) -> tuple[list[str], dict[str, Millis]]:
        """(those that the list showed, would still show by their age, and does not: taken back by their writers,
        removed or not recommended any more; those of which that cannot be said yet). Nothing can be said of a list that
        is not in the order of time, or of which something could not be read; of an empty one not at once."""
        if not all(newer >= older for newer, older in pairwise(at.values())):
            return [], {}
        oldest = min(at.values(), default=0) if len(at) + unread >= SHORTEST else 0
        doubted = {id: written for id, written in before.items() if id not in at and written > oldest}
        if unread:
            return [], doubted
        steady = self._setting.clock.steady()
        settled = at.keys() | (before.keys() - doubted.keys())
        self._missing = {id: since for id, since in self._missing.items() if id not in settled}
        for id in doubted:
            rounds, since = self._missing.get(id, (0, steady))
            self._missing[id] = (rounds + 1, since)
        least = 0 if at else EMPTY_BELIEVED
        vanished = [id for id in doubted if self._missing[id][0] >= MISSING and steady - self._missing[id][1] >= least]
        return vanished, {id: written for id, written in doubted.items() if id not in vanished}

    # --- asking ---

    def _asked(self, web: Web, business: str, locale: str) -> tuple[list[Review], list[Malformed]]:
        path = f"/v3/private/businesses/{business}/reviews"
        try:
            answer = web.ask("GET", path, params={"locale": locale}, good=(403, 404, 429))
        except Refused as refused:
            raise Interrupted(str(refused)) from None
        if answer.status != 200:
            raise self._refused(answer, business)
        held = answer.decoded(Listed).reviews
        listed = held if isinstance(held, list) else held.get("review")
        if not isinstance(listed, list):
            raise Interrupted("the answer is JSON of another shape than was asked for")
        return reviews_of(listed, business)

    def _refused(self, answer: Answer, business: str) -> Exception:
        if answer.status == 404:
            return Denied(f"Yelp knows no business {business}: see `businesses` of source {self._settings.id}")
        if answer.status == 403:
            return Denied(
                f"Yelp does not show private reviews of {business} to the app of {self._settings.key_env}: it opens "
                "them to contracted partners, for businesses that are subscribed to (docs/networks/yelp.md)"
            )
        headers = dict(answer.headers)
        if b"ACCESS_LIMIT_REACHED" in answer.body:
            headers.setdefault("x-ratelimit-reset", headers.get("ratelimit-resettime", ""))
        return Interrupted("Yelp asks for fewer requests", retry_after(headers))

    def _new_web(self) -> Web:
        return Web(self._settings.url, self._headers, timeout=self._settings.timeout / 1000)

    def _headers(self) -> Mapping[str, str]:
        name = self._settings.key_env
        key = (self._setting.secret(name) or "").strip()
        if not key:
            raise Denied(
                f"source {self._settings.id} has no API key: put one into {name} "
                "(https://www.yelp.com/developers/v3/manage_app)"
            )
        return {"Authorization": f"Bearer {key}"}


def _delivery(web: Web, drafts: Sequence[Draft], malformed: Sequence[Malformed], *, cut: bool) -> Delivery:
    return Delivery(
        drafts=drafts,
        malformed=malformed,
        asked=web.used(),
        **left_out(PAGE_CAP if cut else ""),
    )


def _kept(cursor: Cursor) -> Delivery:
    return Delivery(cursor=closed(cursor), asked=0)
