"""The JSON Schemas in docs/ are those of the program, and what it writes is valid by them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from stream.records import (
    Alert,
    Author,
    Coverage,
    DeadLetter,
    Decided,
    Decision,
    Escalation,
    Labels,
    Mention,
    Metrics,
    Post,
    Scores,
    Struct,
    Term,
    Understanding,
    Understood,
    encode,
)
from stream.schemas import FOLDER, schemas, write

DOCS = Path(__file__).parents[2] / FOLDER

POST = Post(
    id="mastodon:1",
    network="mastodon",
    text="El pan llegó tarde",
    author=Author(id="7", handle="@ana", followers=12),
    seen_at=2,
    event_time=1,
    claimed_at=1,
    media=("https://files.example/1.jpg",),
    metrics=Metrics(likes=3),
)
UNDERSTANDING = Understanding(
    brand="horno",
    sentiment=Scores("negative", (0.9, 0.05, 0.05)),
    reputation=Scores("negative", (0.9, 0.05, 0.05)),
    intent=Scores("complaint", (1.0,)),
    detractor=Scores("1", (1.0,)),
    complaint=Scores("yes", (0.1, 0.9)),
    emotion=Labels(("anger",), (0.8, 0.2, 0.0, 0.0, 0.1, 0.0)),
    irony=Scores("no", (0.9, 0.1)),
    aspects=("delivery",),
    spam=("nothing but links",),
    terms=(Term("tone", 12.5, "an angry tone"),),
)
MENTION = Mention(
    id="mastodon:1#horno",
    revision=3,
    post=POST,
    post_id="mastodon:1",
    brand="horno",
    network="mastodon",
    event_time=1,
    understanding=UNDERSTANDING,
    decision=Decision(
        queue="support", rule="complaints", rules_revision=2, why="a complaint", facts={"risk:>=20": True}
    ),
)
EXAMPLES: list[Struct] = [
    POST,
    Post(id="x:1", network="x", kind="deleted", seen_at=1, event_time=1),
    Understood(post=POST, appended_at=3, understood_at=4, mentions=(UNDERSTANDING,), fingerprint=-5),
    MENTION,
    Decided(mention=MENTION),
    Escalation(case_id=1, change="opened", brand="horno", queue="support", mention=MENTION, at=5),
    Alert(id=1, kind="case", brand="horno", queue="support", case_id=1, risk=70, why="it spreads", at=6),
    Coverage(source_id="feed", since=1, until=2, state="partial", missed=None, reason="page cap"),
    DeadLetter(
        stage="nlp", topic="posts", partition=0, offset=1, key="x:1", reason="r", error="E", payload="e30=", at=1
    ),
]


def test_the_committed_schemas_are_current(tmp_path: Path) -> None:
    committed = {name: (DOCS / name).read_text(encoding="utf-8") for name in schemas()}
    assert committed == schemas(), "run `python -m stream.schemas` and commit docs/schemas"
    assert len(write(tmp_path)) == len(committed)
    assert write(tmp_path) == []


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_what_is_written_is_valid(record: Struct) -> None:
    validator(record).validate(json.loads(encode(record)))


def test_a_minor_version_may_add_a_field_and_a_major_one_is_not_valid() -> None:
    raw = json.loads(encode(POST))
    assert validator(POST).is_valid({**raw, "mood": "later"})
    assert not validator(POST).is_valid({**raw, "v": 2})
    assert not validator(POST).is_valid({**raw, "kind": "vanished"})
    assert not validator(POST).is_valid({key: value for key, value in raw.items() if key != "v"})


def validator(record: Struct) -> jsonschema.Draft202012Validator:
    schema = json.loads(schemas()[f"{type(record).__name__.lower()}.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
