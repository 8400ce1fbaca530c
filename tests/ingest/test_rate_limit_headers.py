"""How long a network asks to be left alone, however it writes that."""

from __future__ import annotations

import pytest

from ingest.web import LONGEST_WAIT, retry_after

NOW = 1_795_737_600.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7_000),
        ({"x-ratelimit-reset": "2026-11-27T00:00:30.000Z"}, 30_000),
        ({"x-ratelimit-reset": "2026-11-26T00:00:00Z"}, 0),
        ({"x-ratelimit-reset": "9999-01-01T00:00:00Z"}, LONGEST_WAIT),
        ({"x-ratelimit-reset": "2026-11-27T00:00:30"}, None),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_wait_is_read_from_the_headers(headers: dict[str, str], wait: int | None) -> None:
    assert retry_after(headers, NOW) == wait
