"""Webhook in: posts that other programs push, signed, bounded, each version taken once, acknowledged when durable.

The handler is pure of HTTP: `web` gives it headers, body and time, and sends what it returns. Body:
`{"posts": [{"id": …, "text": …, "created_at": …}, …], "origin": "live"}`, or one such post, or a list of them. Answers:

    202  durable: {"accepted": n, "duplicates": n, "rejected": [{"index": i, "error": …}]}, and "notes" of what was
         set right, [{"index": i, "note": …}], where there was anything
    401  no signature, a wrong one, or one that is too old
    403  the source takes nothing (no secret is configured)
    413  too many bytes, or too many posts
    422  no JSON, no post in it that can be taken, or an Idempotency-Key used for another body
    429  too much at once: come again after `retry_after` seconds
    503  not durable now: come again after `retry_after` seconds; nothing of this body counts as taken

What is signed and can be no post goes to the dead letters as well, once a week.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import structlog

from ingest.collector import Draft, Malformed, Source
from ingest.dates import NoDate, millis_reader
from ingest.intake import HALF_NOTE, Took, Unacceptable, dead_letter, stamped, too_late
from ingest.patience import DISK, Hold
from ingest.signature import BadSignature, verify
from ingest.taken import Last, Taken
from ingest.versions import fresh, hashed, items
from stream.away import post_goes
from stream.clock import MINUTE, SECOND
from stream.ports import POSTS, Append, Log, Transient
from stream.records import MOST_STARS, Author, Metrics, Millis, Post, PostKind, encode

Answer: TypeAlias = tuple[int, dict[str, Any]]
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Stars: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MOST_STARS)]

Heard: TypeAlias = Callable[[Took], None]
"""Told the ids of posts that were new, and how many of the same push could be no post."""

IDEMPOTENCY_HEADER = "Idempotency-Key"
MAX_BODY = 1_000_000
MAX_POSTS = 1_000
POSTS_PER_MINUTE = 60_000
LONGEST_KEY = 200

_log = structlog.get_logger(__name__)
_when = millis_reader()


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A configured webhook."""

    source: Source
    """Its network is for posts that name none."""
    secrets: Callable[[], Sequence[str]]
    """Asked at every push, so that a secret can be changed without a restart (see `ingest.signature.signing_keys`)."""
    max_body: int = MAX_BODY
    max_posts: int = MAX_POSTS
    posts_per_minute: int = POSTS_PER_MINUTE


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str | int
    handle: str | None = None
    name: str | None = None
    followers: Number | None = None
    verified: bool | None = None


