"""Reads from SQL what a mail tells, at the moment it leaves: what was deleted by then is never in it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from query.document import Document, effective
from routing import links
from routing.advice import in_one_line, of_mention
from routing.digests import KINDS as DIGESTS
from routing.link_key import key_of
from routing.mail.digest import digest_for
from routing.mail.gaps import gaps_of, incomplete
from routing.mail.incident import incident_letter
from routing.mail.letter import AlertLetter, Copies, Letter, ListLetter, NoticeLetter, PostSeen, Tally
from routing.mail.news import news_for
from routing.mail.similar import similar_to
from routing.mail.words import words
from routing.named import named
from routing.people_to_tell import Language, MailSettings, Person
from routing.rules import RuleSet, sentence
from routing.spread import measured, spread_of
from stream.clock import DAY
from stream.records import Mention, Millis, Queue, Term, decode

Reason = Callable[[Mention, Language], str]
"""Why a mention was routed as it was, in a sentence."""

WORST = 5
MOST_TALLIES = 12
MOST_TERMS = 12
CHUNK = 1_000


class MailRow(NamedTuple):
    """What composing needs of a row of table `mail`."""

    id: int
    kind: str
    brand: str
    queue: str
    created_at: Millis
    latest_at: Millis


class Composed(NamedTuple):
    """A letter, or the reason why there is nothing left to tell."""

    letter: Letter | None
    arrived_at: Millis | None
    """When the log took the post of an alert mail; None where an update of a known post set it off."""
    case_id: int | None = None
    dropped: str = ""


def compose(
    connection: Connection,
    mail: MailRow,
    person: Person,
    settings: MailSettings,
    reason: Reason,
    now: Millis,
) -> Composed:
    """The letter for one person about the alerts of one mail, from what is live now."""
    if mail.kind == "alert":
        return _alert(connection, mail, person, settings, reason, now)
    if mail.kind in ("summary", "found_late"):
        return _list(connection, mail, person, settings, reason, now)
    if mail.kind == "cases":
        news = news_for(connection, mail.id, person, settings)
        return Composed(news, None, dropped="" if news is not None else "what it told of is gone")
    if mail.kind in DIGESTS:
        return Composed(digest_for(connection, mail.kind, mail.created_at, person, settings, _seen), None)
    if mail.kind == "incident":
        return _incident(connection, mail, person, settings, now)
    return _notice(connection, mail, person, settings)


def as_decided(mention: Mention, language: Language) -> str:
    """The sentence that stands in the decision, in the language of the day it was made."""
    return mention.decision.why if mention.decision else ""


def in_words_of(rules: Callable[[], RuleSet | None], brand_names: Mapping[str, str]) -> Reason:
    """The rule's own sentence in the reader's language, while the rules in force still give the reason that decided."""

    def reason(mention: Mention, language: Language) -> str:
        decision, current = mention.decision, rules()
        rule = current.named(decision.rule) if decision is not None and current is not None else None
        if decision is None or current is None or rule is None:
            return as_decided(mention, language)
        document = Document(mention, risk=decision.risk, terms=decision.terms)
        if (
            current.revision != decision.rules_revision
            and sentence(rule, document, "en", current.said(mention)) != decision.why
        ):
            return as_decided(mention, language)
        return sentence(rule, document, language, _said(mention, language, brand_names))

    return reason


def _said(mention: Mention, language: Language, brand_names: Mapping[str, str]) -> dict[str, str]:
    """What a rule's sentence may hold, in words for the reader. What the mention does not have is left as it is."""
    told = words(language)
    post, understanding = mention.post, mention.understanding
    said = {
        "brand": brand_names.get(mention.brand, mention.brand),
        "network": told.label("network", mention.network),
        "intent": told.label("intent", effective(mention, "intent") or ""),
        "reputation": told.label("reputation", effective(mention, "reputation") or ""),
        "speaker": told.label("speaker", understanding.speaker if understanding else "public"),
    }
    if post is not None and post.author is not None and post.author.followers is not None:
        said["followers"] = told.number(post.author.followers)
    return said


