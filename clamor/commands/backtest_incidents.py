"""`clamor backtest --incidents`: other settings of incidents over what was counted."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import typer
from msgspec.structs import replace
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from clamor.commands.search import when
from clamor.console import answers
from clamor.incident_backtest import IncidentReport, Matter, incident_report, replay, settings_of
from clamor.incident_watch import WATCHED
from clamor.mail import people, settings
from clamor.opening import Opened
from clamor.progress import progress
from config.marked import read as read_yaml
from config.problems import ConfigurationError, Problem, did_you_mean
from config.problems import errors as errors_of
from config.schema import Incidents
from database.engine import read
from routing.incidents.replayed import Episode
from stream.records import Millis

SHOWN = 60
"""Matters on the screen, the newest; all are in --json."""


def tried_settings(present: Incidents, asked: Sequence[str]) -> Incidents:
    """The settings in force with what is asked for: `false_alarms_a_month=3`, or a file with the section `incidents`.

    Raises typer.BadParameter, config.problems.ConfigurationError.
    """
    changed: dict[str, object] = {}
    where = "--incidents"
    for one in asked:
        name, is_value, value = one.partition("=")
        if not is_value:
            section, where = _section(Path(one)), one
            changed |= section
        elif name not in Incidents.model_fields:
            advice = did_you_mean(name, sorted(Incidents.model_fields))
            raise typer.BadParameter(f"incidents has no setting {name!r}. {advice}".strip(), param_hint="--incidents")
        else:
            changed[name] = [part for part in value.split(",") if part] if name == "escalate_to" else value
    try:
        read_in = Incidents.model_validate(changed)
    except ValidationError as invalid:
        raise ConfigurationError([_problem(where, one["loc"], one["msg"]) for one in invalid.errors()]) from None
    return present.model_copy(update={name: getattr(read_in, name) for name in read_in.model_fields_set})


def _problem(where: str, place: tuple[int | str, ...], message: str) -> Problem:
    advice = "see section `incidents` in docs/configuration.md"
    return Problem(file=where, path=".".join(map(str, ("incidents", *place))), message=message, advice=advice)


def _section(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(
            f"{path}: {error.strerror}; write a setting as false_alarms_a_month=3, or name a file",
            param_hint="--incidents",
        ) from error
    root, problems = read_yaml(text, str(path))
    if errors_of(problems) or root is None:
        raise ConfigurationError(problems)
    plain = root.plain()
    section = plain.get("incidents", plain) if isinstance(plain, dict) else plain
    if not isinstance(section, dict):
        raise typer.BadParameter(f"{path} holds no section `incidents`", param_hint="--incidents")
    return section


def try_incidents(
    opened: Opened, tried: Incidents, span: tuple[Millis, Millis], stop: threading.Event
) -> IncidentReport:
    """The replay with its progress on standard error, until the end or until `stop` is set."""
    present = opened.settings.incidents
    brands = {brand.id: brand.kind for brand in opened.registry.current().brands if brand.kind in WATCHED}
    with progress() as show:
        past = replay(
            opened.engine, brands, (settings_of(tried), settings_of(present)), span, stop,
            lambda done, total: show("trying the settings: minutes", done, total),
        )  # fmt: skip
    known, mail = people(opened), settings(opened)
    sides = (replace(mail, chain=tried.escalate_to), replace(mail, chain=present.escalate_to))
    with read(opened.engine) as connection:
        return incident_report(connection, past, span, list(brands), (known, known), sides)


def show(found: IncidentReport, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    for line in found.words:
        answers.print(line, markup=False, highlight=False)
    if found.matters:
        answers.print(_matters(found.matters[-SHOWN:]))
    if found.mails:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("person", "mails, answered", "mails, if nobody answers"):
            table.add_column(name, justify="left" if name == "person" else "right")
        for one in found.mails:
            table.add_row(
                Text(one.person), f"{one.present:,} -> {one.tried:,}",
                f"{one.present_unanswered:,} -> {one.tried_unanswered:,}",
            )  # fmt: skip
        answers.print(table)


def _matters(matters: Sequence[Matter]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("since (UTC)", "brand", "with these settings", "with those in force", "what people were told"):
        table.add_column(name, overflow="fold")
    for one in matters:
        fired = "; ".join(
            f"{each.id}: {each.worst}" + (f", {each.proved}" if each.proved else "") for each in one.fired
        )
        table.add_row(
            when(one.since), Text(one.brand), _episode(one.tried, one.since), _episode(one.present, one.since),
            Text(fired or "-"),
        )  # fmt: skip
    return table


def _episode(found: Episode | None, since: Millis) -> str:
    """`warning after 12 min, crisis after 40 min: negative, 41 where 3.2 were expected`."""
    if found is None:
        return "-"
    told = [
        f"{name} after {max(0, at - since) // 60_000:,} min"
        for name, at in (("warning", found.warned_at), ("crisis", found.crisis_at))
        if at is not None
    ]
    if not told:
        return "watch, nobody told"
    return f"{', '.join(told)}: {found.series}, {found.observed:.0f} where {found.expected:.1f} were expected"
