"""What LinkedIn lists of a page, and single posts and comments: answers taken apart, what is none of them set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from config.sources import LinkedinSource
from ingest.buried import Buried
from ingest.collector import PAGE_CAP, Malformed, Span
from ingest.loose import each_of, list_of
from ingest.networks.linkedin_api import Api, Gone, Hidden, encoded, listed
from ingest.networks.linkedin_posts import Item, comment_item, is_post, mention_draft, parts_of, post_item
from ingest.web import Refused
from stream.clock import HOUR
from stream.records import Millis

FIRST: Millis = HOUR
"""How far back the first round goes."""
PAGE = 100
MOST_PAGES = 1_000

NOT_SHOWN = "LinkedIn does not show the comments"

Page = tuple[list[Item], list[Malformed], str]
"""(what is listed, what of it can be none and was not told yet, why more is missing; empty: nothing is)."""


class Lists:
    """For one thread."""

    def __init__(self, settings: LinkedinSource, api: Api, buried: Buried) -> None:
        self.api = api
        self.page = f"urn:li:organization:{settings.organization}"
        self._settings, self._buried = settings, buried

    def sees_its_own(self) -> str:
        """To a token that does not see the list of the page's own posts nothing is gone. The newest of them; empty:
        there is none. Raises Denied."""
        try:
            newest = list_of(self.api.get("posts", f"{self._by_page()}&count=1"), "elements")
        except (Gone, Hidden):
            raise self._refused() from None
        item = post_item(newest[0]) if newest else None
        return item.id if item is not None else ""

    def sees_comments(self, post: str) -> None:
        """Raises Denied."""
        try:
            self.api.get(f"socialActions/{encoded(post)}/comments", "count=1")
        except Gone:
            return
        except Hidden:
            raise self.api.refused("comments") from None

    def posts(self, floor: Millis | None) -> Iterator[Page]:
        """Those that were changed last first, back to `floor`; None: to those of before the first round, and as many as
        are followed."""
        query, least = f"{self._by_page()}&sortBy=LAST_MODIFIED", self._settings.follow if floor is None else 0
        try:
            for found, wrong, last, more in self._pages("posts", query, post_item):
                floor, least = self.api.time - FIRST if floor is None else floor, least - len(found)
                oldest = min((one.modified for one in found), default=floor + 1)
                reached = not more or (oldest <= floor and least <= 0)
                yield found, wrong, PAGE_CAP if last and not reached else ""
                if reached:
                    return
        except (Gone, Hidden):
            raise self._refused() from None

    def comments(self, of: str, post: str) -> Iterator[Page]:
        """Those of a post, or the answers to a comment on it; none where it is gone."""
        path = f"socialActions/{encoded(of)}/comments"
        try:
            for found, wrong, last, more in self._pages(path, "", lambda one: comment_item(one, post)):
                yield found, wrong, PAGE_CAP if last and more else ""
        except Gone:
            return
        except Hidden:
            yield [], [], NOT_SHOWN

    def answers(self, comments: Sequence[Item], post: str) -> Iterator[Page]:
        for one in comments:
            yield from self.comments(one.id, post)

    def mentions(self, span: Span, known: Callable[[str], bool]) -> Iterator[Page]:
        """Posts of others that mention the page; those that may not be read have no draft, nor have those that are
        `known` and would have to be asked for."""
        query = (
            f"q=criteria&actions={listed(['SHARE_MENTION'])}&organizationalEntity={encoded(self.page)}"
            f"&timeRange=(start:{span.since},end:{span.until})"
        )
        try:
            for found, wrong, last, more in self._pages(
                "organizationalEntityNotifications", query, lambda one: self._mention(one, known)
            ):
                yield found, wrong, PAGE_CAP if last and more else ""
        except (Gone, Hidden):
            raise self.api.refused("who mentions the page (rw_organization_admin; or set `mentions: false`)") from None

    def one(self, native: str, posts: Mapping[str, str]) -> Item | None:
        """A post or comment by its id; None: LinkedIn knows no such form. `posts`: what comments call a post, how the
        list of posts calls it. Raises Gone, Hidden, and what `Api.get` raises."""
        comment = parts_of(native)
        try:
            if comment is not None:
                held = self.api.get(f"socialActions/{encoded(comment[0])}/comments/{comment[1]}")
                return comment_item({"commentUrn": native, **held}, posts.get(comment[0], ""))
            return post_item(self.api.get(f"posts/{encoded(native)}")) if is_post(native) else None
        except Refused:
            return None

    def _mention(self, told: Any, known: Callable[[str], bool]) -> Item | None:
        held = mention_draft(told, self.page)
        if held is None:
            return None
        id, at, draft = held
        if draft is None and not known(id):
            try:
                item = self.one(id, {})
            except (Gone, Hidden):
                item = None
            draft = item.draft if item is not None else None
        return Item(id, at, draft, modified=at)

    def _pages(
        self, path: str, query: str, read: Callable[[Any], Item | None]
    ) -> Iterator[tuple[list[Item], list[Malformed], bool, bool]]:
        """(what is listed, what of it can be none, whether no more pages are asked for, whether there are more). What
        is dated ahead counts as of now: how far a list was read must not lie where nothing is yet."""
        for number, (some, more) in enumerate(self.api.pages(path, query, PAGE, MOST_PAGES), 1):
            found, wrong = each_of(some, read, f"{self._settings.id}:{path.partition('/')[0]}", "post")
            now = self.api.time
            dated = [one._replace(at=min(one.at, now), modified=min(one.modified, now)) for one in found]
            yield dated, self._buried.unknown(wrong), number == MOST_PAGES, more

    def _by_page(self) -> str:
        return f"author={encoded(self.page)}&q=author"

    def _refused(self) -> Exception:
        return self.api.refused(f"the posts of organisation {self._settings.organization}")