def _alert(
    connection: Connection,
    mail: MailRow,
    person: Person,
    settings: MailSettings,
    reason: Reason,
    now: Millis,
) -> Composed:
    items = list(_items(connection, mail.id))
    item = items[0] if items else None
    worst_of = False
    if item is not None and item.mention is None:
        item, worst_of = _rest_of_case(connection, item), True
    if item is None or item.mention is None:
        return Composed(None, None, dropped="the post was deleted before the mail left")
    mention, n = item.mention, item.n
    case = named(connection, "SELECT id, mentions FROM cases WHERE id = ?", (item.case_id,)) if item.case_id else []
    decision = mention.decision
    letter = AlertLetter(
        post=_seen(mention, person, settings),
        terms=_weightiest(decision.terms if decision else ()),
        rule=decision.rule if decision else "",
        rule_why=reason(mention, person.language),
        case_id=item.case_id,
        case_command=f"{settings.program} case show {item.case_id}" if item.case_id is not None else "",
        case_mentions=int(case[0].mentions) if case else 1,
        similar=tuple(
            _seen(m, person, settings) for m in similar_to(connection, mention, n, person.access, settings.similar)
        ),
        missing=incomplete(connection, {mention.brand}, now - DAY, now),
        copies=_copies(connection, mention),
        policy=_policy(connection, mention, n, person.language, now),
        worst_of=worst_of,
    )
    # A later revision (an edit, new reach) has an arrival of its own, which the mention does not keep.
    first = mention.revision == 1 and mention.appended_at > 0
    return Composed(letter, mention.appended_at if first else None, item.case_id)


def _policy(connection: Connection, mention: Mention, n: int, language: Language, now: Millis) -> str:
    advice = of_mention(connection, n, mention, language, now)
    return in_one_line(advice, language) if advice is not None else ""


def _copies(connection: Connection, mention: Mention) -> Copies | None:
    spread = spread_of(connection, mention)
    return Copies(spread.posts, spread.authors, *measured(spread.span)) if spread is not None else None


def _list(
    connection: Connection,
    mail: MailRow,
    person: Person,
    settings: MailSettings,
    reason: Reason,
    now: Millis,
) -> Composed:
    tallies: Counter[tuple[str, Queue, str, str]] = Counter()
    reasons: dict[tuple[str, Queue, str, str], set[str]] = {}
    cases: set[int] = set()
    brands: set[str] = set()
    sources: set[str] = set()
    worst: list[_Item] = []
    posts = gone = 0
    first, last = now, 0
    seen: set[int] = set()
    for item in _items(connection, mail.id):
        if item.n in seen:
            continue
        seen.add(item.n)
        if item.mention is None:
            gone += 1
            continue
        mention = item.mention
        posts += 1
        rule = mention.decision.rule if mention.decision else ""
        alike = (mention.brand, _queue(mention), rule, effective(mention, "intent") or "")
        tallies[alike] += 1
        reasons.setdefault(alike, set()).add(reason(mention, person.language))
        brands.add(mention.brand)
        sources.add(mention.source_id)
        if item.case_id is not None:
            cases.add(item.case_id)
        first, last = min(first, mention.event_time), max(last, mention.event_time)
        worst = sorted((*worst, item), key=lambda i: (-i.risk, i.n))[:WORST]
    if not posts:
        return Composed(None, None, dropped="every post was deleted before the mail left")
    late = mail.kind == "found_late"
    spans = gaps_of(connection, sources, first, last) if late else incomplete(connection, brands, now - DAY, now)
    letter = ListLetter(
        kind=mail.kind,
        brand=_name(settings, next(iter(brands))) if len(brands) == 1 else "",
        posts=posts,
        cases=len(cases),
        gone=gone,
        since=first if late else mail.created_at,
        until=last if late else mail.latest_at,
        limit=max(1, person.max_mails_per_hour),
        tallies=tuple(
            Tally(_name(settings, key[0]), key[1], key[2], _shared(reasons[key]), key[3], count)
            for key, count in _largest(tallies)
        ),
        other=posts - sum(count for _, count in _largest(tallies)),
        worst=tuple(_seen(item.mention, person, settings) for item in worst if item.mention is not None),
        missing=spans,
        command=f"{settings.program} search 'alerted:yes since:{_minute(first)}' --order risk",
    )
    return Composed(letter, None)


def _incident(connection: Connection, mail: MailRow, person: Person, settings: MailSettings, now: Millis) -> Composed:
    found = named(
        connection,
        "SELECT a.incident, a.why, a.step FROM mail_item i JOIN alert a ON a.id = i.alert WHERE i.mail = ?"
        " AND a.incident IS NOT NULL ORDER BY a.id DESC LIMIT 1",
        (mail.id,),
    )
    if not found:
        return Composed(None, None, dropped="its incident is gone")
    alert = found[0]
    return Composed(
        incident_letter(
            connection, alert.incident, alert.why, alert.step, person, settings, mail.created_at, now, _seen
        ),
        None,
    )


