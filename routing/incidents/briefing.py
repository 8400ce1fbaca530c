"""One page about an incident, as it stood at a time: what, since when, numbers, posts, what we said, what may be asked.

What is frozen holds numbers, references and words of the team. Texts of posts are looked up when somebody reads the
page, so that what was deleted since is not on it; posts of private sources are on none.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from database.engine import many, rows, rows_in
from routing.incidents import book, hold
from routing.incidents.book import Incident
from routing.incidents.cause import Cause, cause_of
from routing.incidents.hold import Line
from routing.incidents.said import statements
from routing.incidents.tasks import Task, tasks
from routing.mail.gaps import incomplete
from stream.clock import MINUTE
from stream.records import Mention, Millis, decode

MOST_SAID = 5
MOST_WORDS = 4
MOST_SHARES = 3


class Reference(msgspec.Struct, frozen=True):
    """A post to be looked up."""

    n: int
    """Number of the mention."""
    content: str
    """Hash of what it said then."""


class Said(msgspec.Struct, frozen=True):
    n: int
    at: Millis
    place: str


class Part(msgspec.Struct, frozen=True):
    name: str
    percent: int


class Briefing(msgspec.Struct, frozen=True, kw_only=True):
    incident: int
    brand: str
    """As people call it."""
    state: str
    at: Millis
    """When it was frozen."""
    since: Millis
    over_at: Millis | None
    looked_after_by: str
    series: str
    """Of what there are unusually many; empty: nothing is known of that."""
    network: str
    observed: int
    expected: float
    minutes: int
    percent: int
    posts: int
    authors: int
    reach: int
    networks: tuple[Part, ...]
    words: tuple[str, ...]
    """New ones, used by several people in public."""
    sites: tuple[str, ...]
    """That several people link to, in public."""
    complete: int
    """Percent of the sources that were heard at the worst minute."""
    holes: int
    """Spans in which a source did not deliver in full."""
    severe: bool
    top: tuple[Reference, ...]
    said: tuple[Said, ...]
    approved: tuple[Line, ...]
    tasks: tuple[Task, ...]


class Quoted(msgspec.Struct, frozen=True):
    """A post as it is now."""

    network: str
    link: str
    text: str | None
    """None: it is gone."""
    edited: bool


class Read(msgspec.Struct, frozen=True):
    """A briefing with what it refers to."""

    number: int
    briefing: Briefing
    top: tuple[Quoted, ...]
    said: tuple[tuple[Millis, str, str], ...]
    """(when, where, words); no words: they are no longer kept."""


class NoSuchBriefing(LookupError):
    pass


def freeze(connection: Connection, id: int, brand: str, person: str, now: Millis) -> int:
    """Number of a new briefing. `brand`: as people call it. Raises NoSuchIncident."""
    held = book.find(connection, id)
    made = _made(connection, held, brand, now)
    sql = "INSERT INTO incident_briefing (incident, at, person, body) VALUES (?, ?, ?, ?) RETURNING n"
    number: int = rows(connection, sql, (id, now, person, msgspec.json.encode(made).decode()))[0][0]
    book.note(connection, id, "briefing", now, person, f"briefing {number}")
    return number


def read(connection: Connection, number: int) -> Read:
    """As it was frozen, with texts as they are now. Raises NoSuchBriefing."""
    found = rows(connection, "SELECT body FROM incident_briefing WHERE n = ?", (number,))
    if not found:
        raise NoSuchBriefing(f"there is no briefing {number}")
    held = msgspec.json.decode(found[0][0], type=Briefing)
    bodies = dict(rows_in(connection, _LIVE, [one.n for one in held.top]))
    spoken = dict(rows_in(connection, _SPOKEN, [one.n for one in held.said]))
    quoted = tuple(_quoted(one, bodies.get(one.n)) for one in held.top)
    return Read(number, held, quoted, tuple((one.at, one.place, spoken.get(one.n, "")) for one in held.said))


def let_go(connection: Connection, before: Millis) -> None:
    """Briefings of before then."""
    many(connection, "DELETE FROM incident_briefing WHERE at < ?", [(before,)])


def _made(connection: Connection, held: Incident, brand: str, now: Millis) -> Briefing:
    lead = held.evidence.signals[0] if held.evidence.signals else None
    until = held.over_at or now
    hurts = lead is None or lead.hurts
    cause = cause_of(connection, held.brand, held.since, until + MINUTE, hurts=hurts, access=frozenset())
    series, _, network = (lead.series if lead else "").partition(":")[0].partition("@")
    stands = hold.standing(connection, held.id)
    # Of a matter of several brands: what was said about one of them is no silence about the other.
    parts = [one.id for one in book.strands(connection, held)]
    spoken = sorted((one for id in parts for one in statements(connection, id)), key=lambda one: one.said_at)
    return Briefing(
        incident=held.id, brand=brand, state=held.state, at=now, since=held.since, over_at=held.over_at,
        looked_after_by=held.acknowledged_by or "", series=series, network=network,
        observed=round(lead.observed) if lead else 0, expected=round(lead.expected, 1) if lead else 0.0,
        minutes=lead.minutes if lead else 0, percent=lead.percent if lead else 0, posts=cause.posts,
        authors=cause.authors, reach=cause.reach,
        networks=tuple(Part(one.name, round(100 * one.share)) for one in cause.networks[:MOST_SHARES]),
        words=tuple(one.name for one in cause.words[:MOST_WORDS]),
        sites=tuple(one.name for one in cause.links[:MOST_SHARES]),
        complete=round(100 * held.evidence.complete),
        holes=len(incomplete(connection, {held.brand}, held.since, until)),
        severe=any(one.series.startswith("severe") for one in held.evidence.signals), top=_references(cause),
        said=tuple(Said(one.n, one.said_at, one.place) for one in spoken[-MOST_SAID:]),
        approved=stands.lines if stands is not None else (),
        tasks=tuple(task for id in parts for task in tasks(connection, id)),
    )  # fmt: skip


def _references(cause: Cause) -> tuple[Reference, ...]:
    return tuple(Reference(n, one.content_hash) for n, one in cause.top if one.access == "public")


def _quoted(reference: Reference, body: bytes | None) -> Quoted:
    mention = decode(Mention, body) if body is not None else None
    if mention is None or mention.post is None or mention.access != "public":
        return Quoted("", "", None, False)
    post = mention.post
    words = " ".join(part for part in (post.title or "", post.text) if part)
    return Quoted(mention.network, post.link or "", words, mention.content_hash != reference.content)


_SPOKEN = "SELECT n, text FROM incident_statement WHERE n IN (??)"
_LIVE = "SELECT n, body FROM mention WHERE state = 'live' AND n IN (??)"