class Reach(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    likes: Number | None = None
    reposts: Number | None = None
    replies: Number | None = None
    views: Number | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One post as it is pushed. Times are ISO 8601 (UTC where none is named), or seconds or milliseconds since 1970."""

    id: str | int
    kind: PostKind = "created"
    network: str = ""
    text: str = ""
    title: str | None = None
    rating: Stars | None = None
    author: Person | str | None = None
    created_at: str | int | float | None = None
    edited_at: str | int | float | None = None
    seen_at: str | int | float | None = None
    """When the network received this version; without it, when it arrives here."""
    revision: Number | None = None
    lang: str | None = None
    country: str | None = None
    conversation: str | None = None
    reply_to: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    link: str | None = None
    media: tuple[str, ...] = ()
    metrics: Reach | None = None


class Push(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    posts: list[msgspec.Raw]
    origin: Literal["live", "backfill"] = "live"
    """`backfill`: history; its times are believed, and it wakes nobody."""


class _Refused(msgspec.Struct, frozen=True):
    """A part of a push that can be no post."""

    index: int
    raw: bytes
    why: str
    error: str


class Webhook:
    """Takes the pushes of one source; several threads may call it."""

    def __init__(self, hook: Hook, log: Log, taken: Taken, hold: Hold | None = None, took: Heard | None = None) -> None:
        """`took` hears of what came, once it is durable."""
        self.hook, self.log, self.taken, self.hold = hook, log, taken, hold or (lambda: None)
        self.took = took or (lambda took: None)
        self._one_at_a_time = threading.Lock()
        self._allowance = float(hook.posts_per_minute)
        self._counted_at: Millis | None = None

    def handle(self, headers: Mapping[str, str], body: bytes, now: Millis, wall: Millis | None = None) -> Answer:
        """(status, JSON) for one push; never raises for what a sender or the log may do.

        `now` is the home's time, by which posts are seen; `wall` (else `now`) the one that senders sign by.
        """
        if len(body) > self.hook.max_body:
            return _error(
                413, f"the body has {len(body):,} bytes, more than {self.hook.max_body:,}: send fewer posts at once"
            )
        named = {name.lower(): value for name, value in headers.items()}
        secrets = self.hook.secrets()
        if not secrets:
            return _error(403, "this webhook takes nothing yet: no signing secret is configured for it")
        try:
            verify(named, body, secrets, now if wall is None else wall)
        except BadSignature as wrong:
            return _error(401, str(wrong))
        waiting = self.hold()
        if waiting is not None and not _takes_away(body):
            status = 503 if waiting == DISK else 429
            return _error(status, f"not now ({waiting}): nothing was taken, send it again", retry_after=10)
        with self._one_at_a_time:
            try:
                return self._taken_once(named.get(IDEMPOTENCY_HEADER.lower(), ""), body, now)
            except Transient as fault:
                _log.warning("webhook.not_durable", source=self.hook.source.id, fault=str(fault))
                return _error(
                    503, "the log does not take posts now: nothing counts as taken, send it again", retry_after=10
                )

    def _taken_once(self, key: str, body: bytes, now: Millis) -> Answer:
        if len(key) > LONGEST_KEY:
            return _error(422, f"{IDEMPOTENCY_HEADER} is longer than {LONGEST_KEY} characters")
        digest = hashlib.sha256(body).hexdigest()
        if key:
            earlier = self.taken.answer(self.hook.source.id, key)
            if earlier is not None and earlier[0] != digest:
                return _error(
                    422, f"{IDEMPOTENCY_HEADER} {key!r} was used for another body: use a new key for new posts"
                )
            if earlier is not None:
                return earlier[1], msgspec.json.decode(earlier[2])
        answer, taken = self._posts(body, now)
        if answer[0] in (202, 422):
            stored = (key, digest, answer[0], msgspec.json.encode(answer[1]).decode()) if key else None
            self.taken.remember(self.hook.source.id, taken, stored, now)
        return answer

    def _posts(self, body: bytes, now: Millis) -> tuple[Answer, dict[str, Last]]:
        try:
            push = _push(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
            why = f"the body is no push of posts: {_words(wrong)}"
            letters, buried = self._letters([_Refused(0, body, why, type(wrong).__name__)], now)
            self.log.append(letters)
            return _error(422, why), buried
        if len(push.posts) > self.hook.max_posts:
            return _error(
                413, f"{len(push.posts):,} posts at once are more than {self.hook.max_posts:,}: send them in parts"
            ), {}
        wait = self._too_many(len(push.posts), now)
        if wait:
            why = f"more than {self.hook.posts_per_minute:,} posts a minute: nothing was taken, send it again"
            return _error(429, why, retry_after=wait), {}
        posts, rejected, notes = self._stamped(push, now)
        found = fresh(posts, self.taken.last(self.hook.source.id, items(posts)), now)
        letters, buried = self._letters(rejected, now)
        records = [Append(POSTS, post.id, encode(post)) for post in found.posts] + letters
        if records:
            self.log.append(records)
        ids = [post.id for post in found.posts]
        _log.debug("webhook.taken", source=self.hook.source.id, keys=ids)
        self.took(Took(ids, 0, len(rejected), again=found.again, late=too_late(found.posts, now)))
        answer = {
            "accepted": len(found.posts),
            "duplicates": len(posts) - len(found.posts),
            "rejected": [{"index": one.index, "error": one.why} for one in rejected],
        }
        if notes:
            answer["notes"] = notes
        if rejected and not posts:
            answer["error"] = "none of these posts can be taken"
        return (202 if posts or not rejected else 422, answer), found.taken | buried

    def _letters(self, rejected: Sequence[_Refused], now: Millis) -> tuple[list[Append], dict[str, Last]]:
        """(a dead letter for each, what is to be remembered): one however often the same is sent within a week."""
        by_item = {hashed("refused", one.raw): one for one in rejected}
        known = self.taken.last(self.hook.source.id, list(by_item))
        fresh = {item: one for item, one in by_item.items() if item not in known}
        letters = [
            dead_letter(Malformed(f"{self.hook.source.id}:{item[:12]}", one.why, one.raw, one.error, one.index), now)
            for item, one in fresh.items()
        ]
        return letters, dict.fromkeys(fresh, Last("", now))

    def _stamped(self, push: Push, now: Millis) -> tuple[list[Post], list[_Refused], list[dict[str, Any]]]:
        """(posts, what was refused of the push, what was set right in it)."""
        posts: list[Post] = []
        rejected: list[_Refused] = []
        notes: list[dict[str, Any]] = []
        for index, raw in enumerate(push.posts):
            whole, halved = _with_halves_replaced(bytes(raw))
            try:
                post, notes_of = stamped(drafted(_decode_item(whole)), self.hook.source, now, push.origin)
            except (Unacceptable, NoDate, msgspec.MsgspecError, ValueError, RecursionError) as wrong:
                rejected.append(_Refused(index, whole, _words(wrong), type(wrong).__name__))
                continue
            posts.append(post)
            notes += [{"index": index, "note": note} for note in ((HALF_NOTE,) if halved else ()) + notes_of]
        return posts, rejected, notes

    def _too_many(self, posts: int, now: Millis) -> int:
        """Seconds to wait, or 0 after taking `posts` from the allowance, which grows back evenly over a minute."""
        rate = self.hook.posts_per_minute
        passed = 0 if self._counted_at is None else max(0, now - self._counted_at)
        self._counted_at = now
        self._allowance = min(float(rate), self._allowance + passed * rate / MINUTE)
        if posts > self._allowance and self._allowance < rate:
            return max(1, round((min(posts, rate) - self._allowance) * MINUTE / rate / SECOND))
        self._allowance -= posts
        return 0


_decode_item = msgspec.json.Decoder(Item).decode
_decode_push = msgspec.json.Decoder(Push).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def _takes_away(body: bytes) -> bool:
    """Whether the push only takes texts away: that goes on when nothing else is taken, on a full disk too."""
    try:
        posts = _push(body).posts
        return bool(posts) and all(post_goes(bytes(raw)) for raw in posts)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


_ESCAPE = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_MARKED = re.compile(rb"\\(?:(?P<half>ufdd0)|.)", re.DOTALL)
_HALF, _REPLACEMENT = rb"\ufdd0", rb"\ufffd"
"""What stands for half a character until its post is known: a code point that is no character, as long as an escape."""


def _with_halves_marked(body: bytes) -> bytes:
    """The body with every escape of a lone surrogate as `_HALF`: no JSON decoder takes such a body otherwise, and one
    post would keep all the others out."""
    return _ESCAPE.sub(lambda found: _HALF if found["half"] else found[0], body)


def _with_halves_replaced(item: bytes) -> tuple[bytes, bool]:
    """One post's JSON with U+FFFD for each mark, and whether it had any."""
    if _HALF not in item:
        return item, False
    mended = _MARKED.sub(lambda found: _REPLACEMENT if found["half"] else found[0], item)
    return mended, mended != item


def _push(body: bytes) -> Push:
    body = _with_halves_marked(body) if rb"\ud" in body or rb"\uD" in body else body
    start = body.lstrip()[:1]
    if start == b"[":
        return Push(posts=_decode_list(body))
    names = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return _decode_push(body) if "posts" in names else Push(posts=[msgspec.Raw(body)])


def drafted(item: Item) -> Draft:
    person = Person(id=item.author, handle=item.author) if isinstance(item.author, str) else item.author
    return Draft(
        native_id=str(item.id),
        network=item.network,
        kind=item.kind,
        text=item.text,
        title=item.title,
        rating=item.rating,
        author=None
        if person is None
        else Author(
            id=str(person.id),
            handle=person.handle and person.handle.removeprefix("@"),
            name=person.name,
            followers=person.followers,
            verified=person.verified,
        ),
        lang=item.lang,
        country=item.country.upper() if item.country else None,
        claimed_at=_time(item.created_at),
        seen_at=_time(item.seen_at),
        edited_at=_time(item.edited_at),
        revision=item.revision,
        conversation=item.conversation,
        reply_to=item.reply_to,
        quote_of=item.quote_of,
        repost_of=item.repost_of,
        link=item.link,
        media=item.media,
        metrics=None if item.metrics is None else Metrics(**msgspec.structs.asdict(item.metrics)),
    )


def _time(value: str | float | None) -> Millis | None:
    return None if value is None or value == "" else _when(value)


def _words(wrong: Exception) -> str:
    """An error's message, short; the decoder's messages name field and type, and never a value."""
    if isinstance(wrong, UnicodeDecodeError):
        return "the body is not UTF-8"
    return "nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)[:300]


def _error(status: int, words: str, **more: Any) -> Answer:
    return status, {"error": words, **more}
