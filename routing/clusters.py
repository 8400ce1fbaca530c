"""Near copies: which posts say nearly the same, counted together, each with a reading of its own.

A post joins the cluster of the nearest live post within `near.REACH` bits and `near.WINDOW` of event time, of equally
near ones the cluster that began first; where there is none it begins one. Records are taken in their order, however
they are cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from database.engine import rows, rows_in
from routing import copied
from routing.near import REACH, WINDOW, Entry, among, distance
from routing.rows import MentionRow, PostRow
from routing.sheet import ClusterPost, Sheet
from stream.clock import DAY
from stream.records import Millis, Understood

COUNTED = 2
"""A cluster of so many posts has a row with their number; of smaller ones there is one post, or none."""
ENOUGH = 3
"""Where so many near copies of one day are entries already, one more finds nothing new and is none."""
HELD_FOR: Millis = WINDOW + DAY
"""A day more than the window, so that what arrives late is decided like what came in time."""
MOST_HELD = 1_000_000
"""Posts with which later ones are compared, the newest: what memory and time a flood can take."""


def note(sheet: Sheet, row: PostRow, record: Understood) -> None:
    """After `record` was observed: what its post says from now on, where it changed that."""
    if row.parts.state != "live":
        sheet.said.append((row, 0, True))
    elif row.read is record:
        named = bool(record.mentions)
        sheet.said.append((row, record.fingerprint if named or row.parent is not None else 0, named))


def assign(sheet: Sheet, changed: Iterable[MentionRow]) -> list[MentionRow]:
    """Cluster and copies into the mentions of every post whose words came, changed or went; those mentions that change
    by this alone."""
    posts = {row.n: row for row, _, _ in sheet.said}
    posts |= {m.post.n: m.post for m in changed if m.post.read is not None or m.state != "live"}
    if not posts:
        return []
    at_the_end = {n: _fingerprint(sheet, row) for n, row in posts.items()}
    # A reply that names no brand may be about that of its parent: only at the end is it known.
    steps = [(row, mark if named or at_the_end[row.n] else 0) for row, mark, named in sheet.said]
    work = _Work(sheet, posts.values())
    last = {n: place.fingerprint for n, place in work.places.items()}
    last.update([(row.n, mark) for row, mark in steps])
    steps += [(posts[n], mark) for n, mark in at_the_end.items() if last.get(n, 0) != mark]
    work.take(steps)
    found: list[MentionRow] = []
    for n, row in posts.items():
        _tell(sheet.mention_rows(n), work.places.get(n), found)
        _mark(sheet.mention_rows(n), row, work, found)
    return found


class _Place(NamedTuple):
    """Where a post stands."""

    cluster: int
    copies: int
    fingerprint: int
    n: int | None = None
    """Its row, where it has one in SQL."""
    key: int | None = None
    """Of its row among those that this batch makes."""
    entry: bool = False


class _Work:
    """The steps of one batch, one after another, over what SQL holds."""

    def __init__(self, sheet: Sheet, posts: Iterable[PostRow]) -> None:
        self._sheet = sheet
        self._sizes: dict[int, int] = {}
        self._was: dict[int, int] = {}
        self._gone: set[int] = set()
        self._made: dict[int, ClusterPost] = {}
        """Rows to be written: by the step that made it, behind the steps those that became entries."""
        self._promoted: list[int] = []
        self.places: dict[int, _Place] = {}
        old = [row for row in posts if not row.new]
        if old:
            self._held(old)

    def take(self, steps: list[tuple[PostRow, int]]) -> None:
        self._near = self._entries([(mark, row.event_time) for row, mark in steps])
        self._fresh = _Fresh([(mark, row.event_time) for row, mark in steps])
        self._next = len(steps)
        for step, (row, mark) in enumerate(steps):
            place = self.places.get(row.n)
            if place is not None and place.fingerprint == mark:
                if mark:
                    self._fresh.enter(step, False)
                continue
            if place is not None:
                self._leave(row, place)
            if mark:
                self._join(step, row, mark)
        changes = self._sheet.clusters
        changes.joined += self._made.values()
        changes.left += self._gone
        changes.sizes.update({n: size for n, size in self._sizes.items() if size != self._was[n]})

    def lately(self, row: PostRow, place: _Place) -> int:
        """Copies of `row` that came before it and were published at most `copied.WITHIN` before, itself included."""
        since, until = row.event_time - copied.WITHIN, row.event_time
        found = rows(self._sheet.connection, _LATELY, (place.cluster, since, until))
        came = [n for (n,) in found if n not in self._gone and n != place.n]
        step = self._next if place.key is None else place.key
        made = [
            key
            for key, one in self._made.items()
            if one.cluster == place.cluster
            and since <= one.event_time <= until
            and one.post != row.n
            and (key < step or key in self._promoted)
        ]
        return 1 + len(came) + len(made)

    def _held(self, posts: list[PostRow]) -> None:
        """Places of posts that came before this batch."""
        told = {row.n: _stands(self._sheet, row) for row in posts}
        sql = "SELECT n, post, cluster, fingerprint, entry FROM cluster_post WHERE post IN (??)"
        for n, post, cluster, fingerprint, entry in rows_in(self._sheet.connection, sql, list(told)):
            held = told[post]
            self.places[post] = _Place(cluster, held.copies if held else 0, fingerprint, n=n, entry=bool(entry))
        self._load_sizes({place.cluster for place in self.places.values()})
        for n, held in told.items():
            if held is not None:
                # Without a row (retention took it) it keeps its cluster, and nothing is compared with it any more.
                self.places.setdefault(n, held)

    def _entries(self, asked: list[tuple[int, Millis]]) -> list[list[Entry]]:
        """For each step the entries near to it that SQL still has."""
        found: list[list[Entry]] = [[] for _ in asked]
        wanted = [step for step, (mark, _) in enumerate(asked) if mark]
        if not wanted:
            return found
        near, connection = self._sheet.desk.near, self._sheet.connection
        near.follow(connection)
        while wanted:
            for step, entries in zip(wanted, near.of([asked[step] for step in wanted]), strict=True):
                found[step] = entries
            every = {entry.n: entry for step in wanted for entry in found[step]}
            sql = "SELECT n, cluster, fingerprint, event_time FROM cluster_post WHERE entry = 1 AND n IN (??)"
            held = {Entry(*row) for row in rows_in(connection, sql, list(every))}
            lost = {n for n, entry in every.items() if entry not in held}
            near.lose(lost)
            wanted = [step for step in wanted if any(entry.n in lost for entry in found[step])] if lost else []
        self._load_sizes({entry.cluster for entries in found for entry in entries})
        return found

    def _load_sizes(self, clusters: set[int]) -> None:
        wanted = [n for n in clusters if n not in self._sizes]
        self._sizes.update(dict.fromkeys(wanted, 1))
        sql = "SELECT n, posts FROM cluster WHERE n IN (??)"
        self._sizes.update(dict(map(tuple, rows_in(self._sheet.connection, sql, wanted))))
        self._was.update({n: self._sizes[n] for n in wanted})

    def _join(self, step: int, row: PostRow, mark: int) -> None:
        near = self._near[step] and [entry for entry in self._near[step] if entry.n not in self._gone]
        fresh = self._fresh.before(step) + self._promoted
        if fresh:
            near += [entry for key in fresh if _close(entry := _entry(self._made[key]), row, mark)]
        if near:
            best = min((distance(entry.fingerprint, mark), entry.cluster) for entry in near)[1]
        else:
            best = self._sheet.desk.clusters.take(self._sheet.connection)
            self._sizes[best] = self._was[best] = 0
        self._sizes[best] += 1
        is_entry = not near or sum(abs(entry.at - row.event_time) <= DAY for entry in near) < ENOUGH
        if not is_entry:
            self._fresh.enter(step, False)
        self._made[step] = ClusterPost(row.n, best, mark, row.author, row.event_time, is_entry)
        self.places[row.n] = _Place(best, self._sizes[best], mark, None, step, is_entry)

    def _leave(self, row: PostRow, place: _Place) -> None:
        del self.places[row.n]
        if place.n is None and place.key is None:
            return
        self._sizes[place.cluster] -= 1
        if place.n is not None:
            self._gone.add(place.n)
        elif place.key is not None:
            del self._made[place.key]
            if place.key in self._promoted:
                self._promoted.remove(place.key)
            else:
                self._fresh.enter(place.key, False)
        if place.entry and self._sizes[place.cluster]:
            self._promote(place.cluster)

    def _promote(self, cluster: int) -> None:
        """Another post of the cluster becomes an entry, so that it is found as long as one of its posts stands."""
        found = rows(self._sheet.connection, _SPARE, (cluster, len(self._gone) + 1))
        for n, *values in found:
            if n not in self._gone:
                self._gone.add(n)
                key, self._next = self._next, self._next + 1
                self._promoted.append(key)
                self._enter(key, ClusterPost._make((*values, True)))
                return
        for key, made in self._made.items():
            if made.cluster == cluster and not made.entry:
                self._fresh.enter(key, True)
                self._enter(key, made._replace(entry=True))
                return

    def _enter(self, key: int, made: ClusterPost) -> None:
        self._made[key] = made
        place = self.places.get(made.post)
        if place is not None:
            self.places[made.post] = place._replace(n=None, key=key, entry=True)


_SPARE = (
    "SELECT n, post, cluster, fingerprint, author, event_time FROM cluster_post WHERE cluster = ? AND entry = 0 "
    "ORDER BY event_time, n LIMIT ?"
)


_LATELY = (
    "SELECT n FROM cluster_post WHERE cluster = ? AND event_time >= ? AND event_time <= ? "
    "ORDER BY event_time DESC, n DESC LIMIT 1000"
)


class _Fresh:
    """Which steps of a batch are near to one another."""

    def __init__(self, asked: list[tuple[int, Millis]]) -> None:
        self._marked = [step for step, (mark, _) in enumerate(asked) if mark]
        self._place = {step: place for place, step in enumerate(self._marked)}
        self._near = among([asked[step][0] for step in self._marked])
        alone = self._near.sum(axis=1) == 1
        self._alone = {step for step, lone in zip(self._marked, alone.tolist(), strict=True) if lone}
        self._entries = np.ones(len(self._marked), bool)

    def enter(self, step: int, is_entry: bool) -> None:
        """Whether this step brought an entry; it does unless told."""
        self._entries[self._place[step]] = is_entry

    def before(self, step: int) -> list[int]:
        """The earlier steps near to it that brought an entry."""
        if step in self._alone:
            return []
        place = self._place[step]
        found = np.flatnonzero(self._near[place, :place] & self._entries[:place])
        return [self._marked[at] for at in found.tolist()]


def _entry(made: ClusterPost) -> Entry:
    return Entry(0, made.cluster, made.fingerprint, made.event_time)


def _close(entry: Entry, row: PostRow, mark: int) -> bool:
    return distance(entry.fingerprint, mark) <= REACH and abs(entry.at - row.event_time) <= WINDOW


def _fingerprint(sheet: Sheet, row: PostRow) -> int:
    """Of the words that stand after the batch; 0 where the post is about no brand."""
    for m in sheet.mention_rows(row.n).values():
        if m.state == "live" and m.value is not None:
            return row.read.fingerprint if row.read is not None else m.value.fingerprint
    return 0


def _stands(sheet: Sheet, row: PostRow) -> _Place | None:
    """Where its mentions say that it stands."""
    for m in sheet.mention_rows(row.n).values():
        value = m.value
        if m.state == "live" and value is not None and value.cluster is not None:
            return _Place(value.cluster, value.copies, value.fingerprint)
    return None


def _tell(held: Mapping[int, MentionRow], place: _Place | None, found: list[MentionRow]) -> None:
    """Put where a post stands into its mentions; those that said something else are added to `found`."""
    for m in held.values():
        value = m.value
        if m.state != "live" or value is None:
            continue
        cluster, copies = None, 0
        if place is not None and place.fingerprint == value.fingerprint:
            cluster, copies = place.cluster, place.copies
        if value.cluster != cluster or value.copies != copies:
            m.value = replace(value, cluster=cluster, copies=copies)
            m.touched = True
            found.append(m)


def _mark(held: Mapping[int, MentionRow], row: PostRow, work: _Work, found: list[MentionRow]) -> None:
    """Spam by its copies into the mentions that this batch placed in their cluster."""
    place = work.places.get(row.n)
    if place is None or place.copies < copied.MANY or place.key is None:
        return
    for m in held.values():
        value = m.value
        if m.state != "live" or value is None or value.spam or not copied.may_be_spam(value):
            continue
        if work.lately(row, place) >= copied.MANY:
            m.value = replace(value, spam=(copied.COPIES,))
            m.touched = True
            found.append(m)
