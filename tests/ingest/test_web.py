"""Answers are bounded, however they come: in what they unpack to, and in time."""

from __future__ import annotations

import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest
import zstandard

from ingest.collector import Interrupted
from ingest.unpacking import PIECE, unpacked
from ingest.web import Answer, Refused, Web, told_time
from stream import public
from tests.standins.server import Request, Response, StandIn

SAID = b"Acme lost a plane. " * 5_000


class Answering(StandIn):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response

    def answer(self, request: Request) -> Response:
        return self.response


def asked(response: Response, **bounds: float) -> bytes:
    with Answering(response) as standin, Web(standin.url, **bounds) as web:  # type: ignore[arg-type]
        return web.get("/").body


def packed(body: bytes, coding: str) -> Response:
    return Response(200, body, {"Content-Encoding": coding})


BARE = zlib.compressobj(wbits=-zlib.MAX_WBITS)


@pytest.mark.parametrize(
    "response",
    [
        Response(200, SAID),
        packed(SAID, "identity"),
        packed(gzip.compress(SAID), "gzip"),
        packed(zlib.compress(SAID), "deflate"),
        packed(BARE.compress(SAID) + BARE.flush(), "deflate"),
    ],
)
def test_what_is_packed_as_http_knows_it_is_read(response: Response) -> None:
    assert asked(response) == SAID


@pytest.mark.parametrize("size", range(PIECE - 2, PIECE + 600, 7))
def test_of_a_long_run_the_end_is_read_too(size: int) -> None:
    """Its codes are fewer than the bytes that wait for them, and nothing comes behind them."""
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    said = bytes(size)
    assert b"".join(unpacked([bare.compress(said) + bare.flush()], "deflate")) == said


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("Fri, 27 Nov 2026 07:26:40 GMT", 1_795_764_400_000),
        ("Fri, 27 Nov 2026 08:26:40 +0100", 1_795_764_400_000),
        ("Fri, 27 Nov 2026 07:26:40 +999999", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_what_time_it_is_there_is_told_or_not_known(said: str, there: int | None) -> None:
    assert told_time({"date": said}) == there
    assert told_time({}) is None


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb"half \ud83d of it", "half \ufffd of it"),
        (rb"the other \uDE00", "the other \ufffd"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\N{GRINNING FACE}"),
        (rb"no half: \\ud83d, but \ud83d\n", "no half: \\ud83d, but \ufffd\n"),
        (b"Ana\xc3 and \xf0\x9f\x98", "Ana\ufffd and \ufffd"),
    ],
)
def test_half_a_character_in_one_text_hides_no_others_of_its_page(sent: bytes, read: str) -> None:
    body = b'{"texts": ["whole \xf0\x9f\x98\x80 \\ud83d\\ude00", "' + sent + b'"]}'
    assert Answer(200, {}, body, "").json() == {"texts": ["whole \N{GRINNING FACE} \N{GRINNING FACE}", read]}
    with pytest.raises(Interrupted, match="only half of it"):
        Answer(200, {}, body[:-3], "").json()


def test_only_what_can_be_read_within_bounds_is_offered() -> None:
    with Answering(Response(200, b"")) as standin, Web(standin.url) as web:
        web.get("/")
        assert standin.requests[0].headers["accept-encoding"] == "gzip"


def test_no_cookie_is_kept_or_sent_back() -> None:
    with Answering(Response(200, b"", {"Set-Cookie": "seen=yes; Path=/"})) as standin, Web(standin.url) as web:
        for _ in range(2):
            web.get("/")
        assert [one.headers.get("cookie") for one in standin.requests] == [None, None]


@pytest.mark.parametrize(
    "response", [packed(zstandard.compress(SAID), "zstd"), packed(b"no zip", "gzip"), packed(b"x", "gzip, gzip")]
)
def test_what_is_packed_otherwise_or_badly_is_no_answer(response: Response) -> None:
    with pytest.raises(Interrupted, match="packed in a way"):
        asked(response)


def test_a_small_answer_that_unpacks_to_a_huge_one_costs_no_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="more than 1,000,000 bytes"):
            asked(packed(bomb, "gzip"), max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_stream_that_comes_packed_all_the_same_is_unpacked_in_pieces() -> None:
    bomb = gzip.compress(bytes(10_000_000), 9)
    with Answering(packed(bomb, "gzip")) as standin, Web(standin.url) as web:
        assert max(map(len, web.listen("/", silence=5).parts())) <= PIECE


def test_what_is_sent_behind_the_end_of_a_packed_answer_is_neither_kept_nor_waited_for() -> None:
    def parts() -> Iterator[bytes]:
        yield gzip.compress(SAID)
        for _ in range(200):
            yield bytes(100_000)

    tracemalloc.start()
    try:
        assert b"".join(unpacked(parts(), "gzip")) == SAID
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_an_answer_that_comes_byte_by_byte_ends_in_time() -> None:
    over = threading.Event()

    def drops() -> Iterator[bytes]:
        while not over.wait(0.02):
            yield b"x"

    try:
        with pytest.raises(Interrupted, match=r"takes longer than 0\.3 s"):
            asked(Response(200, drops()), longest=0.3)
    finally:
        over.set()


def test_one_whose_head_comes_byte_by_byte_ends_in_time_too_where_strangers_named_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public, "is_public", lambda address: True)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not over.wait(0.02):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            place = f"http://127.0.0.1:{server.getsockname()[1]}"
            with Web(place, public_only=True, longest=0.3) as web, pytest.raises(Interrupted, match="no answer"):
                web.get("/")
        finally:
            over.set()
            dripping.join()
