"""From drafts to records of topic `posts`: what is the same for every network, for files and for webhooks."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import msgspec
import structlog

from ingest.collector import Draft, Malformed, Source
from ingest.dates import EARLIEST, LATEST
from ingest.known import Held, Known
from ingest.lately import Lately
from ingest.links import web_address
from ingest.stars import rated
from stream.clock import event_time
from stream.ports import DEAD_LETTER, POSTS, Append, Log
from stream.records import CONTENT_KINDS, Author, DeadLetter, Metrics, Millis, Origin, Post, encode

MAX_TEXT = 100_000
"""Characters of a post's text; a longer one is refused, not cut."""
MAX_ID = 200
MAX_SHORT = 2_000
"""Characters of a title; a longer one is cut."""
MAX_LIST = 20
MAX_PAYLOAD = 65_536
"""Bytes of a refused record that its dead letter keeps."""

Prefilter = Callable[[str], bool]
"""Whether a post may be about any brand, asked with title, text and author's handle on lines of their own; never false
for one that is (`query.prefilter.compile_prefilter`)."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_HALF = re.compile("[\ud800-\udfff]")
HALF_NOTE = "half a character (a lone surrogate) was replaced by U+FFFD"
LINK_NOTE = "an address was left out: kept are http and https without a login, up to 2,000 characters"
NETWORK = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_SPACE = re.compile(r"[\s#]")
_log = structlog.get_logger(__name__)
_WITHOUT_CONTENT = frozenset({"deleted", "expired", "forgotten", "author_gone"})
_HIGHEST = 2**63 - 1


class Unacceptable(ValueError):
    """A draft that can be no post, in words without its text."""


class Took(NamedTuple):
    """What became of a batch."""

    kept: list[str]
    """Native ids of the posts appended."""
    filtered: int
    """Left out by the pre-filter: about nobody who is listened for."""
    dead: int
    mended: Mapping[str, int] = {}
    """What was set right in posts that were kept: in how many."""
    again: Sequence[str] = ()
    """Native ids of posts that were received, and had been appended just so a moment ago."""
    late: int = 0
    """Of the kept, those that came too late to wake anybody."""


class Stamped(NamedTuple):
    """The post that a draft is, and what had to be set right for it to be one."""

    post: Post
    notes: tuple[str, ...] = ()


class Intake:
    """Stamps, filters and appends the drafts of one source. What `take` returned for is durable."""

    def __init__(
        self,
        log: Log,
        source: Source,
        prefilter: Prefilter | None = None,
        held: Held | None = None,
        lately: Lately | None = None,
    ) -> None:
        """`held`: of a firehose, words about posts and authors that are not here are left out. None: all are kept.
        `lately`: shared by all that append for this source; what it knows is not appended again."""
        self.log, self.source, self._lately = log, source, lately
        self._prefilter = prefilter
        self._known = Known(source.network, held) if held is not None and source.firehose else None
        self._alone = threading.Lock()
        """What comes and what fills a hole are taken by two threads, and what is known is for one at a time."""

    def take(
        self,
        drafts: Sequence[Draft],
        now: Millis,
        origin: Origin,
        malformed: Sequence[Malformed] = (),
        *,
        late_before: Millis = 0,
    ) -> Took:
        """Append what is a post and wanted, dead-letter what can be none. Raises what the log raises; then nothing
        may be taken as done. Live posts from before `late_before` (the end of a hole) are gap-filled ones."""
        with (
            self._alone if self._known is not None else nullcontext(),
            self._lately.alone if self._lately is not None else nullcontext(),
        ):
            return self._take(drafts, now, origin, malformed, late_before)

    def _take(
        self, drafts: Sequence[Draft], now: Millis, origin: Origin, malformed: Sequence[Malformed], late_before: Millis
    ) -> Took:
        records: list[Append] = [dead_letter(one, now) for one in malformed]
        kept: list[str] = []
        again: list[str] = []
        appended: list[Post] = []
        lately = self._lately
        mended: Counter[str] = Counter()
        dead = len(records)
        sorted_out = None if self._known is None else self._known.sort(drafts, self._passes, now)
        if sorted_out is None:
            wanted: Sequence[Draft] = [draft for draft in drafts if self._passes(draft)]
            filtered = len(drafts) - len(wanted)
        else:
            wanted, filtered = sorted_out.kept, sorted_out.filtered
        for draft in wanted:
            late = origin == "live" and (draft.seen_at or draft.claimed_at or now) < late_before
            try:
                post, notes = stamped(draft, self.source, now, "gapfill" if late else origin)
            except Unacceptable as refusal:
                place = f"{self.source.id}:{draft.native_id[:MAX_ID]}"
                payload = draft_bytes(draft)
                records.append(dead_letter(Malformed(place, str(refusal), payload, "Unacceptable"), now))
                dead += 1
            else:
                if lately is not None and lately.knows(post):
                    again.append(draft.native_id)
                    continue
                records.append(Append(POSTS, post.id, encode(post)))
                appended.append(post)
                kept.append(draft.native_id)
                mended.update(notes)
        if records:
            self.log.append(records)
        if lately is not None:
            lately.note(appended, now)
        if self._known is not None and sorted_out is not None:
            self._known.note(sorted_out, now)
        for note, posts in mended.items():
            _log.info("ingest.mended", source=self.source.id, note=note, posts=posts)
        return Took(kept, filtered, dead, mended, again, too_late(appended, now))

    def _passes(self, draft: Draft) -> bool:
        return passes(draft, self.source, self._prefilter)


def too_late(posts: Iterable[Post], now: Millis) -> int:
    """How many were seen on their network so long before they came that routing wakes nobody for them."""
    return sum(now - post.seen_at > post.max_lateness for post in posts)


def passes(draft: Draft, source: Source, prefilter: Prefilter | None) -> bool:
    """Whether a draft is kept: of a firehose only what may be about a brand."""
    if prefilter is None or not source.firehose or draft.kind not in CONTENT_KINDS:
        return True
    if draft.brands or draft.query_ids or source.brands:
        return True
    author = draft.author
    who = "" if author is None else author.handle or author.id
    return prefilter(f"{draft.title or ''}\n{draft.text}\n{who}")


def stamped(draft: Draft, source: Source, now: Millis, origin: Origin) -> Stamped:
    """The post that a draft of `source` is, observed at `now`.

    Control characters are taken out and over-long side fields cut; half characters are replaced and addresses that are
    no links left out, which the notes say. Raises Unacceptable where the rest makes no post. Ids
    get the network in front. A receipt time ahead of `now`, or before 1990, counts as now; a claim outside 1990 to
    2099 is dropped, and the post marked; an edit later than the receipt counts as made then.
    """
    network = draft.network or source.network
    if not NETWORK.match(network):
        raise Unacceptable(f"network {network[:40]!r} is not a short lower-case name such as 'mastodon'")
    if len(draft.text) > MAX_TEXT:
        raise Unacceptable(
            f"its text has {len(draft.text):,} characters, more than the {MAX_TEXT:,} that a post may have"
        )
    if draft.kind in _WITHOUT_CONTENT:
        draft = msgspec.structs.replace(draft, text="", title=None, rating=None, media=())
    text = clean(draft.text)
    if not text and draft.kind in ("created", "edited") and not draft.title and not draft.media and not draft.repost_of:
        raise Unacceptable("it has neither text nor title nor media")
    seen = draft.seen_at if draft.seen_at is not None and EARLIEST <= draft.seen_at <= now else now
    claimed = _dated(draft.claimed_at)
    if draft.kind == "metrics":
        counts, doubted = seen, False
    else:
        counts, doubted = event_time(claimed, seen, origin)
    link, media, left_out = _addresses(draft)
    post = Post(
        id=post_id(network, draft.native_id),
        network=network,
        kind=draft.kind,
        text=text,
        title=_short(draft.title),
        rating=rated(draft.rating),
        author=None if draft.author is None else _author(draft.author),
        lang=_short(draft.lang, 35),
        country=_short(draft.country, 2),
        claimed_at=claimed,
        seen_at=seen,
        event_time=counts,
        clock_doubted=doubted or claimed != draft.claimed_at,
        edited_at=_edited(draft.edited_at, seen),
        revision=_bounded(draft.revision),
        conversation=_reference(network, draft.conversation),
        reply_to=_reference(network, draft.reply_to),
        quote_of=_reference(network, draft.quote_of),
        repost_of=_reference(network, draft.repost_of),
        link=link,
        media=media,
        metrics=None if draft.metrics is None else _reach(draft.metrics),
        origin=origin,
        source_id=source.id,
        query_ids=_labels(draft.query_ids),
        brands=_labels(source.brands + draft.brands),
        access=_short(draft.access, MAX_ID) or source.access,
        max_lateness=source.max_lateness,
    )
    notes = (*((HALF_NOTE,) if _has_half(draft) else ()), *((LINK_NOTE,) if left_out else ()))
    return Stamped(post, notes)


def post_id(network: str, native_id: str) -> str:
    """`network:native_id`; an id that already starts so stays as it is. Raises Unacceptable for what is no id."""
    native = native_id.strip()
    if not native:
        raise Unacceptable("it has no id")
    if len(native) > MAX_ID:
        raise Unacceptable(f"its id has {len(native):,} characters, more than {MAX_ID}")
    if not native.isprintable() or _SPACE.search(native):
        native = _SPACE.sub("_", _CONTROL.sub("", native))
    return native if native.startswith(network + ":") else f"{network}:{native}"


def clean(text: str) -> str:
    """The text without control characters (line breaks and tabs stay), half of a surrogate pair as U+FFFD."""
    return text if text.isprintable() else _CONTROL.sub("", _HALF.sub("\ufffd", text))


def _has_half(draft: Draft) -> bool:
    author = draft.author
    said = [draft.text, draft.title or ""]
    if author is not None:
        said += [author.name or "", author.handle or ""]
    return any(not one.isprintable() and _HALF.search(one) for one in said)


def _addresses(draft: Draft) -> tuple[str | None, tuple[str, ...], bool]:
    """(link, media, whether an address was left out)."""
    link = web_address(draft.link) if draft.link else None
    kept = tuple([one for one in map(web_address, draft.media[:MAX_LIST]) if one]) if draft.media else ()
    left_out = (bool(draft.link) and link is None) or len(kept) < min(len(draft.media), MAX_LIST)
    return link, kept, left_out


def dead_letter(one: Malformed, now: Millis) -> Append:
    """The record of topic `dead-letter` for something that never became a post: `topic` is empty, `key` the place."""
    payload = base64.b64encode(one.payload[:MAX_PAYLOAD]).decode("ascii")
    cut = f" (only the first {MAX_PAYLOAD:,} bytes are kept)" if len(one.payload) > MAX_PAYLOAD else ""
    place = clean(one.place)[-MAX_ID:]
    record = DeadLetter(
        stage="ingest",
        topic="",
        partition=0,
        offset=one.number,
        key=place,
        reason=one.reason + cut,
        error=one.error,
        payload=payload,
        at=now,
    )
    return Append(DEAD_LETTER, place, encode(record))


def draft_bytes(draft: Draft) -> bytes:
    """A refused draft as JSON, in ASCII (what it holds may not be valid Unicode), for its dead letter."""
    return json.dumps(msgspec.to_builtins(draft))[:MAX_PAYLOAD].encode("ascii")


def _author(author: Author) -> Author:
    if (
        (author.followers is None or 0 <= author.followers <= _HIGHEST)
        and author.id.isprintable()
        and len(author.id) <= MAX_ID
        and (author.handle is None or (author.handle.isprintable() and len(author.handle) <= MAX_ID))
        and (author.name is None or (author.name.isprintable() and len(author.name) <= MAX_ID))
    ):
        return author
    return Author(
        id=clean(author.id)[:MAX_ID],
        handle=_short(author.handle, MAX_ID),
        name=_short(author.name, MAX_ID),
        followers=_bounded(author.followers),
        verified=author.verified,
    )


def _reach(metrics: Metrics) -> Metrics:
    counts = (metrics.likes, metrics.reposts, metrics.replies, metrics.views)
    if all(count is None or 0 <= count <= _HIGHEST for count in counts):
        return metrics
    likes, reposts, replies, views = (_bounded(count) for count in counts)
    return Metrics(likes=likes, reposts=reposts, replies=replies, views=views)


def _reference(network: str, native_id: str | None) -> str | None:
    """Of another post; one that can be no id says nothing, and the post itself stays."""
    if native_id is None:
        return None
    try:
        return post_id(network, native_id)
    except Unacceptable:
        return None


def _short(value: str | None, most: int = MAX_SHORT) -> str | None:
    return None if value is None else clean(value)[:most] or None


def _dated(time: Millis | None) -> Millis | None:
    return time if time is not None and EARLIEST <= time < LATEST else None


def _edited(time: Millis | None, seen: Millis) -> Millis | None:
    """Nothing was edited after it was seen: a clock that runs ahead must not make an edit the last one for good."""
    return None if time is None or time < EARLIEST else min(time, seen)


def _bounded(value: int | None) -> int | None:
    return None if value is None else max(0, min(value, _HIGHEST))


def _labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clean(label)[:MAX_ID] for label in labels))[:MAX_LIST] if labels else ()
