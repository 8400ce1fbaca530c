"""The tokens under which a mention stands in the inverted index.

Three columns: `text` (the analyser's surfaces, in order), `stem` (the stems that are not themselves surfaces of their
token), `fact` (a token for each value of a keyword field or flag, and for detractor level, rating and risk). Markers
that no surface can hold keep the three apart, so that queries need not name a column.

Fact tokens that many mentions share come in four groups, each remembered by what it is made from: how the post came,
what was read in it, in which tone and of what it speaks, what was decided. Their strings are the index's profiles,
which facets count by.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from query.document import Document
from query.fields import FIELDS, canonical
from query.text import ADDRESS, HANDLE, TAG, stems
from stream.records import Correction, Decision, Mention, Post, Understanding

STEM = "\x01"
FACT = "\x02"
EVERY = f"{FACT}state=live"
"""Every mention that can be found has this token."""
PRIVATE = f"{FACT}private"
SAMPLE = f"{FACT}sample"
SAMPLE_RATE = 16
"""One mention in so many, chosen by its id, carries SAMPLE."""

CAME = ("network", "lang", "country", "origin", "source", "query", "access", "brand", "kind", "state", "rating")
READ = ("about", "matched", "speaker", "sentiment", "reputation", "intent", "detractor", "suggested", "review")
TONE = ("complaint", "emotion", "irony", "offensive", "aspect", "spam")
RULED = ("model", "tier", "provisional", "queue", "rule", "priority", "tag", "alerted", "term", "corrected", "person")
SINGLE = (
    *("id", "author", "verified", "hashtag", "addressed", "link", "site", "address", "media"),
    *("conversation", "cluster", "reply_to", "quote_of"),
)
ASKED_FOR = ("hashtag", "addressed", "link", "media", "reply_to", "quote_of")
"""Fields with a token of its own that says that there is a value; for the others `has:` reads all their tokens."""
GROUPS = {"came": CAME, "reads": READ, "tone": TONE, "ruled": RULED}
AS_TOKENS = frozenset(CAME + READ + TONE + RULED + SINGLE + ("risk",))
AS_COLUMNS = frozenset(FIELDS) - AS_TOKENS

MAX_VALUE = 400
"""Characters of a value that its token holds; a longer one is cut and told apart by a digest."""
REMEMBERED = 50_000


class Terms(NamedTuple):
    """Tokens of one mention, joined by blanks; the four profiles are part of `fact`."""

    text: str
    stem: str
    fact: str
    came: str
    reads: str
    tone: str
    ruled: str


def terms(document: Document) -> Terms:
    mention = document.mention
    post, understanding = mention.post, mention.understanding
    decision, correction = mention.decision, mention.correction
    came = _remembered(_came, _came_from(mention, post), document, CAME)
    reads = _remembered(_reads, _reads_from(understanding, correction), document, READ)
    tone = _remembered(_tone, _tone_from(mention, understanding), document, TONE)
    ruled = _remembered(_ruled, _ruled_from(decision, understanding, correction), document, RULED)
    surfaces = document.surfaces
    facts = [came, reads, tone, ruled, *_single(document)]
    if document.risk is not None:
        facts.append(tenth(document.risk))
    if zlib.crc32(mention.id.encode()) % SAMPLE_RATE == 0:
        facts.append(SAMPLE)
    return Terms(" ".join(surfaces), _stem_tokens(surfaces), " ".join(facts), came, reads, tone, ruled)


def fact(field: str, value: str) -> str:
    """The token of a keyword value; `value` is canonical (see query.fields.canonical)."""
    return f"{FACT}{field}={_safe(value)}"


def has(field: str) -> str:
    """The token that says that a field of ASKED_FOR has a value."""
    return f"{FACT}has={field}"


def within(access: str) -> str:
    """The token that a mention of this access label carries, the label's case kept; `public` ones carry none."""
    return f"{FACT}within={access.encode().hex()}"


def label(came: str) -> str:
    """The access label, as it is, in the profile of how a mention came."""
    token = next((token for token in came.split(" ") if token.startswith(f"{FACT}within=")), None)
    return "public" if token is None else bytes.fromhex(token.partition("=")[2]).decode()


def stem_token(stem: str) -> str:
    return STEM + stem


ASIDE = f"{FACT}about=0"
"""Mentions that are set aside have this token."""


def tenth(risk: float) -> str:
    """The token of the ten points that a risk lies in."""
    return f"{FACT}risk/{max(0, min(10, int(risk // 10)))}"


def values(profile: str) -> Iterable[tuple[str, str]]:
    """(field, value) of each token of a profile, as people read them."""
    for token in profile.split(" "):
        field, found, value = token.removeprefix(FACT).partition("=")
        if found and field in AS_TOKENS:
            yield field, _plain(value)


_came: dict[Hashable, str] = {}
_reads: dict[Hashable, str] = {}
_tone: dict[Hashable, str] = {}
_ruled: dict[Hashable, str] = {}


def _remembered(memory: dict[Hashable, str], key: Hashable, document: Document, fields: tuple[str, ...]) -> str:
    if key is None:
        return _tokens(document, fields)
    found = memory.get(key)
    if found is None:
        if len(memory) >= REMEMBERED:
            memory.clear()
        found = memory[key] = _tokens(document, fields)
    return found


