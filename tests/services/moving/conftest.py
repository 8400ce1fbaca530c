"""Three real servers at once: a home is moved to all of them. What is missing skips, or fails where CI=true."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "clamor"), str(TESTS)]

from tests.places import keeping  # noqa: E402
from tests.services.engines import engines  # noqa: E402
from tests.services.moving.servers import Servers  # noqa: E402


@pytest.fixture
def places() -> Iterator[Servers]:
    found = engines()
    found.all_up()
    with keeping("postgres"):
        yield Servers(found.kafka.address, found.elastic.address)
