"""What the cursor of a YouTube source holds, and the channels that it follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from ingest.dates import datetime_millis
from ingest.loose import list_of
from ingest.networks.youtube_api import Api, Unavailable
from ingest.networks.youtube_posts import Video
from ingest.networks.youtube_threads import Feed, Mark
from stream.records import Millis

AT_ONCE = 50
"""Ids in one question, and videos in one page."""


class Followed(msgspec.Struct, frozen=True, omit_defaults=True):
    published: Millis
    comments: bool = False
    """They are listed by the video: no watched channel brings them."""
    brand: str = ""


class State(msgspec.Struct, kw_only=True):
    """The cursor."""

    quota: tuple[str, int, int] = ("", 0, 0)
    marks: dict[str, Mark] = {}
    videos: dict[str, Followed] = {}
    searched: dict[str, Millis] = {}

    def mark(self, key: str) -> Mark:
        return self.marks.setdefault(key, Mark())


class Channel(msgspec.Struct, frozen=True):
    id: str
    uploads: str
    title: str


def threads_of(channel: Channel) -> Feed:
    return Feed(f"channel:{channel.id}", {"allThreadsRelatedToChannelId": channel.id})


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    video_id: str
    video_published_at: datetime | None = None


class Upload(msgspec.Struct, frozen=True, rename="camel"):
    content_details: _Details

    @property
    def id(self) -> str:
        return self.content_details.video_id

    @property
    def published(self) -> Millis:
        """0 for one that is not public yet."""
        at = self.content_details.video_published_at
        return datetime_millis(at) if at else 0


def channels(api: Api, **asked: str) -> Iterator[Channel]:
    try:
        page = api.get("channels", {"part": "snippet,contentDetails", "maxResults": AT_ONCE, **asked}) or {}
    except Unavailable:
        return
    for item in list_of(page, "items"):
        try:
            uploads = item.get("contentDetails", {}).get("relatedPlaylists", {}).get("uploads")
            yield Channel(str(item["id"]), str(uploads or ""), str(item.get("snippet", {}).get("title") or ""))
        except (KeyError, TypeError, AttributeError):
            continue


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def printed(video: Video) -> str:
    said = f"{video.snippet.title}\0{video.snippet.description}"
    return blake2b(said.encode("utf-8", "replace"), digest_size=8).hexdigest()
