"""What a mail about an incident tells: how it stands now, what it is made of, the curve, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from sqlalchemy import Connection

from routing import links
from routing.alerts import INCIDENT_QUEUE
from routing.incidents import book
from routing.incidents.cause import Cause, Heap, cause_of
from routing.incidents.curve import curve_of
from routing.incidents.said import statements
from routing.incidents.tasks import tasks
from routing.link_key import key_of
from routing.mail.gaps import incomplete
from routing.mail.letter import Asked, Copies, Elsewhere, IncidentLetter, Part, PostSeen, Spoken
from routing.people_to_tell import MailSettings, Person
from routing.spread import measured
from stream.clock import HOUR, MINUTE
from stream.records import Mention, Millis, Queue

Shown = Callable[[Mention, Person, MailSettings], PostSeen]
MOST_PARTS = 3
"""Of each kind."""
MOST_SPOKEN = 3
MOST_MARKS = 6
CURVE: Millis = 12 * HOUR


def incident_letter(
    connection: Connection,
    id: int,
    word: str,
    step: int,
    person: Person,
    settings: MailSettings,
    asked_at: Millis,
    now: Millis,
    shown: Shown,
) -> IncidentLetter:
    """For one person, from what is live now; its links count from `asked_at`. Raises NoSuchIncident."""
    held = book.find(connection, id)
    until = held.over_at or now
    signals = held.evidence.signals
    lead = signals[0] if signals else None
    series, _, network = (lead.series if lead else "all").partition(":")[0].partition("@")
    hurts = lead is None or lead.hurts
    since = max(held.since, asked_at - HOUR) if word == "another" else held.since
    cause = cause_of(connection, held.brand, since, until + MINUTE, hurts=hurts, access=person.access)
    program = settings.program
    asked = tasks(connection, id)
    waits = [Asked(one.k, one.within(person.language), one.who, one.due_at, one.late(now)) for one in asked
             if one.state == "open"]  # fmt: skip
    return IncidentLetter(
        word=word,
        state=held.state,
        brand=settings.brand_names.get(held.brand, held.brand),
        queue=cast(Queue, INCIDENT_QUEUE),
        since=held.since,
        until=until,
        series=series,
        network=network,
        observed=round(lead.observed) if lead else 0,
        expected=round(lead.expected, 1) if lead else 0.0,
        minutes=lead.minutes if lead else 0,
        percent=lead.percent if lead else 0,
        posts=cause.posts,
        authors=cause.authors,
        reach=cause.reach,
        parts=_parts(cause),
        copies=_copies(cause.copies),
        top=tuple(shown(mention, person, settings) for _, mention in cause.top),
        curve=curve_of(connection, held.brand, lead.series if lead else "all", until - CURVE, until),
        missing=incomplete(connection, {held.brand}, held.since, until),
        acknowledged_by=held.acknowledged_by or "",
        step=step,
        show_command=f"{program} incident show {id}",
        acknowledge_command=f"{program} incident acknowledge {id} --by {person.id or 'NAME'}",
        prove_command=f"{program} incident prove {id} real --by {person.id or 'NAME'}" if held.proved is None else "",
        links=_links(connection, held, person, settings, asked_at),
        tasks=tuple(sorted(waits, key=lambda one: one.due)),
        tasks_done=sum(one.state == "done" for one in asked),
        task_command=f"{program} incident task {id} {waits[0].k} done --by {person.id}" if waits else "",
        spoken=tuple(Spoken(one.said_at, one.place, one.text) for one in statements(connection, id)[-MOST_SPOKEN:]),
        number=id,
        marks=tuple((one.change, one.at) for one in book.events(connection, id) if one.change in ("warning", "crisis"))[
            :MOST_MARKS
        ],
        holes=incomplete(connection, {held.brand}, until - CURVE, until),
        also=_also(connection, held, person, settings),
    )


def _also(connection: Connection, held: book.Incident, person: Person, settings: MailSettings) -> tuple[Elsewhere, ...]:
    """The same matter at other brands, of those that the reader may know of; a channel of a team is told of none."""
    if not person.id:
        return ()
    return tuple(
        Elsewhere(
            settings.brand_names.get(one.brand, one.brand), one.state, f"{settings.program} incident show {one.id}"
        )
        for one in book.strands(connection, held)
        if one.id != held.id and (not person.brands or one.brand in person.brands)
    )[:MOST_PARTS]


def _links(
    connection: Connection, held: book.Incident, person: Person, settings: MailSettings, asked_at: Millis
) -> tuple[tuple[str, str], ...]:
    key = key_of(connection)
    # A link is somebody's: a channel of a team has none.
    if key is None or not settings.url or held.state == "over" or not person.id:
        return ()
    # Of another brand of its matter more of the chain may have been told.
    steps = max(one.steps for one in book.strands(connection, held))
    needless = {"acknowledge": held.acknowledged_by is not None, "escalate": steps >= len(settings.chain)}
    wanted = [deed for deed in links.DEEDS if not needless.get(deed)]
    ends = asked_at + links.COUNTS
    step = steps + 1
    made = [(deed, links.Allowed(deed, held.id, person.id, person.language, ends, step)) for deed in wanted]
    return tuple((deed, f"{settings.url}/act/{links.token(key, one)}") for deed, one in made)


def _parts(cause: Cause) -> tuple[Part, ...]:
    kinds = {
        "network": cause.networks,
        "intent": cause.intents,
        "word": cause.words,
        "link": cause.links,
        "author": cause.loudest,
    }
    return tuple(
        Part(kind, one.name, one.posts, round(100 * one.share))
        for kind, shares in kinds.items()
        for one in shares[: MOST_PARTS if kind != "word" else None]
    )


def _copies(heaps: tuple[Heap, ...]) -> Copies | None:
    if not heaps:
        return None
    largest = heaps[0]
    return Copies(largest.posts, largest.authors, *measured(largest.span))
