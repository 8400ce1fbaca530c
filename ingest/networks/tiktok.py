"""A TikTok account of one's own: its posts, the comments below them and their answers, and what names it elsewhere.

https://business-api.tiktok.com/portal/docs: Accounts API (`/business/video/list/`, `/business/comment/list/`,
`/business/comment/reply/list/`), Mentions API. What is pushed: `ingest.networks.tiktok_push`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec

from config.sources.tiktok import TiktokSource
from ingest.buried import Buried
from ingest.collector import (
    PAGE_CAP,
    Collector,
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
    left_out,
)
from ingest.cursors import closed, opened
from ingest.last_week import LastWeek
from ingest.loose import each_of, list_of
from ingest.networks.tiktok_api import Api, Odd, granted
from ingest.networks.tiktok_comments import COMMENTS, MOST_PAGES, OVERLAP, PAGE, Comments, Mark, asked_for
from ingest.networks.tiktok_mentions import Mentions
from ingest.networks.tiktok_posts import (
    HANDLE,
    MENTION,
    VIDEO,
    Comment,
    Mentioned,
    Video,
    above_mentioned,
    video_of,
)
from ingest.networks.tiktok_push import TiktokPush, mentioned
from ingest.push import Push
from ingest.remembered import Remembered
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR
from stream.records import Millis

FIRST: Millis = HOUR
"""How far back the first round goes."""
VIDEOS = "business/video/list/"
POSTS = 20
"""In one page; `PAGE` is of comments."""
MOST_SAMPLED = 35
"""Requests of an estimate, within what TikTok answers in a minute."""
MOST_POSTS = 4_000
"""That are remembered as they were."""
REMEMBERED: Millis = 100 * DAY
"""Longer than a list of mentions reaches back."""


def collector(settings: TiktokSource, setting: Setting) -> Collector:
    return Tiktok(settings, setting)


def push(settings: TiktokSource, setting: Setting) -> Push:
    return TiktokPush(settings, setting)


class State(msgspec.Struct, omit_defaults=True):
    """The cursor. Times are TikTok's."""

    began: Millis = 0
    """What is older was there before."""
    posted: Millis = 0
    """When the newest post of the account was published."""
    videos: dict[str, Mark] = {}
    mentioned: dict[str, Millis] = {}
    """By path of a list: when it was read last."""


