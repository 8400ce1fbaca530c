"""The one analyser: how text becomes tokens, for brand matching, rules, search and both search engines.

What counts as a token
- a run of letters and digits, folded: `Reclamación` is `reclamacion`. Han and kana give a token a character.
- `#word` and `@word` give the bare word, marked: a search for `acme` finds `#acme` and `@acme` too.
- an address (`https://…`, `www.…`) gives one token, its domain without `www.`, marked.
- an emoji gives one token, without skin tone; a flag is one token, a joined sequence one for each of its parts.
- `acme's` is `acme` and `s`; `l'hotel` is `l` and `hotel`; every other apostrophe joins: `don't` is `dont`.

Folding takes away case, compatibility forms and accents, except the tilde of `ñ`: in Spanish it is a letter of its
own (`uña` is not `una`, `campaña` is not `campana`). Names are looked for in both spellings: see `spellings`.

A surface never holds white space, a control character or a lone surrogate, and has at most MAX_TOKEN characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple, TypeVar

import Stemmer

from query.lazy import lazy

MAX_TEXT = 100_000
"""Characters of a text that are read; what follows is not analysed."""
MAX_TOKEN = 64
"""Characters of a surface; a longer word is cut."""
REMEMBERED = 60_000
"""Written forms (and, apart, surfaces) remembered before the memory starts afresh."""

T = TypeVar("T")

WORD, TAG, HANDLE, ADDRESS, SYMBOL = "", "#", "@", "/", "*"
"""Marks: what a token was in the text. SYMBOL is an emoji."""


class Analysis:
    """The tokens of a text, position by position.

    `surfaces[i]` is the folded token, `marks[i]` what it was, `stems[i]` its one or two distinct stems (Spanish,
    English), `spans[i]` its place [start, end) in the text. Marks, stems and spans are made when asked for.
    """

    def __init__(self, text: str) -> None:
        self.text = text if len(text) <= MAX_TEXT else text[:MAX_TEXT]
        self._written: list[str] = _TOKEN.findall(self.text)
        self.surfaces: tuple[str, ...] = tuple(chain.from_iterable(map(_surfaces_of, self._written)))
        self._placed: list[tuple[str, tuple[int, int]]] = []
        self._sought, self._end = 0, 0
        """Written forms that were placed, and where the last of them ends."""

    @lazy
    def marks(self) -> tuple[str, ...]:
        return tuple([mark for written in self._written for mark in _forms[written].marks])

    @lazy
    def stems(self) -> tuple[tuple[str, ...], ...]:
        return tuple(map(_stems_of, self.surfaces))

    @lazy
    def spans(self) -> tuple[tuple[int, int], ...]:
        return tuple([self.placed(token)[1] for token in range(len(self.surfaces))])

    @lazy
    def marked(self) -> tuple[tuple[str, str], ...]:
        """The distinct (mark, surface) of all tokens but plain words, in order."""
        forms = [_forms[written] for written in self._written if not written.isalnum()]
        pairs = [pair for surfaces, marks, _ in forms for pair in zip(marks, surfaces, strict=True)]
        return tuple(dict.fromkeys([(mark, surface) for mark, surface in pairs if mark != WORD]))

    def placed(self, token: int) -> tuple[str, tuple[int, int]]:
        """(`marks[token]`, `spans[token]`), at the cost of the tokens up to it."""
        while len(self._placed) <= token:
            written = self._written[self._sought]
            form = _forms[written]
            # What lies between two tokens begins none: the next place of a written form is its own.
            start = self.text.index(written, self._end)
            for mark, (low, high) in zip(form.marks, form.spans, strict=True):
                self._placed.append((mark, (start + low, start + high)))
            self._sought, self._end = self._sought + 1, start + len(written)
        return self._placed[token]


def analyse(text: str) -> Analysis:
    """The tokens of `text`: a pure function of it, never raises."""
    return Analysis(text)


def stems(surface: str) -> tuple[str, ...]:
    """The distinct stems of a surface: the Spanish one, then the English one where it differs.

    Two words match as bare words where they share a stem (Snowball's stemmers, on the surface: many leave accents
    out when they write Spanish, so stems must not depend on them).
    """
    return _stems[surface]


def fold(text: str) -> str:
    """`text` without case, compatibility forms and accents (`ñ` stays): what keyword values are compared by."""
    if text.isascii():
        return text.lower()
    for _ in range(4):
        folded = _fold_once(text)
        if folded == text:
            break
        text = folded
    return text


_ESCAPED = ("&amp;", "&#38;")


def spellings(name: str) -> tuple[tuple[str, ...], ...]:
    """The token sequences under which a name is found: as written, with `n` for `ñ`, without its apostrophes, and with
    an ampersand as networks escape it in what they pass on."""
    plain = _APOSTROPHES.sub("", name)
    variants = [name, plain, fold(name).replace("ñ", "n"), fold(plain).replace("ñ", "n")]
    variants += [variant.replace("&", escaped) for variant in variants if "&" in name for escaped in _ESCAPED]
    return tuple(dict.fromkeys(found for variant in variants if (found := analyse(variant).surfaces)))


class _Form(NamedTuple):
    """What one written form gives: its tokens, and their spans from its first character on."""

    surfaces: tuple[str, ...]
    marks: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]


# Combining marks, and the format characters that may stand inside a word: Python's \w leaves them out.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u0900-\u0963"
    "\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe00-\ufe0f"
    "\ufe20-\ufe2f\u00ad\u200c\u200d\u2060"
)
_LETTERS = rf"[\w{_MARKS}]"
_QUOTES = "'’ʼ＇"
_EMOJI = (
    r"[\u231a\u231b\u23e9-\u23fa\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\U0001f004\U0001f0cf\U0001f170-\U0001f18f\U0001f191-\U0001f19a"
    r"\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
)
# One pass over a post costs most of an analysis: blanks are skipped in the same step, and nothing is tried twice.
_TOKEN = re.compile(
    r"[ .,;:!?\n]{0,3}+("
    r"(?:[hH][tT][tT][pP][sS]?://|[wW]{3}\.)[^\s<>\"]+"
    rf"|[#@＃＠]?{_LETTERS}++(?:[{_QUOTES}#@＃＠]{_LETTERS}++)*+"
    rf"|[\U0001f1e6-\U0001f1ff]{{2}}|{_EMOJI})"
)
_ADDRESS = re.compile(r"(?:[hH][tT][tT][pP][sS]?://)?(?:[^/?#\s]*@)?([^/?#:\s]*)")
_HOST = re.compile(r"[\w.\-]+")
_WWW = re.compile(r"\A[.\-_]*(?:www\.)+")
_STRETCH = re.compile(rf"([#@＃＠]?)({_LETTERS}+(?:[{_QUOTES}]{_LETTERS}+)*)")
_APOSTROPHES = re.compile(f"[{_QUOTES}]")
_UNSPACED = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SPLIT = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}]){_LETTERS})+")
_DROPPED = re.compile(
    "[\u02bc\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]"
)
_ELIDED = frozenset({"l", "d", "m", "t", "n", "c", "j", "s", "qu"})


class _Surfaces(dict[str, tuple[str, ...]]):
    """Written form → its tokens. Apart from the rest of a form, so that the common case is one pass in C."""

    def __missing__(self, written: str) -> tuple[str, ...]:
        return _remember(self, written, _form(written).surfaces)


class _Forms(dict[str, _Form]):
    def __missing__(self, written: str) -> _Form:
        return _remember(self, written, _form(written))


class _Domains(dict[str, str]):
    """Host of an address → its token: addresses seldom come again, hosts do."""

    def __missing__(self, host: str) -> str:
        return _remember(self, host, _domain(host))


class _Stems(dict[str, tuple[str, ...]]):
    def __missing__(self, surface: str) -> tuple[str, ...]:
        return _remember(self, surface, _stem(surface))


def _remember(memory: dict[str, T], key: str, value: T) -> T:
    """Addresses and overlong words are not kept: they seldom come again."""
    if len(key) <= MAX_TOKEN and "://" not in key:
        if len(memory) >= REMEMBERED:
            memory.clear()
        memory[key] = value
    return value


_surfaces, _forms, _domains, _stems = _Surfaces(), _Forms(), _Domains(), _Stems()
_surfaces_of, _stems_of = _surfaces.__getitem__, _stems.__getitem__
_PLAIN, _LINKED = (WORD,), (ADDRESS,)


def _form(written: str) -> _Form:
    if written.isascii() and written.isalnum():
        return _Form((written.lower()[:MAX_TOKEN],), _PLAIN, ((0, len(written)),))
    if written[:4].lower() in ("http", "www.") and (form := _address(written)) is not None:
        return form
    return _read(written)


def _address(written: str) -> _Form | None:
    """One token for an address: its domain. None where it only begins like one."""
    if "://" not in written[:8] and written[3:4] != ".":
        return None
    found = _ADDRESS.match(written)
    domain = _domains[found[1]] if found else ""
    return _Form((domain,), _LINKED, ((0, len(written)),)) if domain else _Form((), (), ())


def _domain(host: str) -> str:
    """Empty where it is none."""
    domain = _WWW.sub("", fold(host)).strip(".-_")[:MAX_TOKEN].strip(".-_")
    return domain if _HOST.fullmatch(domain) else ""


def _read(written: str) -> _Form:
    if not _STRETCH.match(written):
        return _Form((written,), (SYMBOL,), ((0, len(written)),))
    tokens = [token for stretch in _STRETCH.finditer(written) for token in _stretch(stretch)]
    return _Form(
        tuple([surface for surface, _, _ in tokens]),
        tuple([mark for _, mark, _ in tokens]),
        tuple([span for _, _, span in tokens]),
    )


def _stretch(found: re.Match[str]) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """(surface, mark, span) of each token between two sigils. The `@` of `info@acme` is not a handle's."""
    sigil = found.group(1)
    mark = TAG if sigil in ("#", "＃") else HANDLE if sigil and found.start() == 0 else WORD
    for piece, low, high in _pieces(found.group(2)):
        start = found.start(2) + low
        span = (start - len(sigil) if mark and low == 0 else start, found.start(2) + high)
        for surface in _SPLIT.findall(fold(piece)):
            surface = surface.strip("_")[:MAX_TOKEN].strip("_")
            if any(map(str.isalnum, surface)):
                yield surface, mark, span
                mark = WORD


def _pieces(stretch: str) -> Iterator[tuple[str, int, int]]:
    """Words of a stretch with apostrophes: an elided article and a possessive s stand alone, the rest is one word."""
    parts = _APOSTROPHES.split(stretch)
    low, high = 0, len(stretch)
    if len(parts) > 1 and fold(parts[0]) in _ELIDED and len(parts[1]) > 1:
        first = parts.pop(0)
        yield first, 0, len(first)
        low = len(first) + 1
    possessive = len(parts) > 1 and parts[-1] in ("s", "S")
    if possessive:
        parts.pop()
        high -= 2
    yield "".join(parts), low, high
    if possessive:
        yield stretch[-1], high + 1, high + 2


def _fold_once(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _DROPPED.sub("", apart.replace("n\u0303", "ñ")))


_spanish = Stemmer.Stemmer("spanish", 0)
_english = Stemmer.Stemmer("english", 0)


def _stem(surface: str) -> tuple[str, ...]:
    if not surface.isalpha():
        return (surface,)
    spanish = _spanish.stemWord(surface) or surface
    english = _english.stemWord(surface) or surface
    return (spanish,) if spanish == english else (spanish, english)
