"""Looks for cases that are one matter, behind routing: a bounded chunk a step, from where it stood.

What came into cases is read by the numbers of their history, its marks are written, then each mention is compared with
those that share one. Three transactions a step; after a crash a step is done again, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, rows_in, write
from query.text import analyse, fold
from routing.apply import apply
from routing.desk import Desk
from routing.matters import ties
from routing.matters.certainty import OLD, WINDOW, Compared, Shared, Term, certainty
from routing.matters.marks import Mark, local, marks_of, wants, words_of
from routing.matters.ties import Evidence, Tie
from routing.merging import RANK, CaseRefused, merge_by_hand
from routing.rows import CaseRow
from routing.sheet import Sheet
from stream.clock import MINUTE, passed
from stream.records import Mention, Millis, decode

log = structlog.get_logger(__name__)

AT_ONCE = 100
"""Events of cases a step: some tens of milliseconds."""
MOST_ALIKE = 30
"""Posts with one mark that are compared with, the newest: a flood takes no more."""
MOST_COMPARED = 12
"""Cases that one mention is compared with, those with most marks in common."""
MOST_PROPOSED = 20
"""Open proposals of a case: more help nobody."""
PROPOSED_FROM = 0.5
"""Certainty from which people are asked."""
OF_ITSELF = ("post", "author", "copy", "handle", "code")
"""Kinds of marks that may show a matter at another brand."""
WAITS: Millis = 5_000
"""So long a new case's mail waits for the look at whether its matter is known, at most."""
_ENTERED = ("opened", "grew", "reopened")


class Found(NamedTuple):
    """A case that shares marks with a mention."""

    case: int
    brand: int
    mention: int
    shared: tuple[Shared, ...]
    apart: Millis


