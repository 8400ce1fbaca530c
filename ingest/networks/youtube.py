"""YouTube by its Data API v3: comments of watched channels and videos, new videos, and what a search by brand finds.

A poll. Each round asks every watched channel for its newest threads (one unit for all its videos), videos by their age
for their counts (one unit for fifty), and lists the comments of those whose count has changed; searches are spread over
the day. Where the day's units would not last, everything is asked for less often, old things first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing

from config.sources import YoutubeSource
from ingest.collector import (
    PAGE_CAP,
    AccountState,
    Collector,
    Delivery,
    Denied,
    Draft,
    Found,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
    left_out,
)
from ingest.cursors import closed, opened
from ingest.networks.youtube_api import Api, Params, Quota, Spent, Unavailable
from ingest.networks.youtube_looking import context, look_up
from ingest.networks.youtube_posts import Video, only_metrics, reach, read, video_draft
from ingest.networks.youtube_search import found_videos, names, sampled, terms
from ingest.networks.youtube_state import (
    AT_ONCE,
    Channel,
    Followed,
    State,
    Upload,
    channels,
    chunks,
    printed,
    threads_of,
)
from ingest.networks.youtube_threads import FIRST, OVERLAP, Feed, Mark, Memory, new_comments, of_span
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, passed
from stream.records import Metrics, Millis

MOST_FOLLOWED = 300
"""Videos besides those that the settings name: the newest ones stay."""
SEARCH_OVERLAP: Millis = 6 * HOUR
"""A search finds a video this much later than it was published."""
UPLOADS_EVERY = 3
"""Rounds between two looks at a channel's list of videos: their comments come sooner, by the channel."""
RESOLVED_FOR: Millis = DAY
HIDDEN = frozenset({"processingFailure", "forbidden", "channelForbidden", "playlistItemsNotAccessible"})
"""Reasons with which there may be comments or videos that we are not shown."""
SEARCHES = 100
"""Of a day that Google gives a project by default."""

CHANNEL_ID = re.compile(r"UC[\w-]{22}")


def collector(settings: YoutubeSource, setting: Setting) -> Collector:
    return Youtube(settings, setting)


