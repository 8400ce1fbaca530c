"""A briefing in words: headings and lines in one language, from which its page, its PDF and its text are made."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from routing.incidents.briefing import Briefing, Quoted, Read
from routing.mail.clean import for_body, for_link
from routing.mail.words import Words, words
from routing.people_to_tell import Language
from stream.records import Millis

MOST_TEXT = 500
MOST_SAID = 1_500


class Item(msgspec.Struct, frozen=True):
    text: str
    """May have line ends."""
    above: str = ""
    """Where it is from, in small letters."""
    link: str = ""


class Block(msgspec.Struct, frozen=True):
    title: str
    items: tuple[Item, ...]


class Page(msgspec.Struct, frozen=True):
    language: Language
    title: str
    frozen: str
    """When it was frozen, and what that means."""
    blocks: tuple[Block, ...]


def page_of(found: Read, language: Language) -> Page:
    t, held = words(language), found.briefing
    blocks = (
        Block(t("briefing_what"), tuple(map(Item, _what(held, t)))),
        Block(t("briefing_numbers"), tuple(map(Item, _numbers(held, t)))),
        Block(t("briefing_posts"), tuple(_post(one, t) for one in found.top)),
        Block(t("incident_spoken"), _said(found, t)),
        Block(t("briefing_approved"), _approved(held, t, language)),
        Block(t("briefing_questions"), tuple(map(Item, _questions(found, t)))),
        Block(t("incident_tasks"), _tasks(held, t, language)),
    )
    title = t("briefing_title", brand=held.brand, state=t.label("incident_state", held.state))
    frozen = t("briefing_frozen", at=_time(held.at), number=str(found.number))
    return Page(language, title, frozen, tuple(block for block in blocks if block.items))


def as_text(page: Page) -> str:
    lines = [page.title, page.frozen]
    for block in page.blocks:
        lines += ["", block.title.upper()]
        for item in block.items:
            above = f"{item.above}: " if item.above else ""
            lines.append(f"- {above}{item.text}{f' {item.link}' if item.link else ''}")
    return "\n".join(lines)


def _what(held: Briefing, t: Words) -> list[str]:
    lines = [t("briefing_since", brand=held.brand, since=_time(held.since))]
    if held.over_at is not None:
        lines.append(t("briefing_over", at=_time(held.over_at)))
    who = held.looked_after_by
    return [*lines, t("incident_acknowledged", person=who) if who else t("briefing_nobody")]


def _numbers(held: Briefing, t: Words) -> list[str]:
    lines = []
    if held.series and held.minutes:
        where = t("on_network", network=t.label("network", held.network)) if held.network else ""
        expected = f"{held.expected:.1f}".replace(".", t.decimals)
        what, span = t(f"series_{held.series}", n=held.observed), t("minutes", n=held.minutes)
        lines.append(t("incident_numbers", what=what, where=where, span=span, expected=expected))
        lines.append(t("incident_sure", percent=held.percent))
    if held.posts:
        reach = f" {t('incident_reach', reach=t('followers', n=held.reach))}" if held.reach else ""
        lines.append(t("incident_made_of", n=held.posts, authors=held.authors) + reach)
    if held.networks:
        shares = ", ".join(f"{t.label('network', one.name)} {one.percent} %" for one in held.networks)
        lines.append(t("briefing_networks", shares=shares))
    if held.words:
        lines.append(t("briefing_words", words=", ".join(held.words)))
    whole = held.complete >= 100 and not held.holes
    lines.append(t("briefing_complete") if whole else t("briefing_holes", percent=held.complete, n=held.holes))
    return lines


def _post(one: Quoted, t: Words) -> Item:
    if one.text is None:
        return Item(t("briefing_gone"))
    edited = f" ({t('briefing_edited')})" if one.edited else ""
    text = for_body(one.text, MOST_TEXT) or t("empty_post")
    return Item(text, t.label("network", one.network) + edited, for_link(one.link))


def _said(found: Read, t: Words) -> tuple[Item, ...]:
    if not found.said:
        return (Item(t("briefing_silent")),)
    return tuple(
        Item(for_body(text, MOST_SAID) or t("briefing_not_kept"), t("incident_said", place=place, at=_time(at)))
        for at, place, text in found.said
    )


def _approved(held: Briefing, t: Words, language: Language) -> tuple[Item, ...]:
    if not held.approved:
        return (Item(t("briefing_no_line")),)
    return tuple(Item(line.within(language, held.brand)) for line in held.approved)


def _questions(found: Read, t: Words) -> list[str]:
    """What a journalist may ask, from what the incident is made of."""
    held = found.briefing
    asked = [t("briefing_q_what", brand=held.brand), t("briefing_q_known", since=_time(held.since))]
    asked += [t("briefing_q_danger")] if held.severe else []
    asked += [t("briefing_q_words", words=", ".join(held.words))] if held.words else []
    asked += [t("briefing_q_sites", sites=", ".join(held.sites))] if held.sites else []
    asked.append(t("briefing_q_done"))
    if found.said:
        at, place, _ = found.said[-1]
        asked.append(t("briefing_q_said", place=place, at=_time(at)))
    else:
        asked.append(t("briefing_q_silent"))
    return [*asked, t("briefing_q_next")]


def _tasks(held: Briefing, t: Words, language: Language) -> tuple[Item, ...]:
    found = []
    for one in held.tasks:
        who = ", ".join(t.label("queue", name) for name in one.who)
        if one.state == "open":
            state = t("incident_task_late" if one.late(held.at) else "incident_task_due", at=_time(one.due_at))
        else:
            state = t(f"briefing_task_{one.state}", by=one.ended_by or "")
        found.append(Item(one.within(language), f"{one.k}. {who} · {state}"))
    return tuple(found)


def _time(at: Millis) -> str:
    return f"{datetime.fromtimestamp(at / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
