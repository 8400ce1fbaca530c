"""A professional Instagram account: its posts, comments and answers, posts that tag it, and what mentions it.

https://developers.facebook.com/documentation/instagram-platform: reference/ig-user/media, …/tags, …/mentioned_comment,
…/mentioned_media, reference/ig-media/comments, reference/ig-comment; webhooks:
https://developers.facebook.com/docs/graph-api/webhooks/reference/instagram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from config.sources.graph import InstagramSource
from ingest.collector import Collector, Draft, Existence
from ingest.dates import iso_millis
from ingest.links import web_address
from ingest.loose import list_of, table, text_of
from ingest.networks.graph import Edge, Graph, Item, edited, looked_up, number_of
from ingest.networks.graph_api import Api, Gone
from ingest.networks.graph_push import Change, GraphPush
from ingest.push import Push
from ingest.setting import Setting
from stream.records import Author, Metrics, Millis

MEDIA = "id,caption,timestamp,permalink,username,media_type,media_url,comments_count,like_count"
_SAID = "id,text,timestamp,username,from,like_count,parent_id"
COMMENT = f"{_SAID},media{{id,permalink}}"
MENTIONED = "id,text,timestamp,username,like_count,media{id,permalink}"
TAGGED, SAID_OF_US, SHOWN_OF_US = "tagged/", "mentioned-comment/", "mentioned-media/"
"""Before ids of what is somebody else's: it cannot be asked for by itself, only as what tags or mentions."""
ANSWERS = 50
LOOKED_FOR = 10
"""Pages of tagged posts in which a sweep looks for one."""


def collector(settings: InstagramSource, setting: Setting) -> Collector:
    return Graph(settings, setting, Account(settings.account))


def push(settings: InstagramSource, setting: Setting) -> Push:
    return GraphPush(settings, setting, AccountChanges(settings.account))


class Account:
    page = 50
    flat = False
    needs: tuple[str, ...] = ("instagram_basic", "instagram_manage_comments", "pages_read_engagement")

    def __init__(self, number: str) -> None:
        self._account = number
        self.edges: Sequence[Edge] = (
            Edge(f"{number}/media", MEDIA, own=True),
            Edge(f"{number}/tags", MEDIA, own=False, mark=TAGGED),
        )

    def post(self, one: Any, edge: Edge) -> Item | None:
        id, at = text_of(one, "id"), iso_millis(text_of(one, "timestamp"))
        if not id or at is None:
            return None
        return Item(id, at, media_draft(one, edge.mark + id, at), number_of(one, "comments_count") or 0)

    def comment(self, one: Any, post: str) -> Item | None:
        id, at = text_of(one, "id"), iso_millis(text_of(one, "timestamp"))
        if not id or at is None:
            return None
        return Item(id, at, comment_draft(one, id, at, post), answers=tuple(list_of(table(one, "replies"), "data")))

    def comments(self, post: str) -> tuple[str, dict[str, str | int]]:
        fields = f"{COMMENT},replies.limit({ANSWERS}){{{_SAID}}}"
        return f"{post}/comments", {"fields": fields, "limit": self.page}

    def look_up(self, api: Api, native_ids: Sequence[str]) -> tuple[dict[str, Existence], list[Draft]]:
        """What is somebody else's one by one; of the rest media and comments are told apart by what they answer."""
        found: dict[str, Existence] = {}
        drafts = list[Draft | None]()
        own = [id for id in native_ids if "/" not in id]
        media = [id for id in native_ids if id.startswith("media/")]
        held = looked_up(api, own, COMMENT)
        for id in own:
            found[id] = "there" if id in held else "gone"
            at = iso_millis(text_of(held.get(id), "timestamp"))
            post = f"media/{text_of(table(held.get(id), 'media'), 'id')}"
            drafts.append(comment_draft(held[id], id, at, post) if at is not None else None)
        shown = looked_up(api, [id.removeprefix("media/") for id in media], MEDIA)
        for id in media:
            one = shown.get(id.removeprefix("media/"))
            found[id], at = "gone" if one is None else "there", iso_millis(text_of(one, "timestamp"))
            drafts.append(media_draft(one, id, at) if at is not None else None)
        for id in native_ids:
            if id.startswith((SAID_OF_US, SHOWN_OF_US)):
                made = mentioned(api, self._account, id)
                found[id] = "gone" if made is None else "there"
                drafts.append(made)
        tagged = [id for id in native_ids if id.startswith(TAGGED)]
        found |= self._tagged(api, tagged) if tagged else {}
        for id in native_ids:
            found.setdefault(id, "absent")
        return found, [edited(one) for one in drafts if one is not None]

    def _tagged(self, api: Api, native_ids: Sequence[str]) -> dict[str, Existence]:
        """Absent only where the list was read to its end."""
        shown, ended = set[str](), False
        for listed, more in api.pages(f"{self._account}/tags", LOOKED_FOR, fields="id", limit=100):
            shown |= {TAGGED + text_of(one, "id") for one in listed}
            ended = not more
        return {id: "there" if id in shown or not ended else "absent" for id in native_ids}

    def above(self, api: Api, native_id: str) -> Iterator[Draft | None]:
        """Of posts, and of what stands with others: nothing."""
        if "/" in native_id:
            return
        own = looked_up(api, [native_id], "id,parent_id,media{id}").get(native_id)
        yield None
        post, answered = text_of(table(own, "media"), "id"), text_of(own, "parent_id")
        if answered:
            one = looked_up(api, [answered], COMMENT).get(answered)
            at = iso_millis(text_of(one, "timestamp"))
            yield comment_draft(one, answered, at, post) if at is not None else None
            if at is None:
                return
        if post:
            one = looked_up(api, [post], MEDIA).get(post)
            at = iso_millis(text_of(one, "timestamp"))
            yield media_draft(one, f"media/{post}", at) if at is not None else None

    def who(self, api: Api) -> str:
        return f"account {text_of(api.get(self._account, fields='id,username'), 'username')}"


