"""Which alerts become which mails: told once until it worsens, never more than so many an hour, the rest in a summary.

Everything here is a function of its arguments; `routing.planner` reads and writes the rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from routing.case_news import NEWS
from routing.people_to_tell import MailSettings, Person, told_about, told_about_operations
from routing.rota import told_now
from stream.clock import passed
from stream.records import Millis

QUEUE_RANK: Mapping[str, int] = {"none": 0, "sales": 1, "support": 2, "pr": 3}
LIMITED: tuple[str, ...] = ("alert", "summary")
"""Kinds of mail that count against a person's hourly limit."""
GATHERED: tuple[str, ...] = ("summary", "found_late", "cases")
"""Kinds of mail that wait for more alerts before they go."""
WAITING_FOR_QUIET: tuple[str, ...] = ("found_late", "cases")
"""Of these: those that leave once nothing more comes, the others when a place of the hour is free."""
INCIDENT_QUEUE = "pr"
"""Whose people are told of incidents."""
MORE_AT_LEAST = 5
"""A case with this many mentions more, and twice as many, has materially grown."""
SILENCED = "silenced"


class Pending(NamedTuple):
    """An alert that nobody was told of yet."""

    id: int
    kind: str
    subject: int
    """The case; minus the mention's number where there is none; 0 for what is about neither."""
    brand: str
    queue: str
    risk: int
    mentions: int
    """Live mentions of the case."""
    created_at: Millis
    recipients: tuple[str, ...] = ()
    """Ids of those whom news of a case is for; who know of the incident that is over, or that this is a part of."""
    step: int = 0
    """Of an incident: 0 asks for the people of the brand, n for number n of the chain, -n for the people of the brand
    and the first n of the chain."""
    in_incident: bool = False
    """Part of an incident that people of the brand were told of: they get no mail of its own."""
    silenced: bool = False
    """Somebody said that nobody is to be told of it now."""
    why: str = ""
    """What it says: the word of an incident, the channel that a case is posted to, a reason."""
    matter: int = 0
    """Of an incident: the first incident of its matter, which several brands may have."""
    informed: frozenset[str] = frozenset()
    """Of a matter of several brands: who was told the same by way of another one."""
    word: str = ""
    """Of an incident: what is said of it."""


class Told(NamedTuple):
    """How bad a case was when somebody was last told of it."""

    level: int
    queue: str
    mentions: int


class Open(NamedTuple):
    """A mail that has not left yet."""

    id: int
    person: str
    kind: str
    brand: str
    state: str
    created_at: Millis
    latest_at: Millis
    attempts: int = 0


class NewMail(msgspec.Struct):
    person: str
    """Empty: a message for a channel alone."""
    kind: str
    brand: str
    queue: str
    state: str
    created_at: Millis
    latest_at: Millis
    alerts: list[int]
    channel: str = ""
    """By which it leaves; empty: by mail."""


class Plan(msgspec.Struct):
    """What is to be written: new mails, alerts that join a gathering one, what people know now, what came of alerts."""

    opened: list[NewMail] = []
    joined: dict[int, list[int]] = {}
    joined_at: dict[int, Millis] = {}
    told: dict[tuple[int, str], Told] = {}
    outcome: dict[int, str] = {}
    """By alert: `silenced` (somebody said that nobody is to be told), `mailed`, `quiet` (the case is no worse than
    people know, or they know of the incident that it belongs to) or `nobody` (is configured for it)."""


def risk_level(risk: int, steps: Sequence[int]) -> int:
    """Into which of the levels between `steps` a risk falls, from 0."""
    return bisect_right(steps, risk)


def worse(now: Told, before: Told | None) -> bool:
    """Whether a case is worth a second mail: a higher risk level, a raised queue, or materially more mentions."""
    if before is None:
        return True
    return (
        now.level > before.level
        or QUEUE_RANK.get(now.queue, 0) > QUEUE_RANK.get(before.queue, 0)
        or now.mentions >= max(2 * before.mentions, before.mentions + MORE_AT_LEAST)
    )


def words_said(word: str) -> tuple[str, ...]:
    """Of an incident: what who is told this needs not be told besides."""
    return (word, "warning") if word == "crisis" else (word,)


def said_at(word: str, at: Millis) -> Millis:
    """By which time a word of an incident is told from another; 0 where it is said once."""
    return at if word in ("still", "another") else 0


def plan(
    alerts: Iterable[Pending],
    people: Sequence[Person],
    told: Mapping[tuple[int, str], Told],
    used: Mapping[str, int],
    open_mails: Iterable[Open],
    settings: MailSettings,
    now: Millis | None = None,
) -> Plan:
    """The mails that `alerts`, in their order, ask for.

    `used`: per person, limited mails of the last hour, those that still wait to leave included. `told`: by subject
    and person. `now`: when whoever is on call is told; None: when the alert was made.
    """
    desk = _Desk(told, used, open_mails, settings, now)
    for alert in alerts:
        treat = _TREATMENT.get(alert.kind, _Desk.operations)
        desk.plan.outcome[alert.id] = treat(desk, alert, people)
    return desk.plan


