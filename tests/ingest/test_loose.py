"""Of what a network lists one of another form costs itself alone."""

from __future__ import annotations

import msgspec

from ingest.collector import Malformed
from ingest.loose import each_of


class Review(msgspec.Struct):
    id: str


def test_one_of_another_form_costs_itself_alone() -> None:
    found, malformed = each_of([{"id": "1"}, {"id": 2}, 3, {"id": "4"}], as_review, "a list", "review")
    assert found == [Review("1"), Review("4")]
    assert [(one.place, one.number, one.payload) for one in malformed] == [
        ("a list", 1, b'{"id":2}'),
        ("a list", 2, b"3"),
    ]
    assert all(one.reason.startswith("it is no review: ") and one.error == "ValidationError" for one in malformed)


def test_what_a_reader_refuses_is_said_in_its_words() -> None:
    def read(one: object) -> Review:
        raise ValueError("it has no id")

    assert each_of([7], read, "a list", "review") == (
        [],
        [Malformed("a list", "it is no review: it has no id", b"7", "ValueError")],
    )


def test_one_that_cannot_be_told_from_others_or_has_no_time_is_none() -> None:
    assert each_of([7, None], lambda one: one, "a list", "review") == (
        [7],
        [Malformed("a list", "it is no review: it has no id, or no time that can be read", b"null", "ValueError", 1)],
    )


def as_review(one: object) -> Review:
    return msgspec.convert(one, Review)
