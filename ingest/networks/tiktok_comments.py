"""The comments below the posts of a TikTok account, and their answers.

https://business-api.tiktok.com/portal/docs?id=1760232109619202 (comments), 1762228430145538 (answers). A list shows its
first 500 in the order that was asked for, newest first here, and then all by their likes, some of them again. So a
list is read back to what is known, and one that goes beyond the sorted part to its end. How many comments a post has is
told a day or two late: each list is asked for in every round.

Answers are not among the comments: three at most come with each, in no order, and the rest is asked for where a
comment's number of answers is another one than before. Of comments that are no longer on the first page that is
noticed when the whole list is walked, which each post's is now and then; a walk also finds what was shown late, since
moderators looked at it, and what became of reach and texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from config.sources.tiktok import TiktokSource
from ingest.buried import Buried
from ingest.collector import PAGE_CAP, Delivery, Malformed, left_out
from ingest.loose import each_of, list_of
from ingest.networks.tiktok_api import Api, Odd, Page
from ingest.networks.tiktok_posts import Comment, Video, comment_of, link_of
from ingest.remembered import Remembered
from ingest.setting import Setting
from stream.clock import MINUTE, passed
from stream.records import Millis

COMMENTS, ANSWERS = "business/comment/list/", "business/comment/reply/list/"
PAGE = 30
SORTED = 500 // PAGE
"""Pages that are surely within the sorted part."""
MOST_PAGES = 1_000
OVERLAP: Millis = 10 * MINUTE
"""A comment may be shown this much later than one that was made after it."""
WALK_EVERY: Millis = 30 * MINUTE
MOST_COUNTS = 1_000
"""Comments of one post whose numbers of answers are remembered."""


class Mark(msgspec.Struct, omit_defaults=True):
    """How far the comments of a post were read, in TikTok's times."""

    began: Millis
    """What is older was there before."""
    seen: Millis = 0
    """Of the newest comment, else `began`; 0: nothing was read yet."""
    walked: Millis = 0
    """When a walk through the whole list began last."""

    def due(self, now: Millis) -> bool:
        return passed(self.walked, now, WALK_EVERY)


Listed: TypeAlias = tuple[list[Comment], list[Malformed], str]
"""(comments, what is none, why more is missing; empty: nothing is)."""


