"""Kafka, Elasticsearch and PostgreSQL together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "faults"), str(TESTS)]

from tests.services import engines as servers  # noqa: E402


@pytest.fixture
def engines() -> servers.Engines:
    found = servers.engines()
    found.all_up()
    return found