class _Desk:
    """What is known while a batch of alerts is gone through."""

    def __init__(
        self,
        told: Mapping[tuple[int, str], Told],
        used: Mapping[str, int],
        open_mails: Iterable[Open],
        settings: MailSettings,
        now: Millis | None = None,
    ) -> None:
        self.plan = Plan()
        self._now = now
        self._told = told
        self._used = dict(used)
        self._settings = settings
        self._channels = {channel.id: channel for channel in settings.channels}
        self._shared = set[tuple[str, int]]()
        """(channel of a team, alert) that it is told of already."""
        self._informed = dict[tuple[int, str, Millis], set[str]]()
        """By matter, word and time: to whom this plan says it."""
        self._gathering: dict[tuple[str, str, str], int | NewMail] = {
            (mail.person, mail.kind, mail.brand): mail.id for mail in open_mails if mail.state == "gathering"
        }

    def severe(self, alert: Pending, people: Sequence[Person]) -> str:
        if alert.silenced:
            return SILENCED
        chosen = self._on_call(alert, people)
        if not alert.in_incident:
            return self._tell(alert, chosen, self._one_severe)
        known = set(alert.recipients) or {person.id for person in self._on_call(alert, people, INCIDENT_QUEUE)}
        return self._tell(alert, [one for one in chosen if one.id not in known], self._one_severe, chosen)

    def late(self, alert: Pending, people: Sequence[Person]) -> str:
        if alert.silenced:
            return SILENCED
        return self._tell(alert, told_about(people, alert.brand, alert.queue), self._one_late)

    def incident(self, alert: Pending, people: Sequence[Person]) -> str:
        chain = self._settings.chain
        if alert.step > 0:
            known = set(chain[alert.step - 1 : alert.step])
        else:
            known = set(alert.recipients) or {person.id for person in self._on_call(alert, people)}
            known.update(chain[: -alert.step])
        chosen = sorted([person for person in people if person.id in known], key=lambda person: person.id)
        said = [
            self._informed.setdefault((alert.matter, word, said_at(word, alert.created_at)), set())
            for word in words_said(alert.word)
        ]
        fresh = [person for person in chosen if person.id not in said[0] and person.id not in alert.informed]
        for person in fresh:
            for informed in said:
                informed.add(person.id)
            self._open(alert, person, alert.kind)
            self._beside(alert, person, alert.kind)
        return "mailed" if fresh else "quiet" if chosen else "nobody"

    def _on_call(self, alert: Pending, people: Sequence[Person], queue: str = "") -> list[Person]:
        at = alert.created_at if self._now is None else self._now
        return told_now(self._settings.teams(), people, alert.brand, queue or alert.queue, at)

    def news(self, alert: Pending, people: Sequence[Person]) -> str:
        chosen = [person for person in people if person.id in alert.recipients]
        for person in chosen:
            self._gather(alert, person, "cases", "")
        return "mailed" if chosen else "nobody"

    def operations(self, alert: Pending, people: Sequence[Person]) -> str:
        chosen = told_about_operations(people)
        for person in chosen:
            self._open(alert, person, "operations")
            self._beside(alert, person, "operations")
        return "mailed" if chosen else "nobody"

    def crm(self, alert: Pending, people: Sequence[Person]) -> str:
        """A case for a channel alone. One that is not there is told of nothing, as in a replay, nor is a chat."""
        channel = self._channels.get(alert.why)
        if channel is None or not channel.texts:
            return "quiet"
        self._opened(alert, "", "crm", channel=alert.why)
        return "mailed"

    def _tell(
        self,
        alert: Pending,
        chosen: Sequence[Person],
        one: Callable[[Pending, Person], None],
        configured: Sequence[Person] | None = None,
    ) -> str:
        """`configured`: all who would be told of its kind, where some of them know already."""
        state = Told(risk_level(alert.risk, self._settings.risk_steps), alert.queue, alert.mentions)
        mailed = False
        for person in chosen:
            key = (alert.subject, person.id)
            if not alert.subject or worse(state, self.plan.told.get(key, self._told.get(key))):
                self.plan.told[key] = state
                one(alert, person)
                mailed = True
        return "mailed" if mailed else "quiet" if (chosen if configured is None else configured) else "nobody"

    def _one_severe(self, alert: Pending, person: Person) -> None:
        full = self._used.get(person.id, 0) >= max(1, person.max_mails_per_hour)
        if full or (person.id, "summary", "") in self._gathering:
            self._gather(alert, person, "summary", "")
            return
        self._used[person.id] = self._used.get(person.id, 0) + 1
        self._open(alert, person, "alert")
        self._beside(alert, person, "alert")

    def _one_late(self, alert: Pending, person: Person) -> None:
        self._gather(alert, person, "found_late", alert.brand)

    def _gather(self, alert: Pending, person: Person, kind: str, brand: str) -> None:
        found = self._gathering.get((person.id, kind, brand))
        if found is None:
            mail = self._open(alert, person, kind, state="gathering", brand=brand)
            self._gathering[person.id, kind, brand] = mail
        elif isinstance(found, NewMail):
            found.alerts.append(alert.id)
            found.latest_at = max(found.latest_at, alert.created_at)
        else:
            self.plan.joined.setdefault(found, []).append(alert.id)
            self.plan.joined_at[found] = max(self.plan.joined_at.get(found, 0), alert.created_at)

    def _open(
        self, alert: Pending, person: Person, kind: str, state: str = "pending", brand: str | None = None
    ) -> NewMail:
        return self._opened(alert, person.id, kind, state, brand)

    def _beside(self, alert: Pending, person: Person, kind: str) -> None:
        """By the channels of somebody who is told by mail: their own, and those of teams, each once."""
        for name in dict.fromkeys(person.channels):
            if self._tells(name, kind, alert.why):
                self._opened(alert, person.id, kind, channel=name)
        for name in person.shared:
            if (name, alert.id) not in self._shared and self._tells(name, kind, alert.why):
                self._shared.add((name, alert.id))
                self._opened(alert, "", kind, channel=name)

    def _tells(self, name: str, kind: str, word: str) -> bool:
        channel = self._channels.get(name)
        return channel is not None and (kind == "chain_test" or _SAID.get(kind, word) in channel.tells)

    def _opened(
        self,
        alert: Pending,
        person: str,
        kind: str,
        state: str = "pending",
        brand: str | None = None,
        channel: str = "",
    ) -> NewMail:
        mail = NewMail(
            person=person,
            kind=kind,
            channel=channel,
            brand=alert.brand if brand is None else brand,
            queue=alert.queue,
            state=state,
            created_at=alert.created_at,
            latest_at=alert.created_at,
            alerts=[alert.id],
        )
        self.plan.opened.append(mail)
        return mail


