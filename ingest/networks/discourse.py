"""A community on Discourse: posts as its webhook tells of them, and its list of newest posts in case one was lost.

The list (`/posts.json`) is read back to the last post seen, by the posts' numbers, which only grow. Edits and deletes
come by the webhook at once, of the newest posts by the list, of all others by sweeps. Whose posts may be read by whom
is known by their category, and what is not known to be public is never taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec

from config.sources import DiscourseSource
from ingest.buried import Buried
from ingest.collector import (
    PAGE_CAP,
    Collector,
    Delivery,
    Denied,
    Draft,
    Existence,
    Found,
    Malformed,
    Sample,
    Span,
    Style,
    by_hour,
    left_out,
)
from ingest.cursors import closed, opened
from ingest.dates import datetime_millis
from ingest.loose import list_of
from ingest.networks.discourse_api import Api, Categories, Refusing, denied
from ingest.networks.discourse_posts import Access, Post, community, drafted, numbers, posts_of
from ingest.networks.discourse_push import DiscoursePush
from ingest.push import Push
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import HOUR
from stream.records import Millis, PostKind

FIRST: Millis = HOUR
"""How far back the first round goes."""
PAGE = 50
MOST_PAGES = 1_000
SAMPLED_PAGES = 10
SAMPLED = 7 * 24
MOST_KNOWN = 2_000
MOST_ABOVE = 20


def collector(settings: DiscourseSource, setting: Setting) -> Collector:
    return Discourse(settings, setting)


def push(settings: DiscourseSource, setting: Setting) -> Push:
    return DiscoursePush(settings, setting)


class Cursor(msgspec.Struct):
    last: int
    """Number of the newest post that was seen."""


class Discourse:
    style: Style = "poll"
    resumes = True
    most_looked_up = 10

    def __init__(self, settings: DiscourseSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self._api, self._categories = self._new_api(), Categories(settings, setting)
        self._known: dict[int, tuple[object, ...]] = {}
        self._buried = Buried()

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        """Back from the newest post to the last one seen; the cursor moves when that is reached."""
        last = None if cursor is None else opened(cursor, Cursor, "Discourse's")
        access = self._categories.access()
        newest = last.last if last else 0
        floor = last.last if last else None
        warm = bool(self._known)
        seen: dict[int, tuple[object, ...]] = {}
        for posts, malformed, cut in self._pages(self._api, floor):
            # Earlier releases show the last post of a page on the next one too.
            posts = [post for post in posts if post.id not in seen]
            drafts = [made for post in posts if (made := self._news(post, access, floor, warm)) is not None]
            wrong = self._buried.unknown(malformed)
            yield self._delivery(self._api, drafts=drafts, malformed=wrong, **left_out(cut))
            self._buried.note(wrong)
            newest = max([newest, *(post.id for post in posts)])
            seen |= {post.id: self._state(post, access) for post in posts}
            if floor is None and posts and datetime_millis(posts[-1].created_at) < self._setting.clock.wall() - FIRST:
                break
        self._known = dict(sorted({**self._known, **seen}.items())[-MOST_KNOWN:])
        yield self._delivery(self._api, cursor=closed(Cursor(newest)))

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(self._new_api()) as api:
            access = self._categories.access()
            for posts, malformed, cut in self._pages(api, 0):
                times = [datetime_millis(post.created_at) for post in posts]
                wanted = [one for one, at in zip(posts, times, strict=True) if span.since <= at < span.until]
                drafts = [made for one in wanted if (made := self._draft(one, access)) is not None]
                yield self._delivery(api, drafts=drafts, malformed=malformed, **left_out(cut))
                if times and max(times) < span.since:
                    return

    def look_up(self, native_ids: Sequence[str]) -> Found:
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        with closing(self._new_api()) as api:
            access = self._categories.access()
            for native in native_ids:
                post, existence[native] = self._one(api, native)
                made = self._draft(post, access, "edited") if post is not None else None
                if made is not None and made.kind != "deleted":
                    drafts.append(made)
                elif post is not None:
                    existence[native] = "gone"
            if "gone" in existence.values():
                # To whom nothing is shown any more (a key that was taken back) nothing is gone: that raises Denied.
                self._categories.ask()
            return Found(existence=existence, drafts=drafts, asked=self._used(api))

    def context(self, native_id: str) -> Iterator[Delivery]:
        """The posts that it answers, one by one, up to the topic's first."""
        with closing(self._new_api()) as api:
            access = self._categories.access()
            above: str | None = native_id
            for step in range(MOST_ABOVE):
                post, _ = self._one(api, above) if above else (None, "absent")
                made = self._draft(post, access) if post is not None else None
                if made is None:
                    return
                if step:
                    yield self._delivery(api, drafts=[made])
                above = made.reply_to

    def sample(self, wanted: Wanted) -> Sample:
        """All posts of the last week: a community is listened to whole, whatever the brand."""
        now, times, capped = self._setting.clock.wall(), list[Millis](), False
        with closing(self._new_api()) as api:
            for number, (posts, _, _) in enumerate(self._pages(api, 0), 1):
                times += [datetime_millis(post.created_at) for post in posts]
                reached = min(times, default=now) <= now - SAMPLED * HOUR
                capped = number == SAMPLED_PAGES and not reached
                if capped or reached:
                    break
            return Sample(by_hour(times, now, SAMPLED), asked=self._used(api), capped=capped)

    def check(self) -> str:
        with closing(self._new_api()) as api:
            access = self._categories.access()
            try:
                api.get("posts.json")
            except Refusing as refused:
                raise denied(self._settings, refused) from None
        private = sorted(self._settings.private)
        unseen = [one for one in private if int(one) not in access.known]
        if unseen:
            raise Denied(
                f"the community answers, but shows no category {', '.join(unseen)}: see whether {self._settings.user} "
                f"may read it, and the numbers in private of source {self._settings.id}"
            )
        who = f"as {self._settings.user}" if self._settings.key_env else "as anybody"
        return f"{community(self._settings.url)} is read {who}: {len(access.known)} categories, {len(private)} private"

    def close(self) -> None:
        self._api.close()
        self._categories.close()

    def _new_api(self) -> Api:
        return Api(self._settings, self._setting)

    def _delivery(self, api: Api, **brought: Any) -> Delivery:
        return Delivery(asked=self._used(api), **brought)

    def _used(self, api: Api) -> int:
        """Requests since this was asked last, those for the categories among them."""
        return api.used() + self._categories.used()

    def _pages(self, api: Api, floor: int | None) -> Iterator[tuple[list[Post], list[Malformed], str]]:
        """(posts, what is none, why more is missing; empty: nothing is), newest first, back to the one with the number
        `floor`.

        Older versions show those in the fifty numbers up to `before`, newer ones fifty posts below it: so a page may be
        empty or repeat one, and the end is known by the numbers.
        """
        before = 0
        for number in range(MOST_PAGES):
            try:
                page = api.get("posts.json", **({"before": before} if before else {}))
            except Refusing as refused:
                raise denied(self._settings, refused) from None
            posts, malformed = posts_of(list_of(page, "latest_posts"), "posts.json")
            lowest = min((post.id for post in posts), default=before - PAGE)
            following = lowest if not before or lowest < before else before - PAGE
            reached = following <= max(floor or 0, 1) or (not before and not posts)
            yield posts, malformed, PAGE_CAP if number == MOST_PAGES - 1 and not reached else ""
            if reached:
                return
            before = following

    def _one(self, api: Api, native: str) -> tuple[Post | None, Existence]:
        found = numbers(native)
        if found is None or not native.startswith(community(self._settings.url) + "/t/"):
            return None, "absent"
        try:
            held = api.get(f"posts/by_number/{found[0]}/{found[1]}.json")
        except Refusing as refused:
            # Not shown any more to whom it was shown is as good as gone.
            return None, "gone" if refused.status in (403, 404, 410) else "absent"
        posts, _ = posts_of([held], "by_number")
        return (posts[0], "there") if posts else (None, "absent")

    def _news(self, post: Post, access: Access, floor: int | None, warm: bool) -> Draft | None:
        known = self._known.get(post.id)
        if known is None:
            recent = floor is None and self._setting.clock.wall() - datetime_millis(post.created_at) < FIRST
            fresh = recent if floor is None else post.id > floor or (warm and post.id > min(self._known))
            if fresh:
                return self._draft(post, access)
            # It may have been edited while nobody looked; what is told of twice is one edit.
            return self._draft(post, access, "edited") if not warm and floor and (post.version or 1) > 1 else None
        state = self._state(post, access)
        if known == state:
            return None
        made = self._draft(post, access, "edited")
        if known[:-1] != state[:-1]:
            return made
        if made is None or made.kind == "deleted":
            return None
        return Draft(native_id=made.native_id, kind="metrics", metrics=made.metrics, access=made.access)

    def _draft(self, post: Post, access: Access, kind: PostKind = "created") -> Draft | None:
        return drafted(post, self._settings, access, kind)

    def _state(self, post: Post, access: Access) -> tuple[object, ...]:
        """What differs when there is something to tell; the last part is reach alone."""
        text = hash((post.cooked, post.raw))
        label = access.label(post.category_id)
        return (post.version, post.gone, label, post.topic_title, text, (post.likes, post.reply_count))
