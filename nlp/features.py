"""Hashed words and characters of texts: what the linear models read, the same in training and serving.

Every n-gram of characters and of words of a batch is hashed at once: with prefix sums of c[i]·P^i modulo 2^64 the hash
of any stretch is one difference and one product (Karp and Rabin 1987), exact, so that the features of a text do not
depend on the batch it stands in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]

_P = 0x9E3779B97F4A7C15
_P_INVERSE = pow(_P, -1, 1 << 64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)
_LETTER, _SYMBOL, _SPACE, _END = 0, 1, 2, 3
_BLANK = 32


class Features(NamedTuple):
    """`buckets[starts[i]:starts[i + 1]]` are the buckets of text i; a feature that stands twice is listed twice."""

    buckets: Ints
    starts: Ints


class Recipe(NamedTuple):
    """Which stretches count. `bits`: the table has 2**bits buckets."""

    bits: int
    chars: tuple[int, ...]
    """Lengths of character n-grams (spaces included, accents kept)."""
    words: int
    """Longest word n-gram (accents folded, digits alike); 0 for none."""


def features(texts: Sequence[str], recipe: Recipe) -> Features:
    """Buckets of each of `texts` (normalised), in [0, 2**recipe.bits)."""
    found, starts = hashes(texts, recipe.chars, recipe.words)
    return Features((found >> np.uint64(64 - recipe.bits)).astype(np.int64), starts)


def hashes(texts: Sequence[str], chars: Sequence[int], words: int) -> tuple[Hashes, Ints]:
    """64-bit hashes of the stretches of each of `texts`, and where each text's begin (one more than texts)."""
    letters, starts = _code_points(texts)
    found = np.empty((len(letters), len(chars) + words), np.uint64)
    valid = np.zeros(found.shape, bool)
    if chars:
        left = _reach(letters) - np.arange(len(letters))
        stretches = _Stretches(letters)
        for column, length in enumerate(chars):
            grams = stretches.all(length)
            found[: len(grams), column] = grams
            valid[:, column] = left >= length
    if words:
        first, columns = _words(letters, words)
        for column, (grams, same) in enumerate(columns, len(chars)):
            found[first, column], valid[first, column] = grams, same
    places = np.flatnonzero(valid)
    return found.ravel()[places], np.searchsorted(places, starts * found.shape[1])


def spoken(texts: Sequence[str], longest: int) -> tuple[Hashes, Ints, Ints]:
    """64-bit hashes of the word n-grams up to `longest` of each of `texts`, where each text's begin (one more than
    texts), and how many words each has. Words of letters alone, without case and accents: signs and digits part them.
    """
    letters, starts = _code_points(texts)
    plain = _letters_alone()[np.minimum(letters, 0xFFFF)]
    inside = plain > _BLANK
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    first, last = edges[::2], edges[1::2]
    words = np.diff(np.searchsorted(first, starts))
    single = _Stretches(plain).some(first, last, 101)
    text = np.repeat(np.arange(len(texts)), words)
    grams = np.zeros((len(first), longest), np.uint64)
    valid = np.zeros((len(first), longest), bool)
    grams[:, 0], valid[:, 0] = single, True
    for n in range(2, longest + 1):
        whole = max(0, len(first) - n + 1)
        grams[:whole, n - 1] = _mixed(grams[:whole, n - 2] + single[n - 1 :] * np.uint64(2 * n + 1))
        valid[:whole, n - 1] = text[:whole] == text[n - 1 :]
    counts = np.concatenate(([0], np.cumsum(valid.sum(axis=1))))
    return grams[valid], counts[np.searchsorted(first, starts)], words


class _Stretches:
    """Hashes of stretches of one array of code points."""

    def __init__(self, letters: npt.NDArray[np.uint32]) -> None:
        powers, self.inverse = _powers(1 << max(10, len(letters).bit_length()))
        self.prefix = np.zeros(len(letters) + 1, np.uint64)
        np.cumsum(letters.astype(np.uint64) * powers[: len(letters)], out=self.prefix[1:])

    def all(self, length: int) -> Hashes:
        """Mixed hash of each stretch of this length; the length is its salt."""
        raw = self.prefix[length:] - self.prefix[:-length]
        return self._salted(raw * self.inverse[: len(raw)], length)

    def some(self, start: Ints, end: Ints, salt: int) -> Hashes:
        """Mixed hash of each [start, end); `salt` keeps kinds of stretches apart."""
        return self._salted((self.prefix[end] - self.prefix[start]) * self.inverse[start], salt)

    def _salted(self, raw: Hashes, salt: int) -> Hashes:
        return _mixed(raw + np.uint64((salt * 0xA24BAED4963EE407) & (2**64 - 1)))


