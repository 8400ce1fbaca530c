"""What a rule does beside queue, priority, tags and alert: who gets the case, its deadline, whether it is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from config.known import Known
from config.marked import Node as Yaml
from config.problems import did_you_mean

KEYS = ("assign", "deadline", "hold", "crm", "ignore")
LAST_AGENT = "last-agent"
ROUND_ROBIN = "round-robin"
Wrong = Callable[[Yaml | None, str, object, str], None]
"""(where, message, value, advice)"""


class Actions(NamedTuple):
    assign: tuple[str, ...] = ()
    """Tried in this order until somebody has the case: ids of people, `last-agent`, `round-robin:TEAM`."""
    deadline: str = ""
    """Id of a deadline; empty: the one of its queue and brand."""
    hold: bool = False
    """Nobody is woken by a mention of which a head of the model was unsure, and its case is tagged `review`."""
    crm: str = ""
    """Id of the channel to which the case is posted, once; empty: to none."""


def read_actions(node: Yaml, wrong: Wrong) -> Actions:
    """The actions of a rule; what cannot be read goes to `wrong`."""
    assign = node.child("assign")
    return Actions(
        tuple(_assigned(assign, wrong)) if assign is not None else (),
        _named(node, "deadline", "the id of a deadline", "write `deadline: standard`", wrong),
        flag(node, "hold", wrong),
        _named(node, "crm", "the id of a channel", "write `crm: desk`, and the webhook under `channels:`", wrong),
    )


def _named(node: Yaml, key: str, what: str, advice: str, wrong: Wrong) -> str:
    found = node.child(key)
    if found is None:
        return ""
    if found.items is not None or found.entries is not None or not found.scalar:
        wrong(found, f"`{key}` is {what}", found.plain(), advice)
    return str(found.scalar or "")


def flag(node: Yaml, key: str, wrong: Wrong) -> bool:
    found = node.child(key)
    if found is None or isinstance(found.scalar, bool):
        return bool(found is not None and found.scalar)
    wrong(found, f"`{key}` is yes or no", found.plain(), "write true or false")
    return False


def _assigned(node: Yaml, wrong: Wrong) -> Iterator[str]:
    for item in node.items if node.items is not None else [node]:
        if item.entries is not None and list(item.entries) == [ROUND_ROBIN]:
            team = item.child(ROUND_ROBIN)
            if team is not None and isinstance(team.scalar, str):
                yield f"{ROUND_ROBIN}:{team.scalar}"
                continue
        elif isinstance(item.scalar, str) and item.scalar:
            yield item.scalar
            continue
        advice = f"write a person's id, {LAST_AGENT}, {{{ROUND_ROBIN}: TEAM}}, or a list of them"
        wrong(item, "`assign` names nobody", item.plain(), advice)


def strangers(actions: Actions, known: Known) -> Iterator[tuple[str, str, str, str]]:
    """(key, message, value, advice) of each name that the configuration does not have."""
    for name in actions.assign:
        kind, _, team = name.partition(":")
        if kind == ROUND_ROBIN and team:
            if known.teams is None or team not in known.teams:
                teams = known.teams or ()
                yield "assign", "no team has this id", team, did_you_mean(team, teams) or "write it under `teams:`"
        elif name != LAST_AGENT and known.people is not None and name not in known.people:
            yield "assign", "nobody in people has this id", name, did_you_mean(name, (*known.people, LAST_AGENT))
    if actions.deadline and (known.deadlines is None or actions.deadline not in known.deadlines):
        deadlines = known.deadlines or ()
        advice = did_you_mean(actions.deadline, deadlines) or "write it under `deadlines:`"
        yield "deadline", "no deadline has this id", actions.deadline, advice
    if actions.crm and known.channels is not None and actions.crm not in known.channels:
        advice = did_you_mean(actions.crm, known.channels) or "write it under `channels:` with `kind: webhook`"
        yield "crm", "no channel of kind webhook has this id", actions.crm, advice
