"""What Bluesky's records say, as drafts: posts of the stream, and posts as the AppView shows them.

Follows the lexicons app.bsky.feed.post, app.bsky.richtext.facet, app.bsky.embed.* and app.bsky.feed.defs. Anyone can
write any record into the stream, so nothing in one is believed: what does not fit these shapes raises MsgspecError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ingest.collector import Draft
from ingest.dates import iso_millis
from stream.records import Author, Metrics, Millis, PostKind

POSTS = "app.bsky.feed.post"
PICTURES = "https://cdn.bsky.app/img/feed_fullsize/plain"
MOST_TAGS = 20
_INVALID = "handle.invalid"


class Shape(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What stands in JSON; unknown fields are passed over."""


class Ref(Shape, frozen=True, gc=False):
    """A strong reference; in app.bsky.embed.recordWithMedia one within another."""

    uri: str | None = None
    record: Ref | None = None


class Reply(Shape, frozen=True, gc=False):
    parent: Ref | None = None
    root: Ref | None = None


class Link(Shape, frozen=True, gc=False):
    link: str | None = msgspec.field(default=None, name="$link")


class Blob(Shape, frozen=True, gc=False):
    ref: Link | None = None


class Picture(Shape, frozen=True, gc=False):
    alt: str | None = None
    image: Blob | None = None


class Card(Shape, frozen=True, gc=False):
    uri: str | None = None
    title: str | None = None


class Embed(Shape, frozen=True, gc=False):
    """Any of app.bsky.embed.images, video, external, record, recordWithMedia."""

    images: list[Picture] | None = None
    alt: str | None = None
    external: Card | None = None
    record: Ref | None = None
    media: Embed | None = None


class Feature(Shape, frozen=True, gc=False):
    uri: str | None = None
    did: str | None = None


class Slice(Shape, frozen=True, gc=False):
    """Bytes of the text in UTF-8, the end exclusive."""

    byte_start: int = 0
    byte_end: int = 0


class Facet(Shape, frozen=True, gc=False):
    index: Slice
    features: list[Feature] = []


class Record(Shape, frozen=True, gc=False):
    text: str = ""
    created_at: str | None = None
    langs: list[str] | None = None
    reply: Reply | None = None
    embed: Embed | None = None
    facets: list[Facet] | None = None
    tags: list[str] | None = None


class Verification(Shape, frozen=True, gc=False):
    verified_status: str | None = None


class Profile(Shape, frozen=True, gc=False):
    """app.bsky.actor.defs#profileViewDetailed, or less of it."""

    did: str
    handle: str | None = None
    display_name: str | None = None
    followers_count: int | None = None
    verification: Verification | None = None

    def author(self) -> Author:
        handle = self.handle if self.handle != _INVALID else None
        verified = None if self.verification is None else self.verification.verified_status == "valid"
        return Author(
            id=self.did,
            handle=handle,
            name=self.display_name or None,
            followers=self.followers_count,
            verified=verified,
        )


class View(Shape, frozen=True, gc=False):
    """app.bsky.feed.defs#postView."""

    uri: str
    author: Profile
    record: Record
    indexed_at: str | None = None
    like_count: int | None = None
    repost_count: int | None = None
    reply_count: int | None = None


class Thread(Shape, frozen=True, gc=False):
    """app.bsky.feed.defs#threadViewPost; of a post that is not found or blocked, only its kind."""

    post: View | None = None
    parent: Thread | None = None
    replies: list[Thread] | None = None


class Content(NamedTuple):
    """What is read of a post, as it will stand in the draft."""

    title: str | None
    text: str


def content(record: Record) -> Content:
    """Text with its links in full (Bluesky shows long ones cut), the link of its card and its hidden tags on lines of
    their own, the card's headline as title. Of a post that says nothing else, the descriptions of its pictures."""
    embed = record.embed
    text = _with_links(record.text, record.facets) if record.facets else record.text
    more: list[str] = []
    title = None
    if embed is not None:
        card = embed.external or (embed.media.external if embed.media is not None else None)
        if card is not None:
            title = card.title or None
            if card.uri and card.uri not in text:
                more.append(card.uri)
        if not text and title is None:
            more += [alt for alt in _descriptions(embed) if alt]
    if record.tags:
        more.append(" ".join(f"#{tag.lstrip('#')}" for tag in record.tags[:MOST_TAGS]))
    return Content(title, "\n".join([text, *more] if text else more) if more else text)


