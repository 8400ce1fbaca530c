"""How incidents and their clock stand: for `clamor status` and the metrics, from any process."""

from __future__ import annotations

import msgspec
from sqlalchemy import Engine

from database.engine import read, rows
from routing.incidents.clock import JUDGED, SETTLED
from stream.clock import DAY, MINUTE
from stream.records import Millis

MOST = 200


class Open(msgspec.Struct, frozen=True):
    """An incident that is under way."""

    id: int
    brand: str
    state: str
    since: Millis
    acknowledged_by: str | None


class IncidentStatus(msgspec.Struct, frozen=True):
    """Times in milliseconds."""

    open: tuple[Open, ...]
    """The newest MOST."""
    by_state: dict[str, int]
    """How many are under way."""
    judged: int | None
    """Minutes since 1970 UTC up to which the clock has judged; None: it never ran."""
    lag: Millis | None
    """How long the next minute could have been judged; None: the clock never ran."""
    told: dict[str, int]
    """Alerts of the last day, by what they said: warning, crisis, still, over."""


def incident_status(engine: Engine, now: Millis) -> IncidentStatus:
    """How they stand at `now`."""
    with read(engine) as connection:
        found = rows(connection, _OPEN, (MOST,))
        states = dict(rows(connection, "SELECT state, count(*) FROM incident WHERE state != 'over' GROUP BY state"))
        held = rows(connection, "SELECT minute FROM watch_state WHERE brand = ?", (JUDGED,))
        told = dict(rows(connection, _TOLD, (now - DAY,)))
    judged = held[0][0] if held else None
    lag = None if judged is None else max(0, now - (judged + 1) * MINUTE - SETTLED)
    return IncidentStatus(
        open=tuple(Open(*row) for row in found),
        by_state={state: states.get(state, 0) for state in ("watch", "warning", "crisis")},
        judged=judged,
        lag=lag,
        told={word: told.get(word, 0) for word in ("warning", "crisis", "another", "still", "over")},
    )


_OPEN = "SELECT id, brand, state, since, acknowledged_by FROM incident WHERE state != 'over' ORDER BY id DESC LIMIT ?"
_TOLD = "SELECT why, count(*) FROM alert WHERE kind = 'incident' AND created_at > ? GROUP BY why"
