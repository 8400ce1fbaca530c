"""How decided mentions reach the index: newest revision only, one transaction for rows, tokens, rollups and offsets."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from index.body import packed, unpacked
from index.numbers import number
from index.rollups import Contribution, Rollups
from index.terms import Terms, terms
from query.document import Document, set_aside
from stream.clock import MINUTE
from stream.ports import Commit, OffsetConflict
from stream.records import Decided, Mention

Order: TypeAlias = tuple[int, int]
"""(epoch, revision): the higher one wins."""

_ASKED = "SELECT id, epoch, revision, n FROM place WHERE id IN (SELECT value FROM json_each(?))"
_BODIES = "SELECT n, record FROM body WHERE n IN (SELECT value FROM json_each(?))"
_PLACE = (
    "INSERT INTO place (id, epoch, revision, n) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision, n = excluded.n"
)
_MENTION = f"INSERT OR REPLACE INTO mention VALUES ({', '.join('?' * 17)})"
_BODY = "INSERT OR REPLACE INTO body (n, record) VALUES (?, ?)"
_HITS = "INSERT INTO hits (hits, rowid, text, stem, fact) VALUES (?, ?, ?, ?, ?)"
_OFFSET = (
    "INSERT INTO offset (topic, partition, next) VALUES (?, ?, ?) "
    "ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next WHERE next = ?"
)

_LARGEST = 2**63 - 1


class Entry(NamedTuple):
    """A mention made ready for the index, before its number is known."""

    id: str
    order: Order
    mention: Mention
    terms: Terms | None
    """None: hidden from everything."""
    columns: tuple[int | None, ...] = ()
    record: bytes = b""


class Written(NamedTuple):
    """What a batch changed."""

    new: list[Mention]
    """Mentions that can be found and could not before."""
    gone: list[Mention]
    """Mentions that a delete took away."""
    erased: int
    """Texts that were taken out or replaced, whose tokens still lie in segments to be merged."""


def prepare(decided: Iterable[Decided]) -> list[Entry]:
    """The highest revision of each mention, ready to be written. Analysis happens here, outside of any transaction."""
    highest: dict[str, Decided] = {}
    for each in decided:
        other = highest.get(each.mention.id)
        if other is None or (each.epoch, each.mention.revision) > (other.epoch, other.mention.revision):
            highest[each.mention.id] = each
    return [_entry(each) for each in highest.values()]


class Writer:
    """Writes entries through one connection; its caller begins and ends the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rollups = Rollups(connection)
        self._profiles: dict[str, int] = {}

    def write(self, entries: Sequence[Entry]) -> Written:
        """Put in what is newer than what is there; an older or equal revision changes nothing."""
        places = self._places(entries)
        newer = [entry for entry in entries if entry.id not in places or entry.order > places[entry.id][0]]
        olds = self._olds([found[1] for entry in newer if (found := places.get(entry.id)) and found[1] is not None])
        numbered = self._numbered(newer, places, olds)
        self._put_rows(numbered)
        erased = self._put_hits(numbered, olds, places)
        self._rollups.add(_changes(numbered, olds))
        self._connection.executemany(_PLACE, [(entry.id, *entry.order, n) for entry, n in numbered])
        new = [entry.mention for entry, n in numbered if n is not None and entry.id not in places]
        gone = [entry.mention for entry, n in numbered if n is None and entry.mention.gone_since]
        return Written(new, gone, erased)

    def commit_offsets(self, commits: Sequence[Commit]) -> None:
        """Store them; raises OffsetConflict where one is not where it was expected."""
        for topic, partition, expected, following in commits:
            stored = self._connection.execute(_OFFSET, (topic, partition, following, expected))
            if stored.rowcount != 1:
                raise OffsetConflict(
                    f"the index no longer stands at {expected} in {topic}/{partition}: somebody else advanced it"
                )

    def forget(self) -> None:
        """After a rollback: what was learnt of it is not there."""
        self._rollups.forget()
        self._profiles.clear()

    def _places(self, entries: Sequence[Entry]) -> Mapping[str, tuple[Order, int | None]]:
        asked = msgspec.json.encode([entry.id for entry in entries]).decode()
        return {id: ((epoch, revision), n) for id, epoch, revision, n in self._connection.execute(_ASKED, (asked,))}

    def _olds(self, numbers: Sequence[int | None]) -> Mapping[int, Entry]:
        if not numbers:
            return {}
        asked = msgspec.json.encode(numbers).decode()
        return {n: _stored(record) for n, record in self._connection.execute(_BODIES, (asked,)).fetchall()}

    def _numbered(
        self, entries: Sequence[Entry], places: Mapping[str, tuple[Order, int | None]], olds: Mapping[int, Entry]
    ) -> list[tuple[Entry, int | None]]:
        """Each with its number: the one it has, while its time stays; a new one; None where it is hidden."""
        kept: dict[str, int] = {}
        for entry in entries:
            n = places[entry.id][1] if entry.id in places else None
            if n is not None and entry.terms and olds[n].mention.event_time == entry.mention.event_time:
                kept[entry.id] = n
        asking = [entry for entry in entries if entry.terms and entry.id not in kept]
        gone = [
            n
            for entry in entries
            if entry.id in places and (n := places[entry.id][1]) is not None and entry.id not in kept
        ]
        self._connection.executemany("DELETE FROM mention WHERE n = ?", [(n,) for n in gone])
        self._connection.executemany("DELETE FROM body WHERE n = ?", [(n,) for n in gone])
        given = number(self._connection, [entry.mention.event_time for entry in asking]) if asking else []
        kept |= {entry.id: n for entry, n in zip(asking, given, strict=True)}
        return [(entry, kept.get(entry.id)) for entry in entries]

    def _put_rows(self, numbered: Sequence[tuple[Entry, int | None]]) -> None:
        rows, bodies = [], []
        for entry, n in numbered:
            if n is None or entry.terms is None:
                continue
            came, reads, tone, ruled = (self._profile(tokens) for tokens in entry.terms[3:])
            rows.append((n, came, reads, tone, ruled, *entry.columns))
            bodies.append((n, entry.record))
        self._connection.executemany(_MENTION, sorted(rows))
        self._connection.executemany(_BODY, sorted(bodies))

    def _put_hits(
        self,
        numbered: Sequence[tuple[Entry, int | None]],
        olds: Mapping[int, Entry],
        places: Mapping[str, tuple[Order, int | None]],
    ) -> int:
        """Tokens out and in, by rising number: FTS5 would begin a new segment at each step back."""
        changes: list[tuple[int, int, str | None, str, str, str]] = []
        erased = 0
        for entry, n in numbered:
            before = places[entry.id][1] if entry.id in places else None
            old = olds[before].terms if before is not None else None
            if before == n and old == entry.terms:
                continue
            if before is not None and old is not None:
                changes.append((before, 0, "delete", *old[:3]))
                erased += 1
            if n is not None and entry.terms is not None:
                changes.append((n, 1, None, *entry.terms[:3]))
        changes.sort(key=_by_number)
        self._connection.executemany(
            _HITS, [(command, n, text, stem, fact) for n, _, command, text, stem, fact in changes]
        )
        return erased

    def _profile(self, tokens: str) -> int:
        known = self._profiles.get(tokens)
        if known is None:
            self._connection.execute("INSERT INTO profile (tokens) VALUES (?) ON CONFLICT DO NOTHING", (tokens,))
            known = self._connection.execute("SELECT id FROM profile WHERE tokens = ?", (tokens,)).fetchone()[0]
            if len(self._profiles) >= 100_000:
                self._profiles.clear()
            self._profiles[tokens] = known
        return known


