"""A Facebook page: its posts and those of visitors, comments and answers, posts that tag it.

https://developers.facebook.com/docs/graph-api/reference/page/feed, …/page/tagged, …/reference/object/comments,
…/reference/comment; what its webhook sends: …/graph-api/webhooks/reference/page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from config.sources.graph import FacebookSource
from ingest.collector import Collector, Draft, Existence
from ingest.dates import iso_millis
from ingest.links import web_address
from ingest.loose import table, text_of
from ingest.networks.graph import Edge, Graph, Item, edited, looked_up, number_of
from ingest.networks.graph_api import Api, Gone
from ingest.networks.graph_push import Change, GraphPush
from ingest.push import Push
from ingest.setting import Setting
from stream.clock import SECOND
from stream.records import Author, Metrics, Millis

POST = (
    "id,message,story,created_time,updated_time,from,permalink_url,full_picture,"
    "shares,comments.filter(stream).limit(0).summary(total_count),reactions.limit(0).summary(total_count)"
)
COMMENT = "id,message,created_time,from,permalink_url,like_count,comment_count,parent{id},attachment{media,url}"
OBJECT = "object{id}"
"""What a comment stands under: a post, or a photo or video of one, whose number the comment's own id begins with."""
TAGGED = "tagged/"
"""Before the id of a post that stands on somebody else's page: it cannot be told from a comment's by itself."""
_POSTS = frozenset({"post", "status", "photo", "video", "share", "link", "note", "event", "album", "reel"})


def collector(settings: FacebookSource, setting: Setting) -> Collector:
    return Graph(settings, setting, Page(settings.page))


def push(settings: FacebookSource, setting: Setting) -> Push:
    return GraphPush(settings, setting, PageChanges(settings.page))


class Page:
    page = 100
    flat = True
    needs: tuple[str, ...] = ("pages_read_engagement", "pages_read_user_content")

    def __init__(self, number: str) -> None:
        self._page = number
        self.edges: Sequence[Edge] = (
            Edge(f"{number}/feed", POST, own=True),
            Edge(f"{number}/tagged", POST, own=False, mark=TAGGED),
        )

    def post(self, one: Any, edge: Edge) -> Item | None:
        id, at = text_of(one, "id"), iso_millis(text_of(one, "created_time"))
        if not id or at is None:
            return None
        count = number_of(one, "comments", "summary", "total_count") or 0
        return Item(id, at, self.post_draft(one, at, edge.mark), count, text_of(one, "updated_time"))

    def comment(self, one: Any, post: str) -> Item | None:
        id, at = text_of(one, "id"), iso_millis(text_of(one, "created_time"))
        return None if not id or at is None else Item(id, at, comment_draft(one, id, at, post))

    def comments(self, post: str) -> tuple[str, dict[str, str | int]]:
        return f"{post}/comments", {
            "fields": COMMENT, "filter": "stream", "order": "reverse_chronological", "limit": self.page
        }  # fmt: skip

    def post_draft(self, one: Any, at: Millis, mark: str = "") -> Draft | None:
        id, picture = text_of(one, "id"), web_address(text_of(one, "full_picture"))
        mark = "" if id.startswith(f"{self._page}_") else mark
        text = text_of(one, "message") or text_of(one, "story")
        if not text and not picture:
            return None
        return Draft(
            native_id=mark + id,
            text=text,
            author=author(one),
            claimed_at=at,
            conversation=mark + id,
            link=text_of(one, "permalink_url") or f"https://www.facebook.com/{id}",
            media=(picture,) if picture else (),
            metrics=Metrics(
                likes=number_of(one, "reactions", "summary", "total_count"),
                replies=number_of(one, "comments", "summary", "total_count"),
                reposts=number_of(one, "shares", "count"),
            ),
        )

    def look_up(self, api: Api, native_ids: Sequence[str]) -> tuple[dict[str, Existence], list[Draft]]:
        """Posts and comments apart: their fields differ."""
        posts = {id: id.removeprefix(TAGGED) for id in native_ids if id.startswith((f"{self._page}_", TAGGED))}
        comments = [id for id in native_ids if id not in posts]
        found, drafts = dict[str, Existence](dict.fromkeys(native_ids, "gone")), list[Draft | None]()
        held = looked_up(api, list(posts.values()), POST)
        for native, id in posts.items():
            if id in held:
                found[native] = "there"
                at, mark = iso_millis(text_of(held[id], "created_time")), TAGGED if native.startswith(TAGGED) else ""
                drafts.append(self.post_draft(held[id], at, mark) if at is not None else None)
        for id, one in looked_up(api, comments, f"{COMMENT},{OBJECT}").items():
            found[id] = "there"
            at = iso_millis(text_of(one, "created_time"))
            drafts.append(comment_draft(one, id, at, self._post_of(one)) if at is not None else None)
        return found, [edited(one) for one in drafts if one is not None]

    def _post_of(self, comment: Any) -> str:
        """As the API says it; empty where it names no post of the page: what was known of it stays."""
        under = text_of(table(comment, "object"), "id")
        return under if under.startswith(f"{self._page}_") else ""

    def above(self, api: Api, native_id: str) -> Iterator[Draft | None]:
        """Of a post: nothing. Of a comment on a photo or video the API names no post of the page."""
        if native_id.startswith((f"{self._page}_", TAGGED)):
            return
        own = looked_up(api, [native_id], f"id,parent{{id}},{OBJECT}").get(native_id)
        yield None
        post, answered = self._post_of(own), text_of(table(own, "parent"), "id")
        if answered:
            one = looked_up(api, [answered], COMMENT).get(answered)
            at = iso_millis(text_of(one, "created_time"))
            yield comment_draft(one, answered, at, post) if at is not None else None
            if at is None:
                return
        if post:
            one = looked_up(api, [post], POST).get(post)
            at = iso_millis(text_of(one, "created_time"))
            yield self.post_draft(one, at) if at is not None else None

    def who(self, api: Api) -> str:
        return f"page {text_of(api.get(self._page, fields='id,name'), 'name')}"


