"""The incident clock at work in a home: which brands it watches, up to when all was routed, by whose word it writes."""

from __future__ import annotations

from sqlalchemy import Connection

from clamor.offsets import places
from clamor.opening import Opened
from config.playbook import Step
from database.engine import write
from database.tenure import Tenure
from routing import links, silences
from routing.incidents import book, briefing, hold, said, tasks
from routing.incidents.clock import LATE, SETTLED, IncidentClock
from routing.incidents.levels import Limits
from routing.incidents.telling import Telling
from stream.clock import HOUR, MINUTE, SimulatedClock, passed
from stream.ports import POSTS
from stream.records import Millis, Post, Understood, decode

WATCHED = ("own", "category")
"""Kinds of brands: of a competitor's crisis nobody here is woken."""
LAGS_AT_MOST: Millis = 6 * HOUR
"""A post that is older than this beside its record says nothing about how far routing has come."""
_OLD = ("backfill", "import", "reprocess")


class IncidentWatch:
    """A chore of the one process that keeps SQL."""

    def __init__(self, opened: Opened, tenure: Tenure) -> None:
        asked = opened.settings.incidents
        self._opened, self._tenure = opened, tenure
        self._fence: int | None = None
        self._tidied: Millis = 0
        self._playbook: tuple[Step, ...] = ()
        self._held_looked: Millis = 0
        # In simulated time what takes seconds takes hours; else a post that its network told of late waits for nobody.
        self._behind = LAGS_AT_MOST if isinstance(opened.clock, SimulatedClock) else LATE * MINUTE
        self._clock = IncidentClock(
            opened.engine,
            tenure.guard,
            false_alarms_a_month=asked.false_alarms_a_month,
            limits=Limits(crisis_posts=asked.crisis_posts, calm_after=asked.calm_after),
            tells=Telling(
                repeat_after=asked.repeat_after, escalate_after=asked.escalate_after, chain=len(asked.escalate_to)
            ),
            responds=self._respond,
        )

    def step(self) -> bool:
        """True while there are minutes to be judged. Raises Transient, LeaseLost."""
        if self._tenure.fence != self._fence:
            self._clock.forget()
            self._fence = self._tenure.fence
        opened = self._opened
        self._tidy()
        self._find_held_cases()
        self._playbook = opened.registry.playbook()
        brands = {one.id: one.kind for one in opened.registry.current().brands if one.kind in WATCHED}
        now, minute = opened.clock.now(), self._clock.minute
        # How far routing has come is asked only where a minute is over: brokers take several questions for it.
        over = minute is None or (now - SETTLED) // MINUTE > minute
        return self._clock.step(brands, now, self._routed(now) if over else now).more

    def _respond(self, connection: Connection, now: Millis) -> None:
        for id, step in tasks.follow(connection, self._playbook, now):
            if not step.hold or hold.standing(connection, id) is not None:
                continue
            # The first brand of a matter may be over while it goes on at another.
            live = [one.id for one in book.strands(connection, book.find(connection, id)) if one.state != "over"]
            if live:
                hold.put(connection, live[0], hold.approved(step.hold), "", f"playbook, {step.id}", now)
        hold.end_with_incidents(connection, now)

    def _find_held_cases(self) -> None:
        """Once a minute: it takes reading what an incident is made of."""
        now = self._opened.clock.now()
        if passed(self._held_looked, now, MINUTE):
            self._held_looked = now
            hold.find_cases(self._opened.engine, now)

    def _tidy(self) -> None:
        """Once an hour: what people wrote goes with the posts of its time, used links when they have long expired."""
        now = self._opened.clock.now()
        if not passed(self._tidied, now, HOUR):
            return
        self._tidied = now
        with write(self._opened.engine) as connection:
            self._tenure.guard(connection)
            kept_since = now - self._opened.settings.retention.posts
            silences.let_go(connection, kept_since)
            book.let_go(connection, kept_since)
            said.let_go(connection, kept_since)
            hold.let_go(connection, kept_since)
            briefing.let_go(connection, kept_since)
            links.forget_used(connection, now)

    def _routed(self, now: Millis) -> Millis:
        """Event time of the oldest post that is in the log and not yet routed; `now` where all is."""
        log, oldest = self._opened.log, now
        for place in places(self._opened):
            if place.group not in ("nlp", "routing") or place.next is None or not place.ours or place.next >= place.end:
                continue
            for record in log.read(place.topic, place.partition, max(place.next, place.low), 1):
                post = decode(Post, record.value) if place.topic == POSTS else decode(Understood, record.value).post
                if post.origin not in _OLD and record.time - post.event_time < LAGS_AT_MOST:
                    oldest = min(oldest, max(post.event_time, record.time - self._behind))
        return oldest
