"""A feed as its bytes say it: entries as drafts, what is no entry, and how long it stays fresh.

RSS 0.9 to 2.0 and Atom are read by feedparser, which never fetches anything here: it is handed bytes.
"""

from __future__ import annotations

import codecs
import io
import re
import time
from calendar import timegm
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import feedparser
import msgspec

from ingest.collector import Draft, Malformed
from ingest.intake import MAX_LIST, MAX_SHORT, MAX_TEXT
from ingest.links import web_address
from ingest.markup import words_of
from stream.clock import HOUR, MINUTE, SECOND
from stream.records import Author, Millis

MOST_ENTRIES = 5_000
"""Of one feed; what comes behind is left out, and said to be missing."""
LONGEST_FRESH: Millis = HOUR
"""A feed that calls itself fresh for longer is asked all the same."""
MOST_ID = 150
SLOW = ("punycode", "idna")
"""Charsets of names of hosts, which Python takes hours to read a long text by."""
MOST_OPENING = 1_000
"""Bytes of an XML declaration."""
_OPENING = re.compile(rb"<\?.{0,%d}?\?>" % MOST_OPENING, re.DOTALL)
_DECLARATION = re.compile(rf"\A\ufeff?<\?xml[^>]{{0,{MOST_OPENING}}}\?>")
_WIDE = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00<\x00?", "utf-16-be"),
    (b"<\x00?\x00", "utf-16-le"),
    ("<?xm".encode("cp037"), "cp037"),
)
"""How XML begins whose letters are no ASCII (XML 1.0, appendix F)."""
_ENTRY = re.compile(rb"<(?:\w{1,20}:)?(?:item|entry)\b", re.IGNORECASE)
_ENDS = (b"</rss>", b"</feed>", b"</rdf:rdf>", b"</channel>")


class Unreadable(Exception):
    """No feed, or only half of one; says so in words."""


class Entry(NamedTuple):
    draft: Draft
    """Of kind `created`; `edited_at` is the entry's own time of change, where it has one that is later."""
    key: str
    """16 hex digits of its id."""
    content: str
    """16 hex digits of what can be edited."""


class Feed(NamedTuple):
    entries: tuple[Entry, ...]
    malformed: tuple[tuple[str, Malformed], ...]
    """(key, what is no entry)."""
    fresh_for: Millis
    """By its `ttl`; 0: it does not say."""
    hub: str = ""
    """Address of its WebSub hub."""
    itself: str = ""
    """Its own address, as the hub knows it."""
    left_out: int = 0


def read_feed(body: bytes, url: str, content_type: str = "") -> Feed:
    """The entries of a feed, oldest first as far as it tells. Raises Unreadable."""
    body, content_type = _soon_read(body, content_type)
    entries = list(islice(_ENTRY.finditer(body), MOST_ENTRIES + 1))
    cut = len(entries) > MOST_ENTRIES
    if cut:
        # What comes behind is not even parsed: it takes a millisecond an entry.
        left_out = sum(1 for _ in _ENTRY.finditer(body)) - MOST_ENTRIES
        body = body[: entries[-1].start()]
    headers = {"content-type": content_type or "application/xml", "content-location": url}
    try:
        # Addresses within a text are not read, and to resolve them takes hours where it is made for that.
        found = feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as fault:
        # It raises whatever its parsers raise, on what they did not foresee.
        raise Unreadable(f"the feed cannot be read: {type(fault).__name__}") from None
    if not found.get("version") and not found["entries"]:
        raise Unreadable("the answer is no feed")
    if found.get("bozo") and not cut and not body[-200:].lower().rstrip().endswith(_ENDS):
        raise Unreadable("the answer is half a feed, or a broken one")
    return _feed(found, urlsplit(url).netloc)._replace(left_out=left_out if cut else 0)


def _soon_read(body: bytes, content_type: str) -> tuple[bytes, str]:
    """Body and content type, with the declaration on a line of its own: feedparser looks for a charset in all of the
    first one, in time that grows with the third power of its length. Raises Unreadable."""
    coding = next((name for mark, name in _WIDE if body.startswith(mark)), None)
    if coding is not None:
        text = _DECLARATION.sub("", body.decode(coding, "replace"))
        body, content_type = text.removeprefix("\ufeff").encode("utf-8", "replace"), "application/xml; charset=utf-8"
    begin = len(codecs.BOM_UTF8) if body.startswith(codecs.BOM_UTF8) else 0
    opening = _OPENING.match(body, begin)
    if opening is None and body.startswith(b"<?", begin):
        raise Unreadable("the answer is no feed: what it begins with has no end")
    declared = opening[0].decode("latin-1") if opening is not None else ""
    if any(slow in f"{content_type} {declared}".lower() for slow in SLOW):
        raise Unreadable("the feed names a charset that is none of texts")
    if opening is not None:
        body = b"%b\n%b" % (body[: opening.end()], body[opening.end() :])
    return body, content_type


