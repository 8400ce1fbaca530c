"""A hold on the matter of an incident: canned replies are kept back in its cases, and approved lines take their place.

Answers to one storm that say different things feed it. PR owns the matter and lifts the hold; support follows. Which
cases are affected is found from what the incident is made of, and stays so while the hold stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from config import content
from config.people import Person
from config.playbook import InBoth
from config.teams import Team
from database import revisions
from database.engine import many, read, rows, rows_in, write
from routing.incidents import book
from routing.incidents.book import Incident
from routing.incidents.cause import Cause, cause_of
from routing.incidents.members import belongs
from routing.mail.words import words
from routing.people_to_tell import Language
from stream.clock import HOUR
from stream.records import Mention, Millis, decode

OWNER = "pr"
LONGEST_WHY = 500
LONGEST_LINE = 1_000
MOST_LINES = 5
LOOKED_AT = 3_000
"""Mentions of a brand in cases that are not known to be affected, the newest, which are looked at in one go."""
OF_A_CASE = 50


class Line(msgspec.Struct, frozen=True):
    """Approved, in one language or both."""

    en: str = ""
    es: str = ""

    def within(self, language: str, brand: str) -> str:
        """In this language, else in the other; `{brand}` is the brand's name."""
        chosen = (self.es or self.en) if language == "es" else (self.en or self.es)
        return chosen.replace("{brand}", brand)


class Hold(msgspec.Struct, frozen=True):
    n: int
    incident: int
    brand: str
    since: Millis
    person: str
    """Who put it; empty: the playbook."""
    reason: str
    lines: tuple[Line, ...]
    ended_at: Millis | None
    """None: it stands."""
    ended_by: str | None
    """Empty: it ended with the incident."""
    ended_why: str | None


def approved(lines: Iterable[InBoth]) -> tuple[Line, ...]:
    return tuple(Line(one.en, one.es) for one in lines)


def put(connection: Connection, id: int, lines: Sequence[Line], person: str, reason: str, now: Millis) -> Hold:
    """Raises NoSuchIncident, ValueError in words where it is over, held already, or no line says anything."""
    held = book.find(connection, id)
    if held.state == "over":
        raise ValueError(f"incident {id} is over: there is nothing to hold back")
    id = held.matter
    if standing(connection, id) is not None:
        raise ValueError(f"replies are held back already: lift that first (clamor incident lift {id})")
    if not 1 <= len(lines) <= MOST_LINES or not all(one.en.strip() or one.es.strip() for one in lines):
        raise ValueError(
            f"name 1 to {MOST_LINES} approved lines: who may use no canned reply needs words to use instead"
        )
    if any(len(words) > LONGEST_LINE for one in lines for words in (one.en, one.es)):
        raise ValueError(f"an approved line has at most {LONGEST_LINE:,} characters")
    why = _why(reason)
    written = msgspec.json.encode(list(lines)).decode()
    rows(connection, _PUT, (id, now, person, why, written))
    book.note(connection, id, "hold", now, person, why)
    found = standing(connection, id)
    assert found is not None
    return found


def lift(connection: Connection, id: int, person: str, why: str, owners: Sequence[str], now: Millis) -> Hold:
    """`owners`: who may; empty: anybody. Raises NoSuchIncident, ValueError in words."""
    book.find(connection, id)
    held = standing(connection, id)
    if held is None:
        raise ValueError(f"nothing is held back about incident {id}")
    if owners and person not in owners:
        raise ValueError(f"{person} may not lift it: PR owns the matter, so ask {', '.join(owners)}")
    _end(connection, held, person, _why(why), now)
    return held


def end_with_incidents(connection: Connection, now: Millis) -> int:
    """Lift the holds of matters that are over at every brand; how many."""
    over = [_hold(row) for row in rows(connection, f"{_SELECT} WHERE h.ended_at IS NULL AND NOT {_GOES_ON}")]
    for held in over:
        _end(connection, held, "", "the incident is over", now)
    return len(over)


def standing(connection: Connection, id: int) -> Hold | None:
    """The hold that stands on an incident, or on the matter that it is a part of."""
    sql = f"{_SELECT} WHERE (h.incident = ? OR h.incident = (SELECT part_of FROM incident WHERE id = ?))"
    found = rows(connection, f"{sql} AND h.ended_at IS NULL ORDER BY h.n DESC LIMIT 1", (id, id))
    return _hold(found[0]) if found else None


def all_of(connection: Connection, id: int) -> list[Hold]:
    """Of an incident, the lifted ones too, oldest first."""
    return [_hold(row) for row in rows(connection, f"{_SELECT} WHERE h.incident = ? ORDER BY h.n", (id,))]


