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
    Collector,
    CursorLost,
    Delivery,
    Denied,
    Draft,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
)
from ingest.networks.yelp_reviews import REPLY, Review, drafts_of, reviews_of
from ingest.setting import Setting
from ingest.told import Told, deleted, gone, judged, stands
from ingest.wanted import Wanted
from ingest.web import Answer, Web, retry_after
from stream.clock import DAY, HOUR
from stream.records import Millis

KEEP: Millis = 800 * DAY
"""How long it is known what was told of a review."""
SHORTEST = 3
"""Reviews that the smallest agreement shows: a list that is shorter is a whole one."""
MISSING = 2
"""Rounds in a row in which one has to be missing from a list."""
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
        self._told = Told(setting.notes, setting.clock, KEEP)
        self._buried = Buried()
        self._missing: dict[str, int] = {}

    # --- Collector ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        reached = _opened(cursor)
        for business, locale in self._places():
            place = f"{business} {locale}"
            reviews, malformed = self._asked(self._web, business, locale)
            yield from self._news(place, reviews, malformed, reached.get(place))
            reached = {**reached, place: max([reached.get(place, 0), *(review.at for review in reviews)])}
            kept = {one: reached[one] for one in (" ".join(each) for each in self._places()) if one in reached}
            yield Delivery(cursor=msgspec.json.encode(kept).decode(), asked=self._web.used())
        self._told.tidy()

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """What of it the lists still show."""
        with closing(self._new_web()) as web:
            for business, locale in self._places():
                reviews, malformed = self._asked(web, business, locale)
                within = [one for one in reviews if span.since <= one.at < span.until]
                oldest = min((one.at for one in reviews), default=0) if len(reviews) >= SHORTEST else 0
                drafts = [draft for one in within for draft in drafts_of(one, business, locale)]
                yield _delivery(web, drafts, malformed, cut=oldest > span.since)

    def close(self) -> None:
        self._web.close()

    # --- Estimable, Checkable ---

    def sample(self, wanted: Wanted) -> Sample:
        """All reviews of the last week that are shown: a business is listened to whole, whatever the brand."""
        now, counts, capped = self._setting.clock.wall(), [0] * SAMPLED, False
        with closing(self._new_web()) as web:
            for business, locale in self._places():
                reviews, _ = self._asked(web, business, locale)
                back = [(now - review.at) // HOUR for review in reviews]
                for hours in back:
                    if 0 <= hours < SAMPLED:
                        counts[SAMPLED - 1 - hours] += 1
                capped |= len(back) >= SHORTEST and max(back) < SAMPLED
            return Sample(tuple(counts), asked=web.used(), capped=capped)

    def check(self) -> str:
        business, locale = next(self._places())
        with closing(self._new_web()) as web:
            reviews, _ = self._asked(web, business, locale)
        return f"Yelp shows {len(reviews)} reviews of {business} in {locale}, as many as the agreement with it allows"

    # --- a round ---

    def _places(self) -> Iterator[tuple[str, str]]:
        return ((one, locale) for one in self._settings.businesses for locale in self._settings.locales)

    def _news(
        self, place: str, reviews: Sequence[Review], malformed: Sequence[Malformed], until: Millis | None
    ) -> Iterator[Delivery]:
        """What of a list was not told of, has changed, or is shown no more. What a first round finds was written
        before."""
        business, _, locale = place.partition(" ")
        wall = self._setting.clock.wall()
        found = {draft.native_id: draft for one in reviews for draft in drafts_of(one, business, locale)}
        at = {review.key: review.at for review in reviews}
        known = self._told.of([*at, *(id + REPLY for id in at)])
        drafts: list[Draft] = []
        states: dict[str, str] = {}
        for id, draft in found.items():
            review = id.removesuffix(REPLY)
            answers = review != id and stands(known.get(review))
            fresh = None if until is None else answers or at[review] >= until - self._settings.look_back
            told, noted = judged(draft, known.get(id), fresh, wall)
            drafts += [told] if told is not None else []
            states |= {id: noted} if noted is not None else {}
        withdrawn = [id for id, value in known.items() if id not in found and stands(value)]
        vanished = self._vanished(place, at)
        stood = self._told.of([*vanished, *(id + REPLY for id in vanished)])
        withdrawn += [id for id, value in stood.items() if stands(value)]
        turned_over = until is not None and len(at) >= SHORTEST and not any(id in known for id in at)
        yield _delivery(self._web, [*drafts, *deleted(withdrawn)], self._buried.fresh(malformed), cut=turned_over)
        self._told.note(states | dict.fromkeys(withdrawn, gone(wall)))
        self._note_shown(place, at, vanished)

    def _vanished(self, place: str, at: Mapping[str, Millis]) -> list[str]:
        """Those that the list showed, would still show by their age, and does not: taken back by their writers, removed
        or not recommended any more. Nothing can be said of a list that is not in the order of time."""
        if not all(newer >= older for newer, older in pairwise(at.values())):
            return []
        oldest = min(at.values()) if len(at) >= SHORTEST else 0
        doubted = [id for id, written in self._shown(place).items() if id not in at and written > oldest]
        self._missing = {id: n for id, n in self._missing.items() if id not in at}
        for id in doubted:
            self._missing[id] = self._missing.get(id, 0) + 1
        return [id for id in doubted if self._missing[id] >= MISSING]

    def _shown(self, place: str) -> dict[str, int]:
        noted = self._setting.notes.get(f"shown:{place}")
        return msgspec.json.decode(noted, type=dict[str, int]) if noted else {}

    def _note_shown(self, place: str, at: Mapping[str, Millis], vanished: Sequence[str]) -> None:
        """What is missing for the first time stays doubted; what fell out behind the oldest is nothing to miss."""
        before = self._shown(place)
        doubted = {id: before[id] for id in self._missing if id in before and id not in vanished}
        now = {**doubted, **at}
        if now != before:
            self._setting.notes.put(f"shown:{place}", msgspec.json.encode(now).decode())
        for id in vanished:
            self._missing.pop(id, None)

    # --- asking ---

    def _asked(self, web: Web, business: str, locale: str) -> tuple[list[Review], list[Malformed]]:
        path = f"/v3/private/businesses/{business}/reviews"
        answer = web.ask("GET", path, params={"locale": locale}, good=(403, 404, 429))
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
        missed=None if cut else 0,
        reason="page cap" if cut else "",
    )


def _opened(cursor: str | None) -> Cursor:
    try:
        return {} if cursor is None else msgspec.json.decode(cursor, type=Cursor)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CursorLost("the cursor of this source is not one of Yelp's") from None