def _came_from(mention: Mention, post: Post | None) -> Hashable:
    own = (mention.network, mention.lang, mention.access, mention.brand, mention.brand_kind, mention.source_id)
    return (own, post.origin, post.country, post.query_ids, post.rating) if post else own


def _reads_from(understanding: Understanding | None, correction: Correction | None) -> Hashable:
    if correction is not None:
        return None
    if understanding is None:
        return ()
    return (
        understanding.matched_by,
        understanding.speaker,
        understanding.sentiment.label,
        understanding.reputation and understanding.reputation.label,
        understanding.intent.label,
        understanding.detractor.label,
        understanding.suggested,
        understanding.review,
        understanding.about and understanding.about.label,
    )


def _tone_from(mention: Mention, understanding: Understanding | None) -> Hashable:
    if understanding is None:
        return ()
    return (
        understanding.complaint and understanding.complaint.label,
        understanding.emotion and understanding.emotion.labels,
        understanding.irony and understanding.irony.label,
        understanding.offensive and understanding.offensive.label,
        understanding.aspects,
        bool(understanding.spam or mention.spam),
    )


def _ruled_from(
    decision: Decision | None, understanding: Understanding | None, correction: Correction | None
) -> Hashable:
    if correction is not None:
        return None
    if decision is None:
        return tuple([term.name for term in understanding.terms if term.points > 0]) if understanding else ()
    return (
        decision.model,
        decision.tier,
        decision.provisional,
        decision.queue,
        decision.rule,
        decision.priority,
        decision.tags,
        decision.alert,
        tuple([term.name for term in decision.terms if term.points > 0]),
    )


def _tokens(document: Document, fields: tuple[str, ...]) -> str:
    found = [token for field in fields for token in _field_tokens(document, field)]
    if "access" in fields and document.mention.access != "public":
        found += [PRIVATE, within(document.mention.access)]
    return " ".join(found)


def _field_tokens(document: Document, field: str) -> list[str]:
    value = document[field]
    if value is None:
        return []
    start = _STARTS[field]
    if isinstance(value, tuple):
        return [start + _safe(each) for each in value]
    return [f"{start}{int(value)}"]


def _single(document: Document) -> list[str]:
    """Tokens of the fields whose values few mentions share, and the token that says that a field has any."""
    mention, post = document.mention, document.mention.post
    found = [_ID + _safe(canonical(_ID_FIELD, mention.post_id)), _ID + _safe(canonical(_ID_FIELD, mention.id))]
    if mention.cluster is not None:
        found.append(f"{FACT}cluster={mention.cluster}")
    wanted = ["conversation"]
    if post is not None:
        if post.author is not None:
            wanted += _AUTHOR
        if post.link:
            found += _site_tokens(document, post.link)
            wanted.append("address")
        if post.media:
            wanted.append("media")
        if post.reply_to:
            wanted.append("reply_to")
        if post.quote_of:
            wanted.append("quote_of")
        marks = {mark for mark, _ in document.title.marked + document.text.marked}
        wanted += [field for mark, field in _MARKED if mark in marks]
    for field in wanted:
        tokens = _field_tokens(document, field)
        found += tokens
        if tokens and field in _HAS:
            found.append(_HAS[field])
    return found


_ID_FIELD = FIELDS["id"]
_ID = f"{FACT}id="
_AUTHOR = ("author", "verified")
_MARKED = ((TAG, "hashtag"), (HANDLE, "addressed"), (ADDRESS, "link"))
_HAS = {field: has(field) for field in ASKED_FOR}
_STARTS = {field: f"{FACT}{field}=" for field in FIELDS}
_HOST = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(?=/)")
_sites: dict[Hashable, list[str]] = {}


def _site_tokens(document: Document, link: str) -> list[str]:
    """They depend on the plain host alone, which many posts share."""
    host = _HOST.match(link)
    if host is None:
        return _field_tokens(document, "site")
    found = _sites.get(host[0])
    if found is None:
        if len(_sites) >= REMEMBERED:
            _sites.clear()
        found = _sites[host[0]] = _field_tokens(document, "site")
    return found


class _StemTokens(dict[str, str]):
    """The stem tokens of a surface, joined: none for a stem that the surface is itself."""

    def __missing__(self, surface: str) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[surface] = " ".join([STEM + stem for stem in stems(surface) if stem != surface])
        return found


_stem_tokens_of = _StemTokens()


def _stem_tokens(surfaces: Iterable[str]) -> str:
    return " ".join(dict.fromkeys([tokens for surface in surfaces if (tokens := _stem_tokens_of[surface])]))


_ESCAPES = {"\x1c": "\x1c0", " ": "\x1c1", "\x00": "\x1c2"}
_ESCAPED = re.compile("[ \x1c\x00]")


def _safe(value: str) -> str:
    """A blank would end the token, NUL the expression."""
    if len(value) > MAX_VALUE:
        value = value[:MAX_VALUE] + hashlib.blake2b(value.encode(), digest_size=8).hexdigest()
    if _ESCAPED.search(value):
        for plain, escaped in _ESCAPES.items():
            value = value.replace(plain, escaped)
    return value


def _plain(value: str) -> str:
    for plain, escaped in reversed(_ESCAPES.items()):
        value = value.replace(escaped, plain)
    return value
