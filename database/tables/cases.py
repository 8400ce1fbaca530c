"""Cases: one live case for (brand, conversation, author) in sales and support, for (brand, conversation) in pr."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, and_

from database.base import metadata

cases = Table(
    "cases",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("brand", Integer, nullable=False, comment="dictionary"),
    Column("conversation", BigInteger, nullable=False),
    Column("author", BigInteger, nullable=False, comment="author key; 0 in pr and where the author is not known"),
    Column("queue", Text, nullable=False),
    Column("state", Text, nullable=False, comment="new, open, waiting, snoozed, resolved, reopened, closed, merged"),
    Column("live", Integer, nullable=False, comment="1: neither resolved, closed nor merged into another"),
    Column("priority", Text, nullable=False),
    Column("risk", Integer, nullable=False, comment="the worst of its live mentions"),
    Column("mentions", Integer, nullable=False, comment="live mentions that ask for work"),
    Column("opened_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("closed_why", Text),
    Column("assignee", Text),
    Column("merged_into", BigInteger, comment="the case that took its mentions over"),
    Column("revision", Integer, nullable=False, server_default="0", comment="grows with what people must know of"),
    Column(
        "strand",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="its own id where a person split it off: others come in by hand or as answers; else 0",
    ),
    Column("set_aside_at", BigInteger, comment="since when it is waiting or snoozed"),
    Column("snoozed_until", BigInteger),
    Column("first_response_at", BigInteger, comment="when somebody of the brand answered first"),
    Column("tracking", Text, nullable=False, server_default="", comment="the key that people know it by"),
    Column("deadline", Text, nullable=False, server_default="", comment="that a rule named; empty: by queue and brand"),
)
_pr = and_(cases.c.live == 1, cases.c.queue == "pr")
_one = and_(cases.c.live == 1, cases.c.queue != "pr")
_past = cases.c.live == 0
Index(
    "uq_cases_pr", cases.c.conversation, cases.c.brand, cases.c.strand,
    unique=True, sqlite_where=_pr, postgresql_where=_pr,
)  # fmt: skip
Index(
    "uq_cases_author", cases.c.conversation, cases.c.brand, cases.c.author, cases.c.strand,
    unique=True, sqlite_where=_one, postgresql_where=_one,
)  # fmt: skip
Index("ix_cases_past", cases.c.conversation, sqlite_where=_past, postgresql_where=_past)
_assigned = cases.c.assignee.is_not(None)
_in_hand = and_(cases.c.live == 1, cases.c.assignee.is_not(None))
Index("ix_cases_assigned", cases.c.assignee, sqlite_where=_in_hand, postgresql_where=_in_hand)
Index("ix_cases_agent", cases.c.author, cases.c.brand, sqlite_where=_assigned, postgresql_where=_assigned)
_asleep = cases.c.state == "snoozed"
Index("ix_cases_snoozed", cases.c.snoozed_until, sqlite_where=_asleep, postgresql_where=_asleep)

case_event = Table(
    "case_event",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("case_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column(
        "change",
        Text,
        nullable=False,
        comment="opened, grew, raised, shrank, closed, reopened, merged, parted, split, assigned, waiting, snoozed, "
        "woken, resolved, note, tagged, watched, exception, policy, held, released",
    ),
    Column("mention", BigInteger, comment="n of the mention that moved it"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("person", Text, nullable=False, server_default="", comment="who did it; empty: Clamor"),
    Column("reason", Text, nullable=False, server_default="", comment="in that person's words; emptied like a note"),
    comment="History of a case.",
)

_kept = and_(case_event.c.change == "exception", case_event.c.detail != "")
Index("ix_case_event_exception", case_event.c.case_id, sqlite_where=_kept, postgresql_where=_kept)
_reasoned = case_event.c.reason != ""
Index("ix_case_event_reason", case_event.c.case_id, sqlite_where=_reasoned, postgresql_where=_reasoned)

case_party = Table(
    "case_party",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("author", BigInteger, primary_key=True, autoincrement=False),
    comment="Authors whose matter a pr case took over: what they write next in the conversation joins it.",
    sqlite_with_rowid=False,
)

case_note = Table(
    "case_note",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("case_id", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("person", Text, nullable=False),
    Column("text", Text, nullable=False, comment="emptied once no text of the case is kept any more"),
    Column("alert", BigInteger, comment="by which people are told of it", index=True),
    sqlite_autoincrement=True,
)
_written = case_note.c.text != ""
Index("ix_case_note_kept", case_note.c.case_id, sqlite_where=_written, postgresql_where=_written)

case_tag = Table(
    "case_tag",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    sqlite_with_rowid=False,
)
Index("ix_case_tag_tag", case_tag.c.tag)

case_watcher = Table(
    "case_watcher",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    comment="People who are told of what happens to a case, beside its assignee.",
    sqlite_with_rowid=False,
)

case_by_hand = Table(
    "case_by_hand",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="press, authority, partner or other"),
    Column("about", Text, nullable=False, comment="emptied, as the next two, some time after the case is over"),
    Column("outlet", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("due", BigInteger, comment="by when somebody waits for the answer"),
    Column("spokesperson", Text, nullable=False),
    Column("incident", BigInteger, index=True),
    Column("opened_by", Text, nullable=False),
    comment="Cases that people opened: no post stands behind them.",
    sqlite_with_rowid=False,
)
