"""What `clamor search` shows of a post: one line, and what a person said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import Living, post, settled_home
from typed import clamor

LONG = "Acme Air lost my bag\n" + "and nobody answers the telephone, said one of a thousand lines\n" * 1_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = settled_home(tmp_path_factory.mktemp("search") / "home")
    with Living(home) as living:
        living.live(post(1, LONG), post(2, "I want to buy a seat with Acme Air"))
    return home.root


@pytest.mark.parametrize("columns", [200, 80, 60])
def test_a_post_is_one_line_of_the_terminal(home: Path, columns: int) -> None:
    lines = clamor(home, "search", columns=columns).out.splitlines()
    assert len(lines) == 3, lines
    assert all(len(line) <= columns for line in lines)
    assert lines[0].split()[:3] == ["time", "(UTC)", "brand"]
    (long,) = (line for line in lines if "lost my bag" in line)
    assert long.rstrip().endswith("…")


def test_a_post_is_one_line_where_it_is_piped_on(home: Path) -> None:
    lines = [line.rstrip() for line in clamor(home, "search").out.splitlines()]
    assert len(lines) == 3
    (long,) = (line for line in lines if "lost my bag" in line)
    assert long.endswith("…")
    assert 300 < len(long) < 400


def test_a_persons_word_is_shown_and_not_the_models(home: Path) -> None:
    with Living(settled_home(home)) as living:
        assert clamor(home, "correct", "x:2#acme", "--intent", "suggestion").code == 0
        living.drain()
    (shown,) = (line for line in clamor(home, "search").out.splitlines() if "buy a seat" in line)
    assert "suggestion" in shown
