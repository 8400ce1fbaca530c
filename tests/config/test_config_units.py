from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "millis"),
    [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("1.5h", 5_400_000), ("6 d", 518_400_000), ("0s", 0)],
)
def test_a_span_is_read_as_people_write_it(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500_000_000), ("2GiB", 2**31), ("64kb", 64_000), ("1.5 KiB", 1536), ("7B", 7)]
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "6", "6 days", "-1d", "1d2h", "d", "1e9d", "9" * 40 + "d", "٣d "])
def test_what_is_no_span_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="such as 15m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "500", "5 apples", "-1MB", "1TB"])
def test_what_is_no_size_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500MB"):
        parse_size(text)


@given(st.integers(0, 10**12))
def test_what_is_written_is_read_back(value: int) -> None:
    assert parse_duration(format_duration(value)) == value
    assert parse_size(format_size(value)) == value
