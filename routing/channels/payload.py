"""What a signed webhook posts: one JSON object about an incident, a severe post, a trouble, a test, or a case."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from database.engine import rows
from query.document import effective
from routing.mail.clean import for_body, for_header, for_link
from routing.mail.letter import AlertLetter, IncidentLetter, Letter, PostSeen
from routing.named import named
from routing.tracking import tracking_key
from stream.records import Mention, Millis, decode

MOST_POSTS = 20
MOST_TEXT = 5_000
MOST_NAME = 200


class PostTold(msgspec.Struct, frozen=True, kw_only=True):
    network: str
    at: str
    link: str
    text: str | None
    """None: it may not be read by whom this is for."""
    author: str
    handle: str
    followers: int | None
    intent: str
    risk: int


class IncidentTold(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    word: str
    """`warning`, `crisis`, `still` (it goes on, and nobody looks after it) or `over`."""
    state: str
    since: str
    series: str
    network: str
    """Empty: everywhere together."""
    observed: int
    expected: float
    minutes: int
    percent: int
    """The probability that this is no chance."""
    posts: int
    authors: int
    reach: int
    complete: bool
    """False: some of what was asked for was not received; numbers may be too low."""
    acknowledged_by: str
    top: tuple[PostTold, ...]


class DeadlineTold(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    """`first_response` or `resolution`."""
    due: str


class CaseTold(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    number: int
    queue: str
    state: str
    priority: str
    risk: int
    assignee: str | None
    tags: tuple[str, ...]
    opened_at: str
    mentions: int
    deadlines: tuple[DeadlineTold, ...]
    posts: tuple[PostTold, ...]
    """Those that are live, the oldest MOST_POSTS."""


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str
    """`incident.warning`, `incident.crisis`, `incident.still`, `incident.over`, `alert`, `trouble`, `test`, `case`."""
    timestamp: str
    """When it was asked for, as ISO 8601 in UTC."""
    id: str
    """The same in every try: whoever has it already does nothing."""
    brand: str = ""
    queue: str = ""
    person: str = ""
    """Whom it is for; empty: nobody in particular."""
    title: str = ""
    text: str = ""
    incident: IncidentTold | None = None
    post: PostTold | None = None
    case: CaseTold | None = None


def moment(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_letter(letter: Letter) -> tuple[str, IncidentTold | None, PostTold | None]:
    """(type, what is told of an incident, of a post)."""
    if isinstance(letter, IncidentLetter):
        return f"incident.{letter.word}", _incident(letter), None
    if isinstance(letter, AlertLetter):
        return "alert", None, _post(letter.post)
    return ("test" if getattr(letter, "kind", "") == "chain_test" else "trouble"), None, None


def case_of(connection: Connection, id: int, access: Container[str]) -> CaseTold | None:
    """A case as it stands, or the one that it was merged into; None where nothing of it is live any more."""
    found = named(connection, _CASE, (id,))
    for _ in range(MOST_MERGES):
        if not found or found[0].merged_into is None:
            break
        found = named(connection, _CASE, (found[0].merged_into,))
    if not found:
        return None
    case = found[0]
    bodies = rows(connection, _POSTS, (case.id, MOST_POSTS))
    posts = tuple(_told(decode(Mention, body), access) for (body,) in bodies if body is not None)
    if not posts:
        return None
    due = rows(connection, "SELECT what, due FROM case_deadline WHERE case_id = ? AND due IS NOT NULL ORDER BY what",
               (case.id,))  # fmt: skip
    tags = rows(connection, "SELECT tag FROM case_tag WHERE case_id = ? ORDER BY tag", (case.id,))
    return CaseTold(
        key=case.tracking or tracking_key(case.brand, case.opened_at, case.id),
        number=case.id,
        queue=case.queue,
        state=case.state,
        priority=case.priority,
        risk=case.risk,
        assignee=case.assignee,
        tags=tuple(tag for (tag,) in tags),
        opened_at=moment(case.opened_at),
        mentions=case.mentions,
        deadlines=tuple(DeadlineTold(what=what, due=moment(at)) for what, at in due),
        posts=posts,
    )


def _incident(letter: IncidentLetter) -> IncidentTold:
    return IncidentTold(
        number=letter.number,
        word=letter.word,
        state=letter.state,
        since=moment(letter.since),
        series=letter.series,
        network=letter.network,
        observed=letter.observed,
        expected=letter.expected,
        minutes=letter.minutes,
        percent=letter.percent,
        posts=letter.posts,
        authors=letter.authors,
        reach=letter.reach,
        complete=not letter.missing,
        acknowledged_by=letter.acknowledged_by,
        top=tuple(_post(post) for post in letter.top),
    )


def _post(post: PostSeen) -> PostTold:
    return PostTold(
        network=post.network,
        at=moment(post.at),
        link=for_link(post.link),
        text=None if post.text is None else for_body(f"{post.title}\n\n{post.text}".strip(), MOST_TEXT),
        author=for_header(post.author, MOST_NAME),
        handle=for_header(post.handle, MOST_NAME),
        followers=post.followers,
        intent=post.intent,
        risk=post.risk,
    )


def _told(mention: Mention, access: Container[str]) -> PostTold:
    post: Any = mention.post
    readable = post is not None and (mention.access == "public" or mention.access in access)
    author = post.author if readable else None
    seen = PostSeen(
        brand=mention.brand,
        network=mention.network,
        text=post.text if readable else None,
        title=(post.title or "") if readable else "",
        author=(author.name or "") if author else "",
        handle=(author.handle or "") if author else "",
        followers=author.followers if author else None,
        at=mention.event_time,
        link=(post.link or "") if readable else "",
        intent=effective(mention, "intent") or "",
        risk=mention.decision.risk if mention.decision else 0,
    )
    return _post(seen)


MOST_MERGES = 16
_CASE = (
    "SELECT c.id, d.value AS brand, c.queue, c.state, c.priority, c.risk, c.assignee, c.opened_at, c.mentions,"
    " c.tracking, c.merged_into FROM cases c JOIN dictionary d ON d.kind = 'brand' AND d.n = c.brand WHERE c.id = ?"
)
_POSTS = "SELECT body FROM mention WHERE case_id = ? AND state = 'live' ORDER BY event_time, n LIMIT ?"