def concerned(record: Record) -> Iterator[str]:
    """DIDs of the accounts that a post mentions, answers or quotes."""
    for facet in record.facets or ():
        for feature in facet.features:
            if feature.did is not None:
                yield feature.did
    reply = record.reply
    for ref in (*((reply.parent, reply.root) if reply is not None else ()), _quoted(record.embed)):
        if ref is not None and ref.uri is not None and ref.uri.startswith("at://"):
            yield ref.uri[5:].partition("/")[0]


def post_draft(
    did: str,
    rkey: str,
    record: Record,
    said: Content,
    *,
    kind: PostKind = "created",
    seen_at: Millis | None = None,
    author: Author | None = None,
    brands: Sequence[str] = (),
) -> Draft:
    reply, quoted = record.reply, _quoted(record.embed)
    return Draft(
        native_id=uri(did, rkey),
        kind=kind,
        text=said.text,
        title=said.title,
        author=author or Author(id=did),
        lang=record.langs[0] if record.langs else None,
        claimed_at=iso_millis(record.created_at),
        seen_at=seen_at,
        reply_to=None if reply is None or reply.parent is None else reply.parent.uri,
        conversation=None if reply is None or reply.root is None else reply.root.uri,
        quote_of=None if quoted is None else quoted.uri,
        link=link(did, rkey),
        media=tuple(_pictures(did, record.embed)),
        brands=tuple(brands),
    )


def view_draft(view: View, kind: PostKind = "created", seen_at: Millis | None = None) -> Draft:
    """A post as the AppView shows it, with its reach. `seen_at`: when it was looked up; None: when it was indexed."""
    did, _, rkey = view.uri.removeprefix("at://").partition(f"/{POSTS}/")
    draft = post_draft(
        did,
        rkey,
        view.record,
        content(view.record),
        kind=kind,
        seen_at=seen_at or iso_millis(view.indexed_at),
        author=view.author.author(),
    )
    metrics = Metrics(likes=view.like_count, reposts=view.repost_count, replies=view.reply_count)
    return msgspec.structs.replace(draft, metrics=metrics)


def around(thread: Thread) -> Iterator[View]:
    """The posts above the one asked for, nearest first, then those below it."""
    above = thread.parent
    while above is not None:
        if above.post is not None:
            yield above.post
        above = above.parent
    below = list(reversed(thread.replies or ()))
    while below:
        one = below.pop()
        if one.post is not None:
            yield one.post
        below.extend(reversed(one.replies or ()))


def uri(did: str, rkey: str) -> str:
    return f"at://{did}/{POSTS}/{rkey}"


def link(did: str, rkey: str) -> str:
    return f"https://bsky.app/profile/{did}/post/{rkey}"


def own_brands(record: Record, own: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Brands whose own accounts (by DID) a post mentions, answers or quotes."""
    if not own or (record.facets is None and record.reply is None and record.embed is None):
        return ()
    return tuple(dict.fromkeys(brand for did in concerned(record) if did in own for brand in own[did]))


def _with_links(text: str, facets: Sequence[Facet]) -> str:
    """Links that are shown cut (`example.org/a-long…`) in full."""
    whole = text.encode()
    parts, at = [], 0
    for facet in sorted(facets, key=lambda facet: facet.index.byte_start):
        start, end = facet.index.byte_start, facet.index.byte_end
        target = next((feature.uri for feature in facet.features if feature.uri is not None), None)
        if target is None or not at <= start < end <= len(whole):
            continue
        if whole[start:end].endswith(("…".encode(), b"...")):
            parts += [whole[at:start], target.encode()]
            at = end
    return text if not parts else b"".join([*parts, whole[at:]]).decode("utf-8", "replace")


def _descriptions(embed: Embed) -> Iterator[str]:
    for part in (embed, embed.media):
        if part is not None:
            yield part.alt or ""
            yield from (picture.alt or "" for picture in part.images or ())


def _pictures(did: str, embed: Embed | None) -> Iterator[str]:
    for part in (embed, embed.media) if embed is not None else ():
        for picture in (part.images or ()) if part is not None else ():
            if picture.image is not None and picture.image.ref is not None and picture.image.ref.link:
                yield f"{PICTURES}/{did}/{picture.image.ref.link}@jpeg"


def _quoted(embed: Embed | None) -> Ref | None:
    """A post that is quoted; lists, feeds and starter packs are embedded the same way and are none."""
    if embed is None or embed.record is None:
        return None
    ref = embed.record.record or embed.record
    return ref if ref.uri is not None and f"/{POSTS}/" in ref.uri else None