_SAID: Mapping[str, str] = {"alert": "alert", "operations": "trouble"}
"""What a channel is asked for by kind of mail; an incident's is its word."""
_TREATMENT: Mapping[str, Callable[[_Desk, Pending, Sequence[Person]], str]] = {
    "mention": _Desk.severe,
    "case": _Desk.severe,
    "found_late": _Desk.late,
    "incident": _Desk.incident,
    "chain_test": _Desk.incident,
    "crm": _Desk.crm,
    **dict.fromkeys(NEWS, _Desk.news),
}


class Due(NamedTuple):
    """Gathering mails whose time has come, and waiting mails that give their place to a summary and join it."""

    ready: tuple[int, ...]
    folded: tuple[tuple[int, int], ...]
    """(mail that goes into, the summary)."""


def due(
    open_mails: Sequence[Open],
    used: Mapping[str, int],
    limits: Mapping[str, int],
    settings: MailSettings,
    now: Millis,
    news: Mapping[str, Millis] | None = None,
) -> Due:
    """Which gathering mails are to leave now. `news`: by person, when their last mail with news of cases left.

    A summary leaves when one of its person's places of the hour is free again. Where the places are taken by mails
    that could not leave for an hour (the server was away), the newest of those that nobody can have received gives
    its place up and joins the summary: so nobody waits a second hour, and nobody gets more than the limit.
    """
    ready: list[int] = []
    folded: list[tuple[int, int]] = []
    for mail in open_mails:
        if mail.state != "gathering":
            continue
        if mail.kind in WAITING_FOR_QUIET:
            quiet = passed(mail.latest_at, now, settings.late_quiet)
            ripe = quiet or passed(mail.created_at, now, settings.late_longest)
            if ripe and (mail.kind != "cases" or _may_follow(mail, open_mails, news or {}, settings, now)):
                ready.append(mail.id)
        elif used.get(mail.person, 0) < max(1, limits.get(mail.person, 1)):
            ready.append(mail.id)
        elif passed(mail.created_at, now, settings.window):
            waiting = [m for m in open_mails if _gives_way(m, mail.person)]
            if waiting:
                folded.append((max(waiting, key=lambda m: m.id).id, mail.id))
                ready.append(mail.id)
    return Due(tuple(ready), tuple(folded))


def _gives_way(mail: Open, person: str) -> bool:
    return mail.person == person and mail.kind == "alert" and mail.state == "pending" and not mail.attempts


def _may_follow(
    mail: Open, open_mails: Sequence[Open], news: Mapping[str, Millis], settings: MailSettings, now: Millis
) -> bool:
    """Whether its person's last news lie far enough back: so they get no more than six such mails an hour."""
    if any(one.person == mail.person and one.kind == mail.kind and one.state != "gathering" for one in open_mails):
        return False
    last = news.get(mail.person)
    return last is None or passed(last, now, settings.late_longest)
