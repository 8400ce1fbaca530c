"""Who is told of what cannot wait: whoever is on call for a brand and a queue, else everybody who is configured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from config.rota import on_call
from config.teams import Team
from routing.people_to_tell import Person, told_about
from stream.records import Millis


def at_work(teams: Sequence[Team], brand: str, queue: str, at: Millis) -> frozenset[str]:
    """Ids of those who are on call for them; empty where no team with a rota serves them, or its rota has a hole."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return frozenset(
        person
        for team in teams
        if team.on_call is not None and _serves(team, brand, queue)
        for person in on_call(team.on_call, team.zone, moment)[0]
    )


def told_now(teams: Sequence[Team], people: Sequence[Person], brand: str, queue: str, at: Millis) -> list[Person]:
    """In the order of their ids. Of the rota only who is among the people; where that is nobody, all are told."""
    named = at_work(teams, brand, queue, at)
    chosen = sorted((person for person in people if person.id in named), key=lambda person: person.id)
    return chosen or told_about(people, brand, queue)


def _serves(team: Team, brand: str, queue: str) -> bool:
    return (not team.brands or brand in team.brands) and (not team.queues or queue in team.queues)
