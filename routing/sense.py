"""What a rule asks for that cannot be: names that nobody has, comparisons that exclude one another, unheard alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from config.known import Known
from config.marked import Node as Yaml
from config.problems import Problem
from query.fields import FIELDS, canonical
from query.impossible import Ways
from query.predicate import leaves
from query.tree import Equals, Node, StartsWith
from query.unparse import unparse
from routing.risk import ADDED_TERMS, TEXT_TERMS
from routing.rule_actions import strangers
from routing.rules import Rule

NETWORKS: tuple[str, ...] = (
    "x", "reddit", "bluesky", "mastodon", "youtube", "facebook", "instagram", "linkedin", "tiktok", "threads", "news",
    "forum", "reviews", "webhook", "file",
)  # fmt: skip
LANGUAGES: tuple[str, ...] = ("en", "es", "ca", "gl", "eu", "pt", "fr", "it", "de", "other")
"""That the shipped model tells apart."""
_OTHER_NAMES = {"twitter": "x"}
_NO_SECTION = "file"
"""Source of posts that `clamor replay` brings without naming one."""


class Names(NamedTuple):
    """The values that a field can have here."""

    known: frozenset[str]
    message: str
    otherwise: str
    """Advice where no known name is near."""


def doubts(rules: Sequence[Rule], nodes: Mapping[str, Yaml], known: Known, file: str) -> Iterator[Problem]:
    """Warnings about rules that can be read; `nodes` are their places in the file, by name."""
    if not rules:
        message = "the list of rules is empty: every mention goes to queue none and nobody is told of any"
        advice = "write a rule, or delete the file: then the shipped rules work"
        yield Problem(file=file, line=1, message=message, advice=advice, severity="warning")
    names = names_there_are(known)
    for place, rule in enumerate(rules):
        where = nodes[rule.name].child("when") or nodes[rule.name]
        yield from unknown(rule.when, names, rule.name, where, file)
        ways = Ways(rule.when)
        if ways.clash is not None:
            one, other = map(unparse, ways.clash)
            message = f"the rule can never match: `{one}` and `{other}` exclude one another"
            yield _doubt(rule.name, where, file, message, "put OR between them, or delete one", None)
        elif takers := ways.covered([before.when for before in rules[:place]]):
            taken = " and ".join(f"{rules[n].name!r} in line {rules[n].line}" for n in takers)
            message = f"the rule is never reached: whatever it asks for, {taken} took before"
            yield _doubt(rule.name, where, file, message, "put it above, narrow what stands there, or delete it", None)
        for key, message, value, advice in strangers(rule.actions, known):
            yield _doubt(rule.name, nodes[rule.name].child(key) or where, file, message, advice, value)
        if rule.queue == "none" and any(rule.actions):
            message = "in queue none there is no case: `assign`, `deadline`, `hold` and `crm` do nothing"
            yield _doubt(rule.name, where, file, message, "give the rule a queue, or delete them", None)
        if rule.alert and rule.queue == "none":
            at = nodes[rule.name].child("alert") or where
            message = "an alert in queue none has no case, and only people whose `queues` are empty hear of it"
            yield _doubt(rule.name, at, file, message, "give the rule a queue, or delete `alert`", None)


def names_there_are(known: Known) -> Mapping[str, Names]:
    """By field."""
    return dict(_names(known))


def unknown(when: Node, names: Mapping[str, Names], path: str, where: Yaml, file: str) -> Iterator[Problem]:
    """Warnings about what a query asks for that nobody is called."""
    for leaf in leaves(when):
        yield from _unknown(leaf, names, path, where, file)


def _names(known: Known) -> Iterator[tuple[str, Names]]:
    if known.brands is not None:
        yield "brand", Names(known.brands, "no brand has this id", "write the brand first")
    if known.sources is not None:
        known_sources = known.sources | {_NO_SECTION}
        yield "source", Names(known_sources, "no source has this id", "write the source first")
    networks = known.networks | set(NETWORKS)
    advice = "where it is one of your own, say so in a source: `network:`"
    yield "network", Names(networks, "no network is known by this name", advice)
    terms = frozenset((*TEXT_TERMS, *ADDED_TERMS))
    yield "term", Names(terms, "there is no such risk term", f"use one of {', '.join(sorted(terms))}")
    yield (
        "lang",
        Names(frozenset(LANGUAGES), "no text is found to be in this language", f"use one of {', '.join(LANGUAGES)}"),
    )


def _unknown(leaf: Node, names: Mapping[str, Names], path: str, where: Yaml, file: str) -> Iterator[Problem]:
    if not isinstance(leaf, Equals | StartsWith) or leaf.field not in names:
        return
    held = names[leaf.field]
    values = {canonical(FIELDS[leaf.field], name) for name in held.known}
    if isinstance(leaf, StartsWith):
        if any(value.startswith(leaf.start) for value in values):
            return
        word = leaf.start
    else:
        word = str(leaf.value)
        if word in values:
            return
    near = get_close_matches(word, sorted({*values, *_OTHER_NAMES}), n=1)
    advice = f"did you mean {_OTHER_NAMES.get(near[0], near[0])!r}?" if near else held.otherwise
    yield _doubt(path, where, file, held.message, advice, unparse(leaf))


def _doubt(path: str, where: Yaml, file: str, message: str, advice: str, value: str | None) -> Problem:
    return Problem(
        file=file, line=where.line, column=where.column, path=path, value=value, message=message, advice=advice,
        severity="warning",
    )  # fmt: skip