class Tiktok:
    """Keeps `Collector`, `Sweepable`, `Contextual`, `Estimable`, `Checkable`, `CheckCounted`, `Granted`."""

    style: Style = "poll"
    resumes = True
    most_looked_up = PAGE

    def __init__(self, settings: TiktokSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self.grant = granted(settings, setting)
        self._api, self._buried = self._new_api(), Buried()
        self._comments = Comments(settings, setting, self._buried)
        self._mentions = Mentions(settings, setting, self._buried)
        self._known = Remembered(MOST_POSTS)
        self._week = LastWeek(lambda span: self.fill("", span, None), self.source, setting.clock, MOST_SAMPLED)
        self._handle, self._remembers = "", False
        self.check_used = (0, 0)

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        state = opened(cursor, State, "TikTok's")
        videos: list[Video] = []
        yield from self._posted(state, videos)
        yield Delivery(asked=0, cursor=closed(state))
        walked = self._walked(state, videos)
        for video in videos:
            mark = state.videos[video.id]
            try:
                yield from self._comments.read(self._api, video, mark, walk=video.id == walked)
            except Odd as odd:
                yield self._api.delivery(missed=None, reason=f"TikTok refuses a post's comments (code {odd.code})")
            yield Delivery(asked=0, cursor=closed(state))
        began = self._api.time
        for path, delivery in self._mentions.news(self._api, state.mentioned, state.began, self._is_own(state.videos)):
            yield delivery
            state.mentioned[path] = began
        kept = sorted(state.videos.items(), key=lambda one: one[1].began)[-4 * self._settings.follow :]
        state.videos = dict(kept)
        self._comments.forget(set(state.videos))
        yield self._api.delivery(cursor=closed(state))

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """The account's posts of the span, what was said in it below those that are followed, and elsewhere."""
        with closing(self._new_api()) as api:
            followed: list[Video] = []
            for found, wrong, short in self._pages(api, span.since):
                drafts = [one.draft for one in found if one.draft and span.since <= one.at < span.until]
                yield api.delivery(drafts=drafts, malformed=wrong, **left_out(short))
                followed = [*followed, *found][: self._settings.follow]
            for video in followed:
                try:
                    for comments, wrong, cut in self._comments.written(api, video, span.since):
                        drafts = [one.draft for one in comments if one.draft and span.since <= one.at < span.until]
                        yield api.delivery(drafts=drafts, malformed=wrong, **left_out(cut))
                except Odd as odd:
                    yield api.delivery(missed=None, reason=f"TikTok refuses a post's comments (code {odd.code})")
            is_own = self._is_own({video.id for video in followed})
            yield from self._mentions.written(api, span.since, span.until, is_own)

    def look_up(self, native_ids: Sequence[str]) -> Found:
        with closing(self._new_api()) as api:
            existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
            drafts: list[Draft] = []
            mentions = [id for id in native_ids if id.startswith(MENTION)]
            own = [id for id in native_ids if not id.startswith(MENTION)]
            shown = {one.id: one for one in self._shown(api, [id for id in own if "/" not in id])}
            below: dict[str, list[str]] = {}
            for id in own:
                if "/" in id:
                    below.setdefault(id.partition("/")[0], []).append(id)
            for video, ids in below.items():
                for one in self._said(api, video, ids):
                    if one.id in existence:
                        existence[one.id] = "gone" if one.hidden and not self._settings.keep_hidden else "there"
                        drafts += [one.draft] if one.draft is not None else []
            for id, video_shown in shown.items():
                existence[id] = "there"
                drafts += [video_shown.draft] if video_shown.draft is not None else []
            found, others = self._mentions.look_up(api, mentions) if mentions else ({}, [])
            there = [one for one in drafts if existence[one.native_id] == "there"]
            edited = [msgspec.structs.replace(one, kind="edited") for one in there]
            return Found(existence=existence | found, drafts=[*edited, *others], asked=api.used())

    def context(self, native_id: str) -> Iterator[Delivery]:
        """The comment that an answer stands below, and the post."""
        with closing(self._new_api()) as api:
            if native_id.startswith(MENTION):
                said_elsewhere = mentioned(api, native_id)
                told = above_mentioned(said_elsewhere) if native_id.count("/") > 1 else None
                yield api.delivery(drafts=[told] if told is not None else [])
                return
            video, _, comment = native_id.partition("/")
            if not comment:
                return
            said = next((one for one in self._said(api, video, [native_id]) if one.id == native_id), None)
            over = said.draft.reply_to if said is not None and said.draft is not None else None
            if over and over != video:
                drafts = [one.draft for one in self._said(api, video, [over]) if one.draft and one.id == over]
                yield api.delivery(drafts=drafts)
            yield api.delivery(drafts=[one.draft for one in self._shown(api, [video]) if one.draft])

    def sample(self, wanted: Wanted) -> Sample:
        """Of what was published and said in the last week."""
        try:
            return self._week.sample(wanted)
        except Odd as odd:
            raise self._not_taken(odd) from None

    def check(self) -> str:
        with closing(self._new_api()) as api:
            try:
                listed = list_of(api.get(VIDEOS, fields=list(VIDEO), max_count=1), "videos")
                video = self._video(listed[0]) if listed else None
                if video is not None:
                    api.get(COMMENTS, video_id=video.id, max_count=1)
                for one in self._mentions.lists:
                    api.get(one.path, fields=list(one.fields), number_of_days=1, max_count=1)
            except Odd as odd:
                raise self._not_taken(odd) from None
            finally:
                self.check_used = (api.used(), 0)
        who = f"@{video.handle}" if video is not None and video.handle else "the account"
        read = "posts and comments" if video is not None else "no post yet, whose comments could be read"
        elsewhere = ", and what names it elsewhere" if self._mentions.lists else ""
        return f"{who} answers: {read}{elsewhere}"

    def _not_taken(self, odd: Odd) -> Denied:
        return Denied(
            f"TikTok does not take a question of source {self.source.id} (code {odd.code}): is `account` the "
            "account's open_id, and is it a Business Account? (docs/networks/tiktok.md)"
        )

    def close(self) -> None:
        self._api.close()

    def _new_api(self) -> Api:
        return Api(self._settings, self._setting, self.grant)

    # --- posts of the account ---

    def _posted(self, state: State, videos: list[Video]) -> Iterator[Delivery]:
        """The newest posts, back to the last one seen, and those among the followed that were shown late; `videos`:
        those that are followed."""
        floor = state.posted - OVERLAP if state.began else None
        newest, late = state.posted, set[str]()

        def first(one: Video) -> Draft | None:
            return one.draft if one.at > (state.began if one.id in late else max(state.began, floor or 0)) else None

        for found, wrong, short in self._pages(self._api, floor):
            if not state.began:
                state.began = self._api.time - FIRST
            followed = found[: self._settings.follow - len(videos)]
            late = {one.id for one in followed} - state.videos.keys()
            drafts, states = self._known.news(found, first, lambda one: True)
            bad = self._buried.unknown(wrong)
            yield self._api.delivery(drafts=drafts, malformed=bad, **left_out(short))
            self._buried.note(bad)
            self._known.note(states)
            newest = max([newest, *(min(one.at, self._api.time) for one in found)])
            videos += followed
        for video in videos:
            if video.id not in state.videos:
                state.videos[video.id] = Mark(max(min(video.at, self._api.time) - 1, state.began))
        state.posted = newest or state.began
        self._remember(videos)

    def _pages(self, api: Api, floor: Millis | None) -> Iterator[tuple[list[Video], list[Malformed], str]]:
        """(posts, what is none, why more is missing; empty: nothing is), newest first, back to `floor` (None: as many
        as are followed) and at least so many."""
        number = 0
        for count, page in enumerate(api.pages(VIDEOS, "videos", MOST_PAGES, fields=list(VIDEO), max_count=POSTS), 1):
            found, wrong = each_of(page.listed, self._video, f"{self.source.id}:posts", "post")
            number += len(found)
            reached = floor is None or (bool(found) and found[-1].at <= floor)
            yield found, wrong, PAGE_CAP if not reached and page.ends_early(count == MOST_PAGES) else ""
            if reached and number >= self._settings.follow:
                return

    def _video(self, one: Any) -> Video | None:
        return video_of(one, self._settings.account)

    def _remember(self, videos: Sequence[Video]) -> None:
        """The account's name, and once in this process what nobody will ask for any more is forgotten."""
        notes = self._setting.notes
        handle = next((one.handle for one in videos if one.handle), "")
        if handle and handle != self._handle:
            self._handle = handle
            notes.put(HANDLE, handle)
        if not self._remembers:
            notes.forget(self._setting.clock.wall() - REMEMBERED)
            self._remembers = True

    def _walked(self, state: State, videos: Sequence[Video]) -> str:
        """The post whose whole list of comments is looked through in this round."""
        waits = [one.id for one in videos if state.videos[one.id].seen and state.videos[one.id].due(self._api.time)]
        return min(waits, key=lambda id: state.videos[id].walked, default="")

    def _name(self) -> str:
        """Of the account; empty: no post told it yet."""
        return self._handle or self._setting.notes.get(HANDLE) or ""

    def _is_own(self, videos: Collection[str]) -> Callable[[Mentioned], bool]:
        handle = self._name()

        def is_own(one: Mentioned) -> bool:
            """What stands below a post of the account is read there."""
            return one.handle == handle != "" or one.id.removeprefix(MENTION).partition("/")[0] in videos

        return is_own

    # --- single ones ---

    def _shown(self, api: Api, ids: Sequence[str]) -> Iterator[Video]:
        for begin in range(0, len(ids), POSTS):
            some = ids[begin : begin + POSTS]
            data = api.get(VIDEOS, fields=list(VIDEO), filters={"video_ids": some}, max_count=POSTS)
            for one in list_of(data, "videos"):
                video = self._video(one)
                if video is not None and video.id in ids:
                    yield video

    def _said(self, api: Api, video: str, ids: Sequence[str]) -> Iterator[Comment]:
        """Comments below one post, hidden ones too. Where the post is gone there are none."""
        try:
            yield from asked_for(api, video, [id.partition("/")[2] for id in ids], self._name())
        except Odd as odd:
            if any(self._shown(api, [video])):
                raise Interrupted(f"TikTok refuses the comments of a post that is there (code {odd.code})") from None
