"""Incidents as the asker may see them: those of its brands, told to queue pr, with the words of posts that it may see.

Numbers of an incident are made of all posts of its brand. A token that may not see all of them gets what it is made of
from those that it may see, and no numbers of the others.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from database.engine import read, rows
from database.tables.incidents import incident
from index.visibility import sees
from routing.alerts import INCIDENT_QUEUE
from routing.incidents import book
from routing.incidents.book import Event, Incident
from routing.incidents.cause import LOOKED_AT, Cause, cause_of
from routing.incidents.curve import Point, curve_of
from stream.clock import HOUR, MINUTE
from stream.ports import AccessScope
from stream.records import Mention, Millis, decode
from web import truth
from web.ledger import hears_all

SCANNED = 500
"""Incidents that are looked at for one page."""
FEW = 2_000
"""Mentions of an incident's time that are looked at for a limited token."""
CURVE: Millis = 12 * HOUR
TOLD_TO_ALL = frozenset({"over", "told", "proved"})
"""Changes whose details name neither numbers nor what people wrote, which may repeat what is hidden."""


OF_OTHERS = frozenset({"joined", "split"})
"""Changes whose details name incidents of other brands."""


class Seen(NamedTuple):
    incident: Incident
    whole: bool
    """The asker may see every post that it is made of, so that its numbers tell of no other."""


class Opened(NamedTuple):
    seen: Seen
    cause: Cause
    curve: tuple[Point, ...]
    """Of the last CURVE; empty where the asker may not see all."""
    history: list[Event]
    hidden: truth.Hidden
    """What the posts to show refer to and the asker may not see."""
    matter: list[int]
    """Incidents of other brands that are the same matter, of those that the asker may see."""


def page(
    engine: Engine, scope: AccessScope, brand: str | None, state: str | None, live: bool | None, limit: int,
    cursor: int | None,
) -> tuple[list[Seen], int | None]:  # fmt: skip
    """Up to `limit` incidents below `cursor`, the newest first, and the next cursor."""
    statement = select(incident.c.id).order_by(incident.c.id.desc()).limit(SCANNED)
    if brand is not None:
        statement = statement.where(incident.c.brand == brand)
    if state is not None:
        statement = statement.where(incident.c.state == state)
    if live is not None:
        statement = statement.where((incident.c.state != "over") if live else (incident.c.state == "over"))
    if cursor is not None:
        statement = statement.where(incident.c.id < cursor)
    shown: list[Seen] = []
    with read(engine) as connection:
        ids = [id for (id,) in connection.execute(statement)]
        whole = _whole(connection, scope)
        for place, id in enumerate(ids, 1):
            held = book.find(connection, id)
            if _visible(connection, held, scope, whole):
                shown.append(Seen(held, whole))
            if len(shown) == limit:
                return shown, id if place < len(ids) or len(ids) == SCANNED else None
    return shown, ids[-1] if len(ids) == SCANNED else None


def one(engine: Engine, id: int, scope: AccessScope, now: Millis) -> Opened | None:
    """An incident with what it is made of, worked out now from what is live, and its history; None where there is none
    for the asker."""
    with read(engine) as connection:
        seen = find(connection, id, scope)
        if seen is None:
            return None
        held = seen.incident
        lead = held.evidence.signals[0] if held.evidence.signals else None
        until = held.over_at or now
        cause = cause_of(
            connection, held.brand, held.since, until + MINUTE, hurts=lead is None or lead.hurts, access=None,
            known=lambda mention: sees(scope, mention),
        )  # fmt: skip
        series = lead.series if lead else "all"
        curve = curve_of(connection, held.brand, series, until - CURVE, until) if seen.whole else ()
        history = [_told(event, seen.whole, scope) for event in book.events(connection, id)]
        others = [one for one in book.strands(connection, held) if one.id != id]
        matter = [one.id for one in others if _visible(connection, one, scope, seen.whole)]
        shown = truth.hidden(connection, [mention for _, mention in cause.top], scope)
        return Opened(seen, cause, curve, history, shown, matter)


def find(connection: Connection, id: int, scope: AccessScope) -> Seen | None:
    """None where there is no such incident for the asker."""
    try:
        held = book.find(connection, id)
    except book.NoSuchIncident:
        return None
    whole = _whole(connection, scope)
    return Seen(held, whole) if _visible(connection, held, scope, whole) else None


def _whole(connection: Connection, scope: AccessScope) -> bool:
    return scope.queues is None and hears_all(connection, scope)


def _visible(connection: Connection, held: Incident, scope: AccessScope, whole: bool) -> bool:
    """Of the asker's brands and queues; where posts may be hidden from it, at least one that it may see."""
    if scope.brands is not None and held.brand not in scope.brands:
        return False
    if scope.queues is not None and INCIDENT_QUEUE not in scope.queues:
        return False
    if whole:
        return True
    newest = rows(connection, "SELECT max(n) FROM mention")[0][0] or 0
    values = (newest - LOOKED_AT, held.brand, held.since, (held.over_at or held.seen_at) + HOUR, FEW)
    return any(sees(scope, decode(Mention, body)) for (body,) in rows(connection, _OF_ITS_TIME, values))


def _told(event: Event, whole: bool, scope: AccessScope) -> Event:
    if event.change in OF_OTHERS and scope.brands is not None:
        return event._replace(detail="")
    if whole or event.change in TOLD_TO_ALL:
        return event
    return event._replace(detail="")


_OF_ITS_TIME = (
    "SELECT body FROM mention WHERE n > ? AND brand = (SELECT n FROM dictionary WHERE kind = 'brand' AND value = ?)"
    " AND state = 'live' AND event_time >= ? AND event_time < ? ORDER BY n DESC LIMIT ?"
)
