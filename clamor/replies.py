"""A canned reply, filled in for a case: words to copy, nothing is posted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine

from config.problems import did_you_mean
from database.engine import read, rows
from database.registry import SqlRegistry
from routing.incidents import hold
from routing.incidents.hold import Hold
from routing.mail.clean import for_header
from routing.tracking import tracking_key
from stream.records import Mention, decode

MOST_NAME = 60


class NoReply(LookupError):
    """There is no such case or reply, or it has no words in the language."""


class HeldBack(NoReply):
    """The case belongs to an incident of which PR holds replies back; the message has the approved lines."""


class Filled(NamedTuple):
    text: str
    warnings: tuple[str, ...]


def fill(engine: Engine, registry: SqlRegistry, case: int, name: str, language: str | None) -> Filled:
    """The reply in `language`, else in that of the case's newest post of a customer, else in what it has. Raises
    NoReply."""
    with read(engine) as connection:
        found = rows(connection, _CASE, (case,))
        if not found:
            raise NoReply(f"there is no case {case}")
        brand, opened_at, tracking, state = found[0]
        spoken = [decode(Mention, body) for (body,) in rows(connection, _NEWEST, (case, 50))]
        holds = hold.of_case(connection, case)
    replies = {reply.id: reply for reply in registry.replies()}
    reply = replies.get(name)
    if reply is None:
        advice = did_you_mean(name, replies) or "`replies:` in clamor.yaml is where they are written"
        raise NoReply(f"there is no reply {name!r}: {advice}")
    if reply.brands and brand not in reply.brands:
        raise NoReply(f"reply {name!r} is for {', '.join(reply.brands)}, and case {case} is of {brand}")
    if holds:
        raise HeldBack("\n".join(told_of(holds, registry, "es" if language == "es" else "en")))
    customer = next((m for m in spoken if _public(m)), None)
    wanted: Literal["en", "es"] = _language(language, customer)
    names = {one.id: one.name for one in registry.current().brands}
    values = {
        "author": _author(customer),
        "brand": names.get(brand, brand),
        "case": tracking or tracking_key(brand, opened_at, case),
    }
    warnings = [] if state not in ("resolved", "closed") else [f"case {case} is {state}"]
    text = reply.filled(wanted, values)
    if text is None:
        other: Literal["en", "es"] = "es" if wanted == "en" else "en"
        if language is not None:
            raise NoReply(f"reply {name!r} has no words in {language}: it has {other}")
        warnings.append(f"reply {name!r} has no words in {wanted}, the language of the post: this is {other}")
        text = reply.filled(other, values) or ""
    return Filled(text, tuple(warnings))


def told_of(holds: Sequence[Hold], registry: SqlRegistry, language: Literal["en", "es"]) -> list[str]:
    """Sentences about the holds that a case is under: since when and why, what may be said, who may lift it."""
    in_force = registry.current()
    names = {one.id: one.name for one in in_force.brands}
    found: list[str] = []
    for one in holds:
        who = hold.owners(registry.people(), in_force.teams, one.brand)
        found += hold.in_words(one, who, language, names.get(one.brand, one.brand))
    return found


def _language(asked: str | None, customer: Mention | None) -> Literal["en", "es"]:
    if asked not in (None, "en", "es"):
        raise NoReply(f"{asked!r} is no language of replies: en or es")
    spoken = asked or (customer.lang if customer is not None else None)
    return "es" if spoken == "es" else "en"


def _public(mention: Mention) -> bool:
    read: Any = mention.understanding
    return mention.post is not None and (read is None or read.speaker != "own")


def _author(customer: Mention | None) -> str:
    """As the network shows it, in one line; empty where nobody is known."""
    author = customer.post.author if customer is not None and customer.post is not None else None
    if author is None:
        return ""
    return for_header(author.name or author.handle or "", MOST_NAME)


_CASE = (
    "SELECT d.value, c.opened_at, c.tracking, c.state FROM cases c JOIN dictionary d ON d.n = c.brand WHERE c.id = ?"
)
_NEWEST = "SELECT body FROM mention WHERE case_id = ? AND state = 'live' ORDER BY event_time DESC, n DESC LIMIT ?"
