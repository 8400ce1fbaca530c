"""Server-sent events are what the bytes say, wherever they are cut."""

from __future__ import annotations

import json

from ingest.server_sent import MOST_EVENT, MOST_ID, Framing


def test_events_are_put_together_however_they_are_cut() -> None:
    raw = b':)\nevent: update\r\ndata: {"a":\ndata: 1}\n\n:thump\nevent: delete\ndata: 7\n\n'
    raw += b"event: filters_changed\n\nevent: half\nda"
    whole = [("update", b'{"a":\n1}'), ("delete", b"7"), ("filters_changed", b"")]
    for size in (1, 2, 7, len(raw)):
        framing = Framing()
        found = [e for at in range(0, len(raw), size) for e in framing.feed(raw[at : at + size])]
        assert [(event.name, event.data) for event in found] == whole


def test_an_event_without_bounds_is_left_out_and_the_next_one_comes() -> None:
    framing = Framing()
    found = [*framing.feed(b"event: update\ndata: ")]
    for _ in range(MOST_EVENT // 100_000 + 2):
        found += framing.feed(b"x" * 100_000)
        assert len(framing._rest) <= MOST_EVENT
    found += framing.feed(b"\n\nevent: update\ndata: " + json.dumps({"fine": True}).encode() + b"\n\n")
    assert [event.overlong for event in found] == [True, False]
    assert json.loads(found[1].data) == {"fine": True}


def test_an_id_stays_until_the_next_one_and_an_event_needs_no_name() -> None:
    framing = Framing()
    raw = b':ok\n\nid: [1]\nevent: message\ndata: {}\n\ndata: {"a": 1}\n\nid: [2]\n\ndata: 3\n\n'
    found = [(event.name, event.id) for event in framing.feed(raw)]
    assert found == [("message", b"[1]"), ("", b"[1]"), ("", b"[2]")]
    (overlong,) = framing.feed(b"id: " + b"x" * (MOST_ID + 1) + b"\ndata: 4\n\n")
    assert (overlong.id, overlong.overlong) == (b"", False)