class Seeking:
    """One of a home at a time. Not for several threads at once."""

    def __init__(
        self, engine: Engine, desk: Desk, join_at: float, guard: Callable[[Connection], None] = lambda _: None
    ) -> None:
        """`join_at`: certainty from which two cases become one by themselves; 1.0: never."""
        self._engine, self._desk, self._join_at, self._guard = engine, desk, join_at, guard

    def step(self, now: Millis) -> bool:
        """True while there is more to look at. Raises Transient."""
        with read(self._engine) as connection:
            after = place(connection)
            if after is None:
                begin, events = rows(connection, "SELECT coalesce(max(n), 0) FROM case_event")[0][0], []
            else:
                begin = None
                events = rows(connection, _EVENTS, (after, AT_ONCE))
            numbers = [mention for _, change, mention in events if mention is not None and change in _ENTERED]
            # What an import brings from long ago is compared with nothing.
            entered = {n: m for n, m in self._load(connection, numbers).items() if m.event_time >= now - WINDOW}
        if begin is not None:
            self._begin_at(begin)
            return False
        if not events:
            return False
        own = {brand: self._own_words(brand) for brand in {mention.brand for mention in entered.values()}}
        marks = {n: marks_of(mention, own[mention.brand]) for n, mention in entered.items()}
        self._mark(entered, marks)
        with read(self._engine) as connection:
            found = [tie for n, mention in entered.items() for tie in self._compare(connection, n, mention, marks[n])]
        self._write(found, events[-1][0], now)
        return len(events) == AT_ONCE

    def _load(self, connection: Connection, numbers: Sequence[int]) -> dict[int, Mention]:
        sql = (
            "SELECT n, body FROM mention WHERE state = 'live' AND case_id IS NOT NULL AND queue != 'none' AND n IN (??)"
        )
        return {n: decode(Mention, body) for n, body in rows_in(connection, sql, sorted(set(numbers)))}

    def _own_words(self, brand: str) -> Collection[str]:
        for one in self._desk.in_force.brands:
            if one.id == brand:
                names = (one.name, *one.aliases, *one.handles, *(name.partition(":")[2] for name in one.accounts))
                return {fold(word) for name in names for word in analyse(name).surfaces} | {fold(one.id)}
        return ()

    def _mark(self, entered: dict[int, Mention], marks: dict[int, tuple[Mark, ...]]) -> None:
        if not entered:
            return
        with write(self._engine) as connection:
            self._guard(connection)
            many(connection, "DELETE FROM case_mark WHERE mention = ?", [(n,) for n in entered])
            # What was deleted since it was read has no marks, nor has what was edited those of its former words.
            stand = [n for n, m in self._load(connection, list(entered)).items()
                     if m.content_hash == entered[n].content_hash]  # fmt: skip
            many(connection, _MARK, [
                (mark.key, mark.kind, n, entered[n].event_time) for n in stand for mark in marks[n]
            ])  # fmt: skip

    def _compare(self, connection: Connection, n: int, mention: Mention, marks: Sequence[Mark]) -> list[Tie]:
        held = rows(connection, "SELECT case_id, brand FROM mention WHERE n = ? AND state = 'live'", (n,))
        if not held or held[0][0] is None:
            return []
        case, brand = held[0]
        found = self._alike(connection, n, mention, case, marks)
        if not found:
            return []
        with_body = self._load(connection, [one.mention for one in found])
        compared = []
        for one in found:
            other = with_body.get(one.mention)
            if other is None:
                continue
            sure, terms = _certainty(mention, other, one)
            at_home = one.brand == brand
            if sure >= PROPOSED_FROM and (at_home or any(shared.kind in OF_ITSELF for shared in one.shared)):
                state: ties.State = "proposed" if at_home else "linked"
                compared.append(Tie(case, one.case, state, sure, Evidence(terms, (n, one.mention)), 0, ""))
        return compared

    def _alike(self, connection: Connection, n: int, mention: Mention, case: int, marks: Sequence[Mark]) -> list[Found]:
        """By case the post of it that has most in common with this one."""
        shared: dict[int, list[Shared]] = {}
        about: dict[int, tuple[int, int, Millis]] = {}
        for mark in marks:
            alike = rows(connection, _ALIKE, (mark.key, mark.kind, mention.event_time - WINDOW, n, MOST_ALIKE))
            first = rows(connection, _FIRST, (mark.key, mark.kind))[0][0] if alike else 0
            for number, of_case, brand, at in alike:
                if of_case != case:
                    old = min(at, mention.event_time) - first > OLD
                    shared.setdefault(number, []).append(Shared(mark.kind, old))
                    about[number] = (of_case, brand, at)
        best: dict[int, Found] = {}
        for number, what in shared.items():
            of_case, brand, at = about[number]
            one = Found(of_case, brand, number, tuple(what), abs(at - mention.event_time))
            if of_case not in best or len(what) > len(best[of_case].shared):
                best[of_case] = one
        return sorted(best.values(), key=lambda one: (-len(one.shared), one.case))[:MOST_COMPARED]

    def _decide(self, connection: Connection, found: Sequence[Tie], now: Millis) -> list[Tie]:
        """The ties to be kept: of two cases the most certain, where nobody has spoken and nothing better is known."""
        best: dict[tuple[int, int], Tie] = {}
        for tie in found:
            pair = (min(tie.one, tie.other), max(tie.one, tie.other))
            if pair not in best or tie.certainty > best[pair].certainty:
                best[pair] = tie._replace(one=pair[0], other=pair[1], at=now)
        if not best:
            return []
        cases = sorted({id for pair in best for id in pair})
        barred = ties.barred_pairs(connection, cases)
        known = {(tie.one, tie.other): tie for tie in ties.of_cases(connection, cases)}
        full = _full(connection, cases)
        kept = []
        for pair, tie in sorted(best.items(), key=lambda item: -item[1].certainty):
            before = known.get(pair)
            if pair in barred or (before is not None and (before.state == "apart" or before.person)):
                continue
            if before is not None and before.certainty >= tie.certainty:
                continue
            asks = tie.state == "proposed" and before is None and tie.certainty < self._join_at
            if asks and any(full.get(id, 0) >= MOST_PROPOSED for id in pair):
                continue
            for id in pair if tie.state == "proposed" and before is None else ():
                full[id] = full.get(id, 0) + 1
            kept.append(tie)
        return kept

    def _write(self, found: Sequence[Tie], event: int, now: Millis) -> None:
        joined: list[Tie] = []

        def join(tie: Tie) -> Callable[[Sheet], None]:
            def move(sheet: Sheet) -> None:
                if _joined(sheet, tie):
                    joined.append(tie._replace(state="joined"))

            return move

        with self._desk.transaction(self._engine) as connection:
            self._guard(connection)
            # Under the writers' lock: what somebody says of two cases while they are compared counts.
            decided = self._decide(connection, found, now)
            joining = [tie for tie in decided if tie.state == "proposed" and self._join_at <= tie.certainty < 1.0]
            if joining:
                apply(connection, self._desk, (), now, moves=[join(tie) for tie in joining])
            ties.keep(connection, [*decided, *joined])
            many(connection, _STAND, [(event,)])
        for tie in joined:
            log.info("cases_joined", one=tie.one, other=tie.other, certainty=round(tie.certainty, 4))

    def _begin_at(self, event: int) -> None:
        with write(self._engine) as connection:
            self._guard(connection)
            many(connection, _STAND, [(event,)])


