"""A push is taken if it is signed, fresh and bounded; each post once; and 202 means that it is durable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ingest.collector import Source
from ingest.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, signing_keys
from ingest.taken import KEPT, Last, Taken
from ingest.webhook import IDEMPOTENCY_HEADER, Answer, Hook, Webhook
from stream.dead_letters import payload
from stream.embedded import EmbeddedLog
from stream.merge import merge, state_of
from stream.ports import Append, Transient
from stream.records import Metrics, Post

NOW = 1_795_000_000_000
SOURCE = Source(id="community", network="discourse", brands=("acme",), access="board", max_lateness=60_000)
Push = Callable[..., Answer]


class Sender:
    def __init__(self, log: Any, engine: Engine, **more: Any) -> None:
        hold = more.pop("hold", None)
        self.secrets: tuple[str, ...] = ("first",)
        self.webhook = Webhook(Hook(source=SOURCE, secrets=lambda: self.secrets, **more), log, Taken(engine), hold)

    def __call__(
        self, body: Any, *, key: str | None = None, secret: str = "first", at: int = NOW, now: int = NOW, **headers: str
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = {TIMESTAMP_HEADER.upper(): str(at // 1000), SIGNATURE_HEADER.lower(): sign(secret, at // 1000, raw)}
        if key is not None:
            signed[IDEMPOTENCY_HEADER] = key
        return self.webhook.handle({**signed, **headers}, raw, now)


@pytest.fixture
def send(log: EmbeddedLog, engine: Engine) -> Sender:
    return Sender(log, engine)


def post(n: int, **more: Any) -> dict[str, Any]:
    return {"id": n, "text": f"post {n}", "created_at": NOW - 1_000, **more}


def test_a_push_becomes_posts_of_its_source(send: Sender, held: Any) -> None:
    status, answer = send(
        {"posts": [post(1, author={"id": 7, "handle": "@ana", "followers": 3}, reply_to="0"), post(2)]}
    )
    assert (status, answer) == (202, {"accepted": 2, "duplicates": 0, "rejected": []})
    first, _ = held.posts()
    assert (first.id, first.reply_to, first.author.handle) == ("discourse:1", "discourse:0", "ana")
    assert (first.brands, first.access, first.max_lateness, first.source_id) == (
        ("acme",),
        "board",
        60_000,
        "community",
    )
    assert (first.origin, first.seen_at, first.event_time) == ("live", NOW, NOW - 1_000)


def test_a_review_has_its_stars_and_other_stars_are_an_edit(send: Sender, held: Any) -> None:
    assert send(post(1, rating=2))[1]["accepted"] == 1
    assert send(post(1, rating=2))[1]["duplicates"] == 1
    assert send(post(1, rating=4, kind="edited"))[1]["accepted"] == 1
    send({"id": 1, "kind": "deleted", "rating": 4})
    assert [one.rating for one in held.posts()] == [2, 4, None]
    for wrong in (6, -1, 4.5, "5"):
        assert send(post(2, rating=wrong))[1].get("accepted", 0) == 0


def test_one_post_and_a_bare_list_are_pushes_too(send: Sender, held: Any) -> None:
    assert send(post(1))[0] == 202
    assert send([post(2), post(3)])[0] == 202
    assert [one.id for one in held.posts()] == ["discourse:1", "discourse:2", "discourse:3"]


def test_history_is_believed_and_marked(send: Sender, held: Any) -> None:
    old = NOW - 90 * 86_400_000
    send({"origin": "backfill", "posts": [post(1, created_at=old)]})
    send({"posts": [post(2, created_at=old)]})
    first, second = held.posts()
    assert (first.origin, first.event_time, first.clock_doubted) == ("backfill", old, False)
    assert (second.origin, second.event_time, second.clock_doubted) == ("live", NOW, True)


def test_deletes_edits_and_metrics(send: Sender, held: Any) -> None:
    changes = [
        post(1),
        {"id": 1, "kind": "edited", "text": "better", "edited_at": NOW - 500},
        {"id": 1, "kind": "metrics", "metrics": {"likes": 4}},
        {"id": 1, "kind": "deleted"},
    ]
    assert send({"posts": changes})[1]["accepted"] == 4
    assert [one.kind for one in held.posts()] == ["created", "edited", "metrics", "deleted"]
    assert {one.id for one in held.posts()} == {"discourse:1"}


def test_every_post_once_however_often_it_is_sent(send: Sender, held: Any) -> None:
    body = {"posts": [post(1), post(1), post(2)]}
    assert send(body)[1] == {"accepted": 2, "duplicates": 1, "rejected": []}
    assert send(body)[1] == {"accepted": 0, "duplicates": 3, "rejected": []}
    assert send({"posts": [post(1, text="changed", kind="edited")]})[1]["accepted"] == 1
    assert send({"id": 1, "kind": "deleted"}, now=NOW)[1]["accepted"] == 1
    assert send({"id": 1, "kind": "deleted"}, now=NOW + 5)[1]["accepted"] == 1
    assert len(held.posts()) == 5


def merged(posts: Sequence[Post]) -> Post | None:
    return reduce(merge, map(state_of, posts)).visible


def edited(text: str, **more: Any) -> dict[str, Any]:
    return {"id": 1, "kind": "edited", "text": text, **more}


@pytest.mark.parametrize("together", [True, False], ids=["one push", "a push each"])
def test_an_edit_that_goes_back_to_an_earlier_text_counts(send: Sender, held: Any, together: bool) -> None:
    """At one moment of the clock: the order in which they came is the order in which they were seen."""
    changes = [post(1, text="A"), edited("B"), edited("A"), edited("B"), edited("B")]
    answers = [send(changes)] if together else [send(one) for one in changes]
    assert [sum(answer[what] for _, answer in answers) for what in ("accepted", "duplicates")] == [4, 1]
    for shown, seen in zip(("A", "B", "A", "B"), range(1, 5), strict=True):
        last = merged(held.posts()[:seen])
        assert last is not None
        assert last.text == shown


def test_likes_that_fall_count(send: Sender, held: Any) -> None:
    send(post(1))
    for likes in (5, 1000, 5):
        assert send({"id": 1, "kind": "metrics", "metrics": {"likes": likes}})[1]["accepted"] == 1
    last = merged(held.posts())
    assert last is not None
    assert last.metrics == Metrics(likes=5)
    assert send({"id": 1, "kind": "metrics", "revision": 1, "metrics": {"likes": 6}})[1]["accepted"] == 1
    assert send({"id": 1, "kind": "metrics", "revision": 1, "metrics": {"likes": 7}})[1]["accepted"] == 1


def test_a_post_that_is_deleted_and_restored_can_come_again(send: Sender, held: Any) -> None:
    changes = [post(1), {"id": 1, "kind": "deleted"}, {"id": 1, "kind": "restored"}, post(1)]
    assert send(changes)[1] == {"accepted": 4, "duplicates": 0, "rejected": []}
    last = merged(held.posts())
    assert last is not None
    assert last.text == "post 1"


def test_posts_of_an_account_that_is_back_can_come_again(send: Sender, held: Any) -> None:
    mine, other = post(1, author="ana"), post(2, author="ben")
    account = {"id": "ana", "author": "ana"}
    send([mine, other, {**account, "kind": "author_gone"}])
    assert send([mine, other])[1] == {"accepted": 0, "duplicates": 2, "rejected": []}, "a push that is tried again"
    send({**account, "kind": "author_back"})
    assert send([mine, other, mine])[1] == {"accepted": 1, "duplicates": 2, "rejected": []}


def test_an_edit_from_the_future_counts_as_made_when_it_came(send: Sender, held: Any) -> None:
    send([post(1), edited("a lie", edited_at="2035-01-01")])
    send(edited("true", edited_at=NOW + 5), now=NOW + 10)
    assert [one.edited_at for one in held.posts()[1:]] == [NOW, NOW + 5]
    last = merged(held.posts())
    assert last is not None
    assert last.text == "true"


def test_what_can_be_no_post_is_a_dead_letter_once(send: Sender, held: Any) -> None:
    wrong = [{"id": 1, "txt": "x"}, {"id": 2, "text": 5}]
    for _ in range(3):
        assert len(send([post(9), *wrong])[1]["rejected"]) == 2
        assert send(b"{nonsense")[0] == 422
    assert send(b"{nonsense", secret="guess")[0] == 401
    dead = held.dead()
    assert [(one.stage, one.topic, one.offset) for one in dead] == [
        ("ingest", "", 1),
        ("ingest", "", 2),
        ("ingest", "", 0),
    ]
    assert all(one.key.startswith("community:") and one.reason for one in dead)
    assert [payload(one) for one in dead] == [*(json.dumps(one).encode() for one in wrong), b"{nonsense"]


def test_signatures_go_by_the_wall_and_posts_by_the_time_of_the_home(send: Sender, held: Any) -> None:
    """In a home with simulated time senders still sign by their own clocks."""
    body, lived = json.dumps(post(1)).encode(), NOW - 1_000_000_000
    signed = {TIMESTAMP_HEADER: str(NOW // 1000), SIGNATURE_HEADER: sign("first", NOW // 1000, body)}
    assert send.webhook.handle(signed, body, lived, NOW)[0] == 202
    assert [one.seen_at for one in held.posts()] == [lived]
    assert send.webhook.handle(signed, body, NOW, lived)[0] == 401


def test_an_idempotency_key_gives_the_same_answer(send: Sender, held: Any) -> None:
    body = {"posts": [post(1), {"id": 2, "txt": "?"}]}
    first = send(body, key="k-1")
    assert first[0] == 202
    assert send(body, key="k-1") == first
    status, answer = send({"posts": [post(3)]}, key="k-1")
    assert status == 422
    assert "k-1" in answer["error"]
    assert len(held.posts()) == 1


def test_each_wrong_post_has_its_own_words(send: Sender, held: Any) -> None:
    wrong = [
        {"text": "no id"}, {"id": 1, "txt": "x"}, {"id": 2, "text": 5}, {"id": 3},
        {"id": 4, "text": "x", "created_at": "soon"},
        {"id": 5, "text": "x", "kind": "sparkled"}, "text", {"id": 6, "text": "y" * 200_000}, {"id": "", "text": "x"},
        {"id": 7, "text": "x", "metrics": {"likes": -1}}, {"id": 8, "text": "x", "brands": ["other"]},
        {"id": 9, "text": "x", "network": "Not A Network"},
    ]  # fmt: skip
    status, answer = send({"posts": [*wrong, post(99)]})
    assert status == 202
    assert [one["index"] for one in answer["rejected"]] == list(range(len(wrong)))
    assert [one.id for one in held.posts()] == ["discourse:99"]
    status, answer = send({"posts": wrong})
    assert (status, answer["accepted"]) == (422, 0)


def test_half_a_character_keeps_no_post_out(send: Sender, held: Any) -> None:
    said = rb'{"posts": [{"id": 1, "text": "so \ud83d sad"}, {"id": 2, "text": "\ud83d\ude00 \\ud83d \\ufdd0"},'
    said += rb' {"id": 3, "text": "fine \ufffd"}, {"id": 4, "text": "\ude00", "author": "\ud83dana"}]}'
    status, answer = send(said)
    assert (status, answer["accepted"], answer["rejected"]) == (202, 4, [])
    assert [one["index"] for one in answer["notes"]] == [0, 3]
    assert all("U+FFFD" in one["note"] for one in answer["notes"])
    texts = [one.text for one in held.posts()]
    assert texts == ["so \ufffd sad", "\U0001f600 \\ud83d \\ufdd0", "fine \ufffd", "\ufffd"]
    assert held.posts()[3].author.handle == "\ufffdana"


def test_bytes_that_are_no_utf8_keep_only_their_own_post_out(send: Sender, held: Any) -> None:
    status, answer = send(b'{"posts": [{"id": 1, "text": "a \xed\xa0\xbd"}, {"id": 2, "text": "fine"}]}')
    assert (status, answer["accepted"], [one["index"] for one in answer["rejected"]]) == (202, 1, [0])
    assert [one.text for one in held.posts()] == ["fine"]


def test_an_address_that_is_no_link_is_left_out_and_named(send: Sender, held: Any) -> None:
    status, answer = send(
        [
            post(1, link="javascript:alert(1)"),
            post(2, link="https://x.example/2", media=["https://x.example/a.jpg", "data:image/png;base64,AA"]),
            post(3, link="https://x.example/3"),
        ]
    )
    assert (status, answer["accepted"]) == (202, 3)
    assert [one["index"] for one in answer["notes"]] == [0, 1]
    first, second, third = held.posts()
    assert (first.link, third.link) == (None, "https://x.example/3")
    assert (second.link, second.media) == ("https://x.example/2", ("https://x.example/a.jpg",))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b'"x"', b"\xff\xfe", b'{"posts": 5}', b'{"posts": [], "x": 1}', b"[" * 90_000]
)
def test_what_is_no_push_is_422(send: Sender, body: bytes) -> None:
    status, answer = send(body)
    assert status == 422
    assert answer["error"]


def test_who_does_not_sign_is_refused(send: Sender, held: Any) -> None:
    body = json.dumps(post(1)).encode()
    good = {TIMESTAMP_HEADER: str(NOW // 1000), SIGNATURE_HEADER: sign("first", NOW // 1000, body)}
    assert send.webhook.handle({}, body, NOW)[0] == 401
    assert send.webhook.handle({**good, SIGNATURE_HEADER: "v1=" + "0" * 64}, body, NOW)[0] == 401
    assert send.webhook.handle({**good, SIGNATURE_HEADER: "ñ"}, body, NOW)[0] == 401
    assert send.webhook.handle({**good, TIMESTAMP_HEADER: "١٢٣"}, body, NOW)[0] == 401
    assert send.webhook.handle({**good, TIMESTAMP_HEADER: str(NOW // 1000 + 1)}, body, NOW)[0] == 401
    assert send.webhook.handle(good, body + b" ", NOW)[0] == 401
    assert send(post(1), secret="guess")[0] == 401
    assert held.posts() == []
    assert send.webhook.handle(good, body, NOW)[0] == 202


def test_a_recorded_push_cannot_be_sent_again_later(send: Sender) -> None:
    assert send(post(1), at=NOW, now=NOW + 299_000)[0] == 202
    assert send(post(2), at=NOW, now=NOW + 301_000)[0] == 401
    assert send(post(3), at=NOW + 301_000, now=NOW)[0] == 401


def test_a_secret_is_changed_without_a_gap(send: Sender) -> None:
    new, former = "the new one of the shop", "the former one of the shop"
    send.secrets = signing_keys(new, former)
    assert send(post(1), secret=new)[0] == 202
    assert send(post(2), secret=former)[0] == 202
    send.secrets = signing_keys(new, None)
    assert send(post(3), secret=former)[0] == 401
    both = {SIGNATURE_HEADER.lower(): sign(former, NOW // 1000, b"[]") + ", " + sign(new, NOW // 1000, b"[]")}
    assert send(b"[]", secret=former, **both)[0] == 202
    send.secrets = signing_keys(None)
    assert send(post(4))[0] == 403


def test_a_secret_counts_as_it_stands_and_none_that_could_be_guessed(send: Sender) -> None:
    whole = "correct horse, battery staple"
    send.secrets = signing_keys(whole)
    assert [send(post(1), secret=part)[0] for part in ("horse", "correct", "horse,", "battery", whole)] == [401] * 4 + [
        202
    ]
    assert signing_keys("x", "s" * 15, "s" * 16) == ("s" * 16,)


def test_bodies_and_numbers_are_bounded(log: EmbeddedLog, engine: Engine, held: Any) -> None:
    send = Sender(log, engine, max_body=2_000, max_posts=5)
    assert send({"posts": [post(1, text="x" * 2_000)]})[0] == 413
    assert send({"posts": [post(n) for n in range(6)]})[0] == 413
    assert held.posts() == []
    assert send({"posts": [post(n) for n in range(5)]})[0] == 202


def test_too_much_at_once_comes_again_later(log: EmbeddedLog, engine: Engine, held: Any) -> None:
    send = Sender(log, engine, posts_per_minute=60)
    assert send({"posts": [post(n) for n in range(50)]})[0] == 202
    status, answer = send({"posts": [post(n) for n in range(50, 80)]})
    assert (status, answer["retry_after"]) == (429, 20)
    assert len(held.posts()) == 50
    assert send({"posts": [post(n) for n in range(50, 80)]}, now=NOW + 20_000)[0] == 202


def test_a_full_disk_takes_deletes_and_nothing_else(log: EmbeddedLog, engine: Engine, held: Any) -> None:
    send = Sender(log, engine, hold=lambda: "disk")
    delete = {"id": "7", "kind": "deleted"}
    assert send([delete])[0] == 202
    assert send([delete, {"id": "8", "text": "and a new one"}])[0] == 503
    assert [post.kind for post in held.posts()] == ["deleted"]


@pytest.mark.parametrize(("reason", "status"), [("lag", 429), ("disk", 503)])
def test_a_hold_sends_pushes_away(log: EmbeddedLog, engine: Engine, held: Any, reason: str, status: int) -> None:
    send = Sender(log, engine, hold=lambda: reason)
    assert send(post(1))[0] == status
    assert held.posts() == []


def test_what_is_not_durable_is_not_acknowledged(engine: Engine) -> None:
    class Broken:
        def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
            raise Transient("the disk is full")

    status, answer = Sender(Broken(), engine)(post(1), key="k")
    assert status == 503
    assert answer["retry_after"] > 0
    assert Taken(engine).answer("community", "k") is None


def test_what_was_taken_is_forgotten_after_a_week(engine: Engine) -> None:
    taken = Taken(engine)
    taken.remember("community", {"a": Last("1", NOW)}, ("k", "digest", 202, "{}"), NOW)
    taken.remember("community", {"b": Last("2", NOW + KEPT)}, None, NOW + KEPT)
    taken.prune(NOW + KEPT + 1)
    assert taken.last("community", ["a", "b"]) == {"b": Last("2", NOW + KEPT)}
    assert taken.answer("community", "k") is None


FIELDS = ("id", "text", "kind", "author", "created_at", "metrics", "posts", "origin")
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | values | st.lists(st.dictionaries(st.sampled_from(FIELDS), values)))
def test_any_signed_body_gets_an_answer(send: Sender, body: Any) -> None:
    assert send(body)[0] in (202, 413, 422, 429)
