"""Listing the comment threads of a channel or a video: back until what is known, and what of it is news.

A listing is in order of time, the newest first. How far it was read is a mark that moves only when the listing has
reached what was known before, so that a burst, or a cut in its middle, loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ingest.buried import Buried
from ingest.collector import PAGE_CAP, Delivery, Draft, Malformed, Span, left_out
from ingest.networks.youtube_api import Api, Params, Unavailable
from ingest.networks.youtube_posts import (
    Comment,
    Thread,
    comment_draft,
    only_metrics,
    read,
    replies,
    thread_draft,
)
from stream.clock import HOUR, MINUTE
from stream.records import Metrics, Millis

OVERLAP: Millis = 10 * MINUTE
"""A comment may be shown this much later than one that was published after it."""
FIRST: Millis = HOUR
"""How far back the first listing goes: whoever starts to listen sees what was just said."""
FAR: Millis = 2**62
MOST_KNOWN = 100_000
MOST_COUNTS = 500
"""Threads of a feed whose number of answers is kept; older ones are asked for their answers once more."""
PAGE: Params = {"part": "snippet,replies", "order": "time", "maxResults": 100, "textFormat": "plainText"}


class Mark(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How far a channel's or video's comments were read. Times of comments are YouTube's, the others ours."""

    seen: Millis = -1
    """When the newest thread was published; -1: never listed."""
    first: Millis = -1
    """What is not later was there before: `seen` after the first listing, until then as far back as that goes."""
    began: Millis = 0
    """When that was, by our clock."""
    listed: Millis = 0
    looked: Millis = 0
    """Of a video: when its counts were asked for."""
    looked_back: Millis = 0
    looked_back_from: Millis = 0
    """`seen` when older comments were last listed again."""
    count: int | None = None
    """Comments that the video had when they were listed."""
    print: str = ""
    """Of a video: differs where title or description may differ."""
    off: str = ""
    """Why it cannot be read."""
    replies: dict[str, int] = {}
    """Answers of threads that have more than come with them."""

    def begin(self, wall: Millis) -> None:
        """The first listing goes back to here, however late it succeeds."""
        if self.seen < 0 and self.first < 0:
            self.first = wall - FIRST


class _Known(NamedTuple):
    print: int
    metrics: Metrics | None


