"""A list that is read again and again is told of once, and each change of it: as soon as it was taken, not before."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ingest.collector import Draft
from ingest.remembered import Remembered
from stream.records import Metrics


class Item(NamedTuple):
    id: str
    draft: Draft | None


def said(text: str, id: str = "1", likes: int | None = None) -> Item:
    metrics = None if likes is None else Metrics(likes=likes)
    return Item(id, Draft(native_id=id, text=text, media=("https://cdn.example/a.jpg?sig=1",), metrics=metrics))


def told(known: Remembered, *found: Item, fresh: bool = True, reach: bool = True, taken: bool = True) -> list[Draft]:
    drafts, states = known.news(found, lambda one: one.draft if fresh else None, lambda one: reach)
    if taken:
        known.note(states)
    return drafts


def kinds(drafts: list[Draft]) -> list[tuple[str, str]]:
    return [(draft.kind, draft.text) for draft in drafts]


def test_each_is_told_once_and_each_change() -> None:
    known = Remembered()
    assert kinds(told(known, said("hello"), said("hello"))) == [("created", "hello")]
    assert told(known, said("hello")) == []
    assert kinds(told(known, said("hello again"))) == [("edited", "hello again")]
    assert "1" in known


def test_until_it_was_taken_it_is_told_again() -> None:
    known = Remembered()
    assert kinds(told(known, said("hello"), taken=False)) == [("created", "hello")]
    assert "1" not in known
    assert kinds(told(known, said("hello"))) == [("created", "hello")]
    assert kinds(told(known, said("changed"), taken=False)) == [("edited", "changed")]
    assert kinds(told(known, said("changed"))) == [("edited", "changed")]


def test_what_was_there_before_is_known_and_not_told_and_its_changes_are() -> None:
    known = Remembered()
    assert told(known, said("old"), fresh=False) == []
    assert kinds(told(known, said("old, but changed"), fresh=False)) == [("edited", "old, but changed")]


def test_a_new_reach_is_told_where_it_is_asked_for_and_not_forgotten_otherwise() -> None:
    known = Remembered()
    told(known, said("hello", likes=1))
    assert told(known, said("hello", likes=2), reach=False) == []
    (draft,) = told(known, said("hello", likes=2))
    assert (draft.kind, draft.metrics, draft.text) == ("metrics", Metrics(likes=2), "")
    assert told(known, said("hello", likes=2)) == []


def test_the_signature_of_an_address_is_no_change_and_what_says_nothing_is_not_known() -> None:
    known = Remembered()
    first = said("hello")
    assert first.draft is not None
    told(known, first)
    signed_anew = msgspec.structs.replace(first.draft, media=("https://cdn.example/a.jpg?sig=2",))
    assert told(known, Item("1", signed_anew), Item("2", None)) == []
    assert "2" not in known


def test_those_that_were_seen_last_are_remembered() -> None:
    known = Remembered(most=2)
    told(known, said("a", "1"), said("b", "2"))
    told(known, said("a", "1"), said("c", "3"))
    assert [id for id in ("1", "2", "3") if id in known] == ["1", "3"]
