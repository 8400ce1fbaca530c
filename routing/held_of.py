"""What is held about one person: for the answer that the person may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from config.brands import Brand
from database.engine import rows, rows_in
from query.document import effective
from routing.behaviour import Stands, of_authors, of_mentions
from routing.keys import author_key
from routing.likeness import is_account
from routing.policies import Policies
from stream.records import Author, Decision, Mention, Millis, Post, Understanding, Understood, decode


class Account(msgspec.Struct, frozen=True):
    """As a network names it."""

    network: str
    id: str
    handle: str = ""
    name: str = ""

    @property
    def key(self) -> int:
        return author_key(self.network, self.id)


class HeldPost(msgspec.Struct, frozen=True):
    id: str
    state: str
    """`live`; else its text and author are gone, or it was never here (`awaited`)."""
    time: str
    post: Post | None = None
    """Whole, of posts about no brand that are kept for a while: what a reply in a case answers, and replies that wait
    for the post which they answer. The others' stand with their mentions."""
    understanding: tuple[Understanding, ...] = ()
    """What was read in a reply that waits."""


class HeldMention(msgspec.Struct, frozen=True):
    """What was read and decided of a post about one brand."""

    id: str
    brand: str
    time: str
    labels: dict[str, str]
    """That hold: the model's, or what a person stated in their place."""
    stored: Mention
    """Whole, as it is kept: post, understanding, decision, correction."""


class HeldDecision(msgspec.Struct, frozen=True):
    """One that was replaced."""

    post: str
    brand: str
    until: str
    decision: Decision


class HeldKind(msgspec.Struct, frozen=True):
    """What the person does in a matter, by the policy for detractors."""

    mention: str
    brand: str
    matter: str
    """Id of the post that the conversation began with; empty where that is not known any more."""
    kind: str
    why: dict[str, str]
    """The reason, by language."""
    since: str
    until: str
    policy: int
    """Revision."""


class HeldException(msgspec.Struct, frozen=True):
    """Why the policy was not followed in a case."""

    time: str
    by: str
    why: str
    """With the kind and the policy."""


class HeldCase(msgspec.Struct, frozen=True):
    id: int
    brand: str
    queue: str
    state: str
    opened: str
    closed: str
    mentions: tuple[str, ...]
    """Of this person."""
    exceptions: tuple[HeldException, ...]
    detractor: bool = False
    """Counted in the key figures as one who spoke against the brand in it: for 90 days after it was resolved."""


class HeldCount(msgspec.Struct, frozen=True):
    brand: str
    mentions: int
    negatives: int
    customer: str
    """Value of a listed customer."""


class Held(msgspec.Struct, frozen=True):
    accounts: tuple[Account, ...]
    posts: tuple[HeldPost, ...]
    mentions: tuple[HeldMention, ...]
    earlier: tuple[HeldDecision, ...]
    """Decisions before the ones in force, of posts that are gone as well."""
    kinds: tuple[HeldKind, ...]
    """Those that have ended and are not forgotten yet included."""
    cases: tuple[HeldCase, ...]
    counts: tuple[HeldCount, ...]
    lists: tuple[str, ...]
    """Lists of brands that name an account: `acme: press`."""


def held_of(connection: Connection, accounts: Sequence[Account], brands: Sequence[Brand]) -> Held:
    """All that SQL holds about these accounts; the texts of posts that are gone are not held, and not in it."""
    keys = sorted({account.key for account in accounts})
    posts = rows_in(connection, "SELECT n, id, state, event_time FROM post WHERE author IN (??) ORDER BY n", keys)
    mentions = _mentions(connection, [n for n, *_ in posts])
    # The author of a post may have been learnt after its kind was found.
    kinds = {one.mention: one for one in of_authors(connection, keys)} | of_mentions(connection, list(mentions))
    return Held(
        accounts=tuple(accounts),
        posts=tuple(_posts(connection, posts)),
        mentions=tuple(_mention(mention) for mention in mentions.values()),
        earlier=tuple(_earlier(connection, [n for n, *_ in posts])),
        kinds=tuple(_kinds(connection, list(kinds.values()), mentions)),
        cases=tuple(_cases(connection, keys, mentions)),
        counts=tuple(_counts(connection, keys)),
        lists=tuple(_lists(accounts, brands)),
    )


def _posts(connection: Connection, found: Sequence[tuple[int, str, str, Millis]]) -> list[HeldPost]:
    sql = "SELECT id, body FROM context_post WHERE id IN (??) AND body IS NOT NULL"
    asked = {id: decode(Post, body) for id, body in rows_in(connection, sql, [id for _, id, *_ in found])}
    sql = "SELECT post, body FROM waiting WHERE post IN (??)"
    waiting = {n: decode(Understood, body) for n, body in rows_in(connection, sql, [n for n, *_ in found])}
    held = []
    for n, id, state, time in found:
        waits = waiting.get(n)
        post, read = (waits.post, waits.mentions or ()) if waits is not None else (asked.get(id), ())
        held.append(HeldPost(id, state, _at(time), post, read))
    return held


