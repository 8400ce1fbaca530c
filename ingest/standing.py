"""How each collected source does, in a row of SQL that the process which asks it keeps: any other can tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from sqlalchemy import Engine

from database.engine import many, read, rows, write
from stream.clock import MINUTE
from stream.records import Millis

State: TypeAlias = Literal["starting", "listening", "waiting", "paused", "cut", "refused", "broken", "ended"]
"""`waiting`: the stages behind lag. `paused`: too little disk. `cut`: the network does not answer. `refused`: a person
has to act there. `broken`: no collector can be made of its section. `ended`: nothing will come any more."""

FRESH: Millis = MINUTE
"""Wall time after which a word counts as old: nobody asks the source any more."""


class CollectorStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Of one source. Times are the home's but for `looked_at`; counts begin with the source."""

    source_id: str
    process: str
    state: State
    trouble: str = ""
    """In words; empty: none."""
    since: Millis = 0
    """When it came into this state."""
    appended: int = 0
    filled: int = 0
    """Posts that filled a hole: not among `appended`."""
    filtered: int = 0
    dead: int = 0
    cuts: int = 0
    reached_at: Millis | None = None
    """Up to when all that was asked for came; None: it has not been asked yet."""
    last_post_at: Millis | None = None
    """None: it never brought any."""
    looked_at: Millis = 0
    """Wall time of this word."""
    ends_at: Millis | None = None
    """By the wall clock, when its credential ends; `ingest.collector.NEVER`; None: nothing new is known."""

    def fresh(self, wall: Millis) -> bool:
        return abs(wall - self.looked_at) <= FRESH


class Standings:
    """Table `collector_standing`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, told: Sequence[CollectorStanding]) -> None:
        """Each a word of now, its counts those since the last word: they are added up. Raises Transient."""
        if told:
            with write(self.engine, alone=False) as connection:
                ordered = sorted(told, key=lambda one: one.source_id)
                many(connection, _ADD, [msgspec.structs.astuple(one) for one in ordered])

    def all(self) -> dict[str, CollectorStanding]:
        with read(self.engine) as connection:
            found = rows(connection, f"SELECT {_COLUMNS} FROM collector_standing")
        names = CollectorStanding.__struct_fields__
        return {row[0]: CollectorStanding(**dict(zip(names, row, strict=True))) for row in found}


_COLUMNS = ", ".join(CollectorStanding.__struct_fields__)
_COUNTS = ("appended", "filled", "filtered", "dead", "cuts")
_ADD = (
    f"INSERT INTO collector_standing ({_COLUMNS}) VALUES ({', '.join('?' * len(CollectorStanding.__struct_fields__))}) "
    "ON CONFLICT (source_id) DO UPDATE SET process = excluded.process, state = excluded.state, "
    "trouble = excluded.trouble, looked_at = excluded.looked_at, "
    "since = CASE WHEN collector_standing.state = excluded.state AND collector_standing.trouble = excluded.trouble "
    "THEN collector_standing.since ELSE excluded.since END, "
    + "".join(f"{name} = collector_standing.{name} + excluded.{name}, " for name in _COUNTS)
    + "reached_at = COALESCE(excluded.reached_at, collector_standing.reached_at), "
    "last_post_at = COALESCE(excluded.last_post_at, collector_standing.last_post_at), "
    "ends_at = COALESCE(excluded.ends_at, collector_standing.ends_at)"
)
