"""`clamor classify`: what the model reads in texts, without storing anything."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from clamor import exits
from clamor.console import errors
from clamor.processes import classifier, languages, warm
from clamor.sharing import Answered, Lost, answered
from config.content import ImportPart
from config.home import Home
from config.load import load
from config.schema import Device, Understanding
from nlp.shelf import Card, find, in_force
from routing.checkers import IN_USE

if TYPE_CHECKING:
    from nlp.service import Service


def classify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines; - is standard input.")] = Path("-"),
    tier: Annotated[
        str,
        typer.Option(
            help="`fast`, `accurate` or `linear`, or the name of a model of the home. "
            "Default: the home's setting, else `fast`."
        ),
    ] = "",
    device: Annotated[
        Device | None,
        typer.Option(
            help="`cpu`, or `cuda`, an NVIDIA GPU, in half precision, which needs the extra `gpu`. "
            "Default: the home's setting, else `cpu`."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the work.")] = 1,
) -> None:
    """Read `{"id": …, "text": …}` a line, with optional brand, lang, network; write one answer a line, in order.

    The brand may be a configured one or any name; the reputation is towards it, also where the text does not name it.
    Other configured brands in the text count as other brands, as in the stream.
    A line that cannot be read, be it blank, is answered by `{"id", "error"}` and makes the exit code 3. Nothing is
    stored; no home is needed. Answers come while lines come, and are the same however many workers there are.

    [bold]Examples[/bold]

      echo '{"id": 1, "text": "@AureliaAir two hours late again", "brand": "Aurelia Air"}' | clamor classify
      clamor classify posts.jsonl --workers 2 --tier linear > understood.jsonl

      clamor classify posts.jsonl --tier accurate --device cuda
    """
    from nlp.service import LONGEST_LINE

    _refuse_closed(file)
    home: Home = context.obj
    setting, stated = _configured(home)
    on = device or setting.device
    card, why = (find(tier, home), "") if tier else in_force(setting.model, home, on)
    if why:
        errors.print(why, style="yellow", markup=False, highlight=False)
    warm(home, card.name, on)
    refused = False
    try:
        with _opened(file) as source:
            for found in answered(source, workers, LONGEST_LINE, Reader(card, stated, on)):
                _write(found.written)
                refused |= found.refused
    except BrokenPipeError:
        raise typer.Exit(exits.OK) from None
    if refused:
        errors.print("some lines could not be read: see their `error`", style="yellow")
        raise typer.Exit(exits.SOME_REFUSED)


class Reader:
    """Reads chunks of lines; the model is opened by the process that reads the first."""

    def __init__(self, card: Card, stated: ImportPart, device: Device = "cpu") -> None:
        self._card, self._stated, self._device = card, stated, device

    @cached_property
    def _service(self) -> Service:
        from nlp.service import Service

        stated = self._stated
        return Service(classifier(self._card, self._device), languages(), stated.brands or (), stated.aspects or ())

    def __call__(self, chunk: list[bytes]) -> Answered:
        answers = list(self._service.classify(chunk))
        written = b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers)
        return Answered(written, any("error" in answer for answer in answers))


def _refuse_closed(file: Path) -> None:
    """Raises what tells that there is nothing to read from, or to write to: so it was started."""
    if str(file) == "-" and sys.stdin is None:
        raise typer.BadParameter("standard input is closed: name a file, or pipe lines in", param_hint="FILE")
    if sys.stdout is None:
        raise Lost("standard output is closed: there is nowhere to write the answers to")


def _write(answers: bytes) -> None:
    """Raises BrokenPipeError where nobody reads on, Lost where it fails otherwise; what was not written is let go of,
    or the interpreter would try once more at its end."""
    try:
        sys.stdout.buffer.write(answers)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise Lost(f"the answers cannot be written ({error.strerror}): what was written until here is right") from error


def _configured(home: Home) -> tuple[Understanding, ImportPart]:
    """The model that the home's settings name and its device; the brands and aspects that it states. Where there is no
    home, what is set by default."""
    if not home.settings_file.exists():
        return Understanding(), ImportPart()
    found = load(home, IN_USE, use="check")
    return found.settings.understanding, found.content.stated


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    """A descriptor of the file, or of standard input. Raises typer.BadParameter where the file cannot be opened."""
    if str(file) == "-":
        yield sys.stdin.fileno()
        return
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        source = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error
    try:
        yield source
    finally:
        os.close(source)
