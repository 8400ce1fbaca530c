"""Searches by brand: the videos that name it, wherever they were uploaded.

https://developers.google.com/youtube/v3/docs/search/list: `|` between terms means or; a page has at most 50 results.
Searches are few (a bucket of 100 a day), so all the names of a brand are asked for in one where they fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.collector import Sample, Span, by_hour
from ingest.dates import iso_millis
from ingest.loose import list_of
from ingest.networks.youtube_api import Api, Params
from ingest.networks.youtube_posts import Video, rfc3339
from ingest.wanted import Wanted
from stream.clock import HOUR
from stream.records import Millis

LONGEST_QUERY = 400
MOST_PAGES = 3
"""Of one search: 150 videos since the last one."""
SAMPLED = 7 * 24
"""Hours that an estimate looks at."""


def terms(wanted: Wanted) -> tuple[str, ...]:
    """The searches that ask for a brand, usually one."""
    found, query = [], ""
    for name in dict.fromkeys((*wanted.phrases, *wanted.handles, *wanted.hashtags)):
        plain = " ".join(name.replace('"', " ").replace("|", " ").split())[:LONGEST_QUERY]
        term = f'"{plain}"' if " " in plain else plain
        if not plain:
            continue
        if query and len(query) + len(term) + 1 > LONGEST_QUERY:
            found.append(query)
            query = ""
        query = f"{query}|{term}" if query else term
    return (*found, query) if query else tuple(found)


def names(wanted: Wanted, video: Video) -> bool:
    """Whether title or description hold a name of the brand: YouTube's search also brings what is only like it."""
    said = f"{video.snippet.title}\n{video.snippet.description}".casefold()
    return any(name.casefold() in said for name in (*wanted.phrases, *wanted.handles, *wanted.hashtags))


def found_videos(api: Api, query: str, span: Span) -> Iterator[tuple[list[str], bool]]:
    """(ids of a page, whether more were left out)."""
    for number, (page, _) in enumerate(api.pages("search", _asked(query, span)), 1):
        cut = number == MOST_PAGES and bool(page.get("nextPageToken"))
        yield [video for video, _ in _results(page)], cut
        if number == MOST_PAGES:
            return


def sampled(api: Api, wanted: Wanted, now: Millis) -> Sample:
    """The newest results of the last week, by hour; one page of each search."""
    times, capped = list[Millis](), False
    for query in terms(wanted):
        page = api.get("search", _asked(query, Span(now - SAMPLED * HOUR, now))) or {}
        capped |= bool(page.get("nextPageToken"))
        times += [published for _, published in _results(page) if published is not None]
    asked, cost = api.used()
    return Sample(by_hour(times, now, SAMPLED), asked, cost, capped)


def _asked(query: str, span: Span) -> Params:
    return {
        "part": "snippet",
        "type": "video",
        "order": "date",
        "safeSearch": "none",
        "maxResults": 50,
        "q": query,
        "publishedAfter": rfc3339(span.since),
        "publishedBefore": rfc3339(span.until),
    }


def _results(page: Mapping[str, Any]) -> Iterator[tuple[str, Millis | None]]:
    """(id, when published) of each result that is a video."""
    for item in list_of(page, "items"):
        try:
            yield str(item["id"]["videoId"]), iso_millis(item.get("snippet", {}).get("publishedAt"))
        except (KeyError, TypeError, AttributeError):
            continue
