"""Brands in X's query language, and which rules of the stream have to change for them.

Rules of the stream and queries of the search have the same operators. They differ in length, and a rule with an accent
only matches posts with that accent, while a search matches both (docs.x.com, "Build a rule", "Build a query").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ingest.wanted import Wanted
from query import address

TOO_LONG = "a name is too long for a rule of X"
NO_ROOM = "more rules than the plan of X allows"
_HANDLE = re.compile(r"@?([A-Za-z0-9_]{1,20})\Z")
_HASHTAG = re.compile(r"#?(\w{1,100})\Z")
_UNSAID = re.compile(r'["“”„\\\s]+')
_NETWORKS = ("x", "twitter")


class Shape(NamedTuple):
    """What all rules of a source have in common."""

    length: int
    """Characters that one may have."""
    accents: bool
    """Accents are told apart: a name is asked for with and without them."""
    reposts: bool = False
    own_posts: bool = True
    exclude: bool = True
    languages: tuple[str, ...] = ()


class Asked(NamedTuple):
    """A brand in X's language."""

    values: tuple[str, ...]
    """Together they ask for all of it that can be asked for."""
    left_out: bool = False
    """Something of it cannot be written so short."""


def asked(wanted: Wanted, shape: Shape) -> Asked:
    """The rules or queries for a brand, each at most `shape.length` characters."""
    always = [*_handles(wanted.handles), *_hashtags(wanted.hashtags)]
    if shape.own_posts:
        always += _accounts(wanted.accounts)
    names = _phrases(wanted.phrases, shape.accents)
    require = _phrases(wanted.require, shape.accents)
    flags = _flags(shape)
    exclude = _fitting(
        [f"-{one}" for one in _phrases(wanted.exclude, shape.accents)] if shape.exclude else [], shape.length // 3
    )
    if not require and not exclude:
        values, lost = _packed([*names, *always], [], flags, shape.length)
        return Asked(values, lost)
    named: list[str] = []
    lost_names = False
    for group in _groups(require, shape.length // 3) if require else [()]:
        beside = [_any(group)] if group else []
        some, lost = _packed(names, beside, [*exclude, *flags], shape.length)
        named += some
        lost_names = lost_names or lost
    others, lost_others = _packed(always, [], flags, shape.length)
    lost_require = any(len(one) > shape.length // 3 for one in require)
    return Asked((*named, *others), lost_names or lost_others or lost_require)


class Rule(NamedTuple):
    """One that stands on the stream."""

    id: str
    value: str
    tag: str = ""


class Change(NamedTuple):
    """What has to be done so that the stream asks for the brands, and for no others of ours."""

    add: tuple[tuple[str, str], ...]
    """(value, tag)"""
    delete: tuple[str, ...]
    """Ids."""
    left_out: Mapping[str, str]
    """Brand → why not all of it is asked for."""
    values: Mapping[str, tuple[str, ...]]
    """Of each rule that is to stand: the brands that it asks for."""


def change(brands: Sequence[tuple[str, Asked]], standing: Sequence[Rule], tag: str, most: int) -> Change:
    """`brands`: the most important first; `tag`: how the tags of this source's rules begin, the brand follows; `most`:
    rules that the plan allows. A rule of another program with the very same value serves us too: X takes none twice."""
    ours = {rule.value: rule for rule in standing if rule.tag.startswith(tag)}
    foreign = {rule.value for rule in standing if not rule.tag.startswith(tag)}
    values: dict[str, list[str]] = {}
    left_out: dict[str, str] = {}
    room = most - len(foreign)
    for brand, wants in brands:
        if wants.left_out or not wants.values:
            left_out[brand] = TOO_LONG
        for value in wants.values:
            if value not in values and value not in foreign:
                if room <= 0:
                    left_out[brand] = NO_ROOM
                    break
                room -= 1
            values.setdefault(value, []).append(brand)
    add = tuple((value, tag + by[0]) for value, by in values.items() if value not in ours and value not in foreign)
    doubled = [rule.id for rule in standing if rule.tag.startswith(tag) and ours[rule.value] is not rule]
    delete = (*(rule.id for value, rule in ours.items() if value not in values), *doubled)
    return Change(add, delete, left_out, {value: tuple(by) for value, by in values.items()})


# --- terms ---


def _phrases(texts: Iterable[str], accents: bool) -> list[str]:
    """Each in quotes, so that no word of it is taken for an operator; a whole address by the links of posts."""
    found: dict[str, None] = {}
    for text in texts:
        if form := address.whole(text):
            found[f'url:"{_UNSAID.sub(" ", form).strip()}"'] = None
            continue
        clean = _UNSAID.sub(" ", text).strip()
        for one in (clean, plain(clean)) if accents else (clean,):
            if any(sign.isalnum() or unicodedata.category(sign) == "So" for sign in one):
                found[f'"{one}"'] = None
    return list(found)


def plain(text: str) -> str:
    """Without accents: Telefónica is Telefonica, and ñ is n."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(sign for sign in parts if not unicodedata.combining(sign)))


def _handles(handles: Iterable[str]) -> list[str]:
    """Those that can be handles on X."""
    return [f"@{match[1]}" for match in map(_HANDLE.match, handles) if match]


def _hashtags(hashtags: Iterable[str]) -> list[str]:
    return [f"#{match[1]}" for match in map(_HASHTAG.match, hashtags) if match]


def _accounts(accounts: Iterable[str]) -> list[str]:
    """`@handle` of any network, and `x:handle`."""
    found = []
    for account in accounts:
        network, _, handle = account.rpartition(":")
        match = _HANDLE.match(handle)
        if match and network.casefold() in ("", *_NETWORKS):
            found.append(f"from:{match[1]}")
    return found


def _flags(shape: Shape) -> list[str]:
    flags = [] if shape.reposts else ["-is:retweet"]
    if shape.languages:
        flags.append(_any([f"lang:{language}" for language in shape.languages]))
    return flags


# --- packing ---


def _packed(
    terms: Sequence[str], beside: Sequence[str], flags: Sequence[str], length: int
) -> tuple[tuple[str, ...], bool]:
    """(rules of any of `terms` with all of `beside` and `flags`, whether a term is too long)."""
    rest = " ".join((*beside, *flags))
    room = length - len(rest) - bool(rest)
    lost = any(len(term) > room for term in terms)
    return tuple(" ".join((_any(group), *beside, *flags)) for group in _groups(terms, room)), lost


def _groups(terms: Sequence[str], room: int) -> Iterator[tuple[str, ...]]:
    """Terms that fit into `room` when any of them is asked for; too long ones are left out."""
    group: list[str] = []
    for term in terms:
        if len(term) > room:
            continue
        if group and len(_any([*group, term])) > room:
            yield tuple(group)
            group = []
        group.append(term)
    if group:
        yield tuple(group)


def _any(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def _fitting(terms: Sequence[str], room: int) -> list[str]:
    """The first ones that fit: what is left out costs money and loses nothing."""
    kept: list[str] = []
    for term in terms:
        if room < len(term) + 1:
            break
        room -= len(term) + 1
        kept.append(term)
    return kept
