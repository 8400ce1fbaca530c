"""The real program as people start it, in a home of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from big_program import BigProgram
    from program import Program

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    from program import Program

    made = Program(tmp_path / "home")
    yield made
    made.end()


@pytest.fixture
def big(tmp_path: Path) -> Iterator[BigProgram]:
    """On Kafka, Elasticsearch and PostgreSQL, which a test may kill and has to start again."""
    from big_program import BigProgram

    from tests.services.engines import engines

    servers = engines()
    servers.all_up()
    made = BigProgram(tmp_path / "home", servers)
    yield made
    made.end()
