"""`clamor offsets`: where the stages stand in the log, and deciding where they go on."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from clamor import exits
from clamor.console import answers, errors
from clamor.offsets import GROUPS, Place, adopt, places, stray
from clamor.opening import open_home
from config.lock import RunLock
from database.migrate import upgrade


class Where(StrEnum):
    earliest = "earliest"
    latest = "latest"


Group = StrEnum("Group", {name: name for name in GROUPS})  # type: ignore[misc]


def offsets(
    context: typer.Context,
    adopt_at: Annotated[
        Where | None,
        typer.Option("--adopt", help="Go on at the oldest record that the log keeps, or behind the newest."),
    ] = None,
    group: Annotated[
        list[Group] | None, typer.Option(help="Only this group; may be repeated. Default: those that do not fit.")
    ] = None,
) -> None:
    """Show each stage's offset against the log's; decide, after the log was made anew, where stages go on.

    [bold]--adopt earliest[/bold] does everything that the log keeps once more: what SQL has already stays as it is.
    [bold]--adopt latest[/bold] leaves unread what the log holds: posts that were not decided yet are lost to cases and
    counts. Exit code 1 while a group does not fit its log.

    [bold]Examples[/bold]

      clamor offsets
      clamor offsets --adopt earliest
      clamor offsets --adopt latest --group index
    """
    with open_home(context.obj, use="check") as opened, ExitStack() as locks:
        if adopt_at is not None:
            for role in ("run", "routing", "index"):
                locks.enter_context(RunLock(opened.home, role))
        upgrade(opened.engine)
        found = places(opened)
        chosen = [one.value for one in group] if group else stray(found)
        if adopt_at is not None:
            for name in chosen:
                try:
                    adopt(opened, name, adopt_at.value)
                except ValueError as error:
                    raise typer.BadParameter(str(error), param_hint="--group") from error
                _tell(name, adopt_at, [place for place in found if place.group == name])
            found = places(opened)
        _show(found, opened.log.epoch())
    astray = stray(found)
    if astray:
        errors.print(
            f"the offsets of {' and '.join(astray)} belong to another log or lie beyond its end: "
            "clamor offsets --adopt earliest" + (", or clamor reindex" if "index" in astray else ""),
            style="yellow",
        )
        raise typer.Exit(exits.FAILED)


def _tell(group: str, where: Where, before: list[Place]) -> None:
    kept = sum(place.end - place.low for place in before)
    if where is Where.earliest:
        errors.print(f"{group}: the {kept:,} records that the log keeps are done once more; nothing is doubled by it")
        return
    unread = sum(place.end - (max(place.low, place.next or 0) if place.ours else place.low) for place in before)
    errors.print(f"{group}: up to {unread:,} records that the log holds are left unread", style="yellow")
    if group == "index":
        errors.print("what is missing in the index is put back by clamor reindex")
    else:
        errors.print("what was lost is put back by clamor offsets --adopt earliest, as long as the log keeps it")


def _show(found: list[Place], epoch: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"log {epoch}", title_justify="left")
    for name in ("group", "topic", "partition", "next", "log keeps from", "log ends at", "left", ""):
        table.add_column(name, justify="right" if name not in ("group", "topic", "") else "left")
    for place in found:
        following = "-" if place.next is None else f"{place.next:,}"
        left = f"{place.end - max(place.low, place.next or 0):,}" if place.ours else "?"
        note = f"{place.lost:,} lost" if place.lost else ""
        if not place.ours:
            note = "beyond its end" if place.epoch == epoch else f"of log {place.epoch}"
        row = (
            place.group,
            place.topic,
            str(place.partition),
            following,
            f"{place.low:,}",
            f"{place.end:,}",
            left,
            note,
        )
        table.add_row(*row)
    answers.print(table)