def of_case(connection: Connection, case: int) -> list[Hold]:
    """The holds that stand and affect a case, found before or as it looks now; each with the brand of the case."""
    sql = "SELECT d.value FROM cases c JOIN dictionary d ON d.n = c.brand WHERE c.id = ?"
    asked = rows(connection, sql, (case,))
    brand = asked[0][0] if asked else ""
    found = rows(connection, f"{_SELECT} WHERE h.ended_at IS NULL AND {_OF_BRAND} ORDER BY h.n", (brand,))
    held = [replace(_hold(row), brand=brand) for row in found]
    known = {n for (n,) in rows(connection, "SELECT hold FROM hold_case WHERE case_id = ?", (case,))} if held else set()
    return [one for one in held if one.n in known or _affects(connection, one, case)]


def owners(people: Iterable[Person], teams: Iterable[Team], brand: str) -> tuple[str, ...]:
    """Who may lift a hold: the members of teams that serve PR by name, else whoever hears of PR."""
    serving = [one for one in teams if OWNER in one.queues and (not one.brands or brand in one.brands)]
    members = dict.fromkeys(id for team in serving for id in team.members)
    return tuple(members) or tuple(person.id for person in people if person.hears(brand, OWNER))


def told_in(connection: Connection, held: Hold) -> tuple[tuple[str, ...], str]:
    """(who may lift it, what people call the brand), by what is in force in this database."""
    bodies = {kind: revisions.current(connection, kind) for kind in ("people", "teams", "brands")}
    people, teams, brands = (found.body if found is not None else "[]" for found in bodies.values())
    names = {one.id: one.name for one in content.brands(brands)}
    who = owners(content.people(people), content.teams(teams), held.brand)
    return who, names.get(held.brand, held.brand)


