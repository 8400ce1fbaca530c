"""Incidents: unusual surges about a brand, what became of them, and what the watch over each brand knows."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from database.base import metadata

incident = Table(
    "incident",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("brand", Text, nullable=False),
    Column("state", Text, nullable=False, comment="watch, warning, crisis or over"),
    Column("since", BigInteger, nullable=False, comment="event time of the first minute that was unusual"),
    Column("opened_at", BigInteger, nullable=False),
    Column("state_at", BigInteger, nullable=False, comment="when it came into this state"),
    Column("seen_at", BigInteger, nullable=False, comment="event time of the last minute that was unusual"),
    Column("worst", Text, nullable=False, comment="the gravest state that it was in"),
    Column("over_at", BigInteger),
    Column("evidence", Text, nullable=False, comment="JSON: series, span, numbers; no text of a post"),
    Column("acknowledged_by", Text, comment="who looks after it; null: nobody said so"),
    Column("acknowledged_at", BigInteger),
    Column("told", Text, nullable=False, server_default="", comment="the gravest state that people were told of"),
    Column("told_at", BigInteger, comment="when people were last told; null: never"),
    Column("steps", Integer, nullable=False, comment="how many steps of the chain were told without an answer"),
    Column("silent_until", BigInteger, comment="nobody is told before; null: people are told"),
    Column("proved", Text, comment="real or false, as somebody said in the end"),
    Column("part_of", BigInteger, comment="first incident of the same matter, of another brand; null: its own"),
    sqlite_autoincrement=True,
)
_live = incident.c.state != "over"
Index("ix_incident_live", incident.c.brand, unique=True, sqlite_where=_live, postgresql_where=_live)
Index("ix_incident_brand", incident.c.brand, incident.c.opened_at)

_part = incident.c.part_of.is_not(None)
Index("ix_incident_part_of", incident.c.part_of, sqlite_where=_part, postgresql_where=_part)

incident_tie = Table(
    "incident_tie",
    metadata,
    Column("one", BigInteger, primary_key=True, autoincrement=False, comment="the lower id of two incidents"),
    Column("other", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False, comment="joined or split"),
    Column("evidence", Text, nullable=False, comment="JSON: what both have in common, as shares; no text"),
    Column("at", BigInteger, nullable=False),
    Column("person", Text, nullable=False, server_default="", comment="who decided; empty: Clamor"),
    comment="Of incidents of two brands: that they are one matter, or that somebody said they are not.",
    sqlite_with_rowid=False,
)

incident_event = Table(
    "incident_event",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("incident", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column(
        "change",
        Text,
        nullable=False,
        comment="watch, warning, crisis, over, acknowledged, told, note, said, task, hold, lifted, case, briefing, "
        "joined, split, proved",
    ),
    Column("person", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    comment="History of an incident: references and numbers, and what people wrote.",
    sqlite_autoincrement=True,
)

watch_state = Table(
    "watch_state",
    metadata,
    Column("brand", Text, primary_key=True),
    Column("minute", BigInteger, nullable=False, comment="minutes since 1970 UTC: those below are settled"),
    Column("state", LargeBinary, nullable=False, comment="what its series were like up to there"),
    Column("standing", Text, nullable=False, comment="JSON: how far the rise and the calm have come"),
    comment="What the incident clock knows of a brand; made anew from the counts where it is lost.",
    sqlite_with_rowid=False,
)
