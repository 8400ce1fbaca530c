"""The body that a query becomes for Elasticsearch says what the predicate says, and stays within a cluster's limits."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from index.elastic_documents import LONGEST_KEY, REVISION_BITS, key, prepare, version
from index.elastic_mapping import AFTER, BEFORE, BUILT_IN, MAPPINGS, PROPERTIES, Names, Shape, ended, home, layout
from index.elastic_query import DEEPEST, PARSED, ranked, read
from index.visibility import sees
from query.error import QueryError
from query.fields import FIELDS
from query.parse import MAX_DEPTH, parse
from query.tree import And, Between, Equals, Near, Node, Not, Or, Phrase, StartsWith, Word
from query.unparse import unparse
from stream.clock import DAY
from stream.ports import EVERYTHING, AccessScope
from stream.records import Decided, Mention
from tests.index.body_reader import depth, holds
from tests.index.made import NOW, asked, gone, mention
from tests.index.reading_contract import BATCHES, SCOPES, meant_by
from tests.strategies import nodes

TAKEN_AT_ONCE = 30
"""`indices.query.bool.max_nested_depth` of a cluster that nobody changed."""


def documents(batch: list[Mention]) -> dict[str, dict[str, object]]:
    entries, refused = prepare([Decided(mention=each) for each in batch], NOW)
    assert refused == []
    return {entry.mention.id: msgspec.json.decode(entry.source) for entry in entries}


def found_in(batch: list[Mention], query: Node, scope: AccessScope = EVERYTHING) -> set[str]:
    body = read(query, scope)
    assert msgspec.json.decode(msgspec.json.encode(body)) == body
    return {id for id, document in documents(batch).items() if holds(body, document)}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=BATCHES, query=nodes(leaves=9))
def test_the_body_means_what_the_predicate_means(batch: list[Mention], query: Node) -> None:
    assert found_in(batch, query) == meant_by(batch, query), unparse(query)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=BATCHES, query=nodes(), scope=SCOPES)
def test_a_scope_is_part_of_the_body(batch: list[Mention], query: Node, scope: AccessScope) -> None:
    covered = [each for each in batch if sees(scope, each)]
    assert found_in(batch, query, scope) == meant_by(covered, query)


def test_a_word_near_itself_must_be_there_twice() -> None:
    batch = [mention(1, "late late flight"), mention(2, "late flight")]
    assert found_in(batch, Near("late", "late", 1)) == {"x:1#acme"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Between("risk", 69.5, None), {70, 71}),
        (Between("risk", 70, 71, with_low=False), {71}),
        (Between("risk", None, 70.0, with_high=False), {69}),
        (Between("risk", 71, 69), set()),
        (Between("risk", -1e300, float("inf")), {69, 70, 71}),
        (Equals("risk", 70.0), {70}),
        (Equals("risk", 70.5), set()),
        (Equals("risk", 1e300), set()),
        (Equals("brand", 7.0), set()),
        (StartsWith("risk", "7"), set()),
        (Phrase(()), set()),
        (Or(()), set()),
        (And(()), {69, 70, 71}),
        (Equals("network", "\ud800"), set()),
    ],
    ids=repr,
)
def test_bounds_are_whole_and_what_cannot_be_is_nothing(query: Node, found: set[int]) -> None:
    batch = [mention(n, "flight", risk=n) for n in (69, 70, 71)]
    assert found_in(batch, query) == {f"x:{n}#acme" for n in found}


def test_a_field_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="'colour'"):
        read(Equals("colour", "red"), EVERYTHING)


def deepest_typed() -> Node:
    """Of parentheses inside one another, as many as the language takes."""
    found: Node | None = None
    for levels in range(1, MAX_DEPTH + 1):
        try:
            found = parse("a OR b (" * levels + "flight" + ")" * levels, now=NOW)
        except QueryError:
            break
    assert found is not None
    return found


def test_a_query_as_deep_as_can_be_typed_goes_in_pieces_and_a_deeper_one_is_refused() -> None:
    body = read(deepest_typed(), AccessScope(brands=frozenset({"acme"})))
    assert depth(body) <= PARSED + 3 < TAKEN_AT_ONCE
    (document,) = documents([mention(1, " ".join(["b"] * 3) + " flight")]).values()
    assert holds(body, document)

    nested: Node = Word("flight")
    for _ in range(DEEPEST):
        nested = Not(nested)
    with pytest.raises(ValueError, match="too deeply"):
        read(nested, EVERYTHING)


def test_ranking_changes_no_answer() -> None:
    meant = read(asked('refund "late flight" -bread'), EVERYTHING)
    body = ranked(asked('refund "late flight" -bread'), meant)
    assert body["bool"]["filter"] == [meant]
    assert len(body["bool"]["should"]) == 2
    assert ranked(asked("brand:acme"), meant) == meant


def test_every_field_has_its_place_in_the_mapping_and_no_other_is_taken() -> None:
    assert PROPERTIES["f"]["properties"].keys() == FIELDS.keys()
    assert MAPPINGS["dynamic"] == PROPERTIES["f"]["dynamic"] == "strict"
    for document in documents([mention(1, "flight"), gone(2)]).values():
        assert document.keys() <= PROPERTIES.keys()
        assert document.get("f", {}).keys() <= FIELDS.keys()  # type: ignore[attr-defined]


def test_a_field_more_makes_another_layout_so_that_the_index_asks_to_be_rebuilt() -> None:
    more = {**MAPPINGS, "properties": {**PROPERTIES, "f": {"properties": {"colour": {"type": "keyword"}}}}}
    assert layout(MAPPINGS) == Shape().layout()
    assert layout(more) != Shape().layout()


def test_the_cluster_s_own_analysers_read_the_same_documents_in_a_layout_of_their_own() -> None:
    shape = Shape(analysers="builtin")
    assert shape.layout() != Shape().layout()
    text = shape.mappings()["properties"]["text"]
    assert {name: value for name, value in text.items() if name != "copy_to"} == PROPERTIES["text"]
    assert text["copy_to"] == list(BUILT_IN)
    assert {f"words.{name}" for name in shape.mappings()["properties"]["words"]["properties"]} == BUILT_IN.keys()
    assert "copy_to" not in PROPERTIES["text"]


def test_only_plain_words_are_looked_for_by_the_cluster_s_own_analysers_and_only_where_they_are_asked_for() -> None:
    def sought(query: str, *, builtin: bool) -> str:
        return msgspec.json.encode(read(asked(query), EVERYTHING, builtin=builtin)).decode()

    for query in ("refund", "-refund", "refund OR delay OR brand:acme", "(refund OR delay) flight"):
        assert '"match"' not in sought(query, builtin=False)
        for field in BUILT_IN:
            assert f'{{"match":{{"{field}":' in sought(query, builtin=True)
    for query in ('"late flight"', "refun*", "late NEAR/2 flight", "😡", "brand:acme"):
        assert sought(query, builtin=True) == sought(query, builtin=False)


def test_a_tombstone_holds_nothing_of_the_post() -> None:
    (document,) = documents([gone(7)]).values()
    assert document == {"key": "x:7#acme", "live": False, "at": NOW}


def test_a_version_orders_as_epoch_and_revision_do() -> None:
    orders = [(0, 0), (0, 1), (0, 2**REVISION_BITS - 1), (1, 0), (1, 1), (2**22 - 1, 2**REVISION_BITS - 1)]
    numbers = [version(*order) for order in orders]
    assert numbers == sorted(number for number in numbers if number is not None)
    assert len(set(numbers)) == len(orders)
    assert (numbers[-1] or 0) < 2**63 - 1
    for impossible in ((-1, 0), (0, -1), (2**22, 0), (0, 2**REVISION_BITS)):
        assert version(*impossible) is None
    entries, refused = prepare([Decided(mention=mention(1, "x", revision=-1)), Decided(mention=mention(2, "x"))], NOW)
    assert [entry.mention.post_id for entry in entries] == ["x:2"]
    assert [refusal.mention_id for refusal in refused] == ["x:1#acme"]


def test_a_long_id_becomes_a_key_that_is_its_own() -> None:
    long = [f"news:{'é' * 400}{end}#acme" for end in "ab"]
    keys = {key(each) for each in [*long, "x:1#acme"]}
    assert len(keys) == 3
    assert "x:1#acme" in keys
    assert all(len(each.encode()) <= LONGEST_KEY for each in keys)


def test_a_home_is_chosen_by_routing_s_month_else_by_the_time_and_there_are_not_too_many() -> None:
    assert home(0, NOW) == "2026-09"
    assert home(202601, NOW) == "2026-01"
    assert home(199912, NOW) == home(0, -(10**18)) == home(0, 0) == BEFORE
    assert home(209901, NOW) == home(0, 10**18) == AFTER
    assert ended(AFTER) is None
    december = ended("2026-12")
    assert december is not None
    assert home(0, december - 1) == "2026-12"
    assert home(0, december) == "2027-01"
    before = ended(BEFORE)
    assert before is not None
    assert home(0, before - DAY) == BEFORE


def test_names_begin_with_the_prefix_and_homes_are_told_from_other_aliases() -> None:
    names = Names("clamor")
    for name in (names.read, names.state, names.home("2026-09"), names.index_of("2026-09", "abc")):
        assert name.startswith("clamor-")
    assert names.month(names.home("2026-09")) == "2026-09"
    assert names.month(names.home(BEFORE)) == BEFORE
    for other in (
        names.read,
        names.index_of("2026-09", "abc"),
        "clamor-building-abc-2026-09",
        "other-mentions-2026-09",
    ):
        assert names.month(other) is None
