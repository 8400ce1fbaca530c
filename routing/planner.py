"""Reads the alerts that wait, and writes the mails they become (which ones, `routing.alerts` decides)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows_in, write
from routing import silences
from routing.alerts import LIMITED, Due, NewMail, Open, Pending, Plan, Told, due, plan, said_at, words_said
from routing.case_news import NEWS
from routing.incidents.members import Members
from routing.matters.seeking import unseen
from routing.named import named
from routing.people_to_tell import MailSettings, Person
from stream.records import Mention, Millis, decode

BATCH = 200
"""Alerts a transaction: with ten people each, some 4,000 rows in 30 ms."""
MOST_MERGES = 16
OF_POSTS = ("mention", "case", "found_late")
"""Kinds of alerts that tell of a severe post."""

Guard = Callable[[Connection], None]
"""Called first in each transaction that writes; raises where this process is no longer the one mailer."""


def plan_pending(
    engine: Engine,
    people: Sequence[Person],
    settings: MailSettings,
    now: Millis,
    guard: Guard,
    members: Members | None = None,
) -> tuple[int, int]:
    """Turn up to BATCH waiting alerts into mails and let go what has gathered long enough. `members` remembers what
    incidents are made of from call to call.

    Returns (alerts done, mails newly waiting to be sent). Durable on return.
    """
    with read(engine) as connection:
        alerts = _pending(connection, members or Members(), now)
        open_mails = _open_mails(connection)
        if not alerts and not any(mail.state == "gathering" for mail in open_mails):
            return 0, 0
        used = _used(connection, open_mails, now, settings.window)
        news = _last_news(connection, now, settings.late_longest)
        told = _told(connection, {alert.subject for alert in alerts})
    planned = plan(alerts, people, told, used, open_mails, settings, now)
    limits = {person.id: person.max_mails_per_hour for person in people}
    ripe = due(open_mails, _with(used, planned.opened), limits, settings, now, news)
    if not alerts and not ripe.ready:
        return 0, 0
    with write(engine) as connection:
        guard(connection)
        _write_plan(connection, planned, settings, now)
        _let_go(connection, ripe, now)
    return len(alerts), sum(mail.state == "pending" for mail in planned.opened) + len(ripe.ready)


def forget_old(engine: Engine, settings: MailSettings, now: Millis, guard: Guard, most: int = 1000) -> int:
    """Delete records of mails that ended longer ago than `settings.keep`; mails deleted, at most `most`."""
    before = now - settings.keep
    with write(engine) as connection:
        guard(connection)
        old = [r.id for r in named(connection, "SELECT id FROM mail WHERE ended_at < ? LIMIT ?", (before, most))]
        if old:
            many(connection, "DELETE FROM mail_item WHERE mail = ?", [(n,) for n in old])
            many(connection, "DELETE FROM mail WHERE id = ?", [(n,) for n in old])
        many(connection, "DELETE FROM told WHERE at < ?", [(before,)])
        oldest = "SELECT id FROM alert WHERE state <> 'pending' AND created_at < ? ORDER BY id LIMIT ?"
        many(connection, f"DELETE FROM alert_recipient WHERE alert IN ({oldest})", [(before, most)])
        many(connection, f"DELETE FROM alert WHERE id IN ({oldest})", [(before, most)])
    return len(old)


def message_id(person: str, kind: str, alert: int, created_at: Millis, domain: str) -> str:
    """The mail's Message-ID: the same for every try, another for every home (by the time of the alert)."""
    digest = sha256(f"{kind}\0{alert}\0{created_at}\0{person}".encode()).hexdigest()[:24]
    return f"<{kind}.{alert}.{digest}@{domain}>"


