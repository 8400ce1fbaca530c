"""What people do in an incident: what was said in public and when, and the tasks of the playbook."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

incident_statement = Table(
    "incident_statement",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("incident", BigInteger, nullable=False, index=True),
    Column("said_at", BigInteger, nullable=False, comment="when the public could read it"),
    Column("place", Text, nullable=False, comment="where: a network, a page, a broadcaster"),
    Column("text", Text, nullable=False, comment="as it was said; emptied with the posts of its time"),
    Column("person", Text, nullable=False, comment="who wrote it down here"),
    Column("at", BigInteger, nullable=False, comment="when that was"),
    comment="What the brand said in public about an incident.",
    sqlite_autoincrement=True,
)

incident_task = Table(
    "incident_task",
    metadata,
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("k", Integer, primary_key=True, autoincrement=False, comment="1, 2, …: what people call it"),
    Column("step", Text, nullable=False, comment="id in the playbook"),
    Column("en", Text, nullable=False, comment="what is to be done, as the playbook said when the task was made"),
    Column("es", Text, nullable=False),
    Column("who", Text, nullable=False, comment="ids of people, teams and queues, a blank between"),
    Column("made_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="open", comment="open, done or needless"),
    Column("ended_at", BigInteger, comment="when somebody said that it is done or needless"),
    Column("ended_by", Text),
    comment="Tasks of incidents. Texts are of the configuration, none of a post.",
    sqlite_with_rowid=False,
)
Index("uq_incident_task_step", incident_task.c.incident, incident_task.c.step, unique=True)

incident_hold = Table(
    "incident_hold",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("incident", BigInteger, nullable=False, index=True),
    Column("since", BigInteger, nullable=False),
    Column("person", Text, nullable=False, comment="who put it; empty: the playbook"),
    Column("reason", Text, nullable=False, comment="in that person's words, emptied with the posts of its time"),
    Column("lines", Text, nullable=False, comment="approved ones, as JSON"),
    Column("ended_at", BigInteger, comment="null: it stands"),
    Column("ended_by", Text, comment="who lifted it; empty: it ended with the incident"),
    Column("ended_why", Text, comment="as reason"),
    comment="While one stands, canned replies are held back in the cases of its incident.",
    sqlite_autoincrement=True,
)
_stands = incident_hold.c.ended_at.is_(None)
Index(
    "uq_incident_hold_stands", incident_hold.c.incident, unique=True, sqlite_where=_stands, postgresql_where=_stands,
)  # fmt: skip

hold_case = Table(
    "hold_case",
    metadata,
    Column("hold", BigInteger, primary_key=True, autoincrement=False),
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    comment="Cases that a hold was found to affect.",
    sqlite_with_rowid=False,
)
Index("ix_hold_case_case_id", hold_case.c.case_id)

incident_briefing = Table(
    "incident_briefing",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("incident", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False, comment="when it was frozen"),
    Column("person", Text, nullable=False, comment="who asked for it"),
    Column("body", Text, nullable=False, comment="JSON: numbers, references, words of the team; no text of a post"),
    sqlite_autoincrement=True,
)
