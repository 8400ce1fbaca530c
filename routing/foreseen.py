"""The mails that alerts would have become, had each left when its turn came: `routing.alerts` over a stretch of time.

Nothing of what makes a mail is decided here: which alert is one, which joins a summary and when that goes is said by
`plan` and `due`, as for the mailer. Their rows are kept in memory, and the clock jumps to where one of them may go.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from routing.alerts import LIMITED, Open, Pending, Told, due, plan
from routing.people_to_tell import MailSettings, Person
from stream.records import Millis

_NEVER: Millis = 1 << 62


class Mail(NamedTuple):
    person: str
    kind: str
    at: Millis
    alerts: int
    """That it tells of."""


class Foreseen(NamedTuple):
    mails: list[Mail]
    """In the order in which they leave."""
    outcomes: Counter[str]
    """Of alerts: `mailed`, `quiet` (no worse than people knew), `nobody` (is configured for it)."""


def foreseen(alerts: Iterable[Pending], people: Sequence[Person], settings: MailSettings) -> Foreseen:
    """What comes of alerts, ordered by their time, where nobody was told of anything before and every mail leaves at
    once."""
    post = _Post(people, settings)
    for alert in alerts:
        post.let_go(alert.created_at)
        post.take(alert)
    post.let_go(_NEVER)
    return Foreseen(post.mails, post.outcomes)


class _Post:
    def __init__(self, people: Sequence[Person], settings: MailSettings) -> None:
        self._people, self._settings = people, settings
        self._limits = {person.id: person.max_mails_per_hour for person in people}
        self._told: dict[tuple[int, str], Told] = {}
        self._left: dict[str, deque[Millis]] = {}
        """By person: when the limited mails of the last hour left."""
        self._gathering: dict[int, Open] = {}
        self._held: Counter[int] = Counter()
        """Alerts of each mail that gathers."""
        self._numbers = 0
        self.mails: list[Mail] = []
        self.outcomes: Counter[str] = Counter()

    def take(self, alert: Pending) -> None:
        now = alert.created_at
        gathering = list(self._gathering.values())
        planned = plan([alert], self._people, self._told, self._used(now), gathering, self._settings)
        self._told.update(planned.told)
        self.outcomes.update(planned.outcome.values())
        for mail in planned.opened:
            if mail.state != "gathering":
                self._leaves(mail.person, mail.kind, now, len(mail.alerts))
                continue
            self._numbers += 1
            number = self._numbers
            self._held[number] = len(mail.alerts)
            self._gathering[number] = Open(
                number, mail.person, mail.kind, mail.brand, mail.state, mail.created_at, mail.latest_at
            )
        for number, joined in planned.joined.items():
            self._held[number] += len(joined)
        for number, at in planned.joined_at.items():
            self._gathering[number] = self._gathering[number]._replace(latest_at=at)

    def let_go(self, until: Millis) -> None:
        """Let what gathers go, each at its time, as far as that is before `until`."""
        tried: Millis = 0
        while self._gathering:
            at = max(tried, min(map(self._ripe_at, self._gathering.values())))
            if at >= until:
                return
            opened = list(self._gathering.values())
            for number in due(opened, self._used(at), self._limits, self._settings, at).ready:
                mail = self._gathering.pop(number)
                self._leaves(mail.person, mail.kind, at, self._held.pop(number))
            tried = at + 1

    def _ripe_at(self, mail: Open) -> Millis:
        """When it may go, as things stand; `due` says whether it does."""
        if mail.kind == "found_late":
            return min(mail.latest_at + self._settings.late_quiet, mail.created_at + self._settings.late_longest)
        left, most = self._left.get(mail.person, ()), max(1, self._limits.get(mail.person, 1))
        return mail.created_at if len(left) < most else max(mail.created_at, left[-most] + self._settings.window)

    def _used(self, now: Millis) -> dict[str, int]:
        for times in self._left.values():
            while times and times[0] <= now - self._settings.window:
                times.popleft()
        return {person: len(times) for person, times in self._left.items() if times}

    def _leaves(self, person: str, kind: str, at: Millis, alerts: int) -> None:
        self.mails.append(Mail(person, kind, at, alerts))
        if kind in LIMITED:
            self._left.setdefault(person, deque()).append(at)
