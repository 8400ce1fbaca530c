"""What mails say, in the reader's language: the texts of en.json and es.json, numbers, labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from routing.people_to_tell import Language


class Words:
    """The texts of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        raw = files("routing.mail").joinpath(f"{language}.json").read_text(encoding="utf-8")
        table = json.loads(raw)
        self._texts: Mapping[str, str | Mapping[str, str]] = table["texts"]
        self._labels: Mapping[str, Mapping[str, str]] = table["labels"]
        self._phrases: list[tuple[re.Pattern[str], str]] = [
            (_pattern(said), told) for said, told in table["phrases"].items()
        ]
        self._thousands: str = table["thousands"]
        self.decimals: str = table["decimals"]
        """What stands before the tenths."""

    def __call__(self, key: str, **values: object) -> str:
        """The text for `key` with its places filled; with `n`, the form for one or for several.

        Raises KeyError for a text that the language does not have.
        """
        found = self._texts[key]
        text = found if isinstance(found, str) else found["one" if values.get("n") == 1 else "other"]
        return text.format(**{name: self._shown(value) for name, value in values.items()})

    def label(self, kind: str, name: str) -> str:
        """The word for a value of a field (`intent`, `queue`, `network`); the value itself without one."""
        return self._labels[kind].get(name, name.replace("_", " "))

    def phrase(self, said: str) -> str:
        """A sentence that another room wrote in English, in this language where it is known; as it is elsewhere.

        What stands in its places may be a known sentence or a number, and is told in this language as well.
        """
        for pattern, told in self._phrases:
            found = pattern.fullmatch(said)
            if found:
                return told.format(*(self._localised(part) for part in found.groups()))
        return said

    def knows(self, said: str) -> bool:
        """Whether `phrase` has this sentence."""
        return any(pattern.fullmatch(said) for pattern, _ in self._phrases)

    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", self._thousands)

    def _localised(self, part: str) -> str:
        if not _ENGLISH_NUMBER.fullmatch(part):
            return self.phrase(part)
        return part.translate(str.maketrans(",.", self._thousands + self.decimals))

    def _shown(self, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            return value
        return self.number(value)


_ENGLISH_NUMBER = re.compile(r"\d{1,3}(,\d{3})*(\.\d+)?")


@cache
def words(language: Language) -> Words:
    return Words(language)


def _pattern(said: str) -> re.Pattern[str]:
    """`the author complained {} times before` as a pattern with a group for each `{}`."""
    return re.compile("(.+?)".join(re.escape(part) for part in said.split("{}")), re.DOTALL)


def keys_of(language: Language) -> Mapping[str, Any]:
    """All that a language's file holds, for the test that the two hold the same."""
    table: Mapping[str, Any] = json.loads(
        files("routing.mail").joinpath(f"{language}.json").read_text(encoding="utf-8")
    )
    return table
