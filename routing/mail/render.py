"""A letter in words: subject, text and HTML in the reader's language, as one message.

Foreign text is cleaned and cut before it comes near a template; HTML is escaped by the templates themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any, NamedTuple, TypeGuard
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from routing.incidents.curve import sparkline
from routing.mail.clean import for_body, for_header, for_link
from routing.mail.letter import (
    AlertLetter,
    Asked,
    CaseNews,
    CaseSeen,
    Copies,
    DigestLetter,
    IncidentLetter,
    Letter,
    ListLetter,
    Missing,
    NewsLetter,
    NoticeLetter,
    Part,
    PostSeen,
)
from routing.mail.picture import in_words, picture
from routing.mail.words import Words, words
from routing.people_to_tell import MailSettings, Person
from stream.records import Millis

MOST_TEXT = 1_500
MOST_SIMILAR = 280
MOST_TITLE = 200
MOST_NAME = 60
MOST_COMMAND = 2_000
MOST_REASON = 300
MOST_POLICY = 1_500


class Rendered(NamedTuple):
    subject: str
    text: str
    html: str


def worded(letter: Letter, reader: Words) -> tuple[str, dict[str, Any]]:
    """(name of its templates, what stands in their places)."""
    if isinstance(letter, AlertLetter):
        name, values = "alert", _alert_values(letter, reader)
    elif isinstance(letter, ListLetter):
        name, values = "list", _list_values(letter, reader)
    elif isinstance(letter, NewsLetter):
        name, values = "news", _news_values(letter, reader)
    elif isinstance(letter, DigestLetter):
        name, values = "digest", _digest_values(letter, reader)
    elif isinstance(letter, IncidentLetter):
        name, values = "incident", _incident_values(letter, reader)
    else:
        name, values = "notice", _notice_values(letter, reader)
    values["subject"] = for_header(values["subject"], 150)
    return name, {**values, "t": reader}


def render(letter: Letter, reader: Words, shows: str = "") -> Rendered:
    """The letter in words. `shows`: Content-ID of the picture that goes with it; empty: none does."""
    name, values = worded(letter, reader)
    values["picture"] = {"id": shows, "alt": in_words(letter, reader)} if _drawable(letter, shows) else None
    return Rendered(
        subject=values["subject"],
        text=_environment().get_template(f"{name}.txt.j2").render(values),
        html=_environment().get_template(f"{name}.html.j2").render(values),
    )


def message(
    letter: Letter,
    person: Person,
    settings: MailSettings,
    message_id: str,
    now: Millis,
    case_id: int | None = None,
) -> bytes:
    """The whole mail, RFC 5322 with CRLF. Raises ValueError where an address cannot stand in a header."""
    reader = words(person.language)
    drawn = picture(letter, reader) if isinstance(letter, IncidentLetter) else None
    mark = message_id.strip("<>")
    rendered = render(letter, reader, f"curve.{mark}" if drawn is not None else "")
    domain = settings.from_address.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _mailbox(settings.from_name, settings.from_address)
    mail["To"] = _mailbox(person.name, person.email)
    mail["Reply-To"] = _mailbox(*parseaddr(settings.reply_to)) if settings.reply_to else mail["From"]
    mail["Subject"] = rendered.subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    mail["Message-ID"] = message_id
    if case_id is not None:
        mail["References"] = f"<case.{case_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-Id"] = f"Clamor <alerts.{domain}>"
    mail.set_content(_printable(rendered.text), charset="utf-8", cte="quoted-printable")
    mail.add_alternative(_printable(rendered.html), subtype="html", charset="utf-8", cte="quoted-printable")
    # The boundaries are made from the Message-ID, so that a second try is the same message to the byte.
    mail.set_boundary(f"=_{mark.split('@')[0]}")
    if drawn is not None:
        _beside_html(mail, drawn, mark)
    return mail.as_bytes()


def _beside_html(mail: EmailMessage, drawn: bytes, mark: str) -> None:
    html = mail.get_body(("html",))
    assert isinstance(html, EmailMessage)
    html.add_related(drawn, "image", "png", cid=f"<curve.{mark}>", filename="curve.png", disposition="inline")
    html.set_boundary(f"=_r.{mark.split('@')[0]}")


def _drawable(letter: Letter, shows: str) -> TypeGuard[IncidentLetter]:
    return bool(shows) and isinstance(letter, IncidentLetter)


def _mailbox(name: str, address: str) -> Address:
    return Address(display_name=for_header(name, MOST_NAME), addr_spec=address)


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("routing.mail"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=False,
        lstrip_blocks=False,
    )
    environment.filters["lines"] = lambda text: Markup("<br>").join(escape(line) for line in text.split("\n"))
    environment.filters["quoted"] = lambda text: "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    return environment


def _alert_values(letter: AlertLetter, t: Words) -> dict[str, Any]:
    post = letter.post
    author = _who(post)
    reason = _told(letter.rule_why, t)
    subject = t(
        "subject_alert_by" if author else "subject_alert",
        brand=post.brand,
        queue=t.label("queue", post.queue),
        risk=post.risk,
        intent=t.label("intent", post.intent),
        network=t.label("network", post.network),
        author=for_header(author, 40),
    )
    return {
        "subject": subject,
        "preview": reason or t("preview_alert", risk=post.risk, queue=t.label("queue", post.queue)),
        "post": _post(post, t, MOST_TEXT),
        "risk": post.risk,
        "worst_of": letter.worst_of,
        "copies": _copies(letter.copies, t) if letter.copies is not None else "",
        "terms": [{"why": _told(term.why, t), "points": t("points", n=round(term.points))} for term in letter.terms],
        "rule": for_header(letter.rule, MOST_NAME),
        "reason": reason,
        "policy": for_header(letter.policy, MOST_POLICY),
        "case_command": for_header(letter.case_command, MOST_COMMAND),
        "case_mentions": letter.case_mentions,
        "similar": [_post(other, t, MOST_SIMILAR) for other in letter.similar],
        "missing": [_span(span, t) for span in letter.missing],
    }


def _copies(copies: Copies, t: Words) -> str:
    span = t(copies.unit, n=copies.span)
    if copies.authors == 1:
        return t("copies_by_one", n=copies.posts, span=span)
    return t("copies", n=copies.posts, authors=copies.authors, span=span)


def _list_values(letter: ListLetter, t: Words) -> dict[str, Any]:
    brand = letter.brand or t("several_brands")
    happened = t(f"happened_{letter.kind}", n=letter.posts, since=_time(letter.since), limit=letter.limit, brand=brand)
    return {
        "subject": t(f"subject_{letter.kind}", brand=brand, n=letter.posts),
        "preview": happened,
        "happened": happened,
        "kind": letter.kind,
        "brand": letter.brand,
        "posts": letter.posts,
        "cases": letter.cases,
        "gone": letter.gone,
        "since": _time(letter.since),
        "until": _time(letter.until),
        "tallies": [
            {
                "what": _capital(t.label("intent", row.intent)),
                "where": " · ".join(([] if letter.brand else [row.brand]) + [t.label("queue", row.queue)]),
                "reason": _told(row.reason, t) or f"{t('rule')}: {for_header(row.rule, MOST_NAME)}",
                "posts": t.number(row.posts),
            }
            for row in letter.tallies
        ],
        "other": letter.other,
        "worst": [_post(post, t, MOST_SIMILAR) for post in letter.worst],
        "missing": [_span(span, t) for span in letter.missing],
        "command": for_header(letter.command, MOST_COMMAND),
    }


def _news_values(letter: NewsLetter, t: Words) -> dict[str, Any]:
    news = [_piece(one, t) for one in letter.news]
    first, total = news[0], len(news) + letter.more
    happened = first["happened"] if total == 1 else t("happened_cases", n=total)
    return {
        "subject": f"{first['brand']} · {first['case']}: {happened}" if total == 1 else t("subject_cases", n=total),
        "preview": happened,
        "happened": happened,
        "news": news,
        "more": letter.more,
        "command": for_header(letter.command, MOST_COMMAND),
    }


def _piece(one: CaseNews, t: Words) -> dict[str, Any]:
    by, detail = for_header(one.by or "Clamor", MOST_NAME), for_header(t.phrase(one.detail), MOST_REASON)
    return {
        "case": one.case,
        "brand": one.brand,
        "queue": one.queue,
        "happened": t(f"news_{one.kind}", by=by, detail=detail).rstrip(" :."),
        "text": for_body(one.text, MOST_TEXT) if one.text else "",
        "at": _time(one.at),
        "command": for_header(one.command, MOST_COMMAND),
    }


def _incident_values(letter: IncidentLetter, t: Words) -> dict[str, Any]:
    what = t(f"series_{letter.series}", n=letter.observed)
    where = t("on_network", network=t.label("network", letter.network)) if letter.network else ""
    numbers = t(
        "incident_numbers", what=what, where=where, span=t("minutes", n=letter.minutes), expected=_decimal(letter, t)
    )
    happened = t(f"happened_incident_{letter.word}", brand=letter.brand, since=_time(letter.since))
    return {
        "subject": t(f"subject_incident_{letter.word}", brand=letter.brand, what=what, where=where),
        "preview": numbers if letter.word != "over" else happened,
        "happened": happened,
        "word": letter.word,
        "state": t.label("incident_state", letter.state),
        "grave": letter.state == "crisis",
        "brand": letter.brand,
        "numbers": numbers if letter.minutes and letter.word != "over" else "",
        "sure": t("incident_sure", percent=letter.percent) if letter.minutes and letter.word != "over" else "",
        "made_of": t("incident_made_of", n=letter.posts, authors=letter.authors) if letter.posts else "",
        "reach": t("followers", n=letter.reach) if letter.reach else "",
        "parts": _parts(letter.parts, t),
        "copies": t(
            "incident_copies",
            n=letter.copies.posts,
            authors=letter.copies.authors,
            span=t(letter.copies.unit, n=letter.copies.span),
        )
        if letter.copies is not None
        else "",
        "top": [_post(post, t, MOST_SIMILAR) for post in letter.top],
        "bars": _bars(letter),
        "spark": sparkline(letter.curve),
        "curve_from": _time(letter.curve[0].at) if letter.curve else "",
        "curve_to": _time(letter.curve[-1].at) if letter.curve else "",
        "missing": [_span(span, t) for span in letter.missing],
        "acknowledged": t("incident_acknowledged", person=for_header(letter.acknowledged_by, MOST_NAME))
        if letter.acknowledged_by
        else "",
        "escalated": letter.step > 0,
        "also": [
            {
                "told": t("incident_also", brand=one.brand, state=t.label("incident_state", one.state)),
                "command": for_header(one.command, MOST_COMMAND),
            }
            for one in letter.also
        ],
        "tasks": [_task(one, t) for one in letter.tasks],
        "tasks_done": t("incident_tasks_done", n=letter.tasks_done) if letter.tasks_done else "",
        "task_command": for_header(letter.task_command, MOST_COMMAND),
        "spoken": [
            {
                "head": t("incident_said", place=for_header(one.place, MOST_NAME), at=_time(one.at)),
                "text": for_body(one.text, MOST_TEXT),
            }
            for one in letter.spoken
        ],
        "links": [{"text": t(f"link_{deed}"), "address": for_link(address)} for deed, address in letter.links],
        "command": for_header(letter.show_command, MOST_COMMAND),
        "acknowledge": for_header(letter.acknowledge_command, MOST_COMMAND)
        if not letter.acknowledged_by and letter.word != "over"
        else "",
        "prove": for_header(letter.prove_command, MOST_COMMAND) if letter.word == "over" else "",
    }


def _task(one: Asked, t: Words) -> dict[str, str]:
    who = ", ".join(t.label("queue", name) for name in one.who)
    due = t("incident_task_late" if one.late else "incident_task_due", at=_time(one.due))
    return {"head": f"{one.k}. {for_header(who, MOST_NAME)} · {due}", "text": for_body(one.text, MOST_TEXT)}


def _decimal(letter: IncidentLetter, t: Words) -> str:
    if letter.expected >= 10:
        return t.number(round(letter.expected))
    return f"{letter.expected:.1f}".replace(".", t.decimals)


def _parts(parts: tuple[Part, ...], t: Words) -> list[dict[str, str]]:
    """A line for each kind: `Network: Reddit 71 %, X 29 %`."""
    told: dict[str, list[str]] = {}
    for part in parts:
        name = t.label(part.kind, part.name) if part.kind in ("network", "intent") else for_header(part.name, MOST_NAME)
        told.setdefault(part.kind, []).append(f"{name} {part.percent} %")
    return [{"kind": t(f"part_{kind}"), "told": ", ".join(names)} for kind, names in told.items()]


def _bars(letter: IncidentLetter) -> list[dict[str, int]]:
    """The curve as columns: heights in pixels of what was seen up to what is usual, and of what is beyond it."""
    highest = max((point.observed for point in letter.curve), default=0.0)
    if highest <= 0:
        return []
    tall = [point.observed / highest * CURVE_HEIGHT for point in letter.curve]
    usual = [min(point.high / highest * CURVE_HEIGHT, high) for point, high in zip(letter.curve, tall, strict=True)]
    return [
        {"beyond": round(high) - round(low), "usual": round(low), "above": CURVE_HEIGHT - round(high)}
        for high, low in zip(tall, usual, strict=True)
    ]


CURVE_HEIGHT = 60


def _notice_values(letter: NoticeLetter, t: Words) -> dict[str, Any]:
    happened = t(f"happened_{letter.kind}", brand=letter.brand)
    return {
        "subject": t(
            f"subject_{letter.kind}",
            brand=letter.brand,
            queue=t.label("queue", letter.queue),
            about=t.label("about", letter.about),
        ),
        "preview": happened,
        "happened": happened,
        "kind": letter.kind,
        "about": letter.about,
        "brand": letter.brand,
        "why": for_body(t.phrase(letter.why), MOST_TEXT),
        "at": _time(letter.at),
        "command": for_header(letter.command, MOST_COMMAND),
        "links": [{"text": t(f"link_{deed}"), "address": for_link(address)} for deed, address in letter.links],
    }


def _digest_values(letter: DigestLetter, t: Words) -> dict[str, Any]:
    def at(moment: Millis) -> str:
        return datetime.fromtimestamp(moment / 1000, ZoneInfo(letter.zone)).strftime("%Y-%m-%d %H:%M")

    kind = "weekly" if letter.weekly else "daily"
    posts = sum(one.posts for one in letter.brands)
    happened = t(f"happened_digest_{kind}", n=posts, since=at(letter.since), until=at(letter.until), zone=letter.zone)
    return {
        "subject": t(f"subject_digest_{kind}", n=posts, day=at(letter.until)[:10]),
        "preview": happened,
        "happened": happened,
        "brands": [
            {
                "brand": for_header(one.brand, MOST_NAME),
                "posts": t.number(one.posts),
                "before": t(f"digest_before_{kind}", n=one.before),
                "mood": t("digest_mood", negative=one.negative, positive=one.positive) if one.posts else "",
                "complete": t("digest_complete", percent=one.complete) if one.complete < 100 else "",
                "queues": ", ".join(f"{t.label('queue', queue)} {t.number(count)}" for queue, count in one.queues),
            }
            for one in letter.brands
        ],
        "incidents": [
            {
                "what": f"{one.brand} · {t.label('incident_state', one.worst)}",
                "said": t(
                    "digest_incident_over" if one.until else "digest_incident_on",
                    since=at(one.since),
                    until=at(one.until) if one.until else "",
                    n=one.observed,
                ),
                "who": t("incident_acknowledged", person=for_header(one.acknowledged_by, MOST_NAME))
                if one.acknowledged_by
                else "",
            }
            for one in letter.incidents
        ],
        "cases": [_case_seen(one, t) for one in letter.cases],
        "missed": t("digest_missed", n=letter.missed) if letter.missed else "",
        "missed_cases": [_case_seen(one, t) for one in letter.missed_cases],
        "missing": [_span(span, t) for span in letter.missing],
        "command": for_header(letter.command, MOST_COMMAND),
    }


def _case_seen(one: CaseSeen, t: Words) -> dict[str, Any]:
    who = t("digest_with", person=for_header(one.assignee, MOST_NAME)) if one.assignee else t("digest_nobody")
    return {
        "key": one.key,
        "risk": one.risk,
        "about": " · ".join((one.brand, t.label("queue", one.queue), t("digest_mentions", n=one.mentions), who)),
        "post": _post(one.post, t, MOST_SIMILAR) if one.post is not None else None,
        "command": for_header(one.command, MOST_COMMAND),
    }


def _post(post: PostSeen, t: Words, most: int) -> dict[str, Any]:
    who = for_header(_who(post), MOST_NAME * 2)
    parts = [
        who,
        _capital(t.label("network", post.network)),
        t("followers", n=post.followers) if post.followers else "",
        t("reactions", n=post.reactions) if post.reactions else "",
        _time(post.at),
    ]
    return {
        "brand": post.brand,
        "network": t.label("network", post.network),
        "queue": post.queue,
        "intent": post.intent,
        "risk": post.risk,
        "text": None if post.text is None else for_body(post.text, most),
        "title": for_header(post.title, MOST_TITLE),
        "who": who or t("somebody"),
        "byline": " · ".join(part for part in parts if part),
        "link": for_link(post.link),
        "explain": for_header(post.explain, MOST_COMMAND),
    }


def _who(post: PostSeen) -> str:
    """`Name (@handle)`, with what is known of it."""
    name = for_header(post.author, MOST_NAME)
    handle = for_header(post.handle, MOST_NAME).lstrip("@")
    if name and handle:
        return f"{name} (@{handle})"
    return name or (f"@{handle}" if handle else "")


def _told(said: str, t: Words) -> str:
    """A sentence of another room, in the reader's language, as a line of its own."""
    return _capital(for_header(t.phrase(said), MOST_REASON))


def _span(span: Missing, t: Words) -> dict[str, str]:
    return {
        "source": for_header(span.source, MOST_NAME),
        "since": _time(span.since),
        "until": _time(span.until),
        "reason": for_header(t.phrase(span.reason), MOST_REASON),
    }


def _time(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
