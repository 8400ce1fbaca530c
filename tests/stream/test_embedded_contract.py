"""The embedded log keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from embedded_place import EmbeddedPlace
from log_contract import LogContract


class TestEmbeddedLog(LogContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> EmbeddedPlace:
        return EmbeddedPlace(tmp_path / "log.db")
