"""What others say of an account: posts and comments that name it with @, posts with its brand hashtags.

https://business-api.tiktok.com/portal/docs, Mentions API. Lists of at most a thousand, of the last ninety days, and
late: a push of the same comes two or three hours after it was written. So each round reads the lists of the last days,
and what was brought is remembered by the source's notes. A post that left its list was deleted, made private, or names
the account no more; what a list could not show, since it is too old or behind the thousandth, is left as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from config.sources.tiktok import TiktokSource
from ingest.buried import Buried
from ingest.collector import PAGE_CAP, Delivery, Draft, Existence, Malformed, left_out
from ingest.loose import each_of
from ingest.networks.tiktok_api import Api
from ingest.networks.tiktok_posts import (
    BY_NAME,
    MENTIONED_COMMENT,
    MENTIONED_VIDEO,
    TAGGED_VIDEO,
    Mentioned,
    mentioned_comment,
    mentioned_video,
)
from ingest.remembered import Remembered
from ingest.setting import Setting
from stream.clock import DAY, MINUTE
from stream.records import Millis

PAGE = 100
MOST = 1_000
LATE: Millis = DAY
"""So long after it was written a mention may still come into its list."""
OLDEST = 90
"""Days that the lists reach back; `JUDGED`: younger ones are missed when they are not listed."""
JUDGED: Millis = 85 * DAY
MISSED = " missed"
"""Behind a note: the mention was looked for and not listed."""
BELIEVED: Millis = 10 * MINUTE
"""How long a list that was read for looking up is taken as it is."""


class List(NamedTuple):
    path: str
    key: str
    fields: Sequence[str]
    order: Mapping[str, str]
    read: Callable[[Any], Mentioned | None]


VIDEOS = List(
    "business/mention/video/list/", "videos", MENTIONED_VIDEO,
    {"sort_field": "CREATE_TIME", "sort_type": "DESC"}, mentioned_video,
)  # fmt: skip
COMMENTS = List(
    "business/mention/comment/list/", "comments", (*MENTIONED_COMMENT, BY_NAME),
    {"sort_field": "COMMENT_CREATE_TIME", "sort_type": "DESC"}, mentioned_comment,
)  # fmt: skip
HASHTAGS = List(
    "business/mention/hashtag/video/list/", "videos", TAGGED_VIDEO,
    {"sort_field": "CREATE_TIME", "sort_order": "DESC"}, mentioned_video,
)  # fmt: skip


class Seen(NamedTuple):
    """What a list showed when it was read whole."""

    drafts: Mapping[str, Draft]
    since: Millis
    """Older ones may be missing though they are there."""
    read_at: Millis
    """Steady clock."""


class Mentions:
    """One thread reads the news, another one looks up."""

    def __init__(self, settings: TiktokSource, setting: Setting, buried: Buried) -> None:
        self._setting, self._buried = setting, buried
        self.lists = (*((VIDEOS, COMMENTS) if settings.mentions else ()), *((HASHTAGS,) if settings.hashtags else ()))
        self._known = Remembered(4 * MOST)
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()

    def news(
        self, api: Api, since: Mapping[str, Millis], began: Millis, is_own: Callable[[Mentioned], bool]
    ) -> Iterator[tuple[str, Delivery]]:
        """(path of the list, what is new in it), `since` it was read last: by path."""
        for one in self.lists:
            last = since.get(one.path, began)
            days = min(OLDEST, 2 + max(0, api.time - last + LATE) // DAY)
            for found, wrong, cut in self._pages(api, one, days):
                others, noted = self._others(found, one, is_own)
                ours = [other for other in others if other.at > began or other.id in noted]
                drafts, states = self._known.news(ours, _first(noted), lambda other: True)
                bad = self._buried.unknown(wrong)
                yield one.path, api.delivery(drafts=drafts, malformed=bad, **left_out(cut))
                self._buried.note(bad)
                self._known.note(states)
                self._listed(ours, one, noted)

    def written(
        self, api: Api, since: Millis, until: Millis, is_own: Callable[[Mentioned], bool]
    ) -> Iterator[Delivery]:
        """Of a span that was missed."""
        days = 1 + max(0, api.time - since) // DAY
        for one in self.lists:
            for found, wrong, cut in self._pages(api, one, min(OLDEST, days)):
                others, noted = self._others(found, one, is_own)
                within = [other for other in others if since <= other.at < until]
                drafts = [other.draft for other in within if other.draft]
                cut = cut or (PAGE_CAP if days > OLDEST else "")
                yield api.delivery(drafts=drafts, malformed=wrong, **left_out(cut))
                self._listed(within, one, noted)

    def _others(
        self, found: Sequence[Mentioned], one: List, is_own: Callable[[Mentioned], bool]
    ) -> tuple[list[Mentioned], Mapping[str, str]]:
        """(what somebody else said and no other list tells of, what is noted of all)."""
        others = [other for other in found if not is_own(other)]
        noted = self._setting.notes.all([other.id for other in others]) if others else {}
        elsewhere = {asked.path for asked in self.lists} - {one.path}
        return [other for other in others if _list_of(noted.get(other.id)) not in elsewhere], noted

    def _listed(self, brought: Sequence[Mentioned], one: List, noted: Mapping[str, str]) -> None:
        """They were taken: which list says whether they are still there."""
        fresh = {other.id: f"{other.at} {one.path}" for other in brought if other.id not in noted}
        if fresh:
            self._setting.notes.put_all(fresh)

    def look_up(self, api: Api, ids: Sequence[str]) -> tuple[dict[str, Existence], list[Draft]]:
        noted = self._setting.notes.all(ids)
        lists = {one.path: one for one in self.lists}
        existence, drafts, told = dict[str, Existence](), list[Draft](), dict[str, str]()
        for id in ids:
            at, path, *missed = noted.get(id, "0 ").split(" ")
            # Without a list: a push told of it, or it was listed so long ago that nobody remembers.
            seen = self._whole(api, lists[path]) if path in lists else None
            draft = seen.drafts.get(id) if seen is not None else None
            if draft is not None:
                existence[id] = "there"
                drafts.append(msgspec.structs.replace(draft, kind="edited"))
            elif missed or (seen is not None and int(at) > seen.since):
                existence[id] = "absent"
            else:
                existence[id] = "there"
            if bool(missed) != (existence[id] == "absent"):
                # What was missed must not come back, as if it had been seen, when nobody can tell any more.
                told[id] = f"{at} {path}" + (MISSED if not missed else "")
        if told:
            self._setting.notes.put_all(told)
        return existence, drafts

    def _whole(self, api: Api, one: List) -> Seen:
        """All that a list shows, asked for anew where what is known of it is old."""
        with self._lock:
            now, seen = self._setting.clock.steady(), self._seen.get(one.path)
            if seen is None or now - seen.read_at >= BELIEVED:
                drafts, oldest, short, listed = dict[str, Draft](), api.time, False, 0
                for found, _, cut in self._pages(api, one, OLDEST):
                    listed += len(found)
                    short = short or bool(cut)
                    oldest = min([oldest, *(other.at for other in found)])
                    drafts |= {other.id: other.draft for other in found if other.draft is not None}
                short = short or listed >= MOST
                since = max(api.time - JUDGED, oldest if short else 0)
                seen = self._seen[one.path] = Seen(drafts, since, now)
            return seen

    def _pages(self, api: Api, one: List, days: int) -> Iterator[tuple[list[Mentioned], list[Malformed], str]]:
        """(mentions, what is none, why more is missing; empty: nothing is)."""
        listed, most = 0, MOST // PAGE
        for number, page in enumerate(
            api.pages(
                one.path, one.key, most, fields=list(one.fields), number_of_days=days, max_count=PAGE, **one.order
            ), 1,
        ):  # fmt: skip
            found, wrong = each_of(page.listed, one.read, f"{self._setting.source.id}:{one.path}", "mention")
            listed += len(page.listed)
            yield found, wrong, PAGE_CAP if page.ends_early(number == most) or listed >= MOST else ""


def _list_of(noted: str | None) -> str:
    """Path of the list that a note names; empty: none."""
    return noted.split(" ")[1] if noted else ""


def _first(noted: Mapping[str, str]) -> Callable[[Mentioned], Draft | None]:
    """What was told by whoever read the list before is not told as new."""
    return lambda other: None if other.id in noted else other.draft
