"""The first query that is true is found as if each had been asked, and found again from what is kept of the answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.document import Document
from query.parse import parse
from query.predicate import compile_predicate, explain
from query.tree import Node
from routing.examples import example
from routing.rules import RuleSet, default_rules
from routing.rules_file import rule_nodes
from routing.ruling import Rulings
from routing.truths import Parts, Truths, Unreadable
from stream.records import Mention
from tests.strategies import mentions, nodes

RULES = RuleSet.read(default_rules())
SHIPPED = [rule.when for rule in RULES.rules]
TEXTS = ["intent:help_request (refund OR reembolso)", "#strike OR link:example.org", "risk:>=50 -late", "author:@ana"]


def _parse(text: str) -> Node:
    return parse(text, now=0, context="rule")


def asked_one_by_one(queries: list[Node], document: Document) -> int | None:
    return next((n for n, query in enumerate(queries) if compile_predicate(query)(document)), None)


def holds(queries: list[Node], rulings: Rulings, document: Document) -> None:
    found = rulings.first(document)
    assert found.place == asked_one_by_one(queries, document)
    facts = explain(queries[found.place], document) if found.place is not None else {}
    assert found.facts == facts
    assert rulings.replayed(found.record) == found
    assert Rulings(queries).replayed(found.record) == found


SHARED = Rulings(SHIPPED)
"""Kept over all examples: what it remembers of one must not colour another."""
MIXED = [*map(_parse, TEXTS), *SHIPPED]
SHARED_MIXED = Rulings(MIXED)


@given(mention=mentions(), risk=st.integers(0, 100))
@settings(max_examples=150, deadline=None)
def test_what_is_remembered_never_changes_what_is_decided(mention: Mention, risk: int) -> None:
    holds(SHIPPED, SHARED, Document(mention, risk=risk))
    holds(MIXED, SHARED_MIXED, Document(mention, risk=risk))


@given(queries=st.lists(nodes(leaves=4), max_size=4), seen=st.lists(mentions(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_whatever_the_queries_ask_for(queries: list[Node], seen: list[Mention]) -> None:
    rulings = Rulings(queries)
    for mention in (*seen, *seen):
        holds(queries, rulings, Document(mention))


def test_the_text_is_read_only_where_it_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    rulings = Rulings(list(map(_parse, ["intent:help_request refund", "intent:praise"])))
    praise = _document("{text: 'thank you for the refund', intent: praise}")
    monkeypatch.setattr("query.document.analyse", lambda text: pytest.fail("the text was read"))
    assert rulings.first(praise).place == 1


def test_what_was_not_asked_is_not_told() -> None:
    queries = list(map(_parse, ["intent:help_request refund", "intent:praise", "lang:es"]))
    record = Rulings(queries).first(_document("{text: 'a refund', intent: praise}")).record
    parts = Parts(queries)
    asked, true = parts.bit[_parse("intent:help_request")] | parts.bit[queries[1]], parts.bit[queries[1]]
    assert parts.read(record) == Truths(asked, true)


def test_a_record_of_other_parts_is_refused() -> None:
    one = Parts([_parse("lang:es")])
    record = one.written(Truths(1, 1))
    with pytest.raises(Unreadable, match="digest"):
        Parts([_parse("lang:en")]).read(record)
    for words in ("", "1", "x.1", "2.0", "0.1", "-1.-1"):
        with pytest.raises(Unreadable):
            one.read(f"{one.digest}.{words}")


def test_a_record_that_does_not_suffice_is_not_guessed_at() -> None:
    rulings = Rulings(list(map(_parse, ["lang:es refund", "lang:es"])))
    assert rulings.replayed(rulings.parts.written(Truths(1, 1))) is None


def test_a_record_of_fifty_rules_is_short() -> None:
    queries = [_parse(f"risk:>={n} followers:>{n}000 -lang:e{'abcdefghijklmnopqrstuvwxyz'[n % 26]}") for n in range(50)]
    assert len(Rulings(queries).first(_document("{intent: praise}")).record) < 90


def _document(text: str) -> Document:
    return example(rule_nodes(f"rules:\n  - {text}", "x")[0][0][1])
