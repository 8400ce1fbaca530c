"""Which stages of a home stand still, from everything that is known of them: for `status`, `/readyz` and the watch."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from clamor.backlog import backlog
from clamor.opening import Opened
from clamor.sql import file_of
from clamor.upkeep import failing, noted
from stream.ports import OffsetOutside, Transient, Unusable
from stream.watchdog import Stuck, absent, stuck

BROKEN = (Transient, Unusable, OffsetOutside, OSError, sqlite3.Error)
"""What keeps a part from answering."""


def standing_still(opened: Opened, waiting: Mapping[str, int] | None = None) -> list[Stuck]:
    """One entry a stage: its supervisor's word goes before that of its processes, and that before what waits for it.

    `waiting`: records that wait for each stage, where the caller has counted them already. Where the database is on a
    server, other machines may run the stages that no process runs here: nothing is concluded from what waits for them.
    """
    wall = opened.clock.wall()
    statuses = opened.statuses.read()
    living = [status for status in statuses if status.alive()]
    left = [status for status in statuses if status not in living]
    if file_of(opened.configuration) is None:
        waiting = {}
    counted = _waiting(opened) if waiting is None else waiting
    found: dict[str, Stuck] = {}
    for one in (*failing(noted(opened.home)), *stuck(living, wall), *absent(living, left, counted, wall)):
        found.setdefault(one.stage, one)
    return list(found.values())


def _waiting(opened: Opened) -> dict[str, int]:
    """Nothing where log, database or index do not answer: that is another trouble, and told by others."""
    try:
        return backlog(opened).by_stage
    except BROKEN:
        return {}
