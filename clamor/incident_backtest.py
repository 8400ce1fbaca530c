"""Other settings of incidents over the counted minutes of a home: what people would have been told, beside what they
were."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from clamor.incident_watch import WATCHED
from config.schema import Incidents
from database.engine import read, rows
from routing.alerts import INCIDENT_QUEUE, Pending
from routing.foreseen import Foreseen, foreseen
from routing.incidents.clock import HISTORY
from routing.incidents.counted import Counts, counted, names
from routing.incidents.covered import Covered
from routing.incidents.levels import Limits
from routing.incidents.replayed import Episode, Replay, Settings, Told, answered
from routing.incidents.telling import Telling
from routing.people_to_tell import MailSettings, Person
from stream.clock import DAY, MINUTE
from stream.records import Millis

STRETCH = 1_440
"""Minutes that are read at a time."""


class Fired(msgspec.Struct, frozen=True):
    """An incident that was."""

    id: int
    brand: str
    since: Millis
    worst: str
    over_at: Millis | None
    proved: str | None
    warned_at: Millis | None
    """When people were first told."""
    crisis_at: Millis | None


class Matter(msgspec.Struct, frozen=True):
    """What lies in one time of one brand."""

    brand: str
    since: Millis
    tried: Episode | None
    """By the settings that are tried."""
    present: Episode | None
    """By those in force, over the same counts."""
    fired: tuple[Fired, ...]


class Mails(msgspec.Struct, frozen=True):
    person: str
    present: int
    """Where somebody looks after each incident as soon as they are told of it."""
    tried: int
    present_unanswered: int
    """Where nobody ever does."""
    tried_unanswered: int


class IncidentReport(msgspec.Struct, frozen=True):
    since: Millis
    until: Millis
    share: float
    """Of the time that was gone through, 0 to 1."""
    brands: int
    matters: list[Matter]
    mails: list[Mails]
    words: list[str]


class Past(NamedTuple):
    """What a replay came to."""

    tried: Replay
    present: Replay
    reached: Millis
    """Minutes before this were judged."""


def settings_of(asked: Incidents) -> Settings:
    return Settings(
        asked.false_alarms_a_month,
        Limits(crisis_posts=asked.crisis_posts, calm_after=asked.calm_after),
        Telling(repeat_after=asked.repeat_after, escalate_after=asked.escalate_after, chain=len(asked.escalate_to)),
    )


def replay(
    engine: Engine,
    brands: Mapping[str, str],
    settings: tuple[Settings, Settings],
    span: tuple[Millis, Millis],
    stop: threading.Event,
    show: Callable[[int, int], None],
) -> Past:
    """Learn HISTORY before `span` and judge it, by the settings that are tried and by those in force, until the end or
    until `stop` is set. `brands`: id and kind."""
    first, until = -(-span[0] // MINUTE), span[1] // MINUTE
    tried, present = (Replay(one) for one in settings)
    begin = first - HISTORY // MINUTE
    watched = [brand for brand, kind in brands.items() if kind in WATCHED]
    reached, begun = begin, False
    for minute, counts, shares in _minutes(engine, watched, begin, until):
        begun = begun or bool(counts)
        if begun:  # What is usual is learnt from the first minute on of which anything was counted.
            for side in (tried, present):
                (side.judge if minute >= first else side.learn)(minute, counts, shares)
        reached = minute + 1
        if not reached % 60:
            show(reached - begin, until - begin)
            if stop.is_set():
                break
    return Past(tried, present, max(reached, first) * MINUTE)


def _minutes(
    engine: Engine, brands: Sequence[str], first: int, until: int
) -> Iterator[tuple[int, dict[str, Counts], dict[str, float]]]:
    """Every minute with what was counted, and the shares of brands of which less than all was heard."""
    for begins in range(first, until, STRETCH):
        ends = min(begins + STRETCH, until)
        with read(engine) as connection:
            known = names(connection)
            only = known._replace(brands={n: name for n, name in known.brands.items() if name in set(brands)})
            found = counted(connection, only, begins, ends)
            covered = Covered(connection, begins * MINUTE, ends * MINUTE)
        for minute in range(begins, ends):
            counts = {brand: of[minute] for brand in brands if minute in (of := found.get(brand, {}))}
            shares = {brand: share for brand in brands if (share := covered.share(brand, minute)) < 1.0}
            yield minute, counts, shares


def incident_report(
    connection: Connection,
    past: Past,
    span: tuple[Millis, Millis],
    brands: Sequence[str],
    people: tuple[Sequence[Person], Sequence[Person]],
    settings: tuple[MailSettings, MailSettings],
) -> IncidentReport:
    """`people` and `settings`: of the side that is tried, and of the present one."""
    fired = [one for one in _fired(connection, span[0], past.reached) if one.brand in brands]
    matters = list(_matters(past, fired))
    unanswered = [
        _foreseen(side.told, who, how)
        for side, who, how in zip((past.present, past.tried), people[::-1], settings[::-1], strict=True)
    ]
    looked_after = [
        _foreseen(answered(side.told), who, how)
        for side, who, how in zip((past.present, past.tried), people[::-1], settings[::-1], strict=True)
    ]
    mails = _mails([*looked_after, *unanswered])
    gone = past.reached - -(-span[0] // MINUTE) * MINUTE
    share = min(1.0, gone / max(1, span[1] // MINUTE * MINUTE - -(-span[0] // MINUTE) * MINUTE))
    return IncidentReport(
        span[0], span[1], share, len(brands), matters, mails, list(_words(past, fired, matters, span, len(brands)))
    )


def _foreseen(told: Sequence[Told], people: Sequence[Person], settings: MailSettings) -> Foreseen:
    asked = (
        Pending(number, "incident", 0, one.brand, INCIDENT_QUEUE, 0, 1, one.at, (), one.step)
        for number, one in enumerate(told)
    )
    return foreseen(asked, people, settings)


def _mails(found: Sequence[Foreseen]) -> list[Mails]:
    """In the order of the fields of Mails."""
    counts = [Counter(mail.person for mail in one.mails) for one in found]
    people = sorted({person for of in counts for person in of})
    return [Mails(person, *(of[person] for of in counts)) for person in people]


def _matters(past: Past, fired: Sequence[Fired]) -> Iterator[Matter]:
    """What overlaps is one; by time."""
    spans: list[tuple[str, Millis, Millis, Episode | Fired, str]] = []
    for name, side in (("tried", past.tried), ("present", past.present)):
        spans += [(one.brand, one.since, one.over_at or past.reached, one, name) for one in side.episodes]
    spans += [(one.brand, one.since, one.over_at or past.reached, one, "fired") for one in fired]
    heaps: list[list[tuple[str, Millis, Millis, Episode | Fired, str]]] = []
    for one in sorted(spans, key=lambda span: span[:2]):
        last = heaps[-1] if heaps else None
        if last is not None and last[0][0] == one[0] and one[1] <= max(span[2] for span in last):
            last.append(one)
        else:
            heaps.append([one])
    for heap in sorted(heaps, key=lambda heap: heap[0][1]):
        held = {name: [one for *_, one, of in heap if of == name] for name in ("tried", "present", "fired")}
        yield Matter(
            heap[0][0], heap[0][1], _gravest(held["tried"]), _gravest(held["present"]),
            tuple(one for one in held["fired"] if isinstance(one, Fired)),
        )  # fmt: skip


def _gravest(found: Sequence[Episode | Fired]) -> Episode | None:
    episodes = [one for one in found if isinstance(one, Episode)]
    return max(episodes, key=lambda one: (one.crisis_at is not None, one.warned_at is not None), default=None)


def _fired(connection: Connection, since: Millis, until: Millis) -> Iterator[Fired]:
    for id, brand, began, worst, over_at, proved, warned, crisis in rows(connection, _FIRED, (since, until)):
        yield Fired(id, brand, began, worst, over_at, proved, warned, crisis)


def _words(
    past: Past, fired: Sequence[Fired], matters: Sequence[Matter], span: tuple[Millis, Millis], brands: int
) -> Iterator[str]:
    days = (past.reached - span[0]) / DAY
    told = [one for one in fired if one.warned_at is not None]
    yield (
        f"{days:.1f} days of {brands} brand{'s' if brands != 1 else ''}: with these settings "
        f"{_said(past.tried.episodes)}, with those in force {_said(past.present.episodes)}; people were told of "
        f"{len(told)} incidents, {sum(one.crisis_at is not None for one in told)} of them crises"
    )
    proved = {"real": [0, 0], "false": [0, 0]}
    for matter in matters:
        for one in matter.fired:
            if one.proved in proved:
                proved[one.proved][0] += 1
                proved[one.proved][1] += matter.tried is not None and matter.tried.warned_at is not None
    for word, (number, kept) in proved.items():
        if number:
            yield f"of {number} that proved {word}, {kept} would have been told"
    later = sorted(
        (matter.tried.warned_at - one.warned_at) / MINUTE
        for matter in matters
        for one in matter.fired[:1]
        if matter.tried is not None and matter.tried.warned_at is not None and one.warned_at is not None
    )
    if later:
        middle = later[len(later) // 2]
        than = "later" if middle > 0 else "earlier"
        yield f"those that were told would have been told {abs(middle):.0f} min {than} (median)"


def _said(episodes: Sequence[Episode]) -> str:
    warned = sum(one.warned_at is not None for one in episodes)
    crises = sum(one.crisis_at is not None for one in episodes)
    return f"{warned} would be told, {crises} of them crises"


_FIRED = (
    "SELECT i.id, i.brand, i.since, i.worst, i.over_at, i.proved,"
    " (SELECT min(at) FROM incident_event e WHERE e.incident = i.id AND e.change = 'told'),"
    " (SELECT min(at) FROM incident_event e WHERE e.incident = i.id AND e.change = 'crisis')"
    " FROM incident i WHERE i.since >= ? AND i.since < ? AND i.worst != 'watch' ORDER BY i.since"
)
