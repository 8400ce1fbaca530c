"""A push over a socket: signed, bounded, each post once, and what got a 202 is in the log."""

from __future__ import annotations

import json
import socket
import time

import pytest
from web_home import SECRET, WebHome

from clamor.webhooks import Webhooks
from config.disk import DiskFree
from ingest.signature import sign


def body(*ids: str) -> bytes:
    return json.dumps({"posts": [{"id": id, "text": f"post {id}"} for id in ids]}).encode()


def test_what_got_a_202_is_in_the_log(home: WebHome) -> None:
    answer = home.push("community", body("w-1", "w-2"))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicates": 0, "rejected": []})
    assert {"forum:w-1", "forum:w-2"} <= {post.id for post in home.durable()}
    assert home.push("community", body("w-1", "w-2")).json() == {"accepted": 0, "duplicates": 2, "rejected": []}
    assert [post.id for post in home.durable()].count("forum:w-1") == 1


def test_a_private_source_marks_its_posts(home: WebHome) -> None:
    assert home.push("board", body("b-1")).status_code == 202
    (post,) = [post for post in home.durable() if post.id == "forum:b-1"]
    assert (post.access, post.brands, post.source_id) == ("board", ("acme",), "board")


def test_an_idempotency_key_gives_the_same_answer(home: WebHome) -> None:
    key = {"Idempotency-Key": "batch-1"}
    first = home.push("community", body("i-1"), **key)
    again = home.push("community", body("i-1"), **key)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, first.json())
    assert first.json()["accepted"] == 1
    other = home.push("community", body("i-2"), **key)
    assert other.status_code == 422
    assert other.json()["advice"]


def test_who_cannot_sign_learns_of_no_source(home: WebHome) -> None:
    """A source that is there, one that is not, one that takes files: the same words."""
    for headers in (
        {},
        {"X-Clamor-Timestamp": "5", "X-Clamor-Signature": "v1=0"},
        {"X-Clamor-Timestamp": "soon", "X-Clamor-Signature": "v1=0"},
    ):
        answers = [
            home.client.post(f"/api/webhooks/{source}", content=body("n-1"), headers=headers)
            for source in ("community", "absent", "%00", "a%2e%2e", "ñ" * 50)
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.text for answer in answers}) == 1
        assert answers[0].json()["error"]
        assert answers[0].json()["advice"]
    assert home.push("community", body("n-1"), secret="guess").status_code == 401
    assert home.push("absent", body("n-1")).status_code == 401
    assert "forum:n-1" not in {post.id for post in home.durable()}


def test_a_bearer_token_does_not_sign(home: WebHome) -> None:
    headers = {"Authorization": f"Bearer {home.token}"}
    assert home.client.post("/api/webhooks/community", content=body("t-1"), headers=headers).status_code == 401


def test_a_long_body_is_refused_by_its_length_alone(home: WebHome) -> None:
    """The answer comes while not a byte of the body has been sent."""
    head = "POST /api/webhooks/community HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
    for length in ("20001", "9" * 18, "9" * 300):
        with _connected(home) as connection:
            connection.sendall(head.format(length).encode())
            answer = connection.recv(65_536)
            assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), answer
            while length == "20001" and b"20,000" not in answer:
                part = connection.recv(65_536)
                assert part, answer
                answer += part


def test_a_body_without_a_length_is_read_to_the_bound_only(home: WebHome) -> None:
    with _connected(home) as connection:
        connection.sendall(b"POST /api/webhooks/community HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
        for _ in range(5):
            connection.sendall(chunk)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_sender_that_leaves_in_the_middle_leaves_nothing(home: WebHome) -> None:
    raw = body("half-1")
    stamp = int(time.time())
    with _connected(home) as connection:
        connection.sendall(
            b"POST /api/webhooks/community HTTP/1.1\r\nHost: x\r\nX-Clamor-Timestamp: %d\r\nX-Clamor-Signature: %s\r\n"
            b"Content-Length: %d\r\n\r\n" % (stamp, sign(SECRET, stamp, raw).encode(), len(raw))
        )
        connection.sendall(raw[:-2])
    assert home.push("community", body("half-2")).status_code == 202
    assert "forum:half-1" not in {post.id for post in home.durable()}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"\xff", b"[" * 5_000, b'{"posts": 5}', b'{"posts": [{"text": 1}]}']
)
def test_what_is_no_push_is_422(home: WebHome, raw: bytes) -> None:
    answer = home.push("bakery", raw)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert answer.json()["advice"]


def test_too_much_at_once_is_asked_to_come_again(home: WebHome) -> None:
    statuses = []
    for n in range(10):
        answer = home.push("community", body(*(f"many-{n}-{m}" for m in range(20))))
        statuses.append(answer.status_code)
    assert 429 in statuses
    assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] > 0
    assert len([post for post in home.durable() if post.id.startswith("forum:many-")]) == 20 * statuses.count(202)


def test_a_disk_that_fills_up_takes_no_posts(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.opened, "disk", lambda: DiskFree(1, 100))
    answer = home.push("bakery", body("full-1"))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "forum:full-1" not in {post.id for post in home.durable()}


def test_a_lag_holds_pushes_back(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clamor.holding.HIGH_WATER", -1)
    assert home.push("bakery", body("lag-1")).status_code == 429


def test_a_source_without_a_secret_is_told_to_nobody(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = home.opened.home.secrets_file
    kept = secrets.read_text()
    secrets.write_text("# none\n")
    try:
        assert Webhooks(home.opened).of("community") is not None
        assert home.push("community", body("s-1")).status_code == 401
    finally:
        secrets.write_text(kept)


def test_a_body_that_does_not_come_is_not_waited_for(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.routes.webhooks.PATIENCE", 0.05)
    with _connected(home) as connection:
        connection.sendall(b"POST /api/webhooks/community HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


def _connected(home: WebHome) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(home.url.rpartition(":")[2])), timeout=10)