def place(connection: Connection) -> int | None:
    """Number of the last event of a case that was looked at; None: nobody looks."""
    found = rows(connection, "SELECT event FROM case_sought WHERE n = 1")
    return int(found[0][0]) if found else None


def unseen(connection: Connection, asked: Iterable[tuple[int, int, Millis]], now: Millis) -> set[int]:
    """Of (alert, case, when it was written) the alerts that wait: nobody has looked yet whether their case's matter is
    known. None waits for longer than WAITS."""
    fresh = {alert: case for alert, case, at in asked if not passed(at, now, WAITS)}
    after = place(connection) if fresh else None
    if after is None:
        return set()
    sql = "SELECT DISTINCT case_id FROM case_event WHERE n > ? AND change IN ('opened', 'reopened') AND case_id IN (??)"
    waiting = {case for (case,) in rows_in(connection, sql, sorted(set(fresh.values())), (after,))}
    return {alert for alert, case in fresh.items() if case in waiting}


def let_go(engine: Engine, now: Millis) -> bool:
    """Take away marks that nothing is compared with any more; whether there may be more."""
    with read(engine) as connection:
        old = rows(connection, "SELECT n FROM case_mark ORDER BY n LIMIT ?", (2_000,))
        ends = rows(connection, "SELECT max(event_time) FROM case_mark WHERE n <= ?", (old[-1][0],)) if old else []
    if not old or ends[0][0] >= now - WINDOW - 60 * MINUTE:
        return False
    with write(engine) as connection:
        many(connection, "DELETE FROM case_mark WHERE n <= ?", [(old[-1][0],)])
    return len(old) == 2_000


def best_of(one: CaseRow, other: CaseRow) -> tuple[CaseRow, CaseRow]:
    """(the one that is merged, the one that goes on): the graver queue goes on, of equal ones the older case."""
    winner, loser = sorted((one, other), key=lambda case: (-RANK[case.queue], case.opened_at, case.id))
    return loser, winner


def in_words(terms: Iterable[Term]) -> str:
    """`near copies, the same link`."""
    return ", ".join(SAID[term.kind] for term in terms if term.kind in SAID and term.weight > 0)


SAID = {
    "copy": "near copies",
    "link": "the same link",
    "author": "the same account",
    "handle": "the same handle on another network",
    "event": "the same event, by its words",
}


