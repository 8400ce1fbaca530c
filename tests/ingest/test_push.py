"""What a network pushes is taken once, durable before it is answered, and only where the network signed it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

import pytest
from sqlalchemy import Engine

from ingest.collector import Draft, Interrupted, Malformed, Source
from ingest.push import Pushed, Receiver
from ingest.signature import verify_body
from ingest.taken import Taken
from stream.embedded import EmbeddedLog
from stream.records import Millis
from tests.ingest.conftest import NOW, Held

SECRET = "a secret of sixteen and more"


class Bulletin:
    """A network that pushes `[{"id", "text", "kind"}]`."""

    source = Source(id="board", network="bulletin", access="staff")
    max_body = 10_000
    waits = False

    def close(self) -> None: ...

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        verify_body(headers.get("x-bulletin", ""), body, [SECRET], "X-Bulletin")
        if self.waits:
            raise Interrupted("the board does not say who may read this", 5_000)
        drafts, malformed = [], []
        for one in json.loads(body):
            if "id" not in one:
                malformed.append(Malformed("board:?", "it has no id", json.dumps(one).encode()))
                continue
            drafts.append(Draft(native_id=one["id"], text=one.get("text", ""), kind=one.get("kind", "created")))
        return Pushed(drafts, malformed)


@pytest.fixture
def receiver(log: EmbeddedLog, engine: Engine) -> Receiver:
    return Receiver(Bulletin(), log, Taken(engine))


def pushed(receiver: Receiver, *posts: dict[str, str], secret: str = SECRET) -> tuple[int, dict[str, object]]:
    body = json.dumps(posts).encode()
    signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return receiver.handle({"X-Bulletin": signed}, body, NOW, NOW)


def test_what_is_signed_is_in_the_log_with_the_label_of_its_source(receiver: Receiver, held: Held) -> None:
    status, said = pushed(receiver, {"id": "1", "text": "hello"}, {"text": "no id"})
    assert (status, said["accepted"], said["duplicates"]) == (202, 1, 0)
    (post,) = held.posts()
    assert (post.id, post.text, post.access, post.source_id) == ("bulletin:1", "hello", "staff", "board")
    assert [letter.reason for letter in held.dead()] == ["it has no id"]


def test_a_push_that_is_sent_again_changes_nothing_also_after_a_later_one(receiver: Receiver, held: Held) -> None:
    first = pushed(receiver, {"id": "1", "text": "one"})
    pushed(receiver, {"id": "1", "text": "two"})
    assert pushed(receiver, {"id": "1", "text": "one"}) == first
    assert pushed(receiver, {"id": "1", "text": "two"}, {"id": "2", "text": "new"})[1]["duplicates"] == 1
    assert [post.text for post in held.posts()] == ["one", "two", "new"]


def test_what_is_not_signed_is_not_read(receiver: Receiver, held: Held) -> None:
    assert pushed(receiver, {"id": "1"}, secret="a guess of sixteen and more")[0] == 403
    assert receiver.handle({}, b"[]", NOW, NOW)[0] == 403
    assert receiver.handle({"X-Bulletin": "sha256=é"}, b"[]", NOW, NOW)[0] == 403
    assert receiver.handle({}, b"x" * 10_001, NOW, NOW)[0] == 413
    assert held.posts() == []


class Asking(Bulletin):
    """One that asks first."""

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        return query["hub.challenge"] if query.get("hub.verify_token") == SECRET else None


def test_a_question_is_answered_to_who_knows_what_was_agreed_and_never_with_more_than_a_word(
    receiver: Receiver, log: EmbeddedLog, engine: Engine
) -> None:
    asked = Receiver(Asking(), log, Taken(engine))
    known = {"hub.verify_token": SECRET}
    assert asked.challenge({**known, "hub.challenge": "1158201444"}, NOW) == "1158201444"
    assert asked.challenge({"hub.verify_token": "a guess", "hub.challenge": "1"}, NOW) is None
    for echo in ("a b", "é", "a\n", "x" * 501):
        assert asked.challenge({**known, "hub.challenge": echo}, NOW) is None
    assert receiver.challenge({**known, "hub.challenge": "1"}, NOW) is None, "this network never asks"


def test_what_cannot_be_understood_or_kept_now_is_asked_for_again(receiver: Receiver, held: Held) -> None:
    receiver.push.waits = True  # type: ignore[attr-defined]
    assert pushed(receiver, {"id": "1", "text": "one"}) == (
        503, {"error": "not understood now: the board does not say who may read this", "retry_after": 5}
    )  # fmt: skip
    receiver.push.waits = False  # type: ignore[attr-defined]
    receiver.hold = lambda: "disk"
    assert pushed(receiver, {"id": "1", "text": "one"})[0] == 503
    assert pushed(receiver, {"id": "2", "kind": "deleted"})[0] == 202
    receiver.hold = lambda: "lag"
    assert pushed(receiver, {"id": "1", "text": "one"})[0] == 429
    receiver.hold = lambda: None
    assert pushed(receiver, {"id": "1", "text": "one"})[0] == 202
    assert [(post.id, post.kind) for post in held.posts()] == [("bulletin:2", "deleted"), ("bulletin:1", "created")]
