"""Whatever a file, a push or a scenario holds: nothing but the announced errors is raised, and every row is counted."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.collector import Draft, Source
from ingest.dates import EARLIEST
from ingest.files import Options, Unmapped, Unreadable, replay
from ingest.intake import Intake
from ingest.scenario import BadScenario, load
from stream.clock import ManualClock
from stream.ports import DEAD_LETTER, POSTS, Append
from stream.records import Author, DeadLetter, Metrics, Post, decode

GOOD = b'{"id": "1", "text": "fine", "created_at": "2017-10-31T22:10:47Z"}\n'
HEADER = b"id,text,created_at,author,likes,kind\n"


class Kept:
    """A log that checks what the real one checks: known topics, records that decode, bounded keys."""

    def __init__(self) -> None:
        self.records: list[Append] = []

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        for record in records:
            kind: type[Any] = {POSTS: Post, DEAD_LETTER: DeadLetter}[record.topic]
            decode(kind, record.value)
            assert len(record.key.encode()) <= 1_024
            assert len(record.value) <= 1_000_000
        self.records += records
        return [(0, 0)] * len(records)


def check(raw: bytes, **options: Any) -> None:
    log: Any = Kept()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(raw)
        try:
            report = replay([path], log, ManualClock(1_795_000_000_000), Options(**options))
        except (Unreadable, Unmapped) as refusal:
            assert str(path) in str(refusal)  # noqa: PT017 (it need not be raised)
            assert log.records == []
            return
    assert report.read == report.appended + report.dead + report.skipped
    assert report.appended == sum(record.topic == POSTS for record in log.records)
    assert report.dead == sum(record.topic == DEAD_LETTER for record in log.records)


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=2_000),
    st.sampled_from([b"", GOOD, HEADER, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b",", b"\x00,")]),
)
@example(b"", b"\x1f\x8b")
@example(b'"\n' * 50, HEADER)
@example(b"\r\r\r", HEADER)
@example("é".encode("utf-16"), b"")
def test_any_bytes(rest: bytes, start: bytes) -> None:
    check(start + rest)
    check(start + rest, format="jsonl")
    check(start + rest, format="csv")


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=500), st.integers(0, 400))
def test_any_damage_to_a_packed_file(damage: bytes, at: int) -> None:
    packed = bytearray(gzip.compress(GOOD * 200, mtime=0))
    packed[at : at + len(damage)] = damage
    check(bytes(packed))


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
FIELDS = (
    "id", "text", "created_at", "author", "user", "lang", "country", "network", "kind", "reply_to", "conversation_id",
    "quote_of", "url", "media", "likes", "reply_count", "seen_at", "edited_at", "revision", "title", "verified", "v",
    "event_time", "brands", "access", "query_ids", "followers", "metrics",
)  # fmt: skip

PLAYED = (*FIELDS, "at", "source", "control", "from", "until")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), values, max_size=8), min_size=1, max_size=5))
def test_any_values_in_known_fields(rows: list[dict[str, Any]]) -> None:
    check(GOOD + b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    own = b'{"id": "x:1", "network": "x", "text": "t", "claimed_at": 1509487847000, "seen_at": 1, "event_time": 1, '
    own += b'"brands": [], "access": "public", "query_ids": []}\n'
    check(own + b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    check(json.dumps([json.loads(GOOD), *rows]).encode())


drafts = st.builds(
    Draft,
    native_id=st.text(max_size=300),
    network=st.text(max_size=40),
    text=st.text(st.characters(), max_size=50),
    title=st.none() | st.text(st.characters(), max_size=20),
    author=st.none()
    | st.builds(Author, id=st.text(st.characters()), handle=st.text(st.characters()), followers=st.integers()),
    claimed_at=st.none() | st.integers(0, 2**60),
    seen_at=st.none() | st.integers(0, 2**60),
    reply_to=st.none() | st.text(st.characters(), max_size=300),
    revision=st.none() | st.integers(),
    metrics=st.none() | st.builds(Metrics, likes=st.integers()),
    brands=st.lists(st.text(st.characters(), max_size=5), max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(drafts, max_size=4))
@example([Draft(native_id="1", text="\ud800"), Draft(native_id="", text="\ud800", author=Author(id="\udfff"))])
def test_any_draft_of_a_network(some: list[Draft]) -> None:
    log: Any = Kept()
    took = Intake(log, Source(id="feed", network="x")).take(some, 1_795_000_000_000, "live")
    assert len(took.kept) + took.dead == len(some) == len(log.records)
    for post in (decode(Post, record.value) for record in log.records if record.topic == POSTS):
        assert EARLIEST <= post.event_time <= post.seen_at <= 1_795_000_000_000


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=80) | st.dictionaries(st.sampled_from(PLAYED), values, max_size=6), max_size=5))
def test_any_scenario(lines: list[bytes | dict[str, Any]]) -> None:
    head = b'{"scenario": "s", "start": "2026-11-16T00:00:00Z", "sources": [{"id": "a", "network": "x"}]}\n'
    raw = b"\n".join(
        line if isinstance(line, bytes) else json.dumps({"source": "a", "at": 5, **line}).encode() for line in lines
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.jsonl"
        path.write_bytes(head + raw)
        try:
            load(path)
        except BadScenario as refusal:
            assert f"{path}:" in str(refusal)  # noqa: PT017 (it need not be raised)
