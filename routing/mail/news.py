"""News of cases for one person, read from SQL at the moment the mail leaves."""

from __future__ import annotations

from sqlalchemy import Connection

from routing.mail.letter import CaseNews, NewsLetter
from routing.named import named
from routing.people_to_tell import MailSettings, Person
from routing.tracking import tracking_key

MOST_NEWS = 30


def news_for(connection: Connection, mail: int, person: Person, settings: MailSettings) -> NewsLetter | None:
    """What the alerts of a mail tell; None where nothing of it is there any more."""
    found = named(connection, _NEWS, (mail, MOST_NEWS))
    if not found:
        return None
    told = named(connection, "SELECT COUNT(*) AS n FROM mail_item WHERE mail = ?", (mail,))[0].n
    return NewsLetter(
        news=tuple(
            CaseNews(
                kind=r.kind,
                case=r.tracking or tracking_key(r.brand, r.opened_at, r.case_id),
                brand=settings.brand_names.get(r.brand, r.brand),
                queue=r.queue,
                by=r.person or "",
                detail=": ".join(words for words in (r.why, r.reason) if words),
                text=r.text or "",
                at=r.created_at,
                command=f"{settings.program} case show {r.case_id}",
            )
            for r in found
        ),
        more=max(0, int(told) - len(found)),
        command=f"{settings.program} case list --assignee {person.id}",
    )


_NEWS = (
    "SELECT a.kind, a.case_id, a.brand, a.queue, a.why, a.created_at, c.tracking, c.opened_at, n.text,"
    " e.person, coalesce(e.reason, '') AS reason"
    " FROM mail_item i JOIN alert a ON a.id = i.alert JOIN cases c ON c.id = a.case_id"
    " LEFT JOIN case_note n ON n.alert = a.id"
    " LEFT JOIN case_event e ON e.n = (SELECT min(o.n) FROM case_event o"
    " WHERE o.case_id = a.case_id AND o.change = a.kind AND o.at = a.created_at)"
    " WHERE i.mail = ? AND (a.kind <> 'note' OR n.text <> '') ORDER BY a.id LIMIT ?"
)
