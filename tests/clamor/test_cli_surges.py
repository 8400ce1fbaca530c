"""`clamor surges`: counts in, scores out, row by row; what can't be read is named with its line."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clamor import cli, exits
from clamor.counted import Row, read_rows, stepped

QUARTER = timedelta(minutes=15)
STORM = 700


def counted(rows: int) -> list[tuple[str, str]]:
    values = np.random.default_rng(4).poisson(20.0, rows)
    values[STORM : STORM + 3] += 300
    start = datetime(2026, 3, 2)  # noqa: DTZ001 (as such files have it)
    return [(f"{start + QUARTER * number:%Y-%m-%d %H:%M:%S}", str(value)) for number, value in enumerate(values)]


def text_of(rows: list[tuple[str, str]]) -> str:
    return "".join(f"{at},{value}\n" for at, value in [("timestamp", "value"), *rows])


def run(*words: str, given: str | None = None) -> tuple[int, list[dict[str, str]], str]:
    done = CliRunner().invoke(cli.program("surges"), ["surges", *words], input=given)
    return done.exit_code, list(csv.DictReader(io.StringIO(done.stdout))), " ".join(done.stderr.split())


def test_a_storm_is_the_one_alarm(tmp_path: Path) -> None:
    file, output = tmp_path / "counts.csv", tmp_path / "scored.csv"
    rows = counted(900)
    file.write_text(text_of(rows), "utf-8")
    code, printed, said = run(str(file), "--output", str(output))
    assert (code, printed) == (exits.OK, [])
    scored = list(csv.DictReader(io.StringIO(output.read_text("utf-8"))))
    assert [(row["timestamp"], row["value"]) for row in scored] == rows
    assert list(scored[0]) == ["timestamp", "value", "expected", "score"]
    assert [number for number, row in enumerate(scored) if float(row["score"]) >= 0.5] == [STORM]
    assert 15 < float(scored[STORM]["expected"]) < 27
    assert "1 surges begin" in said


def test_no_row_knows_of_those_after_it() -> None:
    rows = counted(900)
    whole, part = run("-", given=text_of(rows))[1], run("-", given=text_of(rows[: STORM + 1]))[1]
    assert whole[: STORM + 1] == part


def test_rows_that_are_missing_or_empty_are_holes() -> None:
    rows = counted(900)
    code, scored, _ = run("-", given=text_of(rows[:600] + rows[640:690] + [(rows[690][0], "")] + rows[691:]))
    assert code == exits.OK
    assert [row["timestamp"] for row in scored if float(row["score"]) >= 0.5] == [rows[STORM][0]]
    (empty,) = [row for row in scored if not row["value"]]
    assert float(empty["score"]) == 0
    assert float(empty["expected"]) > 10


def test_more_that_is_borne_is_never_fewer_alarms() -> None:
    found = []
    for bearable in ("0.5", "100"):
        scored = run("-", "--false-alarms-a-month", bearable, given=text_of(counted(900)))[1]
        found.append(sum(float(row["score"]) >= 0.5 for row in scored))
    assert 1 <= found[0] <= found[1]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("2026-03-09 04:00:00,-3", "line 677: '-3' is no count; write a number from 0"),
        ("2026-03-09 04:00:00,nan", "line 677: 'nan' is no count"),
        ("2026-03-09 04:00:00,many", "line 677: 'many' is no count"),
        ("yesterday,3", "line 677: 'yesterday' is no time; write 2026-11-27T09:30:00Z"),
        ("2026-03-09 04:00:00", "line 677: '2026-03-09 04:00:00' has too few columns; a row is timestamp,value"),
        ("2026-03-01 04:00:00,3", "doesn't come after '2026-03-09 00:30:00', the row before; sort the file by time"),
    ],
)
def test_a_bad_line_is_named_and_what_was_before_stands(line: str, named: str) -> None:
    code, scored, said = run("-", given=text_of(counted(675)) + line + "\n")
    assert code == exits.FAILED
    assert named in said
    assert len(scored) == 675


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("when,value\n", "line 1: no column 'timestamp' (there is: when, value)"),
        ("", "line 1: no column 'timestamp' (there is: nothing)"),
        ("timestamp,value\n2026-03-01,3\n", "1 rows: the width of a step can't be told from fewer than 3"),
        (
            "timestamp,value\n" + "".join(f"{number**2},1\n" for number in range(9)),
            "keep no common distance (1 s is the most frequent, 1 times); count the posts by minute or by hour first",
        ),
    ],
)
def test_what_is_no_file_of_counts_is_refused(text: str, named: str) -> None:
    code, _, said = run("-", given=text)
    assert code == exits.FAILED
    assert named in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, _, said = run(str(tmp_path / "none.csv"))
    assert code == exits.FAILED
    assert "none.csv" in said


def test_times_with_an_offset_and_seconds_since_1970_mean_the_same() -> None:
    lines = ["Value,Timestamp,more", "1,2026-03-01T01:00:00+01:00,x", "2,1772323260,x", "3,2026-03-01T00:02:00Z,x"]
    step, rows = stepped(read_rows(line + "\n" for line in lines))
    assert step == 1
    assert [row.minute for row in rows] == [29538720, 29538721, 29538722]
    assert Row("a", 0, None).value is None
