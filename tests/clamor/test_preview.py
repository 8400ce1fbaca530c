"""A file can be looked at before it is taken in."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import CONFIGURATION
from typed import clamor

from clamor import exits

TABLE = (
    "id,body,date,author,mood\n"
    "1,Acme Air lost my bag,2026-03-01 10:30,ana,bad\n"
    '2,"\x1b[2Jtea\nis warm ' + "so warm " * 40 + '",2026-03-01 10:40,bo,good\n'
    "3,late again,some day,ana,bad\n"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("preview") / "home"
    assert clamor(home, "init").code == exits.OK
    (home / "clamor.yaml").write_text(CONFIGURATION)
    return home


def test_a_preview_says_how_a_file_is_understood_and_appends_nothing(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "x answers.csv"
    file.write_text(TABLE)
    done = clamor(home, "replay", "--preview", str(file), "--map", "id=id,author_name='somebody'", "--network", "x")
    assert done.code == exits.OK
    table = {line.split()[0]: " ".join(line.split()[1:]) for line in done.out.splitlines()[2:8] if line}
    assert table["text"] == "body known by name"
    assert table["created_at"] == "date known by name"
    assert table["id"] == "id --map, or the source's map"
    assert table["author_name"] == "'somebody' constant, --map, or the source's map"
    assert "not read: mood" in done.out
    assert "2026-03-01 10:30  x:1  ana  Acme Air lost my bag" in done.out
    assert "\x1b" not in done.out
    (long,) = [line for line in done.out.splitlines() if "x:2" in line]
    assert "tea is warm so warm" in long
    assert long.endswith("…")
    assert "of all 3 rows 2 are posts, 1 are refused" in done.out
    assert "row 5: date: 'some day' is no date" in done.out
    importing = f"clamor replay --map \"id=id,author_name='somebody'\" --network x '{file}'"
    assert done.out.splitlines()[-1].replace("'\"'\"'", "'").endswith(importing.replace('"', "'"))
    assert clamor(home, "dead-letter", "list").out.count("some day") == 0
    assert clamor(home, "status").out.count("Acme Air lost") == 0


def test_a_preview_of_a_ready_mapping_names_it(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(
        "Report:,Mentions\n\nQuery Name,Date,Url,Full Text,Snippet,Page Type\n"
        "Acme,2026-03-01 10:30:00.0,https://x.com/ana/status/1,,lost my bag,twitter\n"
    )
    done = clamor(home, "replay", "--preview", str(file), "--as", "brandwatch")
    assert done.code == exits.OK
    assert "csv, header in row 3" in done.out
    assert " ".join(["text", "Full Text else Snippet", "--as brandwatch"]) in " ".join(done.out.split())
    assert "lost my bag" in done.out


def test_a_file_that_no_posts_can_be_made_of_is_refused_like_by_the_import(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n")
    done = clamor(home, "replay", "--preview", str(file))
    assert done.code not in (exits.OK, exits.SOME_REFUSED)
    assert "no column is known as text or created_at" in done.err
    unknown = clamor(home, "replay", "--preview", str(file), "--as", "brandwach")
    assert "did you mean brandwatch?" in unknown.err


def test_of_an_empty_file_a_preview_says_that_it_is(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,date\n")
    done = clamor(home, "replay", "--preview", str(file))
    assert "it holds no row" in done.err
