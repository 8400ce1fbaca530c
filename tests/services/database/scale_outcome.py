"""What stands in a database at the end, in words that do not rest on the order in which it came to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from scale_posts import World
from simulated_truth import cases, counted, truth_of
from sqlalchemy import Engine

from database.engine import read, rows
from stream.embedded import EmbeddedLog
from stream.ports import DECIDED
from stream.records import Decided, Mention, decode, encode

BY_HISTORY = frozenset({"spread", "history"})
"""Terms of a risk that tell what came before, and are settled at the first decision."""
Members: TypeAlias = set[frozenset[str]]


class Outcome(NamedTuple):
    mentions: dict[str, tuple[Any, ...]]
    """By id of a live one: text, author, time, what was read with its scores."""
    decisions: dict[str, tuple[Any, ...]]
    """By id of a live one: the rule, what it asks for, the terms of its risk but those by history."""
    cases: Members
    """Ids of the mentions of each live case."""
    clusters: Members
    """Ids of the posts that are near copies of one another."""
    counts: dict[tuple[Any, ...], tuple[int, ...]]
    """By brand, minute, network, intent and queue: mentions, negative, positive, detractors, own."""


def outcome(engine: Engine) -> Outcome:
    with read(engine) as connection:
        held = [decode(Mention, body) for (body,) in rows(connection, "SELECT body FROM mention")]
        words = dict(rows(connection, "SELECT n, value FROM dictionary"))
        live = {id for (id,) in rows(connection, "SELECT id FROM cases WHERE live = 1")}
        found: dict[tuple[Any, ...], list[int]] = {}
        for brand, minute, network, intent, queue, *values in rows(connection, _COUNTS):
            key = (words[brand], minute, words[network], words[intent], queue)
            sums = found.setdefault(key, [0] * len(values))
            for place, value in enumerate(values):
                sums[place] += value
    assert [m.id for m in held if m.state != "live" and m.post is not None] == [], "texts of what is gone"
    return Outcome(
        {m.id: _mention(m) for m in held if m.state == "live"},
        {m.id: _decision(m) for m in held if m.state == "live"},
        _together(held, lambda m: m.case_id if _works(m) and m.case_id in live else None, lambda m: m.id),
        _together(held, lambda m: m.cluster, lambda m: m.post_id),
        {key: tuple(sums) for key, sums in found.items() if any(sums)},
    )


def judge(found: Outcome, made: Sequence[World]) -> None:
    """Raises AssertionError where it is another than the truth of the worlds."""
    live = {id.rpartition("#")[0] for id in found.mentions}
    texts, members, every = dict[str, str](), Members(), Counter[tuple[str, int, str]]()
    for world in made:
        truth = truth_of(world)
        texts |= {f"{one.id}#{brand}": one.text for one in truth.values() if one.shown for brand in one.about}
        members |= cases(truth, live)
        every += counted(truth, live)
    assert {id: mention[0] for id, mention in found.mentions.items()} == texts
    calm = {id for ids in members for id in ids}
    assert {ids for ids in found.cases if ids & calm} == members
    works = {id for id, decision in found.decisions.items() if decision[0] != "none"}
    assert {id for ids in found.cases for id in ids} == works, "what asks for work is in a live case"
    by_intent = Counter[tuple[str, int, str]]()
    for (brand, minute, _, intent, _), sums in found.counts.items():
        by_intent[brand, minute, intent] += sums[0]
    assert {key: n for key, n in by_intent.items() if n} == dict(every)


def judge_decided(log: EmbeddedLog, engine: Engine) -> None:
    """Raises AssertionError where the highest revisions on `decided` are others than those in SQL.

    Of a mention that was gone already, for another reason, nobody is told anew.
    """
    highest: dict[str, Mention] = {}
    for partition, (low, end) in log.bounds(DECIDED).items():
        while low < end and (records := log.read(DECIDED, partition, low, 5_000)):
            low = records[-1].offset + 1
            for record in records:
                mention = decode(Decided, record.value).mention
                if mention.id not in highest or highest[mention.id].revision < mention.revision:
                    highest[mention.id] = mention
    with read(engine) as connection:
        held = [decode(Mention, body) for (body,) in rows(connection, "SELECT body FROM mention")]
    told = {m.id: m for m in held if m.state == "live" or m.id in highest}
    assert set(highest) == set(told)
    wrong = [id for id, mention in highest.items() if encode(mention) != encode(told[id])]
    assert [id for id in wrong if "live" in (told[id].state, highest[id].state) or highest[id].post] == [], wrong


def _mention(m: Mention) -> tuple[Any, ...]:
    post = m.post
    assert post is not None
    return post.text, post.author and post.author.id, m.event_time, m.content_hash, encode(m.understanding)


def _decision(m: Mention) -> tuple[Any, ...]:
    made = m.decision
    assert made is not None
    terms = tuple(term for term in made.terms if term.name not in BY_HISTORY)
    return made.queue, made.rule, made.alert, made.priority, terms


def _works(m: Mention) -> bool:
    return m.state == "live" and m.decision is not None and m.decision.queue != "none"


def _together(held: Sequence[Mention], group: Any, name: Any) -> Members:
    found: dict[int, set[str]] = {}
    for m in held:
        number = group(m)
        if number is not None:
            found.setdefault(number, set()).add(name(m))
    return {frozenset(ids) for ids in found.values()}


_SUMS = "mentions, negative, positive, detractors, own"
_COUNTS = " UNION ALL ".join(
    f"SELECT brand, minute, network, intent, queue, {_SUMS} FROM {table}" for table in ("count_delta", "count_minute")
)
