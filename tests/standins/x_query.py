"""X's query language: what "Build a rule" and "Build a query" of its documentation say of it, as far as brands need it.

Rules of a stream tell accents apart and match the quoted post as well; searches do neither.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

_TOKEN = re.compile(r'\s*(-?\(|\)|-?"[^"]*"|[^\s()"]+)')


class Shown(NamedTuple):
    """A post, as a query looks at it."""

    texts: Sequence[str]
    author: str
    lang: str
    repost: bool


def rule_fault(value: str) -> str:
    if len(value) > 1_024:
        return f"{len(value)} characters, at most 1024"
    try:
        tree = _parsed(value)
    except ValueError as fault:
        return str(fault)
    return "" if _standalone(tree) else "it needs an operator that stands alone"


def matches(value: str, post: Shown, *, accents: bool) -> bool:
    """Whether a rule or a query finds the post; `accents`: it tells them apart."""
    words = [_words(text, accents) for text in post.texts]

    def true(tree: Any) -> bool:
        kind, parts = tree
        if kind == "or":
            return any(true(one) for one in parts)
        if kind == "and":
            return all(true(one) for one in parts)
        return not term(parts[1:]) if parts.startswith("-") else term(parts)

    def term(token: str) -> bool:
        if token.startswith("from:"):
            return post.author.casefold() == token[5:].casefold()
        if token.startswith("lang:"):
            return post.lang == token[5:]
        if token == "is:retweet":
            return post.repost
        sought = _words(token.strip('"'), accents)
        return any(_within(sought, some) for some in words)

    return true(_parsed(value))


@cache
def _parsed(value: str) -> Any:
    tokens = _TOKEN.findall(value)
    if "".join(tokens) != value.replace(" ", "") and "".join(tokens).replace(" ", "") != value.replace(" ", ""):
        raise ValueError("quotes that are not closed")
    place = 0

    def either() -> Any:
        nonlocal place
        parts = [both()]
        while place < len(tokens) and tokens[place] == "OR":
            place += 1
            parts.append(both())
        return ("or", parts)

    def both() -> Any:
        nonlocal place
        parts = []
        while place < len(tokens) and tokens[place] not in (")", "OR"):
            token = tokens[place]
            place += 1
            if token == "-(":
                raise ValueError("groups are not negated")
            if token == "(":
                parts.append(either())
                if place >= len(tokens):
                    raise ValueError("a bracket that is not closed")
                place += 1
            else:
                parts.append(("term", token))
        if not parts:
            raise ValueError("an operator without operands")
        return ("and", parts)

    tree = either()
    if place != len(tokens):
        raise ValueError("a bracket too many")
    return tree


def _standalone(tree: Any) -> bool:
    kind, held = tree
    if kind == "or":
        return all(_standalone(one) for one in held)
    if kind == "and":
        return any(_standalone(one) for one in held)
    return not held.startswith(("-", "lang:", "is:", "has:"))


@lru_cache(200_000)
def _words(text: str, accents: bool) -> tuple[str, ...]:
    text = text.casefold()
    if not accents:
        text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    return tuple(re.findall(r"[@#]?\w+", text))


def _within(sought: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(words[place : place + len(sought)] == sought for place in range(len(words) - len(sought) + 1))
