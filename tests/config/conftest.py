from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from config import load as load_module
from config.disk import DiskFree
from config.home import Home
from database.engine import open_database
from tests.places import keeping, new_database, on_both

MakeHome = Callable[..., Home]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_both(metafunc, ("engine",))


@pytest.fixture(autouse=True)
def kept_in(request: pytest.FixtureRequest) -> Iterator[str]:
    """Whatever works on a database does so on SQLite and on PostgreSQL."""
    with keeping(getattr(request, "param", "sqlite")) as where:
        yield where


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
def address(tmp_path: Path) -> str:
    return new_database(tmp_path)


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    engine = open_database(address)
    yield engine
    engine.dispose()


@pytest.fixture
def signing() -> dict[str, str]:
    """The secrets, by name, of signatures: with every setting set nothing starts without them."""
    whose = (
        "PARTNER", "PARTNER_FORMER", "DISCOURSE", "DISCOURSE_FORMER", "FEEDS", "FEEDS_FORMER", "FACEBOOK", "INSTAGRAM",
        "TRUSTPILOT", "TRUSTPILOT_FORMER",
    )  # fmt: skip
    return {f"CLAMOR_{one}_SECRET": "z" * 16 for one in whose}
