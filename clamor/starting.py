"""What happens once before the stages of a home start: tables, topics, configuration, the first token."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from clamor.opening import Opened
from config import apply as configuration
from config.apply import Change
from database.engine import read, write
from database.migrate import upgrade
from database.revisions import Revision
from routing.checkers import shipped
from stream.ports import DECIDED, Transient
from web.tokens import any_made, issue_first


class Started(NamedTuple):
    token: str | None
    """The API's bearer token, at the first start that serves it only."""
    nobody_may_ask: bool
    """No token was ever made: the API answers nobody."""
    applied: list[Revision]
    """What an empty home took over from its files."""
    drift: list[Change]
    """Where the files have moved on since: only `clamor apply` takes them over."""


def searchable_from(opened: Opened) -> int:
    """Partitions that the index has begun; asking makes log and index where they are missing."""
    partitions = frozenset(range(opened.log.partitions(DECIDED)))
    return len(opened.store.offsets(DECIDED, partitions, opened.log.epoch()))


def make_ready(opened: Opened, by: str = "clamor run", *, serves: bool = False) -> Started:
    """Idempotent. With `serves`, whoever starts this home serves its API and shows the token that is made."""
    upgrade(opened.engine)
    opened.statuses.sweep()
    opened.log.partitions(DECIDED)
    with suppress(Transient):
        # A cluster that is away holds the index up, and nothing else: its stage tries again.
        searchable_from(opened)
    wanted, ships, now = opened.configuration.content, shipped(), opened.clock.now()
    with write(opened.engine) as connection:
        applied = configuration.apply_first(connection, wanted, ships, by, now)
    with read(opened.engine) as connection:
        drift = configuration.plan(connection, wanted, ships)
    token = issue_first(opened.engine, now) if serves else None
    return Started(token, not any_made(opened.engine), applied, drift)
