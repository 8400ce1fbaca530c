from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from config import load as load_module
from config.disk import DiskFree
from config.home import Home
from database.base import metadata
from database.engine import open_database
from database.tables import brands as _brands
from database.tables import revisions as _tables

MakeHome = Callable[..., Home]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CLAMOR_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(load_module, "disk_free", lambda path: DiskFree(9, 10))


@pytest.fixture
def make_home(tmp_path: Path) -> MakeHome:
    """A home with this clamor.yaml, and rules.yaml where it is given."""

    def make(text: str | bytes, rules: str | None = None, secrets: str | None = None) -> Home:
        home = Home.at(tmp_path / "home")
        home.root.mkdir(exist_ok=True)
        home.settings_file.write_bytes(text.encode() if isinstance(text, str) else text)
        if rules is not None:
            home.rules_file.write_text(rules, encoding="utf-8")
        if secrets is not None:
            home.secrets_file.write_text(secrets, encoding="utf-8")
            home.secrets_file.chmod(0o600)
        return home

    return make


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "app.db")
    metadata.create_all(engine, tables=[_tables.revision, _tables.generation, _brands.brand_filter])
    yield engine
    engine.dispose()