def _mixed(raw: Hashes) -> Hashes:
    """Spreads every bit over the upper ones (the finaliser of rrmxmx, Evensen 2019, shortened)."""
    raw = (raw ^ (raw >> _SHIFT)) * _MIX
    return (raw ^ (raw >> _SHIFT)) * _MIX


def _code_points(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Lower-case code points of all texts, a line end after each, and where each begins (one more than texts)."""
    joined = "".join([" " + text + " \n" for text in texts]).lower()
    letters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ends = np.flatnonzero(letters == 10)
    return letters, np.concatenate((np.zeros(1, np.int64), ends + 1))


def _reach(letters: npt.NDArray[np.uint32]) -> Ints:
    """For each position the end of its text."""
    ends = np.flatnonzero(letters == 10)
    lengths = np.diff(ends, prepend=-1)
    return np.repeat(ends, lengths)


def _words(letters: npt.NDArray[np.uint32], longest: int) -> tuple[Ints, list[tuple[Hashes, Flags]]]:
    """Where each word begins; and by length the word n-gram that begins there, and whether it ends in the same text.
    A symbol is a word of its own."""
    folded, kinds = _folded(letters)
    before = np.concatenate((np.array([_END], np.uint8), kinds[:-1]))
    begins = (kinds == _SYMBOL) | ((kinds == _LETTER) & (before != _LETTER))
    first = np.flatnonzero(begins)
    after = np.concatenate((kinds[1:], np.array([_END], np.uint8)))
    last = np.flatnonzero((kinds == _SYMBOL) | ((kinds == _LETTER) & (after != _LETTER)))
    single = _Stretches(folded).some(first, last + 1, 101)
    text = np.cumsum(letters == 10)[first]
    columns: list[tuple[Hashes, Flags]] = []
    grams = single
    for n in range(1, longest + 1):
        if n > 1:
            following = np.concatenate((single[n - 1 :], np.zeros(min(n - 1, len(single)), np.uint64)))
            grams = _mixed(grams + following * np.uint64(2 * n + 1))
        same = np.zeros(len(first), bool)
        if len(first) >= n:
            same[: len(first) - n + 1] = text[: len(first) - n + 1] == text[n - 1 :]
        columns.append((grams, same))
    return first, columns


def _folded(letters: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Code points without accents, digits alike; and the kind of each."""
    fold, kind = _tables()
    low = np.minimum(letters, 0xFFFF)
    astral = letters > 0xFFFF
    return np.where(astral, letters, fold[low]), np.where(astral, np.uint8(_SYMBOL), kind[low])


@cache
def _tables() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Fold and kind of each code point of the basic plane."""
    fold = np.arange(0x10000, dtype=np.uint32)
    kind = np.full(0x10000, _SYMBOL, np.uint8)
    for code in range(0x10000):
        char = chr(code)
        if char == "\n":
            kind[code] = _END
        elif char.isspace():
            kind[code] = _SPACE
        elif char.isalnum() or char in "_'’" or unicodedata.category(char)[0] == "M":
            kind[code] = _LETTER
        if char.isdigit():
            fold[code] = ord("0")
        elif code < 0x250:
            base = unicodedata.normalize("NFD", char)[0]
            fold[code] = ord(base)
    return fold, kind


@cache
def _letters_alone() -> npt.NDArray[np.uint32]:
    """Each code point of the basic plane without its accent where it is a letter, a line end as it is, else a blank."""
    fold, kind = _tables()
    letter = (kind == _LETTER) & (fold != ord("0"))
    for sign in "_'\u2019":
        letter[ord(sign)] = False
    plain = np.where(letter, fold, np.uint32(_BLANK))
    plain[0xFFFF] = _BLANK
    return plain


@cache
def _powers(length: int) -> tuple[Hashes, Hashes]:
    """P^0, P^1 … and the same of its inverse modulo 2^64."""
    ones = np.full(length, 1, np.uint64)
    up, down = ones.copy(), ones.copy()
    up[1:], down[1:] = np.uint64(_P), np.uint64(_P_INVERSE)
    return np.cumprod(up, dtype=np.uint64), np.cumprod(down, dtype=np.uint64)
