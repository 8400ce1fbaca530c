"""`clamor rota`: who is on call when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.table import Table

from clamor import exits
from clamor.console import answers, errors
from clamor.opening import open_home
from config.rota import Watch, watches
from config.teams import Team
from database.migrate import upgrade

app = typer.Typer(help="Who is on call when.", no_args_is_help=True)


class Shown(msgspec.Struct, frozen=True):
    team: str
    since: datetime
    until: datetime
    people: tuple[str, ...]
    why: str
    reason: str


@app.callback()
def rota() -> None:
    """Who is on call when."""


@app.command("show")
def show(
    context: typer.Context,
    team: Annotated[str | None, typer.Option(help="Only of this team.")] = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="How many from now on.")] = 14,
    as_json: Annotated[bool, typer.Option("--json", help="One stretch a line, as JSON.")] = False,
) -> None:
    """Who of each team is on call, by its own clocks, from now on; holes are named.

    By the teams in force (clamor apply).

    [bold]Examples[/bold]

      clamor rota show
      clamor rota show --team press --days 60
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        teams = [one for one in opened.registry.current().teams if one.on_call is not None]
        now = datetime.fromtimestamp(opened.clock.now() / 1000, UTC)
    chosen = [one for one in teams if team is None or one.id == team]
    if team is not None and not chosen:
        known = ", ".join(one.id for one in teams) or "none"
        errors.print(f"no team {team} with a rota is in force; those with one: {known}", markup=False)
        raise typer.Exit(exits.FAILED)
    if not chosen:
        errors.print("no team has a rota: write `on_call` under a team in clamor.yaml, then clamor apply")
        return
    found = [(one, _watches(one, now, now + timedelta(days=days))) for one in chosen]
    if as_json:
        for one, spans in found:
            for span in spans:
                print(msgspec.json.encode(Shown(one.id, *span)).decode())
        return
    for one, spans in found:
        _print(one, spans)


def _watches(team: Team, since: datetime, until: datetime) -> list[Watch]:
    return watches(team.on_call, team.zone, since, until) if team.on_call is not None else []


def _print(team: Team, spans: Sequence[Watch]) -> None:
    answers.print(f"{team.id} ({team.zone})", style="bold", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    place = ZoneInfo(team.zone)
    for span in spans:
        who = ", ".join(span.people) or "nobody: all who are configured are told"
        why = f"{span.why}: {span.reason}" if span.reason else span.why
        style = "yellow" if not span.people else None
        table.add_row(_moment(span.since, place), _moment(span.until, place), who, why, style=style)
    answers.print(table, highlight=False)


def _moment(at: datetime, place: ZoneInfo) -> str:
    return at.astimezone(place).strftime("%a %Y-%m-%d %H:%M")