def _notice(connection: Connection, mail: MailRow, person: Person, settings: MailSettings) -> Composed:
    found = named(
        connection,
        "SELECT a.id, a.kind, a.brand, a.queue, a.why, a.created_at FROM mail_item i JOIN alert a ON a.id = i.alert"
        " WHERE i.mail = ? ORDER BY a.id LIMIT 1",
        (mail.id,),
    )
    if not found:
        return Composed(None, None, dropped="its alert is gone")
    alert = found[0]
    letter = NoticeLetter(
        kind=mail.kind,
        about=alert.kind,
        brand=_name(settings, alert.brand) if alert.brand else "",
        queue=alert.queue,
        why=alert.why,
        at=alert.created_at,
        command=f"{settings.program} status",
        links=_confirms(connection, alert.id, alert.created_at, person, settings) if mail.kind == "chain_test" else (),
    )
    return Composed(letter, None)


def _confirms(
    connection: Connection, alert: int, asked_at: Millis, person: Person, settings: MailSettings
) -> tuple[tuple[str, str], ...]:
    """By which somebody says that a test came; a channel of a team has no link."""
    key = key_of(connection)
    if key is None or not settings.url or not person.id:
        return ()
    allowed = links.Allowed("confirm", alert, person.id, person.language, asked_at + links.COUNTS)
    return (("confirm", f"{settings.url}/act/{links.token(key, allowed)}"),)


class _Item(NamedTuple):
    """An alert of a mail with its mention, where that is live."""

    alert: int
    n: int
    """Number of the mention."""
    case_id: int | None
    risk: int
    mention: Mention | None


def _items(connection: Connection, mail: int) -> Iterator[_Item]:
    """The alerts of a mail, oldest first, read in chunks: a summary may have many thousands."""
    after = 0
    while True:
        found = named(
            connection,
            "SELECT a.id, a.mention_n, a.case_id, m.case_id AS case_now, m.risk, m.state, m.body FROM mail_item i"
            " JOIN alert a ON a.id = i.alert LEFT JOIN mention m ON m.n = a.mention_n"
            " WHERE i.mail = ? AND i.alert > ? ORDER BY i.alert LIMIT ?",
            (mail, after, CHUNK),
        )
        for r in found:
            case = r.case_now if r.case_now is not None else r.case_id
            yield _Item(r.id, r.mention_n or -r.id, case, r.risk or 0, _live(r))
        if len(found) < CHUNK:
            return
        after = found[-1].id


def _rest_of_case(connection: Connection, item: _Item) -> _Item | None:
    """The worst live mention of the case that people were to be told of as well."""
    if item.case_id is None:
        return None
    found = named(
        connection,
        "SELECT n, case_id, risk, state, body FROM mention WHERE case_id = ? AND state = 'live'"
        " ORDER BY risk DESC, n LIMIT 50",
        (item.case_id,),
    )
    for r in found:
        mention = _live(r)
        if mention is not None and mention.decision is not None and mention.decision.alert:
            return _Item(item.alert, r.n, item.case_id, r.risk, mention)
    return None


def _live(row: Any) -> Mention | None:
    if row.state != "live" or row.body is None:
        return None
    mention = decode(Mention, row.body)
    return mention if mention.state == "live" and mention.post is not None else None


def _seen(mention: Mention, person: Person, settings: MailSettings) -> PostSeen:
    post = mention.post
    if post is None:
        raise ValueError(f"mention {mention.id} has no post to show")
    author, metrics = post.author, post.metrics
    readable = mention.access == "public" or mention.access in person.access
    reactions = sum(x or 0 for x in (metrics.likes, metrics.reposts, metrics.replies)) if metrics else 0
    return PostSeen(
        brand=_name(settings, mention.brand),
        network=mention.network,
        queue=_queue(mention),
        intent=effective(mention, "intent") or "",
        risk=mention.decision.risk if mention.decision else 0,
        text=post.text if readable else None,
        title=(post.title or "") if readable else "",
        author=(author.name or "") if author and readable else "",
        handle=(author.handle or "") if author and readable else "",
        followers=author.followers if author and readable else None,
        reactions=reactions,
        at=mention.event_time,
        link=(post.link or "") if readable else "",
        explain=f"{settings.program} explain {shlex.quote(mention.id)}",
    )


def _minute(time: Millis) -> str:
    return f"{datetime.fromtimestamp(time / 1_000, UTC):%Y-%m-%dT%H:%M}"


def _queue(mention: Mention) -> Queue:
    return mention.decision.queue if mention.decision else "none"


def _name(settings: MailSettings, brand: str) -> str:
    return settings.brand_names.get(brand, brand)


def _weightiest(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(sorted(terms, key=lambda t: -t.points)[:MOST_TERMS])


def _shared(reasons: set[str]) -> str:
    """The reason that all posts of a tally have; empty where they differ."""
    return next(iter(reasons)) if len(reasons) == 1 else ""


def _largest(tallies: Counter[tuple[str, Queue, str, str]]) -> list[tuple[tuple[str, Queue, str, str], int]]:
    return sorted(tallies.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_TALLIES]
