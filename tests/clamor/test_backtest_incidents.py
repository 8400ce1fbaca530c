"""`clamor backtest --incidents`: what other settings would have told, beside what was told; nothing is changed."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import NOW, Living, settled_home
from typer.testing import CliRunner

from clamor.cli import program
from clamor.commands.backtest_incidents import tried_settings, try_incidents
from config.schema import Incidents
from database.engine import many, write
from routing.incidents.clock import IncidentClock
from routing.incidents.levels import Limits
from routing.incidents.telling import Telling
from stream.clock import DAY, HOUR, MINUTE

LATER = NOW // MINUTE - 600
"""The storm begins here, ten hours ago."""
BEGAN = LATER - 3 * 1440


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """Three quiet days, a storm, and what the clock told of it."""
    with Living(settled_home(tmp_path_factory.mktemp("backtest") / "home")) as living:
        engine, dice = living.opened.engine, random.Random(7)
        minutes = {minute: int(dice.random() < 0.05) for minute in range(BEGAN, LATER + 500)}
        for n in range(90):
            minutes[LATER + n] = round(12 * (n + 1) / 90)
        sql = (
            "INSERT INTO count_delta (brand, minute, network, intent, queue, mentions, negative, positive, detractors,"
            " severe, risk, own) VALUES (1, ?, 2, 3, 'support', ?, ?, 0, 0, 0, 0, 0)"
        )
        with write(engine) as connection:
            many(connection, "DELETE FROM dictionary WHERE n < ?", [(10,)])
            words = [(1, "brand", "acme"), (2, "network", "x"), (3, "intent", "complaint")]
            many(connection, "INSERT INTO dictionary (n, kind, value) VALUES (?, ?, ?)", words)
            many(connection, sql, [(minute, n, n) for minute, n in minutes.items() if n])
        clock = IncidentClock(
            engine, lambda connection: None, false_alarms_a_month=1.0, limits=Limits(), tells=Telling()
        )
        for minute in range(LATER - 10, LATER + 400):
            while clock.step({"acme": "own"}, minute * MINUTE + 20_000, minute * MINUTE + 20_000).more:
                pass
        yield living


def backtest(living: Living, *words: str) -> Result:
    span = ("--since", "2026-09-21T02:00", "--until", "2026-09-21T12:00")
    return CliRunner().invoke(program("backtest"), ["--home", str(living.home.root), "backtest", *span, *words])


def rows(living: Living) -> list[object]:
    tables = ("incident", "incident_event", "alert", "mail", "watch_state")
    return [living.sql(f"SELECT * FROM {table}") for table in tables]


def test_the_same_settings_say_what_was_told_and_change_nothing(living: Living) -> None:
    before = rows(living)
    found = try_incidents(living.opened, Incidents(), (NOW - 12 * HOUR, NOW), threading.Event())
    assert rows(living) == before
    (matter,) = [one for one in found.matters if one.fired]
    assert matter.tried == matter.present
    assert matter.tried is not None
    (fired,) = matter.fired
    assert (matter.tried.worst, fired.worst) == ("crisis", "crisis")
    assert fired.warned_at is not None
    assert matter.tried.warned_at is not None
    assert abs(matter.tried.warned_at - fired.warned_at) <= 5 * MINUTE
    assert "people were told of 1 incidents, 1 of them crises" in found.words[0]


def test_who_bears_less_is_told_less_and_later(living: Living) -> None:
    tried = tried_settings(Incidents(), ["false_alarms_a_month=0.01", "crisis_posts=5000"])
    found = try_incidents(living.opened, tried, (NOW - 12 * HOUR, NOW), threading.Event())
    (matter,) = [one for one in found.matters if one.fired]
    assert matter.tried is not None
    assert matter.present is not None
    assert matter.tried.crisis_at is None
    assert matter.present.crisis_at is not None
    assert (matter.tried.warned_at or 0) >= (matter.present.warned_at or 0)
    (mails,) = found.mails
    assert (mails.person, mails.tried < mails.present) == ("ana", True)
    assert mails.present_unanswered > mails.present, "nobody answers: it is told again"


def test_a_replay_that_is_stopped_says_how_far_it_came(living: Living) -> None:
    stop = threading.Event()
    stop.set()
    found = try_incidents(living.opened, Incidents(), (NOW - 30 * DAY, NOW), stop)
    assert found.share == 0.0
    assert found.matters == []


def test_typed_as_people_type_it(living: Living, tmp_path: Path) -> None:
    shown = backtest(living, "--incidents", "false_alarms_a_month=3")
    assert shown.exit_code == 0, shown.output
    assert "with these settings" in shown.output
    assert "crisis after" in " ".join(shown.output.split())
    file = tmp_path / "tried.yaml"
    file.write_text("incidents: {crisis_posts: 50, calm_after: 1h}\n", encoding="utf-8")
    found = json.loads(backtest(living, "--incidents", str(file), "--json").stdout)
    assert found["share"] == 1.0
    assert found["matters"]


def test_what_cannot_be_tried_is_refused_with_the_way_out(living: Living, tmp_path: Path) -> None:
    assert "false_alarms_a_month" in backtest(living, "--incidents", "false_alarms=3").output
    assert backtest(living, "--incidents", "crisis_posts=none").exit_code != 0
    assert "name a file" in " ".join(backtest(living, "--incidents", "nothing.yaml").output.replace("│", "").split())
    alone = backtest(living, "--incidents", "crisis_posts=40", "--rules", str(tmp_path / "rules.yaml"))
    assert "goes alone" in alone.output
