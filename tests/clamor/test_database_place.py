"""Where a home's database is: in its folder or on a server, and a replay's never on the server of the home it is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from clamor.backup import BackupError, refuse_server
from clamor.clocks import set_pace
from clamor.sql import file_of, place_of
from config.home import Home, prepare
from config.load import Configuration, check, load
from config.problems import errors
from database.engine import Server

ON_A_SERVER = """\
engines:
  database:
    kind: postgres
    host: db.example.org
    name: cases
    user: ana
    password_env: CLAMOR_TEST_DATABASE
    certificates: ca.pem
"""


def home_with(tmp_path: Path, text: str, secrets: str = "") -> Home:
    home = Home.at(tmp_path / "home")
    prepare(home)
    home.settings_file.write_text(text, "utf-8")
    home.secrets_file.touch(0o600)
    home.secrets_file.write_text(secrets, "utf-8")
    return home


def server_of(configuration: Configuration) -> Server:
    place = place_of(configuration)
    assert isinstance(place, Server)
    return place


def test_without_a_word_about_it_it_is_a_file_of_the_home(tmp_path: Path) -> None:
    for number, text in enumerate(("", "engines: {database: sqlite}\n", "engines: {database: {kind: sqlite}}\n")):
        configuration = load(home_with(tmp_path / str(number), text), use="check")
        assert place_of(configuration) == file_of(configuration) == configuration.home.app_db


def test_a_server_is_reached_as_the_settings_say_with_the_secret_of_the_moment(tmp_path: Path) -> None:
    home = home_with(tmp_path, ON_A_SERVER, "CLAMOR_TEST_DATABASE=hunter2\n")
    configuration = load(home, use="check")
    found = server_of(configuration)
    assert (found.host, found.port, found.name, found.user) == ("db.example.org", 5432, "cases", "ana")
    assert (found.tls, found.certificates) == (True, str(home.root / "ca.pem"))
    assert found.password() == "hunter2"
    assert "hunter2" not in f"{found!r}{found.url}{configuration.settings!r}"
    home.secrets_file.write_text("CLAMOR_TEST_DATABASE=hunter2-and-more\n", "utf-8")
    assert found.password() == "hunter2-and-more"


def test_a_home_in_simulated_time_never_works_on_the_server_of_its_settings(tmp_path: Path) -> None:
    configuration = load(home_with(tmp_path, ON_A_SERVER), use="check")
    set_pace(configuration.home, 0, 60.0, replayed=True, sends=False)
    assert place_of(configuration) == configuration.home.app_db


def test_what_is_missing_is_told_before_the_start(tmp_path: Path) -> None:
    home = home_with(tmp_path, ON_A_SERVER.replace("    host: db.example.org\n", ""))
    (problem,) = errors(check(home))
    assert (problem.path, problem.message) == ("engines.database", "the server is not named")
    home = home_with(tmp_path / "b", ON_A_SERVER)
    (problem,) = errors(check(home, use="run"))
    assert (problem.path, problem.line) == ("engines.database.password_env", 7)
    home = home_with(tmp_path / "c", ON_A_SERVER + "    security: none\n", "CLAMOR_TEST_DATABASE=x\n")
    (problem,) = [one for one in check(home, use="run") if one.path.startswith("engines")]
    assert (problem.severity, problem.path) == ("warning", "engines.database.security")


def test_a_server_s_database_is_not_backed_up_as_files(tmp_path: Path) -> None:
    configuration = load(home_with(tmp_path, ON_A_SERVER), use="check")
    with pytest.raises(BackupError, match=r"cases is on the server db\.example\.org.*pg_dump"):
        refuse_server(configuration.settings)
