"""What a person types before anything runs: files to start from, and a word where there is nothing yet."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from typed import clamor

from clamor import exits
from routing.rules import default_rules


def test_the_shipped_rules_are_to_be_had_as_a_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = clamor(home, "init", "--rules")
    assert made.code == exits.OK
    assert (home / "rules.yaml").read_text() == default_rules()
    assert (home / "clamor.yaml").exists()
    (home / "rules.yaml").unlink()
    again = clamor(home, "init", "--rules")
    assert (again.code, again.out) == (exits.OK, f"wrote {home / 'rules.yaml'}\n")
    assert clamor(home, "check").code == exits.OK
    kept = clamor(home, "init", "--rules")
    assert kept.code == exits.FAILED
    assert "exists already and is left as it is" in kept.err


def test_a_rules_file_without_rules_names_the_command_that_writes_some(tmp_path: Path) -> None:
    clamor(tmp_path, "init")
    (tmp_path / "rules.yaml").touch()
    told = clamor(tmp_path, "check")
    assert told.code == exits.CONFIGURATION
    assert "`clamor init --rules` writes them" in told.err


def test_before_the_first_start_there_is_nothing_to_export(tmp_path: Path) -> None:
    clamor(tmp_path, "init")
    done = clamor(tmp_path, "export", str(tmp_path / "out"))
    assert done.code == exits.FAILED
    assert "nothing is in force in this home yet" in done.err
    assert not (tmp_path / "out").exists()


def test_the_command_that_init_prints_can_be_taken_as_it_stands(tmp_path: Path) -> None:
    home = tmp_path / ("a folder of a rather long name " * 4).strip() / "home"
    for columns in (None, 60):
        done = clamor(home, "init", columns=columns)
        assert f"clamor --home {shlex.quote(str(home))} check" in done.out.splitlines()[-1]
        shutil.rmtree(home)


def test_where_the_log_is_empty_reprocess_says_so(tmp_path: Path) -> None:
    clamor(tmp_path, "init")
    done = clamor(tmp_path, "reprocess", "--since", "-1d")
    assert done.code == exits.OK
    assert "posts about no brand until now are kept in the log alone, and it holds none" in done.err
