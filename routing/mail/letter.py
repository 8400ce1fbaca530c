"""What a mail tells, before it has words: plain values, already bounded, foreign text as it came."""

from __future__ import annotations

import msgspec

from routing.incidents.curve import Point
from stream.records import Millis, Queue, Term


class PostSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A post as a mail shows it. `text` is None where the reader may not read its source."""

    brand: str
    network: str
    queue: Queue = "none"
    intent: str = ""
    risk: int = 0
    text: str | None
    title: str = ""
    author: str = ""
    handle: str = ""
    followers: int | None = None
    reactions: int = 0
    at: Millis
    link: str = ""
    explain: str = ""
    """The command that says why it is where it is."""


class Missing(msgspec.Struct, frozen=True):
    """A span that a source did not deliver in full."""

    source: str
    since: Millis
    until: Millis
    reason: str = ""


class Copies(msgspec.Struct, frozen=True):
    """Near copies of the post, as they stand."""

    posts: int
    authors: int
    unit: str
    """`minutes`, `hours` or `days`, of `span`."""
    span: int


class AlertLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One severe mention or case."""

    post: PostSeen
    terms: tuple[Term, ...]
    rule: str
    rule_why: str
    case_id: int | None
    case_command: str
    """That shows the case; empty without one."""
    case_mentions: int
    similar: tuple[PostSeen, ...]
    missing: tuple[Missing, ...]
    copies: Copies | None = None
    """Where it is one of many."""
    policy: str = ""
    """What the policy for detractors says of the post, in one line and the reader's language; empty: nothing."""
    worst_of: bool = False
    """The post that set off the alert is gone; this is the worst that is left of its case."""


class Tally(msgspec.Struct, frozen=True):
    """How many posts of a summary share brand, queue, rule and intent."""

    brand: str
    queue: Queue
    rule: str
    reason: str
    """In a sentence; empty where the rule's sentence differs from post to post (it may hold their figures)."""
    intent: str
    posts: int


class ListLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Many posts at once: the summary of an hour, or what a gap brought late."""

    kind: str
    """`summary` or `found_late`."""
    brand: str
    """Empty: several."""
    posts: int
    cases: int
    gone: int
    """Posts deleted since: counted, never shown."""
    since: Millis
    until: Millis
    limit: int
    """How many mails an hour the reader gets."""
    tallies: tuple[Tally, ...]
    other: int
    """Posts of the tallies that are not listed."""
    worst: tuple[PostSeen, ...]
    missing: tuple[Missing, ...]
    command: str
    """That finds them."""


class CaseNews(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a case, or was done with it."""

    kind: str
    """The change: note, assigned, reopened …"""
    case: str
    """Its tracking key."""
    brand: str
    queue: Queue
    by: str
    """Who did it; empty: Clamor."""
    detail: str
    text: str = ""
    """Of a note."""
    at: Millis
    command: str
    """That shows the case."""


class NewsLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to the cases that somebody follows, oldest first."""

    news: tuple[CaseNews, ...]
    more: int
    """Pieces of news that are not listed."""
    command: str
    """That lists the reader's cases."""


class NoticeLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence: a trouble of Clamor itself, an incident, a test of the way of a mail."""

    kind: str
    about: str
    """Kind of the alert: stage, coverage, retention, disk, incident, chain_test."""
    brand: str
    queue: Queue
    why: str
    at: Millis
    command: str
    """That says how Clamor does."""
    links: tuple[tuple[str, str], ...] = ()
    """(what it does, address) of links that need no login."""


class Part(msgspec.Struct, frozen=True):
    """A share of what an incident is made of."""

    kind: str
    """network, intent, word, link or author."""
    name: str
    posts: int
    percent: int


class Spoken(msgspec.Struct, frozen=True):
    """What the brand said in public."""

    at: Millis
    place: str
    text: str


class Elsewhere(msgspec.Struct, frozen=True):
    """The same matter at another brand."""

    brand: str
    state: str
    command: str


class Asked(msgspec.Struct, frozen=True):
    """A task of the playbook that is not done yet."""

    k: int
    text: str
    """In the reader's language."""
    who: tuple[str, ...]
    due: Millis
    late: bool


class IncidentLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it stands when the mail leaves."""

    word: str
    """`warning`, `crisis`, `still` (it goes on and nobody looks after it) or `over`."""
    state: str
    brand: str
    queue: Queue
    since: Millis
    until: Millis
    """When it was over; else when the mail is written."""
    series: str
    """Of what there are unusually many: all, negative, detractors, severe."""
    network: str
    """Where; empty: everywhere together."""
    observed: int
    expected: float
    minutes: int
    percent: int
    """How sure: the probability that this is no chance."""
    posts: int
    authors: int
    reach: int
    parts: tuple[Part, ...]
    copies: Copies | None
    """The largest heap of near copies in it."""
    top: tuple[PostSeen, ...]
    curve: tuple[Point, ...]
    missing: tuple[Missing, ...]
    acknowledged_by: str
    step: int
    """0: told to the people of the brand; more: nobody answered those before."""
    show_command: str
    acknowledge_command: str
    prove_command: str
    links: tuple[tuple[str, str], ...] = ()
    """(what it does, address) of links that need no login."""
    spoken: tuple[Spoken, ...] = ()
    """What the brand said of it in public, the last of it."""
    number: int = 0
    """Of the incident."""
    marks: tuple[tuple[str, Millis], ...] = ()
    """(`warning` or `crisis`, when it became one)."""
    holes: tuple[Missing, ...] = ()
    """Of the time that the curve shows."""
    tasks: tuple[Asked, ...] = ()
    tasks_done: int = 0
    task_command: str = ""
    also: tuple[Elsewhere, ...] = ()
    """Other brands of its matter that the reader may know of."""


class BrandTold(msgspec.Struct, frozen=True, kw_only=True):
    """A brand in a digest."""

    brand: str
    posts: int
    before: int
    """In the day, or week, before that."""
    negative: int | None
    """Of a hundred; None: nothing was said."""
    positive: int | None
    complete: int
    """Of a hundred minutes and sources, those that brought all there was."""
    queues: tuple[tuple[str, int], ...]
    """(queue, posts)."""


class CaseSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A case in a digest."""

    key: str
    brand: str
    queue: str
    risk: int
    mentions: int
    assignee: str
    post: PostSeen | None
    """The worst of it that is live."""
    command: str


class IncidentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in a digest."""

    number: int
    brand: str
    state: str
    worst: str
    since: Millis
    until: Millis | None
    observed: int
    acknowledged_by: str


class DigestLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What a day, or a week, was like."""

    weekly: bool
    since: Millis
    until: Millis
    zone: str
    """In which times are told."""
    brands: tuple[BrandTold, ...]
    cases: tuple[CaseSeen, ...]
    """That are open and moved, the weightiest first."""
    missed: int
    """Cases of which a deadline was missed."""
    missed_cases: tuple[CaseSeen, ...]
    incidents: tuple[IncidentSeen, ...]
    missing: tuple[Missing, ...]
    command: str


Letter = AlertLetter | ListLetter | NewsLetter | NoticeLetter | IncidentLetter | DigestLetter
