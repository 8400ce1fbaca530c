"""An after-action report as Markdown, in English or Spanish."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from routing.incidents.report import Call, HoldOf, Report
from routing.mail.words import Words, words
from routing.people_to_tell import Language
from stream.clock import MINUTE
from stream.records import Millis

MOST_TEXT = 1_000
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def as_markdown(made: Report, language: Language) -> str:
    t = words(language)
    blocks = (
        (t("report_times"), _times(made, t)),
        (t("incident_cause"), _cause(made, t)),
        (t("incident_spoken"), _said(made, t)),
        (t("incident_tasks"), _tasks(made, t, language)),
        (t("report_held"), [*(_hold(one, t) for one in made.holds), *(_call(one, made, t) for one in made.calls)]),
        (t("report_learn"), [t(f"lesson_{one}", id=str(made.incident)) for one in made.lessons] or [t("lesson_none")]),
        (t("report_timeline"), [_moment(*one, t) for one in _moments(made)]),
    )
    brands = ", ".join(map(_safe, made.brands))
    head = [
        f"# {t('report_title', id=str(made.incident), brand=brands)}", "",
        t("report_state", worst=t.label("incident_state", made.worst), state=t.label("incident_state", made.state),
          since=_time(made.since), at=_time(made.at)),
    ]  # fmt: skip
    lines = [line for title, items in blocks if items for line in ("", f"## {title}", "", *(f"- {x}" for x in items))]
    return "\n".join([*head, *lines])


def _times(made: Report, t: Words) -> list[str]:
    times = made.times
    spans = (
        ("detect", times.to_detect), ("acknowledge", times.to_acknowledge), ("statement", times.to_statement),
        ("end", times.to_end),
    )  # fmt: skip
    lines = [t(f"report_{name}", span=_span(span, t)) for name, span in spans]
    mails = made.mails
    lines.append(t("report_mails", sent=mails.sent, people=mails.people, most=mails.most, failed=mails.failed))
    return [*lines, t(f"report_proved_{made.proved or 'open'}", id=str(made.incident))]


def _cause(made: Report, t: Words) -> list[str]:
    lines = []
    if made.posts:
        reach = f" {t('incident_reach', reach=t('followers', n=made.reach))}" if made.reach else ""
        lines.append(t("incident_made_of", n=made.posts, authors=made.authors) + reach)
    if made.networks:
        shares = ", ".join(f"{_safe(t.label('network', one.name))} {one.percent} %" for one in made.networks)
        lines.append(t("briefing_networks", shares=shares))
    if made.words:
        lines.append(t("briefing_words", words=_safe(", ".join(made.words))))
    if made.sites:
        lines.append(t("report_sites", sites=_safe(", ".join(made.sites))))
    if made.complete >= 100 and not made.missing:
        return [*lines, t("briefing_complete")]
    lines.append(t("briefing_holes", percent=made.complete, n=len(made.missing)))
    lines += [
        t("incomplete_line", source=_safe(one.source), since=_time(one.since), until=_time(one.until))
        for one in made.missing
    ]  # fmt: skip
    return lines


def _said(made: Report, t: Words) -> list[str]:
    lines = [
        f"{t('incident_said', place=_safe(one.place), at=_time(one.said_at))}: "
        f"{_safe(one.text) or t('briefing_not_kept')}"
        for one in made.said
    ]  # fmt: skip
    return lines or [t("briefing_silent")]


def _tasks(made: Report, t: Words, language: Language) -> list[str]:
    found = []
    for one in made.tasks:
        who = ", ".join(t.label("queue", name) for name in one.who)
        if one.state == "open":
            state = t("incident_task_late" if one.late(made.at) else "incident_task_due", at=_time(one.due_at))
        else:
            late = f", {t('report_late')}" if one.late(made.at) else ""
            state = t(f"briefing_task_{one.state}", by=_safe(one.ended_by or "")) + late
        found.append(f"{one.k}. {_safe(who)} · {state}: {_safe(one.within(language))}")
    return found


def _hold(one: HoldOf, t: Words) -> str:
    held = one.hold
    until = _time(held.ended_at) if held.ended_at is not None else t("report_still")
    by = _safe(held.person) or t("hold_playbook")
    return t("report_hold", since=_time(held.since), until=until, by=by, n=one.cases, why=_safe(held.reason))


def _call(one: Call, made: Report, t: Words) -> str:
    who = _safe(", ".join(part for part in (one.asked.outlet, one.asked.contact) if part)) or one.asked.kind
    kept = t("report_kept" if one.kept(made.over_at or made.at) else "report_missed")
    return t("report_call", case=str(one.case), who=who, about=_safe(one.asked.about), kept=kept)


def _moments(made: Report) -> list[tuple[Millis, str, str]]:
    several = len(made.brands) > 1
    return [
        (one.at, one.change, ": ".join(filter(None, (one.brand if several else "", one.person, one.detail))))
        for one in made.timeline
    ]


def _moment(at: Millis, change: str, rest: str, t: Words) -> str:
    name = t.label("incident_change", change)
    return f"{_time(at)} {name}" + (f" ({_safe(rest)})" if rest else "")


def _safe(text: str) -> str:
    """In one line, as it stands: no mark of Markdown or HTML in it means anything."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MOST_TEXT]
    return _MARKS.sub(r"\\\1", line)


def _span(span: Millis | None, t: Words) -> str:
    if span is None:
        return t("report_never")
    minutes = abs(span) // MINUTE
    days, hours, left = minutes // 1_440, minutes // 60 % 24, minutes % 60
    told = " ".join(f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (left, "min")) if n) or "0 min"
    return f"−{told}" if span < 0 else told


def _time(at: Millis) -> str:
    return f"{datetime.fromtimestamp(at / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
