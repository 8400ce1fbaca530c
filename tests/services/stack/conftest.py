"""Kafka, Elasticsearch and PostgreSQL together, once for all tests of the whole program on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "faults"), str(TESTS)]

from tests.services.engines import Engines, started  # noqa: E402


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with started(tmp_path_factory.mktemp("engines")) as engines:
        yield engines