def _mentions(connection: Connection, posts: Sequence[int]) -> dict[int, Mention]:
    """Live ones, by number."""
    sql = "SELECT n, body FROM mention WHERE post IN (??) AND state = 'live'"
    return {n: decode(Mention, body) for n, body in sorted(rows_in(connection, sql, list(posts)))}


_HEADS = ("sentiment", "reputation", "intent", "detractor")


def _mention(mention: Mention) -> HeldMention:
    labels = {head: label for head in _HEADS if (label := effective(mention, head)) is not None}
    return HeldMention(mention.id, mention.brand, _at(mention.event_time), labels, mention)


def _earlier(connection: Connection, posts: Sequence[int]) -> list[HeldDecision]:
    sql = (
        "SELECT p.id, b.value, d.at, d.body FROM decision d JOIN mention m ON m.n = d.mention "
        "JOIN post p ON p.n = m.post JOIN dictionary b ON b.n = m.brand WHERE m.post IN (??)"
    )
    return [
        HeldDecision(post, brand, _at(at), _decision(body))
        for post, brand, at, body in sorted(rows_in(connection, sql, list(posts)))
    ]


_decision = msgspec.json.Decoder(Decision).decode


def _kinds(connection: Connection, found: Sequence[Stands], mentions: dict[int, Mention]) -> list[HeldKind]:
    policies = Policies(connection)
    roots = dict(rows_in(connection, "SELECT n, id FROM post WHERE n IN (??)", [one.conversation for one in found]))
    told = []
    for one in sorted(found, key=lambda one: (one.since, one.mention)):
        mention = mentions.get(one.mention)
        if mention is None:
            continue  # its post went in between
        told.append(
            HeldKind(
                mention=mention.id, brand=mention.brand, matter=mention.conversation or roots.get(one.conversation, ""),
                kind=one.kind, why={language: policies.why(one, mention, language) for language in ("en", "es")},
                since=_at(one.since), until=_at(one.until), policy=one.policy,
            )
        )  # fmt: skip
    return told


def _cases(connection: Connection, keys: Sequence[int], mentions: dict[int, Mention]) -> list[HeldCase]:
    wanted = {mention.case_id for mention in mentions.values() if mention.case_id is not None}
    wanted |= {id for (id,) in rows_in(connection, "SELECT id FROM cases WHERE author IN (??)", list(keys))}
    wanted |= {id for (id,) in rows_in(connection, "SELECT case_id FROM case_party WHERE author IN (??)", list(keys))}
    against = {
        id for (id,) in rows_in(connection, "SELECT case_id FROM kpi_detractor WHERE author IN (??)", list(keys))
    }
    wanted |= against
    sql = "SELECT case_id, at, person, detail FROM case_event WHERE change = 'exception' AND case_id IN (??)"
    exceptions: dict[int, list[HeldException]] = {}
    for case, at, person, detail in sorted(rows_in(connection, sql, sorted(wanted))):
        exceptions.setdefault(case, []).append(HeldException(_at(at), person, detail))
    sql = (
        "SELECT c.id, d.value, c.queue, c.state, c.opened_at, c.closed_at FROM cases c "
        "JOIN dictionary d ON d.n = c.brand WHERE c.id IN (??)"
    )
    return [
        HeldCase(id, brand, queue, state, _at(opened), _at(closed) if closed is not None else "",
                 tuple(mention.id for mention in mentions.values() if mention.case_id == id),
                 tuple(exceptions.get(id, ())), id in against)
        for id, brand, queue, state, opened, closed in sorted(rows_in(connection, sql, sorted(wanted)))
    ]  # fmt: skip


def _counts(connection: Connection, keys: Sequence[int]) -> list[HeldCount]:
    customers: dict[tuple[int, int], str] = {}
    sql = "SELECT author, brand, value FROM customer WHERE author IN (??)"
    for author, brand, value in rows_in(connection, sql, list(keys)):
        customers[author, brand] = value
    names = dict(rows(connection, "SELECT n, value FROM dictionary WHERE kind = 'brand'"))
    sql = "SELECT author, brand, mentions, negatives FROM author WHERE author IN (??)"
    return [
        HeldCount(names.get(brand, ""), mentions, negatives, customers.get((author, brand), ""))
        for author, brand, mentions, negatives in sorted(rows_in(connection, sql, list(keys)))
    ]


def _lists(accounts: Sequence[Account], brands: Sequence[Brand]) -> list[str]:
    authors = [(account.network, Author(id=account.id, handle=account.handle or None)) for account in accounts]
    handles = {account.handle.lstrip("@").casefold() for account in accounts if account.handle}
    found = []
    for brand in brands:
        for what, listed in (("accounts", brand.accounts), ("press", brand.press), ("rivals", brand.rivals)):
            if any(is_account(one, network, author) for one in listed for network, author in authors):
                found.append(f"{brand.id}: {what}")
        # Customers are listed by their handles alone, on whatever network.
        if any(handle.lstrip("@").casefold() in handles for handle in brand.customers):
            found.append(f"{brand.id}: customers")
    return found


def _at(time: Millis) -> str:
    return datetime.fromtimestamp(time / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
