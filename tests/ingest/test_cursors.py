"""What a collector keeps as its cursor is what it opens again; what no release of it wrote is no cursor of it."""

import msgspec
import pytest

from ingest.collector import CursorLost
from ingest.cursors import closed, opened


class State(msgspec.Struct):
    seen: int = 0


def test_a_source_goes_on_where_it_was() -> None:
    assert opened(closed(State(7)), State, "the board's") == State(7)
    assert opened(closed({"a list": 7}), dict[str, int], "the board's") == {"a list": 7}


def test_without_a_cursor_it_begins_anew() -> None:
    assert opened(None, State, "the board's") == State()
    assert opened(None, dict[str, int], "the board's") == {}


@pytest.mark.parametrize("strange", ["", "7", '{"seen": "long ago"}', '{"seen": 1', '{"seen": 1, "\udcff": 2}'])
def test_what_is_not_its_own_is_lost_by_name(strange: str) -> None:
    with pytest.raises(CursorLost, match="not one of the board's"):
        opened(strange, State, "the board's")
