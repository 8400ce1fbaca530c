"""What is missing is shown by the command that the search names."""

from __future__ import annotations

import json
import re
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from living import Living, post, settled_home
from typed import clamor

from clamor import exits
from ingest.coverage import NOT_SEEN, SWEEP
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from stream.records import Coverage

WHY = "the network did not answer"


THEN = time.time_ns() // 1_000_000 // MINUTE * MINUTE - 12 * DAY
SINCE = datetime.fromtimestamp(THEN / 1000, UTC).isoformat(timespec="minutes")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its ledger tells of twelve days ago: an hour that came, an hour that did not, and a page cap."""
    home = settled_home(tmp_path_factory.mktemp("coverage") / "home")
    with Living(home, ManualClock(THEN)) as living:
        living.live(post(1, at=THEN))
        for row in (
            Coverage(
                source_id="feed", query="acme", since=THEN, until=THEN + HOUR, state="complete", asked=2, missed=0
            ),
            Coverage(source_id="feed", query="acme", since=THEN + HOUR, until=THEN + 2 * HOUR, state="gap", reason=WHY),
            Coverage(
                source_id="forum",
                since=THEN,
                until=THEN + DAY,
                state="partial",
                received=1_000,
                kept=900,
                filtered=90,
                duplicates=12,
                late=5,
                refused=3,
                missed=7,
            ),
        ):
            living.opened.ledger.record(row)
    return home.root


def _rows(out: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()[1:]]


def test_the_search_names_the_command_that_shows_the_gaps(home: Path) -> None:
    told = clamor(home, "search").err
    named = re.search(r"incomplete: 2 gaps .* \(clamor (coverage .*)\)", told)
    assert named, told
    shown = clamor(home, *shlex.split(named[1]))
    assert [row[0] for row in _rows(shown.out)] == ["forum", "feed"]
    assert "2 rows miss something" in shown.err


def test_posts_that_were_not_looked_up_in_time_are_no_gap_of_a_search(tmp_path: Path) -> None:
    home = settled_home(tmp_path / "home")
    with Living(home, ManualClock(THEN)) as living:
        living.live(post(1, at=THEN))
        late = Coverage(source_id="feed", query=SWEEP, since=THEN, until=THEN + HOUR, state="partial", missed=7)
        living.opened.ledger.record(late)
    told = clamor(home.root, "search").err
    assert "1 of 1" in told
    assert "incomplete" not in told


def test_a_row_says_what_was_asked_received_and_missed_and_why(home: Path) -> None:
    done = clamor(home, "coverage", "--since", "-30d")
    assert done.code == exits.OK
    names, *rows = (re.split(r"\s{2,}", line.strip()) for line in done.out.splitlines())
    counts = ["asked", "received", "kept", "filtered", "duplicates", "late", "refused", "missed"]
    assert names == ["source", "query", "span (UTC)", "state", *counts, "reason"]
    by_state = {next(one for one in row if one in ("complete", "gap", "partial")): row for row in rows}
    assert by_state["complete"][-8:] == ["2", *["0"] * 7]
    assert by_state["gap"][-4:] == ["0", "0", "unknown", WHY]
    assert by_state["partial"][-8:] == ["0", "1,000", "900", "90", "12", "5", "3", "7"]


def test_the_ledger_is_asked_for_a_source_a_time_and_as_json(home: Path) -> None:
    done = clamor(home, "coverage", "--since", "-30d", "--source", "feed", "--json")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [(row["source_id"], row["state"]) for row in found] == [("feed", "complete"), ("feed", "gap")]
    newest = clamor(home, "coverage", "--since", "-30d", "--source", "feed", "--json", "-n", "1")
    assert newest.out == done.out.splitlines(keepends=True)[1]
    nothing = clamor(home, "coverage")
    assert (nothing.code, nothing.out) == (exits.OK, "")
    assert "nothing was asked for: an earlier --since reaches further back" in nothing.err
    assert "earlier: clamor coverage --since -30d" in clamor(home, "status").out
    assert clamor(home, "coverage", "--since", "soon").code != exits.OK


@pytest.mark.parametrize("columns", [80, 60])
def test_a_narrow_terminal_shows_a_row_below_one_another(home: Path, columns: int) -> None:
    done = clamor(home, "coverage", "--since", "-30d", "--gaps", "--source", "forum", columns=columns)
    first, second, *more = done.out.splitlines()
    assert first.endswith("partial")
    told = "asked 0, received 1,000, kept 900, filtered 90, duplicates 12, late 5, refused 3, missed 7"
    assert " ".join((second, *more)).split() == told.split()
    assert max(map(len, (first, second, *more))) <= columns


def test_a_timeline_has_a_sign_for_each_part_of_the_time(home: Path) -> None:
    done = clamor(home, "coverage", "--timeline", "--since", SINCE, "--source", "feed", "--source", "forum", columns=60)
    assert done.code == exits.OK
    axis, feed, forum = done.out.splitlines()
    assert re.fullmatch(r"\s+\d{4}-\d\d-\d\d \d\d:\d\d\s+\d{4}-\d\d-\d\d \d\d:\d\d", axis)
    assert max(map(len, (feed, forum))) <= 60
    assert re.fullmatch(r"feed   \S.* +(49|50)\.\d%", feed), feed
    assert re.fullmatch(r"forum  ▒+ .* +99\.3%", forum), forum
    assert "blank: not asked for" in done.err


def test_a_count_says_that_it_rests_on_less(home: Path) -> None:
    done = clamor(home, "search", "--count", "since:-13d")
    assert done.out == "1\n"
    assert "of the time asked for was received" in done.err
    assert NOT_SEEN in " ".join(done.err.split()), "what nobody listens to stands beside every number"
    assert "incomplete" not in clamor(home, "search", "--count", "since:-1d").err
