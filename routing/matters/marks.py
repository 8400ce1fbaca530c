"""What of a post can show that two cases are one matter: its near copies, links, tags, codes, names, and who wrote it.

A mark is a kind and a key: a number, of which SQL holds no more than that. Pure; the words stand in the post alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from config.everyday import everyday
from query.document import effective, set_aside
from query.text import TAG, analyse, fold
from routing.decide import held_for_review
from routing.keys import author_key
from stream.records import Author, Mention, Post

Kind = Literal["copy", "link", "tag", "code", "name", "author", "handle", "post", "word"]
MOST = {"link": 3, "tag": 4, "code": 3, "name": 4}
"""Marks of a kind that a post gives, the first ones."""
LOOKED_AT = 4_000
"""Characters of a text that are looked through."""
SHORTEST_HANDLE, SHORTEST_TAG = 5, 4
_LINK = re.compile(r"https?://[^\s<>\"'`)\]]{4,500}", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w#@/.-])(?:[A-Za-z]{1,4}[- ]?\d{3,8}|\d{6,16})(?![\w/.-])")
_NAME = re.compile(r"(?<=[a-záéíóúñü,;] )[A-ZÁÉÍÓÚÑÜ][\wáéíóúñü]{2,20}(?: [A-ZÁÉÍÓÚÑÜ][\wáéíóúñü]{2,20}){1,2}")
_TRACKING = re.compile(r"^(utm_|fbclid|gclid|igsh|ref_?src|s$|t$|si$|mc_)", re.IGNORECASE)
_ANYBODYS = frozenset({
    "admin", "anonymous", "customer", "hello", "info", "news", "noticias", "official", "support", "soporte", "test",
    "user", "usuario", "guest", "reddit", "deleted", "unknown", "someone",
})  # fmt: skip
"""Handles that say nothing about who has them."""


class Mark(NamedTuple):
    kind: Kind
    key: int
    word: str
    """As people are shown it; empty where only the number means something."""


def marks_of(mention: Mention, brand_words: Collection[str] = ()) -> tuple[Mark, ...]:
    """None of a post that is the brand's own, is not meant, or waits for review. `brand_words`: folded words of the
    brand's names and handles, which mark no matter."""
    post, read = mention.post, mention.understanding
    if post is None or read is None or read.speaker == "own" or set_aside(mention) or held_for_review(mention):
        return ()
    found = [*_of_text(post, frozenset(brand_words)), *_of_author(mention.network, post.author)]
    if mention.cluster is not None:
        found.append(Mark("copy", mention.cluster, ""))
    found.append(Mark("post", key_of("post", post.id), ""))
    return tuple(dict.fromkeys(found))


def key_of(kind: str, word: str) -> int:
    """63 bits of BLAKE2b over kind and word."""
    digest = blake2b(f"{kind}\0{word}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def words_of(mention: Mention) -> int:
    """How long its text is, in words: a short one may be said by two people by chance."""
    return len(analyse(mention.post.text).surfaces) if mention.post is not None else 0


def wants(mention: Mention) -> str:
    return effective(mention, "intent") or "other"


def local(author: Author | None) -> str:
    """The part of a handle that people take with them from network to network: `ana.ruiz_88` of
    `@ana.ruiz_88@social.example`; empty where there is none, or anybody could have it."""
    if author is None or not author.handle:
        return ""
    handle = fold(author.handle.lstrip("@").partition("@")[0])
    for ending in (".bsky.social", ".com", ".net", ".org"):
        handle = handle.removesuffix(ending)
    return handle if len(handle) >= SHORTEST_HANDLE and handle not in _ANYBODYS else ""


def _of_author(network: str, author: Author | None) -> Iterator[Mark]:
    if author is None:
        return
    yield Mark("author", author_key(network, author.id), "")
    if handle := local(author):
        yield Mark("handle", key_of("handle", handle), handle)


def _of_text(post: Post, brand_words: frozenset[str]) -> Iterator[Mark]:
    text = f"{post.title or ''}\n{post.text}"[:LOOKED_AT]
    for kind, words in (
        ("link", _links(text)),
        ("tag", _tags(text, brand_words)),
        ("code", _codes(text)),
        ("name", _names(text, brand_words)),
    ):
        for word in list(dict.fromkeys(words))[: MOST[kind]]:
            yield Mark(kind, key_of(kind, word), word)  # type: ignore[arg-type]


def _links(text: str) -> Iterator[str]:
    """Addresses of a page: without what only says who passed it on. That of a site alone is none."""
    for written in _LINK.findall(text):
        try:
            parts = urlsplit(written.rstrip(".,;:!?…"))
        except ValueError:
            continue
        host = (parts.hostname or "").removeprefix("www.")
        path = parts.path.rstrip("/")
        asked = "&".join(sorted(one for one in parts.query.split("&") if one and not _TRACKING.match(one)))
        if host and (path or asked):
            yield f"{host}{path}{'?' + asked if asked else ''}"


def _tags(text: str, brand_words: frozenset[str]) -> Iterator[str]:
    for mark, surface in analyse(text).marked:
        if mark == TAG and len(surface) >= SHORTEST_TAG and surface not in brand_words and not everyday(surface):
            yield surface


def _codes(text: str) -> Iterator[str]:
    """Flights, orders, models: letters with figures, or long figures."""
    plain = _LINK.sub(" ", text)
    for written in _CODE.findall(plain):
        code = fold(written).replace("-", "").replace(" ", "")
        if not (code.isdigit() and code[:2] in ("19", "20") and len(code) <= 8):  # a date
            yield code


def _names(text: str, brand_words: frozenset[str]) -> Iterator[str]:
    """Names of two or three words in the midst of a sentence; those with a word of the brand's are none."""
    for written in _NAME.findall(_LINK.sub(" ", text)):
        name = fold(written)
        if not brand_words & set(name.split()):
            yield name
