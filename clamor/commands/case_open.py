"""`clamor case open`: a case without a post, such as a call of the press."""

from __future__ import annotations

import getpass
from enum import StrEnum
from typing import Annotated

import typer

from clamor import exits
from clamor.console import answers, errors
from clamor.moments import instant
from clamor.opening import open_home
from database.migrate import upgrade
from routing.by_hand import ByHand, open_case
from routing.desk import Desk
from routing.incidents.book import NoSuchIncident
from routing.merging import CaseRefused
from routing.wording import moment


class Kind(StrEnum):
    press = "press"
    authority = "authority"
    partner = "partner"
    other = "other"


def open_(
    context: typer.Context,
    brand: Annotated[str, typer.Option(help="Id of the brand that it is about.")],
    about: Annotated[str, typer.Option(help="What is asked, in a sentence or a few.")],
    kind: Annotated[Kind, typer.Option(help="Who asks.")] = Kind.press,
    outlet: Annotated[str, typer.Option(help="For whom they ask: a paper, a broadcaster, an authority.")] = "",
    contact: Annotated[str, typer.Option(help="Who asks, and how they are reached.")] = "",
    deadline: Annotated[
        str, typer.Option(help="By when the answer was promised: 2026-12-01T18:00, UTC.", metavar="TIME")
    ] = "",
    spokesperson: Annotated[str, typer.Option(help="Id of the person who answers: has the case, is told.")] = "",
    incident: Annotated[int | None, typer.Option(help="Number of the incident that it belongs to.")] = None,
    queue: Annotated[str, typer.Option(help="sales, support or pr.")] = "pr",
    priority: Annotated[str, typer.Option(help="low, normal, high or urgent.")] = "high",
    by: Annotated[str, typer.Option(help="Who opens it. Default: the user of this shell.")] = "",
) -> None:
    """Open a case by hand: a call of the press, a question of an authority. It has states, deadlines and history as all
    others; who speaks is told of it by mail.

    [bold]Examples[/bold]

      clamor case open --brand acme --about "did you know of it?" --outlet "El Norte" --contact "M. Sol, desk 4"
      clamor case open --brand acme --about "hygiene report" --kind authority --deadline 2026-12-01T18:00 --incident 3
    """
    due = instant(deadline, "--deadline") if deadline else None
    asked = ByHand(
        kind=kind.value, about=about, outlet=outlet, contact=contact, due=due, spokesperson=spokesperson,
        incident=incident,
    )  # fmt: skip
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        desk, who = Desk(opened.registry.current()), by or getpass.getuser()
        try:
            case, key = open_case(opened.engine, desk, brand, queue, priority, asked, who, opened.clock.now())
        except (CaseRefused, NoSuchIncident) as error:
            errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(exits.FAILED) from None
    whose = f"; {spokesperson} has it" if spokesperson else ""
    until = f", due {moment(due)}" if due is not None else ""
    answers.print(f"case {case} ({key}) is open{until}{whose}", markup=False, highlight=False, soft_wrap=True)


def in_line(asked: ByHand) -> str:
    """What the case is, in a line."""
    who = ", ".join(one for one in (asked.outlet, asked.contact) if one)
    parts = [f"{asked.kind}{f' ({who})' if who else ''}: {' '.join(asked.about.split()) or 'no longer kept'}"]
    parts += [f"answer promised by {moment(asked.due)}"] if asked.due is not None else []
    parts += [f"{asked.spokesperson} speaks"] if asked.spokesperson else []
    parts += [f"belongs to incident {asked.incident}"] if asked.incident is not None else []
    return "; ".join(parts)
