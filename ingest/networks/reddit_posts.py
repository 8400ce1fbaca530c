"""What Reddit's things say: a post (`t3`) or a comment (`t1`) as a draft, and whether it still stands.

Ids are fullnames (`t3_1abc2d`): a kind and a number in base 36, given out in order over all of Reddit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from ingest.collector import Draft, Existence, Malformed
from ingest.intake import MAX_PAYLOAD
from stream.clock import HOUR, SECOND
from stream.records import Author, Metrics, Millis

SITE = "https://www.reddit.com"
POST, COMMENT = "t3", "t1"
_NOBODY = frozenset({"[deleted]", "[removed]"})
_REMOVED = frozenset({"[deleted]", "[removed]", "[ removed by reddit ]", "[deleted by user]", "[unavailable]"})
_OF_REDDIT = (".redd.it", ".reddit.com", ".redditmedia.com")
_OPEN = frozenset({"public", "archived", "user", "gold_restricted"})
"""subreddit_type of what everybody may read and write as the rest: the others are for those whom moderators or Reddit
let in (private, restricted, employees_only, gold_only), or are not known."""
SILENT_EDITS: Millis = HOUR
"""A post is edited without a mark in its first minutes, and is first swept soon after: until this age a sweep's text
counts as new."""


class BadThing(ValueError):
    """It can be no post; in words without its text."""


class Thing(NamedTuple):
    """A post or comment of a listing, taken apart as far as reading the listing needs it."""

    name: str
    """Its fullname."""
    number: int
    created_at: Millis
    data: Mapping[str, Any]

    @property
    def subreddit(self) -> str:
        return _text(self.data, "subreddit").lower()

    @property
    def open(self) -> bool:
        return is_open(self.data)


def number_of(name: str) -> int:
    """The number in a fullname. Raises BadThing."""
    kind, _, digits = name.partition("_")
    if kind not in (POST, COMMENT) or not digits.isascii() or not digits.isalnum() or len(digits) > 11:
        raise BadThing("its name is no fullname of a post or comment")
    return int(digits, 36)


def name_of(kind: str, number: int) -> str:
    """The fullname of a number."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"{kind}_{digits or '0'}"


def things(children: Any, place: str) -> tuple[list[Thing], list[Malformed]]:
    """The posts and comments among a listing's children; anything else that claims to be one is malformed. Stubs for
    what is not shown (`more`) and things of other kinds are passed over."""
    found, malformed = [], []
    for number, child in enumerate(children if isinstance(children, list) else [], 1):
        kind = child.get("kind") if isinstance(child, dict) else None
        if isinstance(child, dict) and kind not in (POST, COMMENT):
            continue
        try:
            found.append(thing(child))
        except BadThing as fault:
            malformed.append(Malformed(f"{place}:{number}", str(fault), _payload(child), number=number))
    return found, malformed


def thing(child: Any) -> Thing:
    """Raises BadThing."""
    data = child.get("data") if isinstance(child, dict) else None
    if not isinstance(data, dict):
        raise BadThing("it has no data")
    name = _text(data, "name")
    if not name.startswith(f"{child['kind']}_"):
        raise BadThing("its name does not fit its kind")
    created_at = _time(data.get("created_utc"))
    if created_at is None:
        raise BadThing("it has no time of creation")
    return Thing(name, number_of(name), created_at, data)


def stands(one: Thing) -> Existence:
    """`gone` when its writer deleted it, or moderators or Reddit removed it: the text is taken out, a stub stays."""
    data = one.data
    if data.get("removed_by_category"):
        return "gone"
    body = _text(data, "selftext" if one.name.startswith(POST) else "body").strip().lower()
    if body in _REMOVED and (body != "[deleted]" or author(data) is None):
        return "gone"
    if one.name.startswith(POST) and author(data) is None and _text(data, "title").strip().lower() in _REMOVED:
        return "gone"
    return "there"


def is_open(data: Mapping[str, Any]) -> bool:
    """Whether a subreddit, or that of a thing, is known to be one of everybody's."""
    return _text(data, "subreddit_type") in _OPEN


def draft(one: Thing, query_ids: Sequence[str] = ()) -> Draft:
    """The post as it was found."""
    data = one.data
    post = one.name.startswith(POST)
    conversation = one.name if post else _text(data, "link_id")
    return Draft(
        native_id=one.name,
        text=_post_text(data) if post else _text(data, "body"),
        title=_text(data, "title") or None if post else None,
        author=author(data),
        claimed_at=one.created_at,
        edited_at=_time(data.get("edited")),
        conversation=conversation or None,
        reply_to=None if post else _text(data, "parent_id") or None,
        quote_of=_text(data, "crosspost_parent") or None,
        link=_link(data),
        media=tuple(_media(data)) if post else (),
        metrics=metrics(data, post),
        query_ids=tuple(query_ids),
    )


def swept(one: Thing, now: Millis) -> Draft:
    """The post as a sweep found it: `edited` where its text may be another than was read first, or its account is gone,
    else `metrics`."""
    whole = draft(one)
    if one.data.get("edited") or whole.author is None or now - one.created_at < SILENT_EDITS:
        return msgspec.structs.replace(whole, kind="edited")
    return Draft(native_id=one.name, kind="metrics", claimed_at=one.created_at, metrics=whole.metrics)


def author(data: Mapping[str, Any]) -> Author | None:
    """None: the account is gone, or the post."""
    name = _text(data, "author")
    if not name or name.lower() in _NOBODY:
        return None
    return Author(id=_text(data, "author_fullname") or name, handle=name)


def metrics(data: Mapping[str, Any], post: bool) -> Metrics:
    """The score counts as likes; while Reddit hides it there is none. Those below 0 count as 0."""
    score = None if data.get("score_hidden") or data.get("hide_score") else _count(data.get("score"))
    if not post:
        return Metrics(likes=score)
    return Metrics(likes=score, replies=_count(data.get("num_comments")), reposts=_count(data.get("num_crossposts")))


def _post_text(data: Mapping[str, Any]) -> str:
    """What its writer wrote; of a post that is a link, the address: it may be all that names a brand."""
    written, address = _text(data, "selftext"), _text(data, "url")
    if written or data.get("is_self") or not address:
        return written
    host = (urlsplit(address).hostname or "") if _splits(address) else ""
    return "" if not host or f".{host}".endswith(_OF_REDDIT) else address


def _media(data: Mapping[str, Any]) -> Iterator[str]:
    address = _text(data, "url")
    if address.startswith(("https://i.redd.it/", "https://v.redd.it/")):
        yield address
    held = data.get("media_metadata")
    for item in list(held.values())[:20] if isinstance(held, dict) else []:
        source = item.get("s") if isinstance(item, dict) else None
        if isinstance(source, dict) and (found := _text(source, "u") or _text(source, "gif")):
            yield found


def _link(data: Mapping[str, Any]) -> str | None:
    path = _text(data, "permalink")
    return f"{SITE}{path}" if path.startswith("/") else None


def _text(data: Mapping[str, Any], field: str) -> str:
    value = data.get(field)
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else None


def _time(seconds: Any) -> Millis | None:
    """`edited` is false where nothing was edited; very old edits have only `true`."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e11:
        return None
    return round(seconds * SECOND)


def _splits(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return False
    return True


def _payload(child: Any) -> bytes:
    try:
        return msgspec.json.encode(child)[:MAX_PAYLOAD]
    except (msgspec.MsgspecError, TypeError, RecursionError):
        return b""
