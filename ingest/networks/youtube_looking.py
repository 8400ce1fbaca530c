"""Looking up single videos and comments by their ids, and what stands above a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ingest.collector import Delivery, Draft, Existence, Found
from ingest.networks.youtube_api import Api, Unavailable
from ingest.networks.youtube_posts import (
    Comment,
    Thread,
    Video,
    comment_draft,
    read,
    thread_draft,
    video_draft,
)
from ingest.networks.youtube_threads import answers

VIDEO_ID = 11
"""Signs of a video's id; those of comments are longer, and those of answers hold their thread's before a dot."""
_TEXT: dict[str, str] = {"textFormat": "plainText"}


def is_video(native_id: str) -> bool:
    return len(native_id) == VIDEO_ID


def thread_of(native_id: str) -> str:
    return native_id.partition(".")[0]


def look_up(api: Api, native_ids: Sequence[str]) -> Found:
    """At most 50 ids. A comment that a list by id leaves out is absent; one that YouTube calls not found is gone."""
    videos = [one for one in native_ids if is_video(one)]
    answered = [one for one in native_ids if not is_video(one) and "." in one]
    tops = [one for one in native_ids if not is_video(one) and "." not in one]
    existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
    films = _listed(api, "videos", videos, Video, existence, part="snippet,statistics")
    drafts: list[Draft] = [video_draft(video, edited=True) for video in films]
    # A comment's own record does not say below which video it stands: its thread's does.
    asked_for = list(dict.fromkeys([*tops, *map(thread_of, answered)]))
    threads = {one.id: one for one in _threads(api, asked_for, existence)}
    drafts += [thread_draft(threads[top], edited=True) for top in tops if top in threads]
    for reply in _listed(api, "comments", answered, Comment, existence, part="snippet", **_TEXT):
        thread = threads.get(thread_of(reply.id))
        drafts.append(comment_draft(reply, thread.snippet.video_id if thread else None, edited=True))
    asked, cost = api.used()
    return Found(existence={one: existence[one] for one in native_ids}, drafts=drafts, asked=asked, cost=cost)


def context(api: Api, native_id: str) -> Iterator[Delivery]:
    """The thread above a comment and its other answers, then the video."""
    if is_video(native_id):
        return
    threads = list(_threads(api, [thread_of(native_id)], {}))
    for thread in threads:
        drafts = [thread_draft(thread)]
        if "." in native_id:
            try:
                for comments, _ in answers(api, thread.id):
                    drafts += [comment_draft(one, thread.snippet.video_id) for one in comments if one.id != native_id]
            except Unavailable:
                pass
        yield api.delivery(drafts=drafts if "." in native_id else [])
        if thread.snippet.video_id:
            found = _listed(api, "videos", [thread.snippet.video_id], Video, {}, part="snippet,statistics")
            yield api.delivery(drafts=[video_draft(video) for video in found])


def _threads(api: Api, ids: Sequence[str], existence: dict[str, Existence]) -> Iterator[Thread]:
    yield from _listed(api, "commentThreads", ids, Thread, existence, part="snippet", **_TEXT)


def _listed(
    api: Api, resource: str, ids: Sequence[str], kind: type[Any], existence: dict[str, Existence], **params: str
) -> list[Any]:
    """Those of `ids` that are there. Where one is not, YouTube may refuse all: then they are asked for in halves."""
    if not ids:
        return []
    try:
        page = api.get(resource, {"id": ",".join(ids), **params}) or {}
    except Unavailable as refused:
        if len(ids) == 1:
            existence[ids[0]] = "gone" if refused.status == 404 else "absent"
            return []
        half = len(ids) // 2
        return [
            *_listed(api, resource, ids[:half], kind, existence, **params),
            *_listed(api, resource, ids[half:], kind, existence, **params),
        ]
    found = read(page.get("items"), kind, resource).items
    existence.update(dict.fromkeys([one.id for one in found if one.id in ids], "there"))
    return found