class Memory:
    """What this process has brought of each comment, so that only changes are brought again. It may forget: then the
    same comes twice, and is one post."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self.complete: dict[str, Millis] = {}
        """By feed: comments published since then are all known, one that is not was held back till now."""
        self.full: dict[str, None] = {}
        """Threads whose answers are all known."""
        self.etags: dict[str, str] = {}
        self.buried = Buried()

    def news(self, comment: Comment, draft: Draft, floor: Millis, complete: Millis) -> Draft | None:
        """The draft as it is to be brought; None: nothing is new. `floor`: what is later was never brought."""
        known = self._known.get(comment.id)
        if known is None:
            if comment.published > floor or comment.published >= complete:
                return draft
            return msgspec.structs.replace(draft, kind="edited") if comment.updated > floor else None
        if known.print != comment.print:
            return msgspec.structs.replace(draft, kind="edited")
        return only_metrics(draft) if known.metrics != draft.metrics else None

    def learn(self, seen: list[tuple[Comment, Draft]]) -> None:
        for comment, draft in seen:
            self._known.pop(comment.id, None)
            self._known[comment.id] = _Known(comment.print, draft.metrics)
        while len(self._known) > MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        while len(self.full) > MOST_KNOWN:
            self.full.pop(next(iter(self.full)))


class Feed(NamedTuple):
    """Whose threads are listed."""

    key: str
    filter: dict[str, str]
    query_ids: tuple[str, ...] = ()
    whole: bool = False
    """All of its comments are news, also those of before it was first listed."""


class _Page(NamedTuple):
    drafts: list[Draft]
    malformed: list[Malformed]
    seen: list[tuple[Comment, Draft]]
    counts: dict[str, int]
    full: list[str]
    trouble: str


def new_comments(
    api: Api, memory: Memory, feed: Feed, mark: Mark, wall: Millis, look_back: Millis | None
) -> Iterator[Delivery]:
    """All that is new since `mark`, which is moved once it has been brought. `look_back`: threads so much older than
    the newest are listed again as well. Raises what the API raises, and Unavailable for this feed alone."""
    first, floor = mark.seen < 0, _floor(feed, mark, look_back)
    back_to = floor if first else mark.seen - max(look_back or 0, OVERLAP)
    opening = api.get("commentThreads", _asked(feed), "" if first or look_back else memory.etags.get(feed.key, ""))
    newest, oldest, ended = mark.seen, FAR, False
    for page, cut in api.pages("commentThreads", _asked(feed), opening) if opening is not None else ():
        threads = read(page.get("items"), Thread, feed.key)
        times = [thread.top.published for thread in threads.items]
        newest, oldest = max([newest, *times]), min([oldest, *times])
        found = _page(api, memory, feed, mark, threads.items, floor)
        wrong = memory.buried.unknown([*threads.malformed, *found.malformed])
        yield api.delivery(
            drafts=found.drafts,
            malformed=wrong,
            **left_out(PAGE_CAP if cut else found.trouble),
        )
        _learn(memory, mark, found)
        memory.buried.note(wrong)
        ended = not page.get("nextPageToken")
        # One that was pinned or answered late may stand out of order: the page as a whole says how old it is.
        if sum(time < back_to for time in times) * 2 > len(times):
            break
    if opening is None:
        yield api.delivery()
    else:
        memory.etags[feed.key] = str(opening.get("etag") or "")
        known = memory.complete.get(feed.key, FAR)
        memory.complete[feed.key] = -1 if ended else min(known, oldest)
    if first or look_back is not None:
        mark.looked_back, mark.looked_back_from = wall, max(newest, 0)
    if first:
        mark.first, mark.began = -1 if feed.whole else newest, 0 if feed.whole else wall
    mark.seen, mark.listed, mark.off = max(newest, 0), wall, ""


def of_span(api: Api, feed: Feed, span: Span) -> Iterator[Delivery]:
    """The comments of a span that has passed, with all answers to them."""
    for page, cut in api.pages("commentThreads", _asked(feed)):
        threads = read(page.get("items"), Thread, feed.key)
        found = _page(api, Memory(), feed, Mark(seen=0), threads.items, -1)
        drafts = [draft for draft in found.drafts if span.since <= (draft.claimed_at or 0) < span.until]
        yield api.delivery(
            drafts=drafts,
            malformed=[*threads.malformed, *found.malformed],
            **left_out(PAGE_CAP if cut else found.trouble),
        )
        if sum(thread.top.published < span.since for thread in threads.items) * 2 > len(threads.items):
            return


def answers(api: Api, thread: str) -> Iterator[tuple[list[Comment], list[Malformed]]]:
    """All the answers of a thread, a page each."""
    asked: Params = {"part": "snippet", "parentId": thread, "maxResults": 100, "textFormat": "plainText"}
    for page, _ in api.pages("comments", asked):
        yield read(page.get("items"), Comment, f"replies of {thread}"[:200])


def _floor(feed: Feed, mark: Mark, look_back: Millis | None) -> Millis:
    """Comments published or edited later were never brought."""
    if mark.seen < 0:
        return -1 if feed.whole else mark.first
    return max((mark.seen if look_back is None else mark.looked_back_from) - OVERLAP, mark.first)


def _asked(feed: Feed) -> Params:
    return {**PAGE, **feed.filter}


def _page(api: Api, memory: Memory, feed: Feed, mark: Mark, threads: list[Thread], floor: Millis) -> _Page:
    page = _Page([], [], [], {}, [], "")
    complete = memory.complete.get(feed.key, FAR)
    for thread in threads:
        _add(page, memory, feed, thread.top, thread_draft(thread), floor, complete)
        came, total = replies(thread), thread.snippet.total_reply_count
        page.malformed.extend(came.malformed)
        known = mark.replies.get(thread.id)
        more = total > len(came.items) + len(came.malformed)
        held = -1 if thread.id in memory.full else FAR
        found: list[Comment] = came.items
        if more and known != total and (known is not None or thread.top.published > floor or mark.looked_back):
            found, trouble = _all_answers(api, thread, page)
            page = page._replace(trouble=page.trouble or trouble)
            more = bool(trouble)
            if not trouble:
                page.counts[thread.id] = total
        elif more:
            page.counts[thread.id] = total
        if not more:
            page.full.append(thread.id)
        for reply in found:
            draft = comment_draft(reply, thread.snippet.video_id)
            _add(page, memory, feed, reply, draft, max(floor, mark.began - FIRST), held)
    return page


def _all_answers(api: Api, thread: Thread, page: _Page) -> tuple[list[Comment], str]:
    found: list[Comment] = []
    try:
        for comments, malformed in answers(api, thread.id):
            found.extend(comments)
            page.malformed.extend(malformed)
    except Unavailable as gone:
        return found, "" if gone.status == 404 else f"answers: {gone.reason}"
    return found, ""


def _add(
    page: _Page, memory: Memory, feed: Feed, comment: Comment, draft: Draft, floor: Millis, complete: Millis
) -> None:
    if feed.query_ids:
        draft = msgspec.structs.replace(draft, query_ids=feed.query_ids)
    page.seen.append((comment, draft))
    news = memory.news(comment, draft, floor, complete)
    if news is not None:
        page.drafts.append(news)


def _learn(memory: Memory, mark: Mark, found: _Page) -> None:
    """What was brought is durable by now."""
    memory.learn(found.seen)
    memory.full.update(dict.fromkeys(found.full))
    for thread, count in found.counts.items():
        mark.replies.pop(thread, None)
        mark.replies[thread] = count
    while len(mark.replies) > MOST_COUNTS:
        mark.replies.pop(next(iter(mark.replies)))
