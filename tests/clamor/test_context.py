"""From a reply in a case to the post above it, and to the moment when that is deleted on its network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from living import NOW, Living, settled_home
from test_sweeps import CONFIGURATION, collecting, soon
from typer.testing import CliRunner

from clamor.cli import program
from clamor.sources import collected
from stream.clock import HOUR
from stream.ports import EVERYTHING
from tests.board import BoardSource
from tests.standins.board import Board
from web import casebook, context


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home", CONFIGURATION)) as made:
        yield made


def above(living: Living, case: int) -> list[str]:
    opened = casebook.one(living.opened.engine, case, EVERYTHING)
    assert opened is not None
    found = context.threads(living.opened.engine, opened.live, EVERYTHING)
    return [one.post.text for thread in found for one in thread.above]


def test_what_a_reply_answers_comes_when_it_is_asked_for_and_goes_with_its_delete(living: Living) -> None:
    with Board() as board, collecting(living, BoardSource(id="board", url=board.url)) as work:
        top = board.publish("Whom would you fly with?", NOW, "bo")
        board.hide(top)
        board.publish("Not with Acme Air, they lost my bag again and I want my money back", NOW, answers=top)
        work.look()
        soon(lambda: len(living.found()) == 1, living.drain)
        ((case, *_),) = living.sql("SELECT id FROM cases")
        assert above(living, case) == []
        done = context.ask(
            living.opened.engine, case, EVERYTHING, "ana", NOW, lambda source: collected(living.opened, source)
        )
        assert done == context.Asked(1, 0, 0, 0)
        soon(lambda: above(living, case) == ["Whom would you fly with?"], living.drain)
        assert len(living.found()) == 1, "it is no mention"
        shown = CliRunner().invoke(program(), ["--home", str(living.home.root), "case", "show", str(case), "--context"])
        assert "answers bo" in shown.output, shown.output
        assert "Whom would you fly with?" in shown.output
        assert "nothing to ask for" in shown.output
        board.delete(top, loudly=True)
        living.clock.advance(12 * HOUR)
        soon(lambda: above(living, case) == [], living.drain)
        assert living.sql("SELECT count(*) FROM context_post") == [(0,)]
