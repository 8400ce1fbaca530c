"""Cases that a rule hands over to another program: posted by a signed webhook, once each."""

from __future__ import annotations

from database.engine import many, rows
from routing.rows import CaseRow, MentionRow
from routing.sheet import CaseEvent, Sheet

HANDED = "crm"
"""In the history of cases, and kind of the alert by which the channel learns of it."""


def hand_to_crm(sheet: Sheet, case: CaseRow, m: MentionRow) -> None:
    """Where the rule of this mention, which enters the case, says so, and no mention before it did. What an import
    brings, or came too late to wake anybody, is posted nowhere."""
    decision = m.value.decision if m.value is not None else None
    if decision is None or not decision.crm or not decision.may_wake or not case.live:
        return
    handed = (case.id, HANDED, decision.crm)
    if handed in {(one.case.id, one.change, one.detail) for one in sheet.events}:
        return
    if not case.new and rows(sheet.connection, _HANDED, handed):
        return
    sheet.events.append(CaseEvent(case, HANDED, m, decision.crm))


def ask_for_posting(sheet: Sheet) -> None:
    """What the channels are to be told, with the history of the cases."""
    word, connection = sheet.desk.brands.word, sheet.connection
    asked = [
        (HANDED, one.mention.n if one.mention is not None else None, one.case.id, word(connection, one.case.brand_n),
         one.case.queue, one.case.risk, one.detail, sheet.now, sheet.now)
        for one in sheet.events
        if one.change == HANDED
    ]  # fmt: skip
    many(connection, _ASK, asked)


_HANDED = "SELECT 1 FROM case_event WHERE case_id = ? AND change = ? AND detail = ? LIMIT 1"
_ASK = (
    "INSERT INTO alert (kind, mention_n, case_id, brand, queue, risk, why, event_time, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
