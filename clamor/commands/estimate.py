"""`clamor sources estimate`: what brands will bring and cost, before they go live."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from clamor import exits
from clamor.commands.search import when
from clamor.commands.source_check import sources_of
from clamor.console import answers, errors
from clamor.estimating import Estimate, Reached
from clamor.estimating import estimate as ask
from clamor.opening import Opened, open_home
from config.brands import Brand
from config.known import Standing
from config.load import load_content
from config.sources import AnySource, Collected
from database.migrate import upgrade
from ingest.forecast import Interval
from routing.checkers import CHECKERS
from stream.records import Millis


def estimate(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Sources; all of them by default.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Only this brand; may be repeated.")] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="DIR", help="Brands and sources of these files, which are not yet in force."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Sample each brand at each source, and forecast posts and cost by day and month, with the cap that they reach.

    A few cheap requests, counted in the budget; nothing is collected. The intervals hold the truth nine times in
    ten, if the days ahead are as those sampled: no crisis is foreseen. A sample of a few hours makes a wide one;
    where the network shows only a part, the numbers are a lower bound.

    [bold]Examples[/bold]

      clamor sources estimate
      clamor sources estimate acme-on-x --brand acme
      clamor sources estimate --files ./configuration --brand newbrand --json
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        sources, brands = _stated(opened, files) if files is not None else _inforce(opened, ids)
        chosen = [one for one in _named(sources, ids) if isinstance(one, Collected)]
        for name in brand or ():
            if name not in {one.id for one in brands}:
                known = ", ".join(one.id for one in brands) or "none"
                raise typer.BadParameter(f"no brand is called {name!r}: there are {known}", param_hint="--brand")
        found = ask(opened, chosen, brands, brand or ())
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    else:
        _show(found)
    if not found.expected:
        if not found.unknown:
            what = "brand is listened for there" if chosen else "source is asked by Clamor itself"
            errors.print(f"no {what}: there is nothing to estimate", highlight=False)
        raise typer.Exit(exits.FAILED)


def _inforce(opened: Opened, ids: list[str] | None) -> tuple[Sequence[AnySource], Sequence[Brand]]:
    return sources_of(opened, ids), opened.registry.current().brands


def _stated(opened: Opened, files: Path) -> tuple[Sequence[AnySource], Sequence[Brand]]:
    """Of the files; what they do not state is what is in force."""
    inforce = opened.registry.current().brands
    content, warnings = load_content(
        files, CHECKERS, Standing(tuple(one.id for one in inforce)), opened.home.secrets_file
    )
    for warning in warnings:
        errors.print(str(warning), style="yellow", markup=False)
    sources, brands = content.stated.sources, content.stated.brands
    return opened.registry.sources() if sources is None else sources, inforce if brands is None else brands


def _named(sources: Sequence[AnySource], ids: list[str] | None) -> Sequence[AnySource]:
    for id in ids or ():
        if id not in {one.id for one in sources}:
            known = ", ".join(one.id for one in sources) or "none"
            raise typer.BadParameter(f"no source is called {id!r}: there are {known}", param_hint="ID")
    return [one for one in sources if not ids or one.id in ids]


def _show(found: Estimate) -> None:
    if found.expected:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("source", "brand", "sampled", "posts a day", "posts a month", "cost a day", "cost a month"):
            table.add_column(name, justify="left" if name in ("source", "brand") else "right", overflow="fold")
        for one in found.expected:
            sampled = f"{one.sampled:,} in {one.hours} h{', cut off' if one.capped else ''}"
            costs = (_range(one.cost_per_day, one.unit), _range(one.cost_per_month, one.unit))
            table.add_row(
                one.source, one.brand, sampled, _range(one.posts_per_day), _range(one.posts_per_month), *costs
            )
        answers.print(table)
    for reached in found.reached:
        answers.print(_when_reached(reached), markup=False, highlight=False)
    for source, brand, why in found.unknown:
        of = f"{source}, brand {brand}" if brand else source
        answers.print(f"{of}: {why}", style="yellow", markup=False, highlight=False)


def _range(found: Interval | None, unit: str = "") -> str:
    """`120 (90 to 160)`, `at least 90`; the money with two decimals."""
    if found is None:
        return ""
    form = ",.2f" if len(unit) == 3 and unit.isupper() else ",.0f"
    of = f" {unit}" if unit else ""
    if found.high is None:
        return f"at least {found.low:{form}}{of}"
    return f"{found.middle:{form}} ({found.low:{form}} to {found.high:{form}}){of}"


def _when_reached(one: Reached) -> str:
    whose = f"{one.source}, brand {one.brand}" if one.brand else one.source
    cap = f"{whose}: the cap of {one.cap}"
    if one.soonest is None:
        return f"{cap} is not reached before it begins anew on {when(one.until)} UTC"
    middle, latest = _moment(one.middle), _moment(one.latest)
    return f"{cap} is reached {middle} (as soon as {when(one.soonest)}, as late as {latest}), UTC; see its warnings"


def _moment(at: Millis | None) -> str:
    return "not in this period" if at is None else when(at)
