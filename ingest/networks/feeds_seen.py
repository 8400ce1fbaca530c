"""Where feeds stand: what is known of each, as the cursor of their source, and what an entry is by that."""

from __future__ import annotations

import msgspec

from ingest.collector import Draft
from ingest.networks.feeds_entries import Entry, Feed
from ingest.networks.feeds_pages import Unread
from stream.records import Millis

REMEMBERED = 50
"""Entries of a feed that are known again after it showed them no more."""
MOST_HEADER = 500


class Seen(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where a feed stands. All of them together are the source's cursor, each by a hash of its address, which may hold
    a key."""

    etag: str = ""
    modified: str = ""
    at: Millis = 0
    """When it last answered, by the home's time; 0: never."""
    entries: dict[str, str] = {}
    """Key → content of the entries that are known, oldest first."""
    newest: list[str] = []
    """Keys of the newest ones at the last look."""
    failing: Millis = 0
    """Since when it has not answered; 0: it does."""
    hub: str = ""
    """Of WebSub, where it is subscribed to, with the feed's topic there."""
    topic: str = ""
    asked: Millis = 0
    """When the hub was last asked to push, by the wall."""
    unread: dict[str, Unread] = {}
    """Keys of entries whose pages are still to be read."""


def dated(entry: Entry, before: Seen, now: Millis) -> Draft:
    """An entry's own time counts as that of its receipt where it fits between two looks, and at the first look, so that
    what is old wakes nobody."""
    draft = entry.draft
    if entry.key in before.entries:
        return msgspec.structs.replace(draft, kind="edited")
    claimed = draft.claimed_at
    fits = claimed is not None and before.at <= claimed <= now
    return msgspec.structs.replace(draft, seen_at=claimed if fits else None, edited_at=None)


def unread_of(draft: Draft) -> Unread:
    """What the page brings counts as seen just behind the entry itself: what is old wakes nobody."""
    if draft.kind == "edited":
        return Unread(told=False)
    return Unread(seen_at=None if draft.seen_at is None else draft.seen_at + 1)


def remembered(before: Seen, feed: Feed) -> dict[str, str]:
    shown = dict.fromkeys((key for key, _ in feed.malformed), "") | {e.key: e.content for e in feed.entries}
    older = [(key, content) for key, content in before.entries.items() if key not in shown]
    return dict(older[-REMEMBERED:]) | shown


def short(header: str) -> str:
    """A header that is sent back as it came; one that is over-long is no condition."""
    return header if len(header) <= MOST_HEADER else ""
