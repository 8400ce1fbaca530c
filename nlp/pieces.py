"""Texts as numbers of pieces of words: what the encoder reads, the same in training and serving.

A word is cut by the tokenizer alone, whatever stands beside it, so that its pieces can be kept: most words of a stream
have been seen before, and what is left of tokenising is one look-up a word.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp.classifier import Passage, Target
from nlp.normalise import HANDLE, LINK, OTHER, TARGET, marked

Ids: TypeAlias = npt.NDArray[np.uint16]

FILE = "tokenizer.json"
MARKS = (TARGET, OTHER, LINK, HANDLE)
BEGIN, PAD, END = 0, 1, 2
MOST = 128
"""Pieces of a text, BEGIN and END included; what follows is not read. Of the shared sets' posts 0.12 % are longer."""
WORDS_KEPT = 30_000
"""Words lately used, and as many used before them …"""
LONGEST_KEPT = 40
"""… each of so many characters at most: longer ones hardly come again, and thousands of them would fill the memory."""

_mark = re.compile(f"[{TARGET}{OTHER}{LINK}{HANDLE}]")
_private = re.compile("\u2581?[\ue000-\uf8ff]")


class Pieces:
    """The pieces of one `tokenizer.json`."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        """`path`: the file, or the folder of a model. Raises FileNotFoundError or ValueError, both naming it."""
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads would not survive a fork
        from tokenizers import Tokenizer

        file = path / FILE if path.is_dir() else path
        try:
            held = reserved(json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            raise FileNotFoundError(f"no {file}: the pieces of words that a model reads stand in it") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{file} is no tokenizer that this program reads ({error}): fetch the model anew"
            ) from None
        self._tokenizer = Tokenizer.from_str(json.dumps(held))
        self._marks: dict[str, tuple[int, ...]] = {token["content"]: (token["id"],) for token in held["added_tokens"]}
        self._room = most - 2
        self._target = self._marks[TARGET][0]
        self._words, self._older = dict(self._marks), dict(self._marks)

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """The pieces of each of `texts` (by `passage_text`, or normalised), between BEGIN and END.

        Of a text that is too long the first part is read, or, where that does not name the target, the part that does.
        """
        split = [_mark.sub(r" \g<0> ", text).split() for text in texts]
        used = {word for words in split for word in words}
        known = self._known(used)
        found = [self._framed([piece for word in words for piece in known[word]]) for words in split]
        for word in used:
            if len(word) > LONGEST_KEPT:
                del known[word]
        return found

    def number(self, mark: str) -> int:
        """The piece of one of MARKS."""
        return self._marks[mark][0]

    def _framed(self, pieces: list[int]) -> Ids:
        if len(pieces) > self._room:
            start = 0
            if self._target not in pieces[: self._room] and self._target in pieces:
                start = min(pieces.index(self._target) - self._room // 4, len(pieces) - self._room)
            pieces = pieces[start : start + self._room]
        return np.array([BEGIN, *pieces, END], np.uint16)

    def _known(self, words: set[str]) -> dict[str, tuple[int, ...]]:
        """The pieces of at least these words. Once full, the memory keeps what is used while it fills again."""
        if len(self._words) > WORDS_KEPT:
            self._older, self._words = self._words, dict(self._marks)
        missing = words.difference(self._words)
        new = [word for word in missing if word not in self._older]
        self._words.update({word: self._older[word] for word in missing if word in self._older})
        found = self._tokenizer.encode_batch_fast(new, add_special_tokens=False) if new else []
        self._words.update(zip(new, [tuple(one.ids) for one in found], strict=True))
        return self._words


def passage_text(passage: Passage, target: Target) -> str:
    """What the encoder reads of a passage: its normal form, the brands marked (`marked`); a target without a mark in it
    stands first."""
    text = marked(passage.text, target.spans, target.others)
    return text if TARGET in text else TARGET + text


def reserved(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """`tokenizer` (a Unigram `tokenizer.json`) with MARKS as tokens of their own, and without any other: no text can
    spell `<pad>` or `<s>`. The numbers of the pieces stay. A mark that has no piece takes a private character's."""
    vocabulary = [list(entry) for entry in tokenizer["model"]["vocab"]]
    for entry in tokenizer["added_tokens"]:
        if entry["content"] not in MARKS:
            vocabulary[entry["id"]][0] = " " + entry["content"].strip()
    numbers = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    spare = [number for piece, number in numbers.items() if _private.fullmatch(piece) and piece not in MARKS]
    for one in MARKS:
        if one not in numbers:
            if not spare:
                raise ValueError(f"no piece is left for the mark U+{ord(one):04X}")
            numbers[one] = spare.pop()
            vocabulary[numbers[one]][0] = one
    tokens = [
        {
            "id": numbers[one],
            "content": one,
            "single_word": False,
            "lstrip": True,
            "rstrip": True,
            "normalized": False,
            "special": True,
        }
        for one in MARKS
    ]
    model = {**tokenizer["model"], "vocab": vocabulary}
    return {**tokenizer, "added_tokens": tokens, "model": model, "post_processor": None}