def _pending(connection: Connection, members: Members, now: Millis) -> list[Pending]:
    found = named(
        connection,
        "SELECT a.id, a.kind, a.case_id, a.mention_n, a.brand, a.queue, a.risk, a.created_at, a.step,"
        " c.mentions, c.merged_into, a.why, a.incident, i.told,"
        " coalesce(i.part_of, i.id) AS matter FROM alert a LEFT JOIN cases c ON c.id = a.case_id"
        " LEFT JOIN incident i ON i.id = a.incident"
        " WHERE a.state = 'pending' ORDER BY a.id LIMIT ?",
        (BATCH,),
    )
    held = unseen(connection, [(r.id, r.case_id, r.created_at) for r in found if _may_be_known(r)], now)
    found = [r for r in found if r.id not in held]
    recipients: dict[int, list[str]] = {}
    sql = "SELECT alert, person FROM alert_recipient WHERE alert IN (??) ORDER BY person"
    for alert, person in rows_in(connection, sql, [r.id for r in found if r.kind in NEWS or r.kind == "chain_test"]):
        recipients.setdefault(alert, []).append(person)
    into = {r.case_id: r.merged_into for r in found if r.merged_into is not None}
    final = _end_of_merges(connection, into)
    severe = [(r.id, r.brand, r.mention_n) for r in found if r.kind == "mention" and r.mention_n is not None]
    inside = members.among(connection, severe, now)
    over = {r.id: r.incident for r in found if r.kind == "incident" and r.why == "over"}
    for sql, about in ((_KNOW_OF_MATTER, inside), (_KNOW_OF, over)):
        for incident, person in rows_in(connection, sql, sorted(set(about.values()))):
            for alert in (one for one, of in about.items() if of == incident):
                recipients.setdefault(alert, []).append(person)
    quiet = _silenced(connection, [(r.id, r.mention_n) for r in found if r.kind in OF_POSTS], now)
    informed = _informed(connection, sorted({r.matter for r in found if r.kind == "incident" and r.matter is not None}))
    alerts = []
    for r in found:
        case = final.get(r.case_id, r.case_id)
        subject = case if case is not None else -r.mention_n if r.mention_n is not None else 0
        alerts.append(
            Pending(
                r.id, r.kind, subject, r.brand, r.queue, r.risk, r.mentions or 1, r.created_at,
                tuple(recipients.get(r.id, ())), r.step, r.id in inside, r.id in quiet,
                _asks_for(r.kind, r.why, r.told),
                r.matter or -r.id, informed.get((r.matter, r.why, said_at(r.why, r.created_at)), frozenset()), r.why,
            )
        )  # fmt: skip
    return alerts


def _silenced(connection: Connection, asked: Sequence[tuple[int, int | None]], now: Millis) -> set[int]:
    """Of (alert, mention) the alerts of posts that a silence is about."""
    live = [one for one in silences.live(connection, now) if one.incident is None] if asked else []
    if not live:
        return set()
    numbers = sorted({n for _, n in asked if n is not None})
    bodies = rows_in(connection, "SELECT n, body FROM mention WHERE state = 'live' AND n IN (??)", numbers)
    mentions = {n: decode(Mention, body) for n, body in bodies}
    return {id for id, n in asked if n in mentions and silences.of_post(live, mentions[n], now) is not None}


_KNOW_OF = (
    "SELECT DISTINCT a.incident, m.person FROM alert a JOIN mail_item i ON i.alert = a.id JOIN mail m ON m.id = i.mail"
    " WHERE a.incident IN (??) AND m.person <> '' AND m.state IN ('pending', 'sending', 'sent') ORDER BY m.person"
)


_KNOW_OF_MATTER = (
    "SELECT DISTINCT h.id, m.person FROM incident h JOIN incident i ON coalesce(i.part_of, i.id) = "
    "coalesce(h.part_of, h.id) JOIN alert a ON a.incident = i.id JOIN mail_item t ON t.alert = a.id "
    "JOIN mail m ON m.id = t.mail WHERE h.id IN (??) AND m.person <> '' "
    "AND m.state IN ('pending', 'sending', 'sent') ORDER BY m.person"
)
"""By way of any of its brands."""


def _informed(connection: Connection, matters: Sequence[int]) -> dict[tuple[int, str, Millis], frozenset[str]]:
    """By (matter of several brands, word, time where it is said again and again) who got a mail that says so: of what
    two brands have in common a person is told once."""
    found: dict[tuple[int, str, Millis], set[str]] = {}
    for matter, why, at, person in rows_in(connection, _INFORMED, matters):
        for word in words_said(why):
            found.setdefault((matter, word, said_at(word, at)), set()).add(person)
    return {key: frozenset(people) for key, people in found.items()}


_INFORMED = (
    "SELECT DISTINCT coalesce(i.part_of, i.id), a.why, a.created_at, m.person FROM incident i "
    "JOIN alert a ON a.incident = i.id JOIN mail_item t ON t.alert = a.id JOIN mail m ON m.id = t.mail "
    "WHERE m.state != 'dropped' AND m.kind = 'incident' AND coalesce(i.part_of, i.id) IN (??) AND EXISTS "
    "(SELECT 1 FROM incident p WHERE p.part_of = coalesce(i.part_of, i.id))"
)


def _asks_for(kind: str, why: str, told: str | None) -> str:
    """Of an incident what it is for channels, `crisis` or `warning`: that it goes on is said of a crisis, that it is
    over to whom it began."""
    if kind != "incident":
        return why
    return "crisis" if why == "still" else told or "warning" if why in ("over", "another") else why


def _may_be_known(alert: Any) -> bool:
    """Whether its case may turn out to be a part of one that people were told of."""
    return alert.kind == "mention" and alert.case_id is not None


def _end_of_merges(connection: Connection, into: Mapping[int, int]) -> dict[int, int]:
    """By case that was merged: the case that has its mentions now."""
    final = dict(into)
    for _ in range(MOST_MERGES):
        found = rows_in(
            connection,
            "SELECT id, merged_into FROM cases WHERE merged_into IS NOT NULL AND id IN (??)",
            sorted(set(final.values())),
        )
        if not found:
            break
        further = dict(found)
        final = {case: further.get(target, target) for case, target in final.items()}
    return final


