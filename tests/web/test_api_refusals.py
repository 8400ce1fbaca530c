"""Every refusal has one shape with a way out; no input, however hostile, breaks an answer or gets a stack trace."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from web_home import WebHome, complaint

from stream.ports import Transient
from web import tokens

OPEN = {"/healthz", "/readyz", "/api/webhooks/{source}"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) <= {"error", "advice", "position", "retry_after", "accepted", "duplicates", "rejected"}
    assert found["error"]
    assert found["advice"]
    assert "Traceback" not in answer.text
    return found


def test_every_route_but_a_few_wants_a_token(home: WebHome) -> None:
    paths = home.client.get("/api/openapi.json").json()["paths"]
    routes = [(path, method) for path, methods in paths.items() for method in methods if path not in OPEN]
    assert len(routes) >= 12
    for path, method in routes:
        for headers in ({}, {"Authorization": "Bearer clamor_guess"}, {"Authorization": f"Basic {home.token}"}):
            address = path.replace("{case_id}", "x").replace("{mention_id}", "y")
            answer = home.client.request(method.upper(), address, headers=headers)
            problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_token_stops_working_at_once(home: WebHome) -> None:
    token = tokens.issue(home.opened.engine, "short-lived", 1)
    assert home.get("/api/count", token).status_code == 200
    assert tokens.revoke(home.opened.engine, "short-lived", 2)
    problem(home.get("/api/count", token), 401)
    assert not tokens.revoke(home.opened.engine, "short-lived", 3)
    again = tokens.issue(home.opened.engine, "short-lived", 4)
    assert home.get("/api/count", again).status_code == 200
    problem(home.get("/api/count", token), 401)


def test_only_the_hash_of_a_token_is_stored(home: WebHome) -> None:
    token = tokens.issue(home.opened.engine, "secretive", 1)
    assert tokens.issue_first(home.opened.engine, 1) is None
    files = b"".join(path.read_bytes() for path in home.opened.home.data.glob("app.db*"))
    for one in (token, home.token):
        assert one.encode() not in files
        assert one.removeprefix(tokens.PREFIX).encode() not in files


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\0"])
def test_a_token_has_a_plain_name(home: WebHome, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        tokens.issue(home.opened.engine, name, 1)


def test_a_query_error_points_at_its_place(home: WebHome) -> None:
    found = problem(home.get("/api/search", q="brnd:acme"), 422)
    assert found["position"][0] == 0
    assert "brand" in found["advice"]


@pytest.mark.parametrize(
    "q",
    [
        "x" * 4_001, "a " * 1_990, "(" * 300, "risk:>=", '"', "\0", "a\0b", '"a\0b"', "author:\0", "\ud7ff\u202e\ufeff",
        "*" * 50, "a* b* c*", "NOT " * 100 + "x", "-" * 200, "since:9999999999d", "risk:>=1e999", "created:>=99999999",
        "followers:>99999999999999999999999", "case:99999999999999999999", "id:" + "y" * 3_000, "NEAR/999999999(a b)",
        "' OR 1=1 --", '") OR hits MATCH ("', "hits:*", "{}", "a:b:c:d", "😀" * 999,
        "lang:" + "(" * 30 + "es" + ")" * 30,
    ],
)  # fmt: skip
def test_no_query_breaks_an_answer(home: WebHome, q: str) -> None:
    for path in ("/api/search", "/api/count", "/api/histogram"):
        answer = home.get(path, q=q)
        if answer.status_code != 200:
            problem(answer, 422)
    for order in ("risk", "relevance", "oldest"):
        assert home.get("/api/search", q=q, order=order).status_code in (200, 422)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/search", {"limit": 0}),
        ("/api/search", {"limit": 201}),
        ("/api/search", {"limit": "9" * 30}),
        ("/api/search", {"order": "random"}),
        ("/api/search", {"cursor": "x" * 501}),
        ("/api/search", {"cursor": "not a cursor"}),
        ("/api/search", {"cursor": "\0ñ"}),
        ("/api/search", {"cursor": "AAAA"}),
        ("/api/facets", {}),
        ("/api/facets", {"field": "created"}),
        ("/api/facets", {"field": "x" * 5_000}),
        ("/api/facets", {"field": ["brand"] * 13}),
        ("/api/facets", {"field": "brand", "size": 101}),
        ("/api/histogram", {"interval": "second"}),
        ("/api/cases", {"cursor": "9" * 25}),
        ("/api/cases", {"cursor": -1}),
        ("/api/cases", {"limit": 1_000}),
        ("/api/cases", {"queue": "none"}),
        ("/api/cases", {"brand": "x" * 65}),
        ("/api/cases/" + "9" * 25, {}),
        ("/api/cases/0", {}),
        ("/api/cases/x", {}),
        ("/api/coverage", {"since": "0001-01-01T00:00:00+23:59"}),
        ("/api/coverage", {"until": "9999-12-31T23:59:59-23:59"}),
        ("/api/coverage", {"since": "inf"}),
        ("/api/coverage", {"since": "2026-11-02", "until": "2026-11-01"}),
        ("/api/coverage", {"since": "2020-01-01", "until": "2026-01-01"}),
        ("/api/mentions/" + "x" * 1_001, {}),
    ],
)
def test_every_parameter_is_bounded(home: WebHome, path: str, params: dict[str, Any]) -> None:
    answer = home.get(path, **params)
    found = problem(answer, 422)
    assert len(answer.content) < 2_000, found


@pytest.mark.parametrize(
    "id",
    ["x", "x:1", "%23", "%23acme", "x:1%23", "%00", "x:%00%23acme", "%FF%FE%23acme", "..%2f..%2fetc%23acme", "%25"],
)
def test_an_id_of_nothing_is_not_found(home: WebHome, id: str) -> None:
    for path in (f"/api/mentions/{id}", f"/api/mentions/{id}/decisions"):
        problem(home.get(path), 404)


def test_a_cursor_belongs_to_its_query(home: WebHome) -> None:
    home.take(*(complaint(f"cur-{n}", text="cursory") for n in range(3)))
    cursor = home.ok("/api/search", q="cursory", limit=1)["cursor"]
    assert home.get("/api/search", q="cursory", limit=1, cursor=cursor).status_code == 200
    problem(home.get("/api/search", q="other", limit=1, cursor=cursor), 422)
    problem(home.get("/api/search", q="cursory", limit=1, cursor=cursor, order="oldest"), 422)


def test_what_is_nowhere_and_what_is_not_taken(home: WebHome) -> None:
    problem(home.get("/api/nothing"), 404)
    problem(home.get("/"), 404)
    answer = home.get("/api/search/")
    problem(answer, 404)
    assert "location" not in answer.headers
    refused = home.client.post("/api/search")
    problem(refused, 405)
    assert refused.headers["allow"] == "GET"


def test_every_answer_is_hardened(home: WebHome) -> None:
    evil = {"Origin": "https://evil.example", "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for path in ("/healthz", "/api/search", "/api/nothing", "/api/docs", "/api/openapi.json"):
        answer = home.client.get(path, headers=evil)
        assert "'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers
        assert "evil" not in answer.text + str(answer.headers)
    assert home.get("/api/count").headers["cache-control"] == "no-store"


def test_no_header_can_be_injected(home: WebHome) -> None:
    home.take(complaint("crlf", text="split\r\nSet-Cookie: a=b"))
    answer = home.get("/api/search?q=split%0d%0aSet-Cookie:%20a=b&cursor=%0d%0aX-Evil:%201")
    assert answer.status_code == 422
    assert not {"set-cookie", "x-evil"} & set(answer.headers)
    assert not {"set-cookie"} & set(home.get("/api/search", q="split").headers)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /api/search?q=" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"\x00\xff\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_turned_away(home: WebHome, raw: bytes) -> None:
    port = int(home.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(raw)
            answer = connection.recv(65_536)
        except ConnectionError:
            answer = b""
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 431")
    assert b"Traceback" not in answer
    assert home.client.get("/healthz").status_code == 200


def test_what_nobody_expected_says_nothing_of_the_inside(
    home: WebHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the text of a post")

    with monkeypatch.context() as patch:
        patch.setattr(home.opened.store, "count", fails)
        answer = home.get("/api/count")
    found = problem(answer, 500)
    assert "post" not in found["error"]
    assert "ZeroDivision" not in answer.text
    said = capsys.readouterr()
    assert "the text of a post" not in said.out + said.err


def test_a_fault_that_passes_says_when_to_try_again(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Transient("/srv/secret/path/app.db is locked")

    with monkeypatch.context() as patch:
        patch.setattr(home.opened.store, "count", busy)
        answer = home.get("/api/count")
    problem(answer, 503)
    assert answer.headers["retry-after"] == "2"
    assert "secret" not in answer.text


def test_not_ready_names_the_part_and_no_reason(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise Transient("/srv/secret/path/index.db cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(home.opened.store, "offsets", broken)
        answer = home.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "missing": ["store"]}


@pytest.mark.parametrize(
    ("address", "unknown", "advice"),
    [
        ("/api/search?q=brand:acme&bogus=1", "'bogus'", "This route takes cursor, exact, limit, order, q, total"),
        ("/api/histogram?intervall=minute", "'intervall'", "Did you mean interval? This route takes exact, interval"),
        ("/api/coverage?from=2026-01-01", "'from'", "This route takes since, source, until"),
        ("/api/status?verbose=1&a%0Ab=2", "'verbose', 'a b'", "This route takes no parameters"),
    ],
)
def test_a_parameter_that_is_not_known_is_refused(home: WebHome, address: str, unknown: str, advice: str) -> None:
    found = problem(home.get(address), 422)
    assert f"there is no parameter {unknown} here" in found["error"]
    assert found["advice"].startswith(advice)
    problem(home.client.get(address), 401)


@pytest.mark.parametrize(
    "address", ["/healthz", "/readyz", "/api/search?q=brand:acme", "/api/docs", "/api/openapi.json"]
)
def test_a_head_is_answered_like_a_get_without_its_body(home: WebHome, address: str) -> None:
    whole = home.get(address)
    head = home.client.head(address, headers={"Authorization": f"Bearer {home.token}"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_a_head_wants_what_a_get_wants(home: WebHome) -> None:
    assert home.client.head("/api/search").status_code == 401
    assert home.client.head("/nowhere").status_code == 404
    assert home.client.head("/api/webhooks/shop").status_code == 404
    assert home.client.put("/api/webhooks/shop").status_code == 405
