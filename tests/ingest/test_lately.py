"""What comes again as it was a moment ago is appended once; whatever says anything new is appended."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.collector import Draft, Source
from ingest.intake import Intake
from ingest.lately import KEPT, MOST, Lately
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, POSTS, TopicSpec
from stream.records import Author, Metrics, Post, decode

NOW = 1_700_000_000_000
SOURCE = Source(id="feed", network="x")
FIRST = Draft(native_id="1", text="Acme is late", claimed_at=NOW - 1_000, author=Author(id="7"), query_ids=("acme",))


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    log = EmbeddedLog(tmp_path / "log.db", ManualClock(NOW))
    log.ensure([TopicSpec(POSTS, 1, 10**9), TopicSpec(DEAD_LETTER, 1, 10**9)])
    return log


def texts(log: EmbeddedLog) -> list[tuple[str, str]]:
    return [(post.kind, post.text) for record in log.read(POSTS, 0, 0, 1_000) for post in [decode(Post, record.value)]]


def edited(text: str) -> Draft:
    return Draft(native_id="1", kind="edited", text=text)


def test_the_same_from_stream_and_filler_is_one_record_and_was_received_twice(log: EmbeddedLog) -> None:
    intake = Intake(log, SOURCE, lately=Lately())
    assert intake.take([FIRST], NOW, "live").kept == ["1"]
    took = intake.take([FIRST], NOW + 60_000, "gapfill")
    assert (took.kept, took.again) == ([], ["1"])
    assert texts(log) == [("created", "Acme is late")]


@pytest.mark.parametrize(
    "newer",
    [
        Draft(native_id="1", text="Acme is on time", claimed_at=NOW - 1_000, author=Author(id="7")),
        Draft(native_id="1", text="Acme is late", claimed_at=NOW - 1_000, author=Author(id="7"), query_ids=("other",)),
        Draft(
            native_id="1", text="Acme is late", claimed_at=NOW - 1_000, author=Author(id="7"), metrics=Metrics(likes=1)
        ),
        Draft(native_id="1", kind="restored", text="Acme is late"),
        Draft(native_id="1", kind="deleted"),
    ],
    ids=["text", "another brand", "reach", "restore", "delete"],
)
def test_whatever_says_more_is_appended(log: EmbeddedLog, newer: Draft) -> None:
    intake = Intake(log, SOURCE, lately=Lately())
    intake.take([FIRST], NOW, "live")
    assert intake.take([newer], NOW + 1, "gapfill").kept == ["1"]


def test_an_edit_that_goes_back_is_news_whoever_appended_the_one_between(log: EmbeddedLog) -> None:
    lately = Lately()
    stream, sweep = Intake(log, SOURCE, lately=lately), Intake(log, SOURCE, lately=lately)
    for intake, text in ((stream, "one"), (sweep, "two"), (stream, "one")):
        assert intake.take([edited(text)], NOW, "live").kept == ["1"]
    assert [text for _, text in texts(log)] == ["one", "two", "one"]


@pytest.mark.parametrize("between", [Draft(native_id="1", kind="deleted"), Draft(native_id="9", kind="author_gone")])
def test_after_a_delete_a_post_that_is_seen_again_is_appended(log: EmbeddedLog, between: Draft) -> None:
    intake = Intake(log, SOURCE, lately=Lately())
    intake.take([FIRST], NOW, "live")
    intake.take([between], NOW + 1, "live")
    assert intake.take([FIRST], NOW + 2, "gapfill").kept == ["1"]


def test_whoever_is_started_anew_reads_from_the_log_what_was_appended(log: EmbeddedLog) -> None:
    Intake(log, SOURCE, lately=Lately()).take([FIRST], NOW, "live")
    lately = Lately()
    lately.recall(log, "x", NOW)
    assert Intake(log, SOURCE, lately=lately).take([FIRST], NOW + 1, "gapfill").again == ["1"]


def test_it_forgets_and_stays_small() -> None:
    lately = Lately()
    posts = [Post(id=f"x:{n}", network="x", text="Acme", seen_at=NOW, event_time=NOW) for n in range(3 * MOST)]
    for at in range(0, len(posts), 100):
        lately.note(posts[at : at + 100], NOW)
    assert lately.knows(posts[-1])
    assert not lately.knows(posts[0])
    assert len(lately._young) + len(lately._old) <= 2 * MOST + 100
    lately.note(posts[:1], NOW + KEPT)
    lately.note(posts[:1], NOW + 2 * KEPT)
    assert not lately.knows(posts[-1])
