"""Apple's App Store: reviews of apps, from the public feed of each app and country.

A feed shows the 500 newest reviews, fifty a page. It tells of edits by a new time at the same id and of deletes not at
all, and nobody can ask for a single review.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Literal

from msgspec.structs import replace

from config.sources.appstore import AppstoreSource
from ingest.collector import Delivery, Denied, Interrupted, Sample, Span, Style
from ingest.networks.appstore_reviews import read_page
from ingest.networks.review_lists import Lists, Page, Unlisted
from ingest.setting import Setting
from ingest.wanted import Wanted
from ingest.web import Refused, Web
from stream.records import Millis

PAGES = 10
"""What a feed has: behind the last one it answers that there is none."""


def collector(settings: AppstoreSource, setting: Setting) -> Appstore:
    return Appstore(settings, setting)


class Appstore:
    """Keeps `Collector`, `Estimable`, `Checkable`."""

    style: Style = "poll"
    resumes: Literal[True] = True

    def __init__(self, settings: AppstoreSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self._feeds = Feeds(settings)
        self._lists = Lists(self._feeds, setting, settings.look_back)

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        return self._lists.collect(cursor)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(Feeds(self._settings)) as feeds:
            yield from self._lists.fill(feeds, span, cursor)

    def sample(self, wanted: Wanted) -> Sample:
        with closing(Feeds(self._settings)) as feeds:
            return self._lists.sample(feeds, wanted)

    def check(self) -> str:
        with closing(Feeds(self._settings)) as feeds:
            name = feeds.names[0]
            try:
                page = next(feeds.pages(name))
            except Unlisted as unlisted:
                raise Denied(f"{unlisted}: see the numbers in apps and the countries of {self._settings.id}") from None
            newest = page.reviews[0].draft.title if page.reviews else None
        return f"feed {name} answers anybody; " + (f"its newest review has {newest[:5]}" if newest else "it is empty")

    def close(self) -> None:
        self._feeds.close()


class Feeds:
    """Keeps `review_lists.Place`: one thread's way to all feeds of a source, each by its country and app."""

    window: Millis | None = None
    always = True

    def __init__(self, settings: AppstoreSource) -> None:
        self._settings = settings
        self._web = Web(settings.url, timeout=settings.timeout / 1000)
        countries = dict.fromkeys(settings.countries)
        self.names: Sequence[str] = [f"{country}/{app}" for app in settings.apps for country in countries]

    def brands(self, name: str) -> tuple[str, ...]:
        return self._settings.apps[name.rpartition("/")[2]]

    def pages(self, name: str) -> Iterator[Page]:
        country, _, app = name.partition("/")
        for number in range(1, PAGES + 1):
            path = f"/{country}/rss/customerreviews/page={number}/id={app}/sortby=mostrecent/json"
            try:
                answer = self._web.ask("GET", path, good=(404,) if number == 1 else (400, 404))
            except Refused as refused:
                raise Interrupted(str(refused)) from None
            if answer.status >= 400:
                if number == 1:
                    raise Unlisted(f"the store of {country} has no app {app}")
                return
            page, listed = read_page(answer, country, app, self.brands(name))
            if not listed:
                raise Unlisted(f"the store of {country} has no app {app}")
            # Behind the last page there may be more, however many it shows.
            yield replace(page, short=False) if number == PAGES else page
            if not page.reviews and not page.malformed:
                return

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()