class AccountChanges:
    about = "instagram"

    def __init__(self, number: str) -> None:
        self.account = number

    def drafts(self, api: Api, change: Change) -> list[Draft]:
        value = change.value
        if change.field == "comments":
            id, post = text_of(value, "id"), f"media/{text_of(table(value, 'media'), 'id')}"
            made = comment_draft(value, id, change.at, post) if id else None
        elif change.field == "mentions":
            comment, media = text_of(value, "comment_id"), text_of(value, "media_id")
            native = SAID_OF_US + comment if comment else SHOWN_OF_US + media
            made = mentioned(api, self.account, native) if comment or media else None
        else:
            made = None
        return [] if made is None else [made]


def mentioned(api: Api, account: str, native: str) -> Draft | None:
    """None: it is not shown any more."""
    kind, _, id = native.partition("/")
    name, fields = ("comment", MENTIONED) if f"{kind}/" == SAID_OF_US else ("media", MEDIA)
    try:
        held = api.get(account, fields=f"mentioned_{name}.{name}_id({id}){{{fields}}}")
    except Gone:
        return None
    one = table(held, f"mentioned_{name}")
    at = iso_millis(text_of(one, "timestamp"))
    if at is None:
        return None
    if name == "media":
        return media_draft(one, native, at)
    return comment_draft(one, native, at, SHOWN_OF_US + text_of(table(one, "media"), "id"))


def media_draft(one: Any, native: str, at: Millis) -> Draft | None:
    native = native if "/" in native else f"media/{native}"
    text, shown = text_of(one, "caption"), web_address(text_of(one, "media_url"))
    if not text and not shown:
        return None
    who = text_of(one, "username")
    return Draft(
        native_id=native,
        text=text,
        author=Author(id=who, handle=who) if who else None,
        claimed_at=at,
        conversation=native,
        link=text_of(one, "permalink") or None,
        media=(shown,) if shown else (),
        metrics=Metrics(likes=number_of(one, "like_count"), replies=number_of(one, "comments_count")),
    )


def comment_draft(one: Any, native: str, at: Millis, post: str) -> Draft | None:
    post = post if "/" in post else f"media/{post}"
    text, who = text_of(one, "text"), table(one, "from")
    name = text_of(one, "username") or text_of(who, "username")
    if not text:
        return None
    return Draft(
        native_id=native,
        text=text,
        author=Author(id=name, handle=name) if name else None,
        claimed_at=at,
        conversation=post,
        reply_to=text_of(one, "parent_id") or post,
        link=text_of(table(one, "media"), "permalink") or None,
        metrics=Metrics(likes=number_of(one, "like_count")),
    )
