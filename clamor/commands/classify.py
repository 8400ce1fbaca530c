"""`clamor classify`: what the model reads in texts, without storing anything."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from clamor import exits
from clamor.console import errors
from config.content import ImportPart
from config.home import Home
from config.load import load
from routing.check import check_rules

if TYPE_CHECKING:
    from nlp.service import Service

CHUNK = 512


class Tier(StrEnum):
    linear = "linear"


def classify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines; - is standard input.")] = Path("-"),
    tier: Annotated[Tier, typer.Option(help="Which model.")] = Tier.linear,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the work.")] = 1,
) -> None:
    """Read `{"id": …, "text": …}` a line, with optional brand, lang, network; write one answer a line, in order.

    The brand may be a configured one or any name; the reputation is towards it, also where the text does not name it.
    A line that cannot be read is answered by `{"id", "error"}` and makes the exit code 3. Nothing is stored; no home
    is needed.

    [bold]Examples[/bold]

      echo '{"id": 1, "text": "@AureliaAir two hours late again", "brand": "Aurelia Air"}' | clamor classify
      clamor classify posts.jsonl --workers 2 > understood.jsonl
    """
    _stated.home = context.obj
    refused = False
    out = sys.stdout.buffer
    with _lines(file) as lines:
        for answers, bad in _answered(_chunks(lines), workers):
            out.write(answers)
            refused |= bad
    out.flush()
    if refused:
        errors.print("some lines could not be read: see their `error`", style="yellow")
        raise typer.Exit(exits.SOME_REFUSED)


class _Stated:
    """The brands and aspects of the home, where there is one; read in the process that needs them."""

    home: Home | None = None

    def __call__(self) -> ImportPart:
        if self.home is None or not self.home.settings_file.exists():
            return ImportPart()
        return load(self.home, [check_rules], use="check").content.stated


_stated = _Stated()


@cache
def _service() -> Service:
    from nlp.language import Languages
    from nlp.linear import LinearClassifier
    from nlp.service import Service

    stated = _stated()
    return Service(LinearClassifier(), Languages(), stated.brands or (), stated.aspects or ())


def _answer(chunk: list[bytes]) -> tuple[bytes, bool]:
    answers = list(_service().classify(chunk))
    written = b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers)
    return written, any("error" in answer for answer in answers)


def _answered(chunks: Iterator[list[bytes]], workers: int) -> Iterator[tuple[bytes, bool]]:
    if workers == 1:
        yield from map(_answer, chunks)
        return
    _service()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap(_answer, chunks)


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = (line for line in lines if line.strip())
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


@contextmanager
def _lines(file: Path) -> Iterator[Iterable[bytes]]:
    """Lines of a file or of standard input. Raises typer.BadParameter where the file cannot be opened."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error
    with opened:
        yield opened
