"""What is wrong with a playbook that no single setting shows: people who are not there, or who hear of no incident."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from config.marked import Path, Sheet
from config.problems import Problem, did_you_mean, shown

Items: TypeAlias = list[tuple[int, Mapping[str, Any]]]
QUEUES = ("sales", "support", "pr")
INCIDENTS = "pr"
"""The queue whose people are told of incidents."""


def check_playbook(
    sheet: Sheet, steps: Items, people: Items | None, known_people: Collection[str] | None, teams: Collection[str]
) -> Iterator[Problem]:
    """`people`: of the file; None: it states none, and `known_people` are in force (None: nobody knows). `teams`: ids
    of the file or in force."""
    ids = {str(person.get("id")) for _, person in people} if people is not None else known_people
    deaf = {str(one.get("id")) for _, one in people or () if _deaf(one.get("queues"))}
    known = {*(ids or ()), *teams, *QUEUES}
    for n, step in steps:
        who = step.get("who")
        for at, name in enumerate(map(str, who) if isinstance(who, list) else ()):
            path: Path = ("playbook", n, "who", at)
            if ids is not None and name not in known:
                advice = did_you_mean(name, known) or "write the person under `people`, or the team under `teams`"
                message = "no person, team or queue has this id"
                yield sheet.problem(path, message, advice, value=shown(name))
            elif name in deaf:
                message = "is told of no incident, and so never of this task"
                advice = f"let `queues` of this person hold {INCIDENTS}, or name somebody else"
                yield sheet.problem(path, message, advice, value=shown(name), severity="warning")


def _deaf(queues: object) -> bool:
    return isinstance(queues, list) and bool(queues) and INCIDENTS not in queues