class PageChanges:
    """What the webhook of an app tells of a page."""

    about = "page"

    def __init__(self, number: str) -> None:
        self.account = number
        self._page = Page(number)

    def drafts(self, api: Api, change: Change) -> list[Draft]:
        """Of one change. Raises what `Api.get` raises, where it has to be asked for."""
        value, item = change.value, text_of(change.value, "item")
        verb = text_of(value, "verb")
        post, comment = text_of(value, "post_id"), text_of(value, "comment_id")
        id = comment if item == "comment" else post if item in _POSTS else ""
        if change.field == "mention":
            return self._mention(api, comment or post, post, bool(comment), verb)
        if change.field != "feed" or not id:
            return []
        if verb in ("remove", "delete"):
            return [Draft(native_id=id, kind="deleted")]
        if verb not in ("add", "edit", "edited"):
            return []
        made = self._told(value, id, post, item == "comment", change.at)
        if made is None or value.get("published") in (0, False):
            return []
        return [made if verb == "add" else edited(made, change.at)]

    def _told(self, value: dict[str, Any], id: str, post: str, is_comment: bool, at: Millis) -> Draft | None:
        text, photo = text_of(value, "message"), web_address(text_of(value, "photo") or text_of(value, "link"))
        if not text and not photo:
            return None
        above = text_of(value, "parent_id") or post
        made = number_of(value, "created_time")
        return Draft(
            native_id=id,
            text=text,
            author=author(value),
            claimed_at=at if made is None else made * SECOND,
            conversation=post or id,
            reply_to=above if is_comment else None,
            link=f"https://www.facebook.com/{id}",
            media=(photo,) if photo else (),
        )

    def _mention(self, api: Api, id: str, post: str, is_comment: bool, verb: str) -> list[Draft]:
        """Only its ids are told."""
        native = id if is_comment or id.startswith(f"{self.account}_") else TAGGED + id
        if not id:
            return []
        if verb in ("remove", "delete"):
            return [Draft(native_id=native, kind="deleted")]
        try:
            one = api.get(id, fields=COMMENT if is_comment else POST)
        except Gone:
            return []
        at = iso_millis(text_of(one, "created_time"))
        if at is None:
            return []
        made = comment_draft(one, id, at, post) if is_comment else self._page.post_draft(one, at, TAGGED)
        return [] if made is None else [made if verb == "add" else edited(made)]


def comment_draft(one: Any, id: str, at: Millis, post: str) -> Draft | None:
    """`post`: empty where it is not known."""
    attached = table(one, "attachment")
    picture = table(table(attached, "media"), "image")
    media = web_address(text_of(picture, "src") or text_of(attached, "url"))
    text = text_of(one, "message")
    if not text and not media:
        return None
    return Draft(
        native_id=id,
        text=text,
        author=author(one),
        claimed_at=at,
        conversation=post or None,
        reply_to=text_of(table(one, "parent"), "id") or post or None,
        link=text_of(one, "permalink_url") or f"https://www.facebook.com/{id}",
        media=(media,) if media else (),
        metrics=Metrics(likes=number_of(one, "like_count"), replies=number_of(one, "comment_count")),
    )


def author(one: Any) -> Author | None:
    """Left out by Facebook for most people who wrote a post of their own."""
    held = table(one, "from")
    id = text_of(held, "id")
    return Author(id=id, name=text_of(held, "name") or None) if id else None
