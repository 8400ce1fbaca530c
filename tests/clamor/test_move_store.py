"""The store moved alone, while routing works on another machine: nothing of what that decides is missed.

Both homes here have the same log and the same database; only the index of the second one is another file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from living import Living, gone, post, settled_home
from test_move import BIG, moving, on_the_new_engines, quiet

from clamor.moving import beginning, mentions
from clamor.moving.mentions import IndexCopy
from clamor.moving.move import catch_up
from clamor.moving.note import Engines, MoveError, engines_of, noted
from config.home import Home
from config.load import Configuration


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """As if its log and its database were on servers, which look the same from both configurations."""
    made = settled_home(tmp_path / "home")
    (made.root / "big.yaml").write_text(BIG.replace("6", "4"), encoding="utf-8")
    (made.root / "moved").mkdir()
    for name in ("log.db", "app.db"):
        (made.root / "moved" / name).symlink_to(made.root / "data" / name)

    def store_alone(configuration: Configuration) -> Engines:
        return Engines("kafka", engines_of(configuration).store, "postgresql")

    monkeypatch.setattr(beginning, "engines_of", store_alone)
    return made


def meanwhile(monkeypatch: pytest.MonkeyPatch, method: str, does: Callable[[], None], *, after: bool) -> None:
    """Each time that the move calls `method` of its copy of the index, the other machine does its part."""
    original: Callable[..., Any] = getattr(IndexCopy, method)

    def beside(*arguments: Any) -> Any:
        if not after:
            does()
        found = original(*arguments)
        if after:
            does()
        return found

    monkeypatch.setattr(IndexCopy, method, beside)


def test_what_another_machine_decides_after_the_comparison_reaches_the_new_index(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Living(home) as elsewhere:
        elsewhere.live(*(post(n) for n in range(8)))
        meanwhile(monkeypatch, "_in_store", lambda: elsewhere.live(gone(3), post(20)), after=True)
        with moving(home) as move:
            assert move.moved == (False, True, False)
            catch_up(move, quiet)
            move.end(quiet)
        wanted = elsewhere.found()
        assert "x:20#acme" in wanted
        assert "x:3#acme" not in wanted
    with Living(on_the_new_engines(home)) as living:
        living.drain()
        assert living.found() == wanted


def test_mentions_that_change_while_they_are_compared_hold_nothing_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(100, 200))
    monkeypatch.setattr(mentions, "FOUND_WITHIN", 0.0)
    with Living(home) as elsewhere:
        elsewhere.live(*(post(n) for n in range(8)))
        meanwhile(monkeypatch, "_in_sql", lambda: elsewhere.live(post(next(numbers))), after=False)
        with moving(home) as move:
            catch_up(move, quiet)
            move.end(quiet)
        wanted = elsewhere.found()
    with Living(on_the_new_engines(home)) as living:
        living.drain()
        assert living.found() == wanted


def test_an_index_that_is_not_equal_is_refused_and_once_removed_it_is_filled_anew(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentions, "FOUND_WITHIN", 0.0)
    with Living(home) as living:
        living.live(*(post(n) for n in range(8)))
        wanted = living.found()
    with moving(home) as move:
        catch_up(move, quiet)
    remove_index(home)
    with moving(home) as move, pytest.raises(MoveError, match=r"holds 0 mentions and SQL 8: .* remove that index"):
        move.end(quiet)
    note = noted(living.home)
    assert note is not None
    assert note.phase == "copying"
    remove_index(home)
    with moving(home) as move:
        catch_up(move, quiet)
        assert move.end(quiet).mentions == len(wanted)
    with Living(on_the_new_engines(home)) as living:
        assert living.found() == wanted


def remove_index(home: Home) -> None:
    for path in (home.root / "moved").glob("index*"):
        path.unlink()