class Comments:
    """What one process knows of them. Not for several threads at once."""

    def __init__(self, settings: TiktokSource, setting: Setting, buried: Buried) -> None:
        self._setting, self._buried = setting, buried
        self._asked_for = "ALL" if settings.keep_hidden else "PUBLIC"
        self._known = Remembered()
        self._counts: dict[str, dict[str, int]] = {}
        self._walked: set[str] = set()
        self._whole: set[str] = set()
        """Posts whose comments, and comments whose answers, were read to an end: what is known of them has no hole."""
        self._left: dict[str, str] = {}
        """By post: where a round that read its list was cut, behind the sorted part. A fill has a place of its own."""

    def read(self, api: Api, video: Video, mark: Mark, walk: bool) -> Iterator[Delivery]:
        """What is new below a post; `mark` moves once all of it was taken. Raises what `Api.get` raises."""
        began, newest, whole = api.time, mark.seen, video.id in self._whole and not walk
        floor = mark.began if video.id in self._walked else max(mark.began, min(mark.seen, mark.walked) - OVERLAP)
        counts = self._counts_of(video.id)
        before = dict(counts)
        self._whole.discard(video.id)
        for found, wrong, cut in self._pages(api, video, max(mark.seen - OVERLAP, mark.began), self._left, walk, whole):
            yield from self._told(api, [*found, *self._answers(found, video)], wrong, cut, floor, walk)
            for one in found:
                if one.replies != counts.get(one.id, 0):
                    yield from self._answered(api, video, one, floor)
                    counts[one.id] = one.replies
            newest = max([newest, *(min(one.at, api.time) for one in found)])
        self._whole.add(video.id)
        if counts != before:
            self._count(video.id, counts)
        if walk or not mark.seen:
            mark.walked = began
            self._walked.add(video.id)
        mark.seen = newest or mark.began

    def written(self, api: Api, video: Video, since: Millis) -> Iterator[Listed]:
        """Comments back to a time, with the answers that came with them or stand below them."""
        for found, wrong, cut in self._pages(api, video, since, {}):
            below = list(self._answers(found, video))
            for one in found:
                if len(one.answers) < one.replies:
                    for more, bad, short in self._below(api, video, one):
                        below, wrong = below + more, wrong + bad
                        if not any(answer.at >= since for answer in more):
                            break
                        cut = cut or short
            yield [*found, *below], wrong, cut

    def forget(self, followed: set[str]) -> None:
        """What was known of other posts."""
        self._walked &= followed
        self._left = {id: cursor for id, cursor in self._left.items() if id in followed}
        self._whole = {id for id in self._whole if id.partition("/")[0] in followed}
        self._counts = {id: counts for id, counts in self._counts.items() if id in followed}

    # --- lists ---

    def _pages(
        self, api: Api, video: Video, until: Millis, left: dict[str, str], walk: bool = False, whole: bool = False
    ) -> Iterator[Listed]:
        """Back to `until` or, where what is known is `whole`, to that; a walk goes on to the end of the sorted part. A
        comment that is pinned may stand before newer ones. `left`: by post, where this reader was cut behind the sorted
        part."""
        listed, reached, met, cursor = set[str](), False, False, ""
        for number, page in enumerate(self._listed(api, video, ""), 1):
            found, wrong = _comments(page.listed, video)
            in_order = [one for one in found if not one.pinned]
            # What moved from the page before to this one, since more came meanwhile, was met in this reading.
            met = met or any(one.id in self._known and one.id not in listed for one in in_order)
            if in_order:
                known = whole and all(one.id in self._known for one in in_order)
                reached = reached or known or in_order[-1].at <= until
            yield _fresh(found, listed), wrong, PAGE_CAP if page.stuck and not reached else ""
            if not page.more or page.stuck or (reached and (not walk or number >= SORTED)):
                return
            if number >= SORTED:
                cursor = page.cursor
                break
        # Where this list was cut behind its sorted part, and no more came since than the sorted part shows, it goes on.
        begin = left.get(video.id, cursor) if met else cursor
        for number, page in enumerate(self._listed(api, video, begin), SORTED + 1):
            found, wrong = _comments(page.listed, video)
            yield _fresh(found, listed), wrong, PAGE_CAP if page.ends_early(number >= MOST_PAGES) else ""
            if not page.cursor or number >= MOST_PAGES:
                break
            left[video.id] = page.cursor
        left.pop(video.id, None)

    def _listed(self, api: Api, video: Video, begin: str) -> Iterator[Page]:
        return api.pages(
            COMMENTS, "comments", MOST_PAGES, begin, video_id=video.id, status=self._asked_for, include_replies="true",
            sort_field="create_time", sort_order="desc", max_count=PAGE,
        )  # fmt: skip

    def _answered(self, api: Api, video: Video, above: Comment, floor: Millis) -> Iterator[Delivery]:
        """The answers to a comment, where not all came with it."""
        whole = above.id in self._whole
        self._whole.discard(above.id)
        try:
            for found, wrong, cut in self._below(api, video, above) if len(above.answers) < above.replies else ():
                ends = any((whole and one.id in self._known) or one.at <= floor for one in found)
                yield from self._told(api, found, wrong, cut, floor, False)
                if ends:
                    break
        except Odd as odd:
            # It may be gone by now, and what stands below it with it; nobody says so.
            yield api.delivery(missed=None, reason=f"TikTok refuses the answers to a comment (code {odd.code})")
        self._whole.add(above.id)

    def _below(self, api: Api, video: Video, above: Comment) -> Iterator[Listed]:
        id = above.id.rpartition("/")[2]
        for number, page in enumerate(
            api.pages(
                ANSWERS, "comments", MOST_PAGES, video_id=video.id, comment_id=id, status=self._asked_for,
                sort_field="create_time", sort_order="desc", max_count=PAGE,
            ), 1,
        ):  # fmt: skip
            found, wrong = _comments(page.listed, video, id)
            yield found, wrong, PAGE_CAP if page.ends_early(number == MOST_PAGES) else ""

    def _answers(self, found: Sequence[Comment], video: Video) -> Iterator[Comment]:
        for above in found:
            yield from _comments(above.answers, video, above.id.rpartition("/")[2])[0]

    # --- what is known ---

    def _told(
        self, api: Api, found: Sequence[Comment], wrong: Sequence[Malformed], cut: str, floor: Millis, reach: bool
    ) -> Iterator[Delivery]:
        """What was not brought yet, what says something else now and, if asked for, whose reach is another."""
        drafts, states = self._known.news(found, lambda one: one.draft if one.at > floor else None, lambda one: reach)
        bad = self._buried.unknown(wrong)
        yield api.delivery(drafts=drafts, malformed=bad, **left_out(cut))
        self._known.note(states)
        self._buried.note(bad)

    def _counts_of(self, video: str) -> dict[str, int]:
        """Numbers of answers by comment, as this source saw them last, whichever process ran it."""
        if video not in self._counts:
            try:
                said = msgspec.json.decode(self._setting.notes.get(_answers_to(video)) or "{}", type=dict[str, int])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                said = {}
            self._counts[video] = said
        return self._counts[video]

    def _count(self, video: str, counts: dict[str, int]) -> None:
        newest = sorted(counts.items(), key=lambda one: (len(one[0]), one[0]))[-MOST_COUNTS:]
        self._counts[video] = dict(newest)
        self._setting.notes.put(_answers_to(video), msgspec.json.encode(self._counts[video]).decode())


def asked_for(api: Api, video: str, numbers: Sequence[str], account: str) -> list[Comment]:
    """Comments below one post by their numbers, `PAGE` at most, hidden ones too; `account`: its name, or empty. Raises
    what `Api.get` raises."""
    data = api.get(COMMENTS, video_id=video, comment_ids=numbers, status="ALL", max_count=PAGE)
    found = [comment_of(one, video, link_of(account, video)) for one in list_of(data, "comments")]
    return [one for one in found if one is not None]


def _comments(listed: Sequence[Any], video: Video, above: str = "") -> tuple[list[Comment], list[Malformed]]:
    return each_of(listed, lambda one: comment_of(one, video.id, video.link, above), f"{video.id}:comments", "comment")


def _fresh(found: Sequence[Comment], listed: set[str]) -> list[Comment]:
    """Those that this list did not show yet."""
    fresh = [one for one in found if one.id not in listed]
    listed |= {one.id for one in fresh}
    return fresh


def _answers_to(video: str) -> str:
    return f"answers:{video}"
