"""The SQL reading of a query means the same mentions as the predicate."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.terms import AS_TOKENS
from query.fields import FIELDS
from tests.index.embedded_place import EmbeddedPlace
from tests.index.reading_contract import ReadingContract


class TestSqlReading(ReadingContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> EmbeddedPlace:
        return EmbeddedPlace(tmp_path)


def test_every_field_is_a_token_or_a_column() -> None:
    """A field that is new in the registry has to find its place here, else queries for it would fail."""
    assert set(FIELDS) >= AS_TOKENS
    assert {field for field in FIELDS if FIELDS[field].kind in ("keyword", "flag")} <= AS_TOKENS