def _open_mails(connection: Connection) -> list[Open]:
    found = named(
        connection,
        "SELECT id, person, kind, brand, state, created_at, latest_at, attempts FROM mail"
        " WHERE state IN ('gathering', 'pending', 'sending') AND channel = ''",
    )
    return [Open(*r) for r in found]


def _used(connection: Connection, open_mails: Iterable[Open], now: Millis, window: Millis) -> dict[str, int]:
    """Places of the hour that are taken: by what was sent or refused in it, and by what still waits. What ended further
    ahead did so before the clock was set back (see `stream.clock.passed`)."""
    kinds = ",".join("?" * len(LIMITED))
    ended = named(
        connection,
        f"SELECT person, COUNT(*) AS n FROM mail WHERE ended_at > ? AND ended_at <= ? AND state IN ('sent', 'failed')"
        f" AND channel = '' AND kind IN ({kinds}) GROUP BY person",
        (now - window, now + window, *LIMITED),
    )
    used = {r.person: int(r.n) for r in ended}
    for mail in open_mails:
        if mail.kind in LIMITED and mail.state != "gathering":
            used[mail.person] = used.get(mail.person, 0) + 1
    return used


def _last_news(connection: Connection, now: Millis, within: Millis) -> dict[str, Millis]:
    """By person, when their last mail with news of cases left, as far as that is not long ago."""
    found = named(
        connection,
        "SELECT person, MAX(ended_at) AS at FROM mail WHERE ended_at > ? AND ended_at <= ? "
        "AND state IN ('sent', 'failed') AND kind = 'cases' GROUP BY person",
        (now - within, now + within),
    )
    return {r.person: int(r.at) for r in found}


def _with(used: Mapping[str, int], opened: Iterable[NewMail]) -> dict[str, int]:
    total = dict(used)
    for mail in opened:
        if mail.kind in LIMITED and mail.state == "pending":
            total[mail.person] = total.get(mail.person, 0) + 1
    return total


def _told(connection: Connection, subjects: set[int]) -> dict[tuple[int, str], Told]:
    found = rows_in(
        connection,
        "SELECT subject, person, level, queue, mentions FROM told WHERE subject IN (??)",
        sorted(subjects),
    )
    return {(subject, person): Told(level, queue, mentions) for subject, person, level, queue, mentions in found}


def _write_plan(connection: Connection, planned: Plan, settings: MailSettings, now: Millis) -> None:
    domain = settings.from_address.rpartition("@")[2] or "localhost"
    for mail in planned.opened:
        who = f"{mail.person}\0{mail.channel}" if mail.channel else mail.person
        identity = message_id(who, mail.kind, mail.alerts[0], mail.created_at, domain)
        number = named(
            connection,
            "INSERT INTO mail (message_id, person, kind, channel, brand, queue, state, created_at, latest_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                identity,
                mail.person,
                mail.kind,
                mail.channel,
                mail.brand,
                mail.queue,
                mail.state,
                mail.created_at,
                mail.latest_at,
            ),
        )[0].id
        many(connection, _JOIN, [(number, alert) for alert in mail.alerts])
    many(connection, _JOIN, [(mail, alert) for mail, alerts in planned.joined.items() for alert in alerts])
    many(
        connection,
        "UPDATE mail SET latest_at = ? WHERE id = ? AND latest_at < ?",
        [(at, mail, at) for mail, at in planned.joined_at.items()],
    )
    many(
        connection,
        "INSERT INTO told (subject, person, level, queue, mentions, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (subject, person) DO UPDATE SET level = excluded.level, queue = excluded.queue,"
        " mentions = excluded.mentions, at = excluded.at",
        [(case, person, t.level, t.queue, t.mentions, now) for (case, person), t in planned.told.items()],
    )
    many(
        connection,
        "UPDATE alert SET state = ? WHERE id = ?",
        [(outcome, alert) for alert, outcome in planned.outcome.items()],
    )


_JOIN = "INSERT INTO mail_item (mail, alert) VALUES (?, ?) ON CONFLICT DO NOTHING"


def _let_go(connection: Connection, ripe: Due, now: Millis) -> None:
    for mail, summary in ripe.folded:
        rows_moved = "INSERT INTO mail_item (mail, alert) SELECT ?, alert FROM mail_item WHERE mail = ?"
        many(connection, f"{rows_moved} ON CONFLICT DO NOTHING", [(summary, mail)])
        many(
            connection,
            "UPDATE mail SET state = 'dropped', reason = 'joined a summary', ended_at = ? WHERE id = ?",
            [(now, mail)],
        )
    many(
        connection, "UPDATE mail SET state = 'pending' WHERE id = ? AND state = 'gathering'", [(n,) for n in ripe.ready]
    )
