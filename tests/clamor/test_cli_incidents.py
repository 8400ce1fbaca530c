"""`clamor incident` and what `clamor status` says of incidents, typed as people type it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import NOW, Living, post, settled_home
from msgspec.structs import replace
from typer.testing import CliRunner

from clamor.cli import program
from clamor.metrics import metrics
from database.engine import write
from routing.incidents import book
from routing.incidents.book import Evidence, Watched
from routing.incidents.clock import JUDGED
from routing.incidents.levels import Signal, Standing
from stream.clock import HOUR, MINUTE


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1, "Acme Air lost my bag, never again, a scandal"))
        private = post(2, "Acme Air staff say the scandal was known to all")
        living.live(replace(private, access="board"))
        with write(living.opened.engine) as connection:
            loud = Evidence(NOW, (Signal("all@x", 60, 12, 1.5, 4.0, 2.2, 0.99),))
            book.open_incident(connection, "acme", Standing("crisis", NOW - HOUR, NOW, NOW), loud, NOW)
        yield living


def clamor(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program(words[0]), ["--home", str(living.home.root), *words])


def test_texts_of_private_sources_are_shown_to_who_names_their_label(living: Living) -> None:
    shown = clamor(living, "incident", "show", "1").output
    assert "Made of 2 posts" in shown
    assert "lost my bag" in shown
    assert "was known to all" not in shown
    assert "was known to all" in clamor(living, "incident", "show", "1", "--access", "board").output
    assert "was known to all" not in clamor(living, "incident", "show", "1", "--json").output


def test_the_status_names_incidents_and_a_clock_that_stands(living: Living) -> None:
    assert "crisis" in clamor(living, "status").output
    assert "the clock has not begun" in " ".join(clamor(living, "status").output.split())
    with write(living.opened.engine) as connection:
        ago = living.opened.clock.now() // MINUTE - 20
        book.keep_watched(connection, JUDGED, Watched(ago, b"", Standing()))
        book.tell(connection, 1, "acme", "crisis", 0, living.opened.clock.now())
    words = " ".join(clamor(living, "status").output.split())
    assert "1 acme crisis since" in words
    assert "the clock lies 1" in words
    told = metrics(living.opened).decode()
    assert 'clamor_incidents_open{state="crisis"} 1.0' in told
    assert 'clamor_incident_alerts{word="crisis"} 1.0' in told
    assert "clamor_crises_unanswered 1.0" in told
    (lag,) = (line.split()[1] for line in told.splitlines() if line.startswith("clamor_incident_clock_lag_seconds "))
    assert 18 * 60 < float(lag) < 21 * 60
    clamor(living, "incident", "acknowledge", "1", "--by", "ana")
    assert "ana looks after it" in " ".join(clamor(living, "status").output.split())
    assert "clamor_crises_unanswered 0.0" in metrics(living.opened).decode()