class Youtube:
    style: Style = "poll"
    resumes = True
    most_looked_up = AT_ONCE

    def __init__(self, settings: YoutubeSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting, self._clock = settings, setting, setting.clock
        self._quota = Quota(
            setting.clock, settings.units_a_day(), max(SEARCHES, settings.searches_per_day), settings.units_per_search
        )
        self._api, self._memory = self._new_api(), Memory()
        self._videos: dict[str, tuple[str, Metrics]] = {}
        self._channels: list[Channel] = []
        self._unknown: tuple[str, ...] = ()
        self._resolved: Millis = 0
        self._followed: tuple[str, ...] = settings.videos
        self.check_used = (0, 0)

    # --- the protocol ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        self._key()
        state = opened(cursor, State, "YouTube's")
        self._quota.restore(state.quota)
        self._quota.take(0)
        for step in self._round(state):
            yield step
            state.quota = self._quota.kept()
            yield Delivery(cursor=closed(state), asked=0)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """All feeds where no brand is named, else a search for that brand."""
        with closing(self._new_api()) as api:
            if query:
                chosen = [one for one in self._setting.wanted() if one.brand == query]
                for wanted in chosen:
                    yield from self._searched(api, wanted, span, None)
                return
            yield from self._resolve(api)
            for feed in self._feeds():
                try:
                    yield from of_span(api, feed, span)
                except Unavailable as refused:
                    yield api.delivery(reason=f"{feed.key}: {refused.reason}")

    def look_up(self, native_ids: Sequence[str]) -> Found:
        with closing(self._new_api()) as api:
            return look_up(api, native_ids)

    def context(self, native_id: str) -> Iterator[Delivery]:
        with closing(self._new_api()) as api:
            yield from context(api, native_id)

    def sample(self, wanted: Wanted) -> Sample:
        with closing(self._new_api()) as api:
            return sampled(api, wanted, self._clock.wall())

    def check(self) -> str:
        self.check_used = (0, 0)
        self._key()
        with closing(self._new_api()) as api:
            try:
                if not self._settings.channels:
                    api.get("videoCategories", {"part": "snippet", "regionCode": "US"})
                    return "the API key is taken"
                for step in self._resolve(api, again=True):
                    self.check_used = (self.check_used[0] + step.asked, self.check_used[1] + step.cost)
            finally:
                asked, cost = api.used()
                self.check_used = (self.check_used[0] + asked, self.check_used[1] + cost)
        found = ", ".join(channel.title or channel.id for channel in self._channels)
        if self._unknown:
            raise Denied(
                f"the API key is taken, but YouTube knows no channel {', '.join(self._unknown)}: "
                f"look at channels of source {self.source.id}"
            )
        return f"the API key is taken; channels: {found}"

    account_used = (1, 1)

    def account(self, handle: str) -> AccountState:
        """A channel that was taken down or closed is in no answer: which of both, YouTube does not say."""
        by = {"id": handle} if CHANNEL_ID.fullmatch(handle) else {"forHandle": f"@{handle}"}
        with closing(self._new_api()) as api:
            try:
                found = api.get("channels", {"part": "id", **by}) or {}
            except Unavailable as fault:
                raise Interrupted(f"YouTube does not say how a channel stands: {fault.reason}") from None
        return "there" if found.get("items") else "gone"

    def close(self) -> None:
        self._api.close()

    # --- a round ---

    def _round(self, state: State) -> Iterator[Delivery]:
        """`state` changes behind what it stands for: a delivery's marks move when the next one is asked for."""
        yield from self._resolve(self._api)
        # Together, whichever question fails next.
        videos = [f"video:{one}" for one in self._settings.videos]
        for key in [*videos, *(key for one in self._channels for key in (threads_of(one).key, _uploads(one)))]:
            state.mark(key).begin(self._clock.wall())
        for channel in self._channels:
            feed = threads_of(channel)
            mark = state.mark(feed.key)
            if self._due(mark.listed, self.interval, slack=0.1):
                yield from self._comments(feed, mark)
            if self._settings.uploads and channel.uploads:
                yield from self._uploads(state, channel)
        yield from self._looked_at(state)
        yield from self._by_brand(state)
        self._forget(state)
        yield self._api.delivery()

    def _due(self, since: Millis, every: Millis, slack: float = 0.05) -> bool:
        """Whether it would be late by the next round, and the quota lasts at this pace."""
        return passed(since, self._clock.wall(), max(0, every - self.interval)) and not self._quota.ahead(slack)

    def _comments(self, feed: Feed, mark: Mark) -> Iterator[Delivery]:
        deep = bool(mark.looked_back) and self._due(mark.looked_back, self._settings.look_back_every)
        look_back = self._settings.look_back if deep and self._settings.look_back else None
        wall = self._clock.wall()
        try:
            yield from new_comments(self._api, self._memory, feed, mark, wall, look_back)
        except Unavailable as refused:
            yield from self._off(feed.key, mark, refused.reason)
            mark.listed = wall

    def _off(self, key: str, mark: Mark, reason: str) -> Iterator[Delivery]:
        """One channel or video cannot be read: that stands in the ledger once, and the rest goes on."""
        missed = None if reason in HIDDEN else 0
        words = "comments are switched off" if reason == "commentsDisabled" else reason
        if mark.off != words:
            yield self._api.delivery(page=key, missed=missed, reason=words)
            mark.off = words

    def _uploads(self, state: State, channel: Channel) -> Iterator[Delivery]:
        key = _uploads(channel)
        mark = state.mark(key)
        if not self._due(mark.listed, UPLOADS_EVERY * self.interval):
            return
        wall = self._clock.wall()
        floor = mark.first if mark.seen < 0 else max(mark.seen - OVERLAP, mark.first)
        try:
            fresh, newest, cut = self._listed(key, channel, mark, floor)
        except Unavailable as refused:
            yield from self._off(key, mark, refused.reason)
        else:
            yield from self._brought(state, [one for one in fresh if one not in state.videos], cut)
            mark.first = newest if mark.seen < 0 else mark.first
            mark.seen = max(newest, 0)
        mark.listed = wall

    def _listed(self, key: str, channel: Channel, mark: Mark, floor: Millis) -> tuple[list[str], Millis, bool]:
        """(videos published after `floor`, when the newest one was, whether more were left out)."""
        asked: Params = {"part": "contentDetails", "playlistId": channel.uploads, "maxResults": AT_ONCE}
        fresh, newest, cut = list[str](), mark.seen, False
        opening = self._api.get("playlistItems", asked, "" if mark.seen < 0 else self._memory.etags.get(key, ""))
        if opening is None:
            return fresh, newest, cut
        for page, more in self._api.pages("playlistItems", asked, opening):
            items = read(page.get("items"), Upload, key).items
            times = [item.published for item in items]
            newest, cut = max([newest, *times]), more
            fresh += [item.id for item in items if item.published > floor]
            if mark.seen < 0 or sum(time <= floor for time in times) * 2 >= len(times):
                break
        self._memory.etags[key] = str(opening.get("etag") or "")
        return fresh, newest, cut

    def _brought(self, state: State, ids: Sequence[str], cut: bool) -> Iterator[Delivery]:
        """New videos of a channel, as posts; their comments come by the channel."""
        for chunk in chunks(list(dict.fromkeys(ids))):
            videos, malformed = self._asked_for(self._api, chunk)
            yield self._api.delivery(
                drafts=[video_draft(video) for video in videos],
                malformed=malformed,
                **left_out(PAGE_CAP if cut else ""),
            )
            for video in videos:
                state.videos[video.id] = Followed(video.published)
                self._know(state, video)

    def _asked_for(self, api: Api, ids: Sequence[str]) -> tuple[list[Video], list[Malformed]]:
        page = api.get("videos", {"part": "snippet,statistics", "id": ",".join(ids)}) or {}
        found = read(page.get("items"), Video, "videos")
        return found.items, found.malformed

    def _know(self, state: State, video: Video) -> None:
        mark = state.mark(f"video:{video.id}")
        mark.looked, mark.print = self._clock.wall(), printed(video)
        self._videos[video.id] = (mark.print, reach(video))

    # --- videos one by one ---

    def _looked_at(self, state: State) -> Iterator[Delivery]:
        """What has changed of the videos whose turn it is, and the comments of those that have new ones."""
        self._followed = tuple(dict.fromkeys((*self._settings.videos, *state.videos)))
        due = [one for one in self._followed if self._due(state.mark(f"video:{one}").looked, self._every(state, one))]
        for chunk in chunks(due):
            videos, malformed = self._asked_for(self._api, chunk)
            drafts = [draft for video in videos if (draft := self._changed(state, video)) is not None]
            yield self._api.delivery(drafts=drafts, malformed=malformed)
            there = {video.id for video in videos}
            for one in chunk:
                if one not in there:
                    mark = state.mark(f"video:{one}")
                    mark.looked = self._clock.wall()
                    yield from self._off(f"video:{one}", mark, "videoNotFound")
                    state.videos.pop(one, None)
            for video in videos:
                self._know(state, video)
                yield from self._comments_of(state, video)

    def _every(self, state: State, video: str) -> Millis:
        """A fiftieth of its age, at most a day."""
        followed = state.videos.get(video)
        age = self._clock.wall() - followed.published if followed else 0
        return max(self.interval, min(age // 50, DAY))

    def _changed(self, state: State, video: Video) -> Draft | None:
        mark, known = state.mark(f"video:{video.id}"), self._videos.get(video.id)
        if not mark.print:
            return video_draft(video)
        if mark.print != printed(video):
            return video_draft(video, edited=True)
        return only_metrics(video_draft(video)) if known is None or known[1] != reach(video) else None

    def _comments_of(self, state: State, video: Video) -> Iterator[Delivery]:
        followed = state.videos.get(video.id)
        if video.id not in self._settings.videos and not (followed and followed.comments):
            return
        key, count = f"video:{video.id}", video.statistics.comment_count
        mark = state.mark(key)
        if count is None:
            yield from self._off(key, mark, "commentsDisabled")
        elif mark.seen < 0 or count != mark.count or self._due(mark.listed, 4 * self._every(state, video.id)):
            brand = (followed.brand,) if followed and followed.brand else ()
            yield from self._comments(Feed(key, {"videoId": video.id}, brand, whole=followed is not None), mark)
            mark.count = count

    def _forget(self, state: State) -> None:
        """Videos that are older than they are watched for, or too many."""
        wall = self._clock.wall()
        old = [one for one, followed in state.videos.items() if wall - followed.published > self._settings.watch_for]
        rest = sorted(set(state.videos) - set(old), key=lambda one: state.videos[one].published)
        for one in [*old, *rest[: max(0, len(rest) - MOST_FOLLOWED)]]:
            del state.videos[one]
        kept = {*self._settings.videos, *state.videos}
        for key in [key for key in state.marks if key.startswith("video:") and key[6:] not in kept]:
            del state.marks[key]
            self._videos.pop(key[6:], None)

    # --- searches ---

    def _by_brand(self, state: State) -> Iterator[Delivery]:
        """Spread over the day; the most urgent brand first, and where none may be asked for that is said."""
        brands = list(self._setting.wanted()) if self._settings.searches_per_day else []
        searches = {one.brand: terms(one) for one in brands}
        each = DAY * max(1, sum(map(len, searches.values()))) // max(1, self._settings.searches_per_day)
        for wanted in brands:
            wall, last = self._clock.wall(), state.searched.get(wanted.brand)
            if not searches[wanted.brand] or (last is not None and not passed(last, wall, each)):
                continue
            if not self._setting.allowed(wanted.brand):
                yield Delivery(query=wanted.brand, asked=0, missed=None, reason="spend cap")
                continue
            since = (wall - FIRST if last is None else last) - SEARCH_OVERLAP
            try:
                yield from self._searched(self._api, wanted, Span(since, wall + HOUR), state)
            except Spent as spent:
                # The lists go on, and the next search begins where the last one ended.
                yield self._api.delivery(query=wanted.brand, reason=f"quota: {spent.reason}")
                return
            state.searched[wanted.brand] = wall
        for gone in state.searched.keys() - searches.keys():
            del state.searched[gone]

    def _searched(self, api: Api, wanted: Wanted, span: Span, state: State | None) -> Iterator[Delivery]:
        """What a search for a brand finds in a span; with `state`, what is new to it, and is followed from now on."""
        for query in terms(wanted):
            for ids, cut in found_videos(api, query, span):
                fresh = [one for one in dict.fromkeys(ids) if state is None or one not in state.videos]
                videos, malformed = self._asked_for(api, fresh) if fresh else ([], [])
                yield api.delivery(
                    drafts=[video_draft(video, query_ids=(wanted.brand,)) for video in videos],
                    malformed=malformed,
                    query=wanted.brand,
                    **left_out(PAGE_CAP if cut else ""),
                )
                if state is not None:
                    self._follow(state, wanted, videos)

    def _follow(self, state: State, wanted: Wanted, videos: Sequence[Video]) -> None:
        own = {channel.id for channel in self._channels}
        for video in videos:
            follows = names(wanted, video) and video.snippet.channel_id not in own
            state.videos[video.id] = Followed(video.published, follows, wanted.brand)
            self._know(state, video)

    # --- channels, keys ---

    def _resolve(self, api: Api, *, again: bool = False) -> Iterator[Delivery]:
        """The channels of the settings, with the playlist of their videos; looked up once a day."""
        wall = self._clock.wall()
        if not again and self._resolved and not passed(self._resolved, wall, RESOLVED_FOR):
            return
        found: dict[str, Channel] = {}
        ids = [one for one in self._settings.channels if not one.startswith("@")]
        for chunk in chunks(ids):
            found |= {one.id: one for one in channels(api, id=",".join(chunk))}
        for handle in self._settings.channels:
            if handle.startswith("@"):
                found.update((handle, one) for one in channels(api, forHandle=handle))
        self._unknown = tuple(one for one in self._settings.channels if one not in found)
        self._channels = list({one.id: one for name in self._settings.channels if (one := found.get(name))}.values())
        self._resolved = wall
        for missing in self._unknown:
            yield api.delivery(page=f"channel:{missing}", reason="channelNotFound")

    def _feeds(self) -> list[Feed]:
        return [*map(threads_of, self._channels), *(Feed(f"video:{one}", {"videoId": one}) for one in self._followed)]

    def _new_api(self) -> Api:
        return Api(self._settings.url, self._key, self._quota, self._settings.timeout / 1000)

    def _key(self) -> str:
        key = self._setting.secret(self._settings.key_env)
        if not key:
            raise Denied(
                f"source {self.source.id} has no API key: put one into {self._settings.key_env} (Google Cloud console, "
                "enable YouTube Data API v3, Credentials, Create credentials, API key)"
            )
        return key.strip()


def _uploads(channel: Channel) -> str:
    return f"uploads:{channel.id}"