def _feed(found: Mapping[str, Any], host: str) -> Feed:
    raw = [_plain(one) for one in found["entries"][:MOST_ENTRIES]]
    ids = Counter(str(one.get("id") or "") for one in raw)
    entries: list[Entry] = []
    malformed: list[tuple[str, Malformed]] = []
    for number, one in enumerate(raw):
        given = str(one.get("id") or "")
        try:
            entries.append(_entry(one, given if ids[given] == 1 else "", host))
        except ValueError as fault:
            said = msgspec.json.encode(one, enc_hook=str)
            malformed.append((_digest(said.decode()), Malformed(f"{host} entry {number}", str(fault), said)))
    about = _plain(found.get("feed") or {})
    links = {str(link.get("rel")): str(link.get("href") or "") for link in about.get("links") or []}
    return Feed(
        entries=tuple(reversed(entries)),
        malformed=tuple(malformed),
        fresh_for=_ttl(about.get("ttl")),
        hub=web_address(links.get("hub", "")) or "",
        itself=web_address(links.get("self", "")) or "",
    )


def _entry(one: Mapping[str, Any], given: str, host: str) -> Entry:
    """Raises ValueError for what is no entry."""
    title = _words(one.get("title_detail") or {"value": one.get("title")})[:MAX_SHORT]
    text = max((_words(part) for part in _texts(one)), key=len, default="")
    link = web_address(str(one.get("link") or ""))
    media = tuple(_media(one))
    if not title and not text and not media:
        raise ValueError("an entry with neither title nor text nor media")
    published, updated = _time(one.get("published_parsed")), _time(one.get("updated_parsed"))
    claimed = published or updated
    native = _id(given or link or f"{title}\n{published}\n{text[:200]}", host)
    draft = Draft(
        native_id=native,
        title=title or None,
        text=text,
        author=_author(one, host),
        lang=str((one.get("title_detail") or {}).get("language") or "")[:35] or None,
        claimed_at=claimed,
        edited_at=updated if updated and claimed and updated > claimed else None,
        link=link,
        media=media,
    )
    return Entry(draft, _digest(native), _digest("\0".join((title, text, *media))))


def _id(given: str, host: str) -> str:
    """An id that no feed of another host can give: what the entry calls itself, or a hash of it, behind the host."""
    for scheme in ("https://", "http://"):
        if given.startswith(f"{scheme}{host}/") and len(given) <= MOST_ID and given.isprintable():
            return given.removeprefix(scheme)
    if len(given) <= MOST_ID and given.isprintable() and not any(sign in given for sign in " #"):
        return f"{host}/{given}"
    return f"{host}/{_digest(given, 16)}"


def _texts(one: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from one.get("content") or []
    detail = one.get("summary_detail")
    yield detail if detail else {"value": one.get("summary") or ""}


def _words(part: Mapping[str, Any]) -> str:
    """feedparser knows a text that calls itself plain and holds markup."""
    value = str(part.get("value") or "")
    return value.strip()[:MAX_TEXT] if part.get("type") == "text/plain" else words_of(value)


def _author(one: Mapping[str, Any], host: str) -> Author:
    """Who signed it; where nobody did, the site."""
    detail = one.get("author_detail") or {}
    name = words_of(str(detail.get("name") or one.get("author") or ""), 200)
    page = web_address(str(detail.get("href") or ""))
    return Author(id=page or f"{host}/{name}" if name else host, handle=name or host, name=name or host)


def _media(one: Mapping[str, Any]) -> Iterator[str]:
    found = [link.get("href") for link in one.get("links") or [] if link.get("rel") == "enclosure"]
    found += [part.get("url") for part in one.get("media_content") or []]
    for address in list(dict.fromkeys(str(one) for one in found if one))[:MAX_LIST]:
        if web_address(address):
            yield address


def _time(parsed: object) -> Millis | None:
    """feedparser's times are of UTC."""
    if not isinstance(parsed, time.struct_time):
        return None
    try:
        return timegm(parsed) * SECOND
    except (ValueError, OverflowError):
        return None


def _ttl(said: object) -> Millis:
    try:
        return min(max(int(str(said)) * MINUTE, 0), LONGEST_FRESH)
    except ValueError:
        return 0


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without feedparser's own look-ups, which give one field for another."""
    return dict(found.items())


def _digest(text: str, size: int = 8) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