def _entry(decided: Decided) -> Entry:
    mention = decided.mention
    order = (decided.epoch, mention.revision)
    if mention.state != "live":
        return Entry(mention.id, order, mention, None)
    document = Document(mention)
    return Entry(mention.id, order, mention, terms(document), _columns(document), packed(mention))


def _stored(record: bytes) -> Entry:
    mention = unpacked(record)
    return Entry(mention.id, (0, mention.revision), mention, terms(Document(mention)))


def _columns(document: Document) -> tuple[int | None, ...]:
    """Columns of table `mention` after the profiles."""
    mention, post = document.mention, document.mention.post
    author, metrics = (post.author, post.metrics) if post else (None, None)
    found: tuple[int | None, ...] = (
        document.risk,
        mention.event_time,
        post.seen_at if post else None,
        post.edited_at if post else None,
        mention.decided_at or None,
        author.followers if author else None,
        *((metrics.likes, metrics.reposts, metrics.replies, metrics.views) if metrics else (None,) * 4),
        mention.case_id,
        mention.copies or None,
    )
    if all(value is None or -_LARGEST <= value <= _LARGEST for value in found):
        return found
    return tuple([None if value is None else max(-_LARGEST, min(_LARGEST, value)) for value in found])


def _changes(numbered: Sequence[tuple[Entry, int | None]], olds: Mapping[int, Entry]) -> Counter[Contribution]:
    """What the rollups gain by the new and lose by the old."""
    changes: Counter[Contribution] = Counter()
    for entry, _ in numbered:
        if entry.terms is not None and not set_aside(entry.mention):
            changes[_contribution(entry.mention, entry.terms)] += 1
    for old in olds.values():
        if old.terms is not None and not set_aside(old.mention):
            changes[_contribution(old.mention, old.terms)] -= 1
    return changes


def _contribution(mention: Mention, found: Terms) -> Contribution:
    at = max(-_LARGEST + MINUTE, min(_LARGEST, mention.event_time))
    return Contribution(at - at % MINUTE, found.came, found.reads, found.ruled)


def _by_number(change: tuple[int, int, str | None, str, str, str]) -> tuple[int, int]:
    return change[:2]
