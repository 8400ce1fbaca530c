"""What has to be done in an incident: tasks that appear as the playbook says, and who did them when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from config.playbook import Step
from database.engine import many, rows
from routing.incidents import book
from routing.incidents.book import Incident
from routing.incidents.levels import RANK
from stream.clock import DAY
from stream.records import Millis

Word = Literal["done", "needless", "open"]
WORDS: tuple[Word, ...] = ("done", "needless", "open")
LONGEST_WHY = 500
AFTERWARDS: Millis = DAY
"""So long after its end an incident gets the tasks that come with it: a process may have been away."""
MOST_LIVE = 10_000


class Task(msgspec.Struct, frozen=True):
    k: int
    step: str
    """Id in the playbook."""
    en: str
    es: str
    who: tuple[str, ...]
    """Ids of people, teams and queues: any one of them may do it."""
    made_at: Millis
    due_at: Millis
    state: Word
    ended_at: Millis | None
    """When it was done, or found needless."""
    ended_by: str | None

    def within(self, language: str) -> str:
        return self.es if language == "es" else self.en

    def late(self, now: Millis) -> bool:
        """Whether it was done after its time, or is still open past it."""
        return self.state != "needless" and (self.ended_at if self.ended_at is not None else now) > self.due_at


class NoSuchTask(LookupError):
    pass


def follow(connection: Connection, steps: Sequence[Step], now: Millis) -> list[tuple[int, Step]]:
    """Give every incident the tasks that the playbook has for what it has come to; (incident, step) of new ones. Asked
    again, it does nothing: a step becomes one task of an incident, whatever the playbook says later.

    A matter of several brands is worked on once, as grave as it is at any of them: its first incident has the tasks,
    but for what is to be done for one brand.
    """
    if not steps:
        return []
    there = {one.id: one for one in _under_way(connection, now)}
    for first in {one.matter for one in there.values()} - there.keys():
        there[first] = book.find(connection, first)
    return [(one.id, step) for one in there.values() for step in _follow(connection, one, steps, now)]


def tasks(connection: Connection, id: int) -> list[Task]:
    found = rows(connection, f"SELECT {_COLUMNS} FROM incident_task WHERE incident = ? ORDER BY k", (id,))
    return [Task(k, step, en, es, tuple(who.split()), *rest) for k, step, en, es, who, *rest in found]


def end(connection: Connection, id: int, k: int, word: Word, person: str, now: Millis, why: str = "") -> Task:
    """Say that a task is done, is not needed here, or is open after all. Raises NoSuchIncident, NoSuchTask, and
    ValueError for one that is needless without a reason."""
    book.find(connection, id)
    there = {task.k: task for task in tasks(connection, id)}
    held = there.get(k)
    if held is None:
        has = f"it has {', '.join(map(str, there))}" if there else "it has none"
        raise NoSuchTask(f"incident {id} has no task {k}: {has}")
    reason = " ".join(why.split())
    if len(reason) > LONGEST_WHY:
        raise ValueError(f"a reason has at most {LONGEST_WHY} characters, and this one has {len(reason):,}")
    if word == "needless" and not reason:
        raise ValueError("say why it is not needed here, with --why: the report will ask")
    if held.state == word:
        return held
    ended = (None, None) if word == "open" else (now, person)
    sql = "UPDATE incident_task SET state = ?, ended_at = ?, ended_by = ? WHERE incident = ? AND k = ?"
    many(connection, sql, [(word, *ended, id, k)])
    book.note(connection, id, "task", now, person, f"{k} {held.step} {word}" + (f": {reason}" if reason else ""))
    return next(task for task in tasks(connection, id) if task.k == k)


def _under_way(connection: Connection, now: Millis) -> Iterable[Incident]:
    yield from book.listed(connection, all=False, most=MOST_LIVE)
    sql = "SELECT id FROM incident WHERE over_at > ? ORDER BY id"
    for (id,) in rows(connection, sql, (now - AFTERWARDS,)):
        yield book.find(connection, id)


def _follow(connection: Connection, held: Incident, steps: Sequence[Step], now: Millis) -> list[Step]:
    matter = _whole(book.strands(connection, held)) if held.id == held.matter else None
    wanted = [step for step in steps if (one := held if step.brands else matter) is not None and _asked(step, one)]
    if not wanted:
        return []
    there = {task.step: task.k for task in tasks(connection, held.id)}
    new = [step for step in wanted if step.id not in there]
    first = max(there.values(), default=0) + 1
    made = [
        (held.id, k, step.id, step.do.en, step.do.es, " ".join(step.who), now, now + step.within)
        for k, step in enumerate(new, first)
    ]
    many(connection, _NEW, made)
    return new


def _whole(strands: Sequence[Incident]) -> Incident:
    """A matter as one incident: over where it is over at all brands, as grave as at the gravest, of all its signals."""
    first = max(strands, key=lambda one: RANK[one.state])
    worst = max((one.worst for one in strands), key=lambda state: RANK[state])
    signals = tuple(signal for one in strands for signal in one.evidence.signals)
    return first._replace(worst=worst, evidence=replace(first.evidence, signals=signals))


def _asked(step: Step, held: Incident) -> bool:
    if step.brands and held.brand not in step.brands:
        return False
    kinds = {signal.kind for signal in held.evidence.signals}
    if step.made_of and not kinds.intersection(step.made_of):
        return False
    if step.when == "over":
        return held.state == "over" and RANK[held.worst] >= RANK["warning"]
    return held.state != "over" and RANK[held.worst] >= RANK[step.when]


_COLUMNS = "k, step, en, es, who, made_at, due_at, state, ended_at, ended_by"
_NEW = "INSERT INTO incident_task (incident, k, step, en, es, who, made_at, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