def _joined(sheet: Sheet, tie: Tie) -> bool:
    """Make the two one, where nothing speaks against doing so without a person."""
    sheet.load_cases_by_id([tie.one, tie.other])
    if tie.one not in sheet.cases or tie.other not in sheet.cases:
        return False
    loser, winner = best_of(sheet.end_of_merges(tie.one), sheet.end_of_merges(tie.other))
    if loser is winner or not _may_join(loser, winner, tie.evidence.terms) or _kept_apart(sheet, loser, winner):
        return False
    why = f"one matter ({min(tie.certainty, 0.999):.1%} certain: {in_words(tie.evidence.terms)})"
    try:
        merge_by_hand(sheet, loser, winner, "", why)
    except CaseRefused:
        return False
    return True


def _may_join(loser: CaseRow, winner: CaseRow, terms: Sequence[Term]) -> bool:
    """Both in work and in nobody's way; customers each get their answer: where several people wrote, only in pr."""
    for case in (loser, winner):
        if not case.live or case.strand or case.state in ("waiting", "snoozed"):
            return False
    if loser.assignee and winner.assignee and loser.assignee != winner.assignee:
        return False
    if loser.brand_n != winner.brand_n:
        return False
    one_person = any(term.kind in ("author", "handle") for term in terms)
    return one_person or (loser.queue == "pr" and winner.queue == "pr")


def _kept_apart(sheet: Sheet, loser: CaseRow, winner: CaseRow) -> bool:
    """Whether somebody said that the two are not one matter, or of cases that either took over: in this step as well,
    in which several may become one."""
    merged = [id for id, case in list(sheet.cases.items()) if case.merged_into is not None]
    families = []
    for end in (loser, winner):
        theirs = [end.id, *(id for id in merged if sheet.end_of_merges(id) is end)]
        families.append({id for case in theirs for id in ties.family_of(sheet.connection, case)})
    ours, others = families
    return any(
        tie.state == "apart" and (tie.one in others or tie.other in others)
        for tie in ties.of_cases(sheet.connection, sorted(ours))
    )


def _certainty(mention: Mention, other: Mention, found: Found) -> tuple[float, tuple[Term, ...]]:
    one, two = (m.post.author if m.post else None for m in (mention, other))
    names = [fold(a.name or "") for a in (one, two) if a is not None]
    handle = local(one)
    telling = len(names) == 2 and all(name and name != handle for name in names)
    compared = Compared(
        found.apart,
        found.shared,
        min(words_of(mention), words_of(other)),
        handle,
        names[0] == names[1] if telling else None,
        not {"purchase_interest"} & {wants(mention), wants(other)} or wants(mention) == wants(other),
    )
    if any(shared.kind == "post" for shared in found.shared):
        return 0.9999, (Term("post", 9.0),)
    return certainty(compared)


def _full(connection: Connection, cases: Sequence[int]) -> dict[int, int]:
    """How many proposals of each case wait for a person."""
    found: dict[int, int] = {}
    for column, beyond in (("one", "other"), ("other", "one")):
        sql = (
            f"SELECT t.{column}, count(*) FROM case_tie t JOIN cases c ON c.id = t.{beyond} AND c.live = 1 "
            f"WHERE t.state = 'proposed' AND t.{column} IN (??) GROUP BY t.{column}"
        )
        for id, proposals in rows_in(connection, sql, list(cases)):
            found[id] = found.get(id, 0) + proposals
    return found


_EVENTS = "SELECT n, change, mention FROM case_event WHERE n > ? ORDER BY n LIMIT ?"
_ALIKE = (
    "SELECT k.mention, m.case_id, m.brand, k.event_time FROM case_mark k JOIN mention m ON m.n = k.mention "
    "WHERE k.key = ? AND k.kind = ? AND k.event_time >= ? AND k.mention != ? AND m.state = 'live' "
    "AND m.case_id IS NOT NULL ORDER BY k.n DESC LIMIT ?"
)
_FIRST = "SELECT event_time FROM case_mark WHERE key = ? AND kind = ? ORDER BY n LIMIT 1"
_MARK = "INSERT INTO case_mark (key, kind, mention, event_time) VALUES (?, ?, ?, ?)"
_STAND = "INSERT INTO case_sought (n, event) VALUES (1, ?) ON CONFLICT (n) DO UPDATE SET event = excluded.event"
