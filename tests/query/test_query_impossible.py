"""A query of which it is said that nothing can match it is matched by nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.document import Document
from query.impossible import Ways, impossible
from query.parse import parse
from query.predicate import compile_predicate
from query.tree import And, Node, Not
from query.unparse import unparse
from stream.records import Mention
from tests.strategies import mentions, nodes


def _parse(text: str) -> Node:
    return parse(text, now=0, context="search")


@pytest.mark.parametrize(
    ("query", "one", "other"),
    [
        ("intent:praise intent:complaint", "intent:praise", "intent:complaint"),
        ("risk:>=50 brand:acme risk:<10", "risk:>=50", "risk:<10"),
        ("risk:>50 risk:<=50", "risk:>50", "risk:<=50"),
        ("risk:70 risk:<70", "risk:70", "risk:<70"),
        ("-risk:>=50 risk:>=60", "-risk:>=50", "risk:>=60"),
        ("refund -refund", "refund", "-refund"),
        ("verified:yes verified:no", "verified:yes", "verified:no"),
        ("lang:es -has:lang", "lang:es", "-has:lang"),
        ("network:face* network:x", "network:face*", "network:x"),
        ("(intent:praise OR intent:complaint) intent:churn_threat", "intent:praise", "intent:churn_threat"),
        ("lang:es -(lang:es OR lang:en)", "lang:es", "-lang:es"),
    ],
)
def test_parts_that_exclude_one_another_are_named(query: str, one: str, other: str) -> None:
    clash = impossible(_parse(query))
    assert clash is not None
    assert tuple(map(unparse, clash)) == (one, other)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "intent:praise OR intent:complaint",
        "(intent:praise OR lang:es) intent:complaint",
        "risk:>=50 risk:<=50",
        "risk:>=50 -risk:>=60",
        "term:legal term:press",
        "site:example.org site:news.example.org",
        "-lang:es -has:lang",
        "network:face* network:facebook",
        "refund -repaid",
    ],
)
def test_what_can_be_matched_is_left_alone(query: str) -> None:
    assert impossible(_parse(query)) is None


@given(one=nodes(leaves=3), other=nodes(leaves=3), found=st.lists(mentions(), max_size=5))
@settings(max_examples=300, deadline=None)
def test_nothing_matches_what_is_called_impossible(one: Node, other: Node, found: list[Mention]) -> None:
    for query in (And((one, other)), And((one, Not(other)))):
        holds = compile_predicate(query)
        if any(holds(Document(mention)) for mention in found):
            assert impossible(query) is None


@pytest.mark.parametrize(
    ("one", "others", "places"),
    [
        ("risk:>=70", ["risk:>=50"], [0]),
        ("risk:>=50", ["risk:>=70"], []),
        ("risk:60 lang:es", ["lang:en", "risk:50..70"], [1]),
        ("risk:>=70 intent:complaint", ["intent:complaint risk:>50"], [0]),
        ("intent:praise OR intent:complaint", ["intent:praise", "intent:complaint"], [0, 1]),
        ("intent:praise OR intent:complaint", ["intent:praise"], []),
        ("brand:acme -risk:>=50", ["-risk:>=60"], [0]),
        ("brand:acme -risk:>=60", ["-risk:>=50"], []),
        ("followers:>10", ["has:followers"], [0]),
        ("network:facebook", ["network:face*"], [0]),
        ("network:facebo*", ["network:face*"], [0]),
        ("lang:es", ["-lang:en"], [0]),
        ('"money back now"', ['"money back"'], [0]),
        ('"money back"', ["money"], [0]),
        ("money NEAR/2 back", ["back NEAR/4 money"], [0]),
        ('"money back"', ["back NEAR/0 money"], [0]),
        ("refunds", ["refund"], []),
        ('"refunds now"', ["refun*"], [0]),
        ("refunds", ["refun*"], []),
        ("lang:es lang:en", ["*"], []),
    ],
)
def test_what_others_take_before_is_named(one: str, others: list[str], places: list[int]) -> None:
    assert Ways(_parse(one)).covered(list(map(_parse, others))) == places


@given(one=nodes(leaves=3), others=st.lists(nodes(leaves=3), max_size=3), found=st.lists(mentions(), max_size=5))
@settings(max_examples=300, deadline=None)
def test_what_is_called_covered_never_comes_through(one: Node, others: list[Node], found: list[Mention]) -> None:
    holds, before = compile_predicate(one), list(map(compile_predicate, others))
    through = [doc for doc in map(Document, found) if holds(doc) and not any(other(doc) for other in before)]
    assert not through or Ways(one).covered(others) == []


@given(one=nodes(leaves=3), other=nodes(leaves=3), found=st.lists(mentions(), max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_is_called_implied_never_fails(one: Node, other: Node, found: list[Mention]) -> None:
    holds, implied = compile_predicate(one), compile_predicate(other)
    if any(holds(document) and not implied(document) for document in map(Document, found)):
        assert not Ways(one).imply(other)


@given(one=nodes(leaves=3), other=nodes(leaves=3))
@settings(max_examples=150, deadline=None)
def test_whatever_excludes_the_contrary_is_called_implied(one: Node, other: Node) -> None:
    told = impossible(And((one, Not(other)))) is not None and impossible(Not(other)) is None
    assert not told or Ways(one).imply(other)


def test_queries_of_other_words_are_not_held_together_word_by_word(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Node] = []
    monkeypatch.setattr("query.impossible._forces", lambda part, leaf, holds: asked.append(leaf))
    words = [f"({' OR '.join(f'{name}{n}' for n in range(15))})" for name in ("oak", "elm", "fir", "ash")]
    assert not Ways(_parse(" ".join(words[:2]))).imply(_parse(" ".join(words[2:])))
    assert asked == []


def test_a_query_of_too_many_ways_is_not_gone_through() -> None:
    wide = " ".join(f"(word{n}a OR word{n}b OR word{n}c)" for n in range(12))
    assert impossible(_parse(f"intent:praise intent:complaint {wide}")) is None
