"""What the policy for detractors advises for a mention or a case, and why, in the reader's language.

The reason is that of the revision which found the kind; the advice is that of the policy in force, where it still has
the kind, so that what is settled in the middle of a crisis is read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from config.detractors import Behaviour
from database.engine import rows_in
from routing.behaviour import Stands, in_case, of_mentions
from routing.mail.words import Words, words
from routing.people_to_tell import Language
from routing.policies import Policies
from stream.records import Mention, Millis, decode

LOOKED_AT = 2_000
"""Posts of a case, the newest, whose kinds are told."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Of one kind, in one language."""

    kind: str
    policy: int
    """Revision that found it last."""
    why: str
    facts: dict[str, bool]
    """Truth of each part of the kind's condition, for the newest of its posts."""
    posts: int
    people: int
    """Authors of those posts; those not known count as one."""
    since: Millis
    until: Millis
    queue: str
    """Who answers; `none`: nobody. Empty, as all below: no policy of ours has this kind any more."""
    team: str = ""
    person: str = ""
    where: str = ""
    due: Millis | None = None
    """By when the newest of those posts is to be answered."""
    tone: str = ""
    lines: tuple[str, ...] = ()
    """Approved."""
    not_when: str = ""
    remove: str = ""
    tell: tuple[str, ...] = ()
    stop: str = ""


def of_mention(connection: Connection, n: int, mention: Mention, language: Language, now: Millis) -> Advice | None:
    """For the mention of number `n`; None where it has no kind, or that has ended."""
    found = of_mentions(connection, [n]).get(n)
    if found is None or found.ended(now):
        return None
    return _advice(Policies(connection), [found], mention, language)


def of_case(
    connection: Connection,
    case: int,
    language: Language,
    now: Millis,
    sees: Callable[[Mention], bool] | None = None,
    hidden: frozenset[str] = frozenset(),
) -> list[Advice]:
    """For every kind that stands in a case, in the policy's order. `sees`: whether the asker may know of a mention;
    `hidden`: fields that it may not, so no kind that asks for one is told."""
    standing = in_case(connection, case, now, LOOKED_AT)
    if sees is not None:
        sql = "SELECT n, body FROM mention WHERE n IN (??)"
        bodies = rows_in(connection, sql, [one.mention for one in standing])
        seen = {n for n, body in bodies if sees(decode(Mention, body))}
        standing = [one for one in standing if one.mention in seen]
    by_kind: dict[str, list[Stands]] = {}
    for one in standing:
        by_kind.setdefault(one.kind, []).append(one)
    policies = Policies(connection)
    told = [
        _advice(policies, found, _mention(connection, found[0].mention), language)
        for found in by_kind.values()
        if not hidden or not policies.asks_for(found[0], hidden)
    ]
    return sorted(told, key=lambda one: policies.in_force.place(one.kind))


def in_words(advice: Advice, language: Language) -> list[str]:
    """Sentences, the most important first."""
    t = words(language)
    lines = [
        t("policy_kind", kind=advice.kind, revision=advice.policy, until=_day(advice.until), why=advice.why)
        + (f" ({t('policy_posts', n=advice.posts)})" if advice.posts > 1 else "")
    ]
    if advice.facts:
        lines.append("; ".join(f"{part} is {str(holds).lower()}" for part, holds in advice.facts.items()) + ".")
    if not advice.queue:
        return [*lines, t("policy_gone")]
    lines.append(_who(advice, t))
    lines += [t("policy_tone", text=advice.tone)] if advice.tone else []
    lines += [t("policy_line", text=line) for line in advice.lines]
    lines.append(t("policy_not_when", text=advice.not_when))
    lines.append(t("policy_stop", text=advice.stop))
    lines.append(t("policy_tell", who=", ".join(advice.tell)) if advice.tell else t("policy_tell_nobody"))
    lines.append(t(f"policy_remove_{advice.remove}"))
    return lines


def in_one_line(advice: Advice, language: Language) -> str:
    """For a mail: who answers, and the approved line."""
    t = words(language)
    line = f" {t('policy_line', text=advice.lines[0])}" if advice.lines else ""
    return f"{t('policy_name', kind=advice.kind)} {_who(advice, t) if advice.queue else t('policy_gone')}{line}"


def _who(advice: Advice, t: Words) -> str:
    if advice.queue == "none":
        return t("policy_nobody")
    named = ", ".join(one for one in (advice.team, advice.person) if one)
    who = t.label("queue", advice.queue) + (f" ({named})" if named else "")
    by = _day(advice.due) if advice.due is not None else ""
    return t("policy_answer", who=who, where=t(f"policy_{advice.where}"), by=by)


def _advice(policies: Policies, found: list[Stands], newest: Mention, language: Language) -> Advice:
    """Of kinds of one name, the newest first."""
    last = found[0]
    policy = policies.of(last.policy)
    kind = policy.named(last.kind) if policy is not None else None
    names, why = {"brand": policies.name(newest.brand)}, policies.why(last, newest, language)
    facts = policy.facts(last.record) if policy is not None else {}
    current = policies.in_force.named(last.kind) or kind
    told = Advice(
        kind=last.kind, policy=last.policy, why=why, facts=facts, posts=len(found),
        people=len({one.author for one in found}), since=min(one.since for one in found),
        until=max(one.until for one in found), queue="",
    )  # fmt: skip
    return told if current is None else _as_advised(told, current.behaviour, last.since, names, language)


def _as_advised(
    told: Advice, behaviour: Behaviour, newest: Millis, names: Mapping[str, str], language: Language
) -> Advice:
    answer = behaviour.answer
    return msgspec.structs.replace(
        told, queue=answer.queue, team=answer.team or "", person=answer.person or "", where=answer.where,
        due=newest + answer.within if answer.within is not None else None,
        tone=answer.tone.within(language) if answer.tone is not None else "",
        lines=tuple(line.within(language).format_map(names) for line in answer.lines),
        not_when=answer.not_when.within(language), remove=behaviour.remove, tell=behaviour.tell,
        stop=behaviour.stop.within(language),
    )  # fmt: skip


def _mention(connection: Connection, n: int) -> Mention:
    return decode(Mention, rows_in(connection, "SELECT body FROM mention WHERE n IN (??)", [n])[0][0])


def _day(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
