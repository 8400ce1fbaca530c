"""`clamor surges`: in a file of counts, where more came in than was to be expected."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import typer

from clamor import exits
from clamor.console import errors
from clamor.counted import TIMESTAMP, VALUE, Row, Unreadable, read_rows, stepped
from routing.surge import Reading, Watch

TOLD = 0.49
"""The highest score while a surge lasts that was told already."""


def surges(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: timestamp,value; - for standard input.")],
    false_alarms_a_month: Annotated[
        float,
        typer.Option(
            "--false-alarms-a-month", min=0.01, max=100, help="How many will you bear? The only thing to set."
        ),
    ] = 1.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
    ] = None,
) -> None:
    """Find surges in counts: timestamp,value in; timestamp,value,expected,score out, row by row, without looking ahead.

    A score of 0.5 or more is an alarm: a surge begins here. How wide a step is shows in the time stamps; rows that are
    missing, or have no value, were not covered: no calm. UTC, unless a time says its offset.

    [bold]Examples[/bold]

      clamor surges mentions.csv
      clamor surges mentions.csv --false-alarms-a-month 4 --output scored.csv
    """
    begun = 0
    try:
        with _opened(file) as lines, _written(output) as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow((TIMESTAMP, VALUE, "expected", "score"))
            for row, reading in judged(lines, false_alarms_a_month):
                writer.writerow(
                    (row.timestamp, _plain(row.value), f"{reading.expected[0]:.4g}", f"{score(reading):.4f}")
                )
                begun += bool(reading.begins[0])
    except Unreadable as error:
        errors.print(f"{file}, {error}" if str(error).startswith("line") else f"{file}: {error}")
        raise typer.Exit(exits.FAILED) from None
    except (OSError, UnicodeDecodeError) as error:
        errors.print(f"{file}: {error}; is it a file of text, in UTF-8, that may be read?")
        raise typer.Exit(exits.FAILED) from None
    errors.print(f"{begun} surges begin where the score is 0.5 or more")


def judged(lines: IO[str], false_alarms_a_month: float) -> Iterator[tuple[Row, Reading]]:
    """Each row with what the watch says of it, knowing only the rows before."""
    step, rows = stepped(read_rows(lines))
    watch = Watch(1, step=step, false_alarms_a_month=false_alarms_a_month)
    for row in rows:
        known = row.value is not None
        yield row, watch.update(row.minute, np.array([row.value or 0.0]), 1.0 if known else 0.0)


def score(reading: Reading) -> float:
    """The probability of a new surge: while one that was told lasts, nobody is woken again."""
    probability = float(reading.probability[0])
    told_before = bool(reading.lasts[0]) and not bool(reading.begins[0])
    return min(probability, TOLD) if told_before else probability


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    if str(file) == "-":
        yield sys.stdin
        return
    with file.open(encoding="utf-8-sig", newline="") as lines:
        yield lines


@contextmanager
def _written(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8", newline="") as out:
        yield out
