"""One normal form of a post's text, the same in training and serving.

What carries no meaning of its own becomes one private character each: links, handles, and the brands marked by the
caller (`mark`). Case, accents and emoji are kept; `nlp.features` folds what it wants folded.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

Span = tuple[int, int]

TARGET = "\ue000"
"""The brand that the reading is towards."""
OTHER = "\ue001"
"""Another known brand."""
LINK = "\ue002"
HANDLE = "\ue003"

LIMIT = 1_000
"""Characters of a normalised text; what follows is not read."""

RAW_LIMIT = 4 * LIMIT
"""Characters of a text as written that are looked at, whatever they come to."""
_LATE = LIMIT * 3 // 4
"""Characters of a text that goes on after LIMIT: a target that is named further on is read in a part of its own, …"""
_LEAD = LIMIT // 8
"""… with so many characters before it, about a quarter of what the encoder reads, …"""
_LEAST = LIMIT // 2
"""… or more, where the text has fewer than so many left."""

# Each begins with a plain character where it can: the engine then skips to it instead of trying every place.
_entity = re.compile(r"&(?:#[0-9xX]|[A-Za-z])\w*;?")
_strange = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]")
_private = re.compile("[\ue000-\uf8ff]")
_link = re.compile(r"http(?<!\w....)s?(?:://\S+|(?![\w/]))")
_bare_link = re.compile(r"(?<!\w)(?:www\.|pic\.twitter\.com/|t\.co/|https?://)\S+", re.IGNORECASE)
_handle = re.compile(r"@(?<!\w@)\w[\w.]*(?<!\.)")
_hashtag = re.compile(r"#(\w+)")
_humps = re.compile(r"(?<=[a-záéíóúñüç])(?=[A-ZÁÉÍÓÚÑÜÇ])|(?<=[A-ZÁÉÍÓÚÑÜÇ])(?=[A-ZÁÉÍÓÚÑÜÇ][a-záéíóúñüç])|_+")
_run = re.compile(r"([^\d])\1\1\1+")
_blank = re.compile(r"\s")


def normalise(text: str, limit: int = LIMIT) -> str:
    """The normal form, at most `limit` characters: no control characters, white space single, entities unescaped, NFC,
    links and handles one character each, CamelCase hashtags split into words, runs of a character cut to three.

    The characters TARGET and OTHER survive only where `mark` put them: pass its result, not text from outside.
    """
    text = text[:RAW_LIMIT]
    if "&" in text:
        text = _entity.sub(_unescaped, text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = _strange.sub(" ", text)
    if "http" in text:
        text = _link.sub(LINK, text)
    if "www." in text or "t.co" in text or "pic.twitter" in text or "HTTP" in text or "Http" in text:
        text = _bare_link.sub(LINK, text)
    if "@" in text:
        text = _handle.sub(HANDLE, text)
    if "#" in text:
        text = _hashtag.sub(_split_hashtag, text)
    if _run.search(text):
        text = _run.sub(r"\1\1\1", text)
    return " ".join(text.split())[:limit]


def mark(text: str, target: Iterable[Span], others: Iterable[Span] = ()) -> str:
    """`text` with each span [start, end) of `target` replaced by TARGET, of `others` by OTHER: ready for `normalise`.

    Private characters that the text came with are dropped. Overlapping spans: the earlier start wins, of equal ones the
    target.
    """
    spans = sorted([(start, 0, end) for start, end in target] + [(start, 1, end) for start, end in others])
    if not spans:
        return clean(text)
    parts: list[str] = []
    at = 0
    for start, kind, end in spans:
        if start < at:
            continue
        parts.append(clean(text[at:start]))
        parts.append(OTHER if kind else TARGET)
        at = end
    parts.append(clean(text[at:]))
    return "".join(parts)


def marked(text: str, target: Iterable[Span], others: Iterable[Span] = ()) -> str:
    """The normal form of `text` with its brands marked: its beginning, or, where LIMIT would cut off the target or what
    follows it, the part around the first place that names it. A target inside another brand's name has no mark."""
    text = mark(text, target, others)
    found = normalise(text)
    if TARGET in found[:_LATE] or (len(found) < LIMIT and len(text) <= RAW_LIMIT) or TARGET not in text:
        return found
    around = normalise(text[_beginning(text, text.index(TARGET)) :])
    return around if TARGET in around else found


def _beginning(text: str, at: int) -> int:
    """Where to begin, at a word if there is one, to read what stands at `at`."""
    start = max(0, min(at - _LEAD, len(text) - _LEAST))
    word = _blank.search(text, start, at)
    return word.end() if word and start else start


def clean(text: str) -> str:
    """`text` without private characters: none that it came with may pass for one of ours."""
    return text if text.isascii() else _private.sub("", text)


def humps(hashtag: str) -> str:
    """`FlightDelay` and `flight_delay` as words with blanks between."""
    return _humps.sub(" ", hashtag)


def _unescaped(found: re.Match[str]) -> str:
    """What an entity stands for; a private character is none of ours, however it was written."""
    return _private.sub("", html.unescape(found[0]))


def _split_hashtag(found: re.Match[str]) -> str:
    return "# " + humps(found[1])
