"""What Mastodon's servers say of a post, and the draft that it becomes.

Follows docs.joinmastodon.org: entities/Status, entities/Quote, entities/ShallowQuote, methods/timelines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from ingest.collector import Draft, Interrupted, Malformed
from ingest.dates import iso_millis
from ingest.markup import words_of
from ingest.web import Answer
from stream.records import Author, Metrics

SHOWN = frozenset({"public", "unlisted"})


class Shape(msgspec.Struct, frozen=True, gc=False):
    """What stands in JSON; unknown fields are passed over."""


class Account(Shape, frozen=True, gc=False):
    acct: str
    display_name: str | None = None
    followers_count: int | None = None
    noindex: bool | None = None


class Standing(Shape, frozen=True, gc=False):
    """Of an account, as a server's moderators left it; the flags are told only where they are true."""

    acct: str
    suspended: bool | None = None
    limited: bool | None = None


class Attachment(Shape, frozen=True, gc=False):
    url: str | None = None
    description: str | None = None


class Boosted(Shape, frozen=True, gc=False):
    uri: str


class Status(Shape, frozen=True, gc=False):
    id: str
    uri: str
    account: Account
    created_at: str
    content: str = ""
    url: str | None = None
    edited_at: str | None = None
    in_reply_to_id: str | None = None
    reblog: Boosted | None = None
    quote: Any = None
    """Servers of other programs write other things here: it must not cost the post."""
    spoiler_text: str | None = None
    visibility: str = "public"
    language: str | None = None
    media_attachments: list[Attachment] = []
    favourites_count: int | None = None
    reblogs_count: int | None = None
    replies_count: int | None = None

    @property
    def shown(self) -> bool:
        """To everybody, and its author does not ask to be left out of indexes."""
        return self.visibility in SHOWN and not self.account.noindex


class Context(Shape, frozen=True, gc=False):
    ancestors: list[Status] = []
    descendants: list[Status] = []


class Timeline(NamedTuple):
    """What one server shows: under a hashtag, or all public posts that it knows."""

    instance: str
    tag: str = ""
    brand: str = ""
    """The brand it is read for."""

    @property
    def path(self) -> str:
        return f"/api/v1/timelines/tag/{quote(self.tag, safe='')}" if self.tag else "/api/v1/timelines/public"

    @property
    def stream(self) -> tuple[str, Mapping[str, str]]:
        """Path and parameters of its stream."""
        if self.tag:
            return "/api/v1/streaming/hashtag", {"tag": self.tag}
        return "/api/v1/streaming/public", {}

    @property
    def host(self) -> str:
        return urlsplit(self.instance).netloc

    @property
    def name(self) -> str:
        """Its lane of the ledger."""
        return f"{self.host}#{self.tag}" if self.tag else self.host


class Page(NamedTuple):
    statuses: list[Status]
    malformed: list[Malformed]
    size: int
    last: int
    """The highest id; 0: none."""


def page_of(answer: Answer, timeline: Timeline) -> Page:
    found = answer.json()
    if answer.status != 200 or not isinstance(found, list):
        raise Interrupted(f"{timeline.name} answers with no timeline")
    statuses: list[Status] = []
    malformed: list[Malformed] = []
    last = 0
    for one in found:
        try:
            last = max(last, int(one["id"]))
            statuses.append(msgspec.convert(one, Status))
        except (msgspec.ValidationError, ValueError, TypeError, KeyError) as fault:
            malformed.append(Malformed(timeline.name, f"no status: {fault}"[:300], msgspec.json.encode(one)))
    return Page(statuses, malformed, len(found), last)


def draft_of(instance: str, status: Status, uri_of: Callable[[str], str | None]) -> Draft:
    """`uri_of`: the address of a post by its id on that server, as far as it is known."""
    account = status.account
    handle = account.acct if "@" in account.acct else f"{account.acct}@{urlsplit(instance).netloc}"
    edited = status.edited_at is not None
    return Draft(
        native_id=status.uri,
        kind="edited" if edited else "created",
        text=words_of(status.content),
        title=status.spoiler_text or None,
        author=Author(
            id=handle.lower(), handle=handle, name=account.display_name or None, followers=account.followers_count
        ),
        lang=status.language,
        claimed_at=iso_millis(status.created_at),
        edited_at=iso_millis(status.edited_at),
        reply_to=None if status.in_reply_to_id is None else uri_of(status.in_reply_to_id),
        quote_of=_quoted(status.quote, uri_of),
        repost_of=None if status.reblog is None else status.reblog.uri,
        link=status.url or status.uri,
        media=tuple(one.url for one in status.media_attachments if one.url),
        metrics=Metrics(likes=status.favourites_count, reposts=status.reblogs_count, replies=status.replies_count),
    )


def _quoted(said: object, uri_of: Callable[[str], str | None]) -> str | None:
    """Whole, or by the id alone (a quote within a quote); a quote that its author did not allow is none."""
    if not isinstance(said, dict) or said.get("state", "accepted") != "accepted":
        return None
    whole = said.get("quoted_status")
    if isinstance(whole, dict) and isinstance(whole.get("uri"), str):
        return str(whole["uri"])
    id = said.get("quoted_status_id")
    return uri_of(id) if isinstance(id, str) else None