def in_words(held: Hold, who: Sequence[str], language: Language, brand: str) -> list[str]:
    """Sentences for whoever works on an affected case. `who`: may lift it; `brand`: as people call it."""
    t = words(language)
    since = datetime.fromtimestamp(held.since / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    by = held.person or t("hold_playbook")
    return [
        t("hold_stands", incident=str(held.incident), since=since, by=by, why=held.reason),
        *(t("hold_line", text=line.within(language, brand)) for line in held.lines),
        t("hold_who", who=", ".join(who)) if who else t("hold_anybody"),
    ]


def gather(connection: Connection, incidents: Iterable[int], first: int) -> None:
    """These became one matter, which `first` names from now on: what was held back about one of them is about all."""
    if standing(connection, first) is not None:
        return
    sql = "SELECT n FROM incident_hold WHERE ended_at IS NULL AND incident IN (??) ORDER BY n"
    stand = sorted(n for (n,) in rows_in(connection, sql, sorted(incidents)))
    many(connection, "UPDATE incident_hold SET incident = ? WHERE n = ?", [(first, n) for n in stand[:1]])


def find_cases(engine: Engine, now: Millis) -> int:
    """Find the cases that standing holds affect and write into their history that they do; how many are new."""
    with read(engine) as connection:
        held = [_hold(row) for row in rows(connection, f"{_SELECT} WHERE h.ended_at IS NULL ORDER BY h.n")]
        found = [(one, _affected(connection, one)) for one in held]
    new = [(one, case) for one, cases in found for case in cases]
    if not new:
        return 0
    with write(engine) as connection:
        stand = {n for (n,) in rows_in(connection, _STILL, [one.n for one in held])}
        # Somebody else may have looked meanwhile.
        known = {tuple(row) for row in rows_in(connection, _KNOWN, [one.n for one in held])}
        new = [(one, case) for one, case in new if one.n in stand and (one.n, case) not in known]
        many(connection, _MARK, [(one.n, case) for one, case in new])
        told = [(case, now, f"incident {one.incident}", one.person, one.reason) for one, case in new]
        many(connection, _EVENT.format(change="held"), told)
    return len(new)


def let_go(connection: Connection, before: Millis) -> None:
    """What people wrote of why, before then."""
    many(connection, "UPDATE incident_hold SET reason = '', ended_why = '' WHERE ended_at < ?", [(before,)])


def _end(connection: Connection, held: Hold, person: str, why: str, now: Millis) -> None:
    sql = "UPDATE incident_hold SET ended_at = ?, ended_by = ?, ended_why = ? WHERE n = ?"
    many(connection, sql, [(now, person, why, held.n)])
    book.note(connection, held.incident, "lifted", now, person, why)
    cases = rows(connection, "SELECT case_id FROM hold_case WHERE hold = ? ORDER BY case_id", (held.n,))
    told = [(case, now, f"incident {held.incident}", person, why) for (case,) in cases]
    many(connection, _EVENT.format(change="released"), told)


def _affected(connection: Connection, held: Hold) -> list[int]:
    """Cases that it affects and that are not known to be."""
    of_matter = (held.incident, held.incident)
    cases = {case for (case,) in rows(connection, _CALLS, (*of_matter, *of_matter, held.n))}
    for part in _parts(connection, held):
        cause, since = _cause(connection, part), part.since
        found = rows(connection, _UNKNOWN, (part.brand, since, held.n, LOOKED_AT))
        cases |= {case for case, body in found if belongs(decode(Mention, body), since, cause)}
    return sorted(cases)


def _affects(connection: Connection, held: Hold, case: int) -> bool:
    """`held`: with the brand of the case."""
    parts = _parts(connection, held)
    linked = "SELECT incident FROM case_by_hand WHERE case_id = ?"
    if {part.id for part in parts} & {incident for (incident,) in rows(connection, linked, (case,))}:
        return True
    sql = "SELECT body FROM mention WHERE case_id = ? AND state = 'live' AND event_time >= ? ORDER BY n DESC LIMIT ?"
    for part in (one for one in parts if one.brand == held.brand):
        mentions = [decode(Mention, body) for (body,) in rows(connection, sql, (case, part.since, OF_A_CASE))]
        cause = _cause(connection, part) if mentions else None
        if cause is not None and any(belongs(mention, part.since, cause) for mention in mentions):
            return True
    return False


def _parts(connection: Connection, held: Hold) -> list[Incident]:
    """The incidents of its matter, of several brands."""
    sql = "SELECT id FROM incident WHERE id = ? OR part_of = ? ORDER BY id"
    return [book.find(connection, id) for (id,) in rows(connection, sql, (held.incident, held.incident))]


def _cause(connection: Connection, part: Incident) -> Cause:
    return cause_of(connection, part.brand, part.since, part.seen_at + HOUR, hurts=True, access=None)


def _why(reason: str) -> str:
    why = " ".join(reason.split())
    if not 1 <= len(why) <= LONGEST_WHY:
        raise ValueError(f"say why, in 1 to {LONGEST_WHY} characters: it stands in the history of every affected case")
    return why


def _hold(row: Any) -> Hold:
    n, incident, brand, since, person, reason, lines, *ended = row
    return Hold(n, incident, brand, since, person, reason, msgspec.json.decode(lines, type=tuple[Line, ...]), *ended)


_SELECT = (
    "SELECT h.n, h.incident, i.brand, h.since, h.person, h.reason, h.lines, h.ended_at, h.ended_by, h.ended_why"
    " FROM incident_hold h JOIN incident i ON i.id = h.incident"
)
_OF_BRAND = "EXISTS (SELECT 1 FROM incident p WHERE (p.id = h.incident OR p.part_of = h.incident) AND p.brand = ?)"
_GOES_ON = "EXISTS (SELECT 1 FROM incident p WHERE (p.id = h.incident OR p.part_of = h.incident) AND p.state != 'over')"
_PUT = "INSERT INTO incident_hold (incident, since, person, reason, lines) VALUES (?, ?, ?, ?, ?) RETURNING n"
_STILL = "SELECT n FROM incident_hold WHERE ended_at IS NULL AND n IN (??)"
_KNOWN = "SELECT hold, case_id FROM hold_case WHERE hold IN (??)"
_MARK = "INSERT INTO hold_case (hold, case_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
_EVENT = "INSERT INTO case_event (case_id, at, change, detail, person, reason) VALUES (?, ?, '{change}', ?, ?, ?)"
_CALLS = (
    "SELECT b.case_id FROM case_by_hand b JOIN incident p ON p.id = b.incident JOIN cases c ON c.id = b.case_id"
    " JOIN dictionary d ON d.n = c.brand WHERE c.live = 1 AND (p.id = ? OR p.part_of = ?)"
    " AND EXISTS (SELECT 1 FROM incident q WHERE (q.id = ? OR q.part_of = ?) AND q.brand = d.value)"
    " AND NOT EXISTS (SELECT 1 FROM hold_case h WHERE h.hold = ? AND h.case_id = b.case_id)"
)
"""Cases that people opened for it."""
_UNKNOWN = (
    "SELECT m.case_id, m.body FROM mention m WHERE m.case_id IS NOT NULL AND m.state = 'live'"
    " AND m.brand = (SELECT n FROM dictionary WHERE kind = 'brand' AND value = ?) AND m.event_time >= ?"
    " AND NOT EXISTS (SELECT 1 FROM hold_case h WHERE h.hold = ? AND h.case_id = m.case_id) ORDER BY m.n DESC LIMIT ?"
)
