"""What people do with cases: one function, `work`, for every change, whoever asks for it.

A change says who makes it, and may say which revision of the case its maker saw: where somebody else changed the case
since, nothing is done. Each stands in `case_event`; what other programs need to know goes to `escalations.*`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import Engine

from config.problems import did_you_mean
from database.engine import many, read, rows
from routing.apply import apply
from routing.behaviour import in_case, people_of
from routing.desk import Desk
from routing.matters import ties
from routing.matters.seeking import best_of
from routing.merging import (
    CannotPart,
    CaseRefused,
    forget_place,
    in_its_place,
    merge_by_hand,
    part,
    remember,
    reopen,
    set_aside,
    split,
    unsplit,
)
from routing.rows import CaseRow
from routing.sheet import CaseEvent, Sheet
from routing.wording import moment, named_in
from stream.records import Millis

LONGEST_NOTE = 10_000
LONGEST_NAME = 64
LONGEST_WHY = 500
MOST_TAGS = 50
WOKEN_AT_ONCE = 100


class Command(msgspec.Struct, frozen=True, tag_field="do"):
    """A change of a case, as a person asks for it."""


class Assign(Command, frozen=True, tag="assign"):
    to: str | None
    """Id of a person; None: nobody."""


class Note(Command, frozen=True, tag="note"):
    text: str
    """`@id` names a person, who is told of the note."""


class Tag(Command, frozen=True, tag="tag"):
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Watch(Command, frozen=True, tag="watch"):
    person: str
    watch: bool = True


class Wait(Command, frozen=True, tag="wait"):
    """For the customer: the brand has answered."""


class Snooze(Command, frozen=True, tag="snooze"):
    until: Millis


class Resolve(Command, frozen=True, tag="resolve"):
    why: str = ""


class Reopen(Command, frozen=True, tag="reopen"):
    """Or take up again what waits or is snoozed."""

    why: str = ""


class Merge(Command, frozen=True, tag="merge"):
    into: int
    why: str = ""


class Split(Command, frozen=True, tag="split"):
    mentions: tuple[str, ...]
    """Ids, as search and mails name them."""


class Deviate(Command, frozen=True, tag="exception"):
    """From what the policy for detractors advises for the case."""

    why: str
    kind: str = ""
    """Of the kinds that stand in the case; empty: the gravest."""


class Join(Command, frozen=True, tag="join"):
    """With another case of the brand, as one matter: the graver one goes on, of equal ones the older."""

    other: int


class KeepApart(Command, frozen=True, tag="keep_apart"):
    """From another case, with which it was or may be taken for one matter: never proposed again."""

    other: int
    why: str = ""


class Undo(Command, frozen=True, tag="undo"):
    """Of the merge or the split that the case came out of."""


Change: TypeAlias = (
    Assign | Note | Tag | Watch | Wait | Snooze | Resolve | Reopen | Merge | Split | Deviate | Join | KeepApart | Undo
)


class Worked(NamedTuple):
    case: int
    """That it led to: of a split the new one, of a merge the one that goes on."""
    changed: bool
    """False: it was so already, nothing was done."""
    revision: int
    said: str
    """What was done, in words."""


class NoSuchCase(LookupError):
    pass


class Overtaken(CaseRefused):
    """Somebody else changed the case in between."""


def work(
    engine: Engine, desk: Desk, case: int, change: Change, by: str, now: Millis, *, expects: int | None = None
) -> Worked:
    """Make a change, in one transaction; durable on return.

    `by`: who asks for it. `expects`: the revision that they saw. Raises NoSuchCase, CaseRefused with the reason and the
    way out (Overtaken where the case has another revision), ValueError where `by` is no name.
    """
    if not 1 <= len(by) <= LONGEST_NAME or not by.isprintable():
        raise ValueError(f"who asks for it has 1 to {LONGEST_NAME} printable characters, and this is {by[:80]!r}")
    done: list[Worked] = []

    def move(sheet: Sheet) -> None:
        sheet.load_cases_by_id([case])
        row = sheet.cases.get(case)
        if row is None:
            raise NoSuchCase(f"there is no case {case}")
        if expects is not None and row.revision != expects:
            raise Overtaken(
                f"case {case} has revision {row.revision} by now, and you saw {expects}: look at it again "
                f"(clamor case show {case}), then decide"
            )
        done.append(_DO[type(change)](sheet, row, change, by))

    with desk.transaction(engine) as connection:
        apply(connection, desk, (), now, moves=[move])
        found = rows(connection, "SELECT revision FROM cases WHERE id = ?", (done[0].case,))
    return done[0]._replace(revision=found[0][0])


def wake(engine: Engine, desk: Desk, now: Millis) -> int:
    """Take up the snoozed cases whose time has come, by `now` of the home; how many, at most WOKEN_AT_ONCE a call."""
    sql = "SELECT id FROM cases WHERE state = 'snoozed' AND snoozed_until <= ? ORDER BY snoozed_until LIMIT ?"
    with read(engine) as connection:
        due = [id for (id,) in rows(connection, sql, (now, WOKEN_AT_ONCE))]
    if not due:
        return 0
    woken: list[int] = []

    def move(sheet: Sheet) -> None:
        sheet.load_cases_by_id(due)
        for row in (sheet.cases[id] for id in due):
            if row.state == "snoozed" and row.snoozed_until is not None and row.snoozed_until <= now:
                _take_up(sheet, row, "", "its time came")
                woken.append(row.id)

    with desk.transaction(engine) as connection:
        apply(connection, desk, (), now, moves=[move])
    return len(woken)


def _assign(sheet: Sheet, case: CaseRow, change: Assign, by: str) -> Worked:
    _in_hand(case)
    if change.to is not None:
        _person(sheet, change.to)
    if change.to == case.assignee:
        return _unchanged(case, f"case {case.id} is {change.to}'s already" if change.to else "nobody has it")
    before, case.assignee, case.dirty = case.assignee, change.to, True
    if case.state in ("new", "reopened") and change.to is not None:
        case.state = "open"
    _event(sheet, case, "assigned", change.to or "nobody", by, told=(before or "",))
    return _done(case, f"case {case.id} is {change.to}'s now" if change.to else f"case {case.id} is nobody's now")


def _note(sheet: Sheet, case: CaseRow, change: Note, by: str) -> Worked:
    text = change.text.strip()
    if not text or len(text) > LONGEST_NOTE:
        raise CaseRefused(f"a note has 1 to {LONGEST_NOTE:,} characters, and this one has {len(text):,}")
    named, unknown = named_in(text, {person.id for person in sheet.desk.in_force.people})
    sql = "INSERT INTO case_note (case_id, at, person, text) VALUES (?, ?, ?, ?) RETURNING n"
    n = rows(sheet.connection, sql, (case.id, sheet.now, by, text))[0][0]
    _event(sheet, case, "note", str(n), by, told=tuple(named))
    told = f"; told: {', '.join(named)}" if named else ""
    nobody = f"; of nobody here: {', '.join(f'@{name}' for name in unknown)}" if unknown else ""
    return _done(case, f"noted in case {case.id}{told}{nobody}")


def _tag(sheet: Sheet, case: CaseRow, change: Tag, by: str) -> Worked:
    add, remove = ({_tag_of(tag) for tag in tags} for tags in (change.add, change.remove))
    held = {tag for (tag,) in rows(sheet.connection, "SELECT tag FROM case_tag WHERE case_id = ?", (case.id,))}
    more, less = sorted(add - held), sorted(remove & held - add)
    if len(held) + len(more) - len(less) > MOST_TAGS:
        raise CaseRefused(f"a case has at most {MOST_TAGS} tags: take one away first")
    if not more and not less:
        return _unchanged(case, f"case {case.id} has these tags already")
    many(sheet.connection, "INSERT INTO case_tag (case_id, tag) VALUES (?, ?)", [(case.id, tag) for tag in more])
    many(sheet.connection, "DELETE FROM case_tag WHERE case_id = ? AND tag = ?", [(case.id, tag) for tag in less])
    words = " ".join([*(f"+{tag}" for tag in more), *(f"-{tag}" for tag in less)])
    _event(sheet, case, "tagged", words, by)
    return _done(case, f"case {case.id}: {words}")


def _tag_of(text: str) -> str:
    tag = text.strip()
    if not 1 <= len(tag) <= LONGEST_NAME or not tag.isprintable() or any(c.isspace() for c in tag):
        raise CaseRefused(f"{text[:80]!r} is no tag: a tag is one word of at most {LONGEST_NAME} characters")
    return tag.casefold()


def _watch(sheet: Sheet, case: CaseRow, change: Watch, by: str) -> Worked:
    if change.watch:
        _person(sheet, change.person)
        sql = "INSERT INTO case_watcher (case_id, person) VALUES (?, ?) ON CONFLICT DO NOTHING"
    else:
        sql = "DELETE FROM case_watcher WHERE case_id = ? AND person = ?"
    there = rows(sheet.connection, "SELECT 1 FROM case_watcher WHERE case_id = ? AND person = ?",
                 (case.id, change.person))  # fmt: skip
    if bool(there) == change.watch:
        return _unchanged(case, f"{change.person} {'watches' if change.watch else 'does not watch'} case {case.id}")
    many(sheet.connection, sql, [(case.id, change.person)])
    detail = change.person if change.watch else f"{change.person} no longer"
    _event(sheet, case, "watched", detail, by)
    return _done(case, f"{change.person} {'watches' if change.watch else 'no longer watches'} case {case.id}")


def _wait(sheet: Sheet, case: CaseRow, change: Wait, by: str) -> Worked:
    _in_hand(case)
    if case.state == "waiting":
        return _unchanged(case, f"case {case.id} waits for its customer already")
    case.state, case.dirty = "waiting", True
    set_aside(case, sheet.now)
    case.first_response_at = case.first_response_at or sheet.now
    _event(sheet, case, "waiting", "for the customer", by)
    return _done(case, f"case {case.id} waits for its customer")


def _snooze(sheet: Sheet, case: CaseRow, change: Snooze, by: str) -> Worked:
    _in_hand(case)
    if change.until <= sheet.now:
        raise CaseRefused(f"{moment(change.until)} is past: name a time to come")
    if case.snoozed_until == change.until:
        return _unchanged(case, f"case {case.id} is snoozed until {moment(change.until)} already")
    case.state, case.dirty = "snoozed", True
    set_aside(case, sheet.now, change.until)
    _event(sheet, case, "snoozed", f"until {moment(change.until)}", by)
    return _done(case, f"case {case.id} is snoozed until {moment(change.until)}, or until a new post comes")


def _resolve(sheet: Sheet, case: CaseRow, change: Resolve, by: str) -> Worked:
    if case.state == "resolved":
        return _unchanged(case, f"case {case.id} is resolved already")
    _in_hand(case)
    forget_place(sheet, case)
    case.live, case.state, case.dirty = 0, "resolved", True
    case.closed_at, case.closed_why = sheet.now, _reason(change.why) or None
    set_aside(case, None)
    remember(sheet, case)
    _event(sheet, case, "resolved", "", by, reason=case.closed_why or "")
    return _done(case, f"case {case.id} is resolved; it reopens if its author speaks again within 14 days")


def _reopen(sheet: Sheet, case: CaseRow, change: Reopen, by: str) -> Worked:
    why = _reason(change.why)
    if case.state in ("waiting", "snoozed"):
        _take_up(sheet, case, by, reason=why)
        return _done(case, f"case {case.id} is open again")
    if case.live:
        return _unchanged(case, f"case {case.id} is {case.state} already")
    _not_merged(case)
    if case.state == "closed":
        raise CaseRefused(f"case {case.id} was closed because nothing in it asks for work: there is nothing to reopen")
    if not case.mentions and not case.by_hand:
        raise CaseRefused(f"nothing in case {case.id} asks for work any more: there is nothing to reopen")
    sheet.load_cases([case.conversation])
    taken = in_its_place(sheet, case)
    if taken is not None:
        raise CaseRefused(f"case {taken.id} has the place of case {case.id} by now: work on that one")
    reopen(sheet, case)
    _event(sheet, case, "reopened", "", by, reason=why)
    return _done(case, f"case {case.id} is reopened")


def _take_up(sheet: Sheet, case: CaseRow, by: str, why: str = "", reason: str = "") -> None:
    was, case.state, case.dirty = case.state, "open", True
    set_aside(case, None)
    _event(sheet, case, "woken", f"was {was}" + (f": {why}" if why else ""), by, reason=reason)


def _merge(sheet: Sheet, case: CaseRow, change: Merge, by: str) -> Worked:
    _in_hand(case)
    sheet.load_cases_by_id([change.into])
    other = sheet.cases.get(change.into)
    if other is None:
        raise NoSuchCase(f"there is no case {change.into}")
    winner = sheet.end_of_merges(other.id)
    _of_posts(case, winner)
    merge_by_hand(sheet, case, winner, by, reason=_reason(change.why))
    return _done(winner, f"case {case.id} is part of case {winner.id} now (clamor case undo {case.id} takes it back)")


def _split(sheet: Sheet, case: CaseRow, change: Split, by: str) -> Worked:
    _in_hand(case)
    numbers = []
    for id in change.mentions:
        post, _, brand = id.rpartition("#")
        found = rows(sheet.connection, _IN_CASE, (post, brand, case.id))
        if not found:
            raise CaseRefused(f"{id} is no live mention of case {case.id}: clamor case show {case.id} names them")
        numbers.append(found[0][0])
    made = split(sheet, case, numbers, by)
    return _done(made, f"{len(set(numbers))} mentions of case {case.id} are case {made.id} now")


def _deviate(sheet: Sheet, case: CaseRow, change: Deviate, by: str) -> Worked:
    """Whoever the policy lets be told of such a case is told of the exception."""
    _not_merged(case)
    why = " ".join(change.why.split())
    if not 1 <= len(why) <= LONGEST_WHY:
        raise CaseRefused(f"an exception needs its reason, in 1 to {LONGEST_WHY} characters")
    policy = sheet.desk.policy
    standing = sorted({one.kind for one in in_case(sheet.connection, case.id, sheet.now)}, key=policy.place)
    if not standing:
        raise CaseRefused(f"by the policy nothing stands in case {case.id}: there is nothing to deviate from")
    kind = change.kind or standing[0]
    if kind not in standing:
        raise CaseRefused(f"{kind[:LONGEST_NAME]!r} does not stand in case {case.id}: {did_you_mean(kind, standing)}")
    brand = sheet.desk.brands.word(sheet.connection, case.brand_n)
    told = people_of(policy, kind, brand, sheet.desk.in_force.people, sheet.desk.in_force.teams)
    _event(sheet, case, "exception", f"{kind}, policy {policy.revision}: {why}", by, told=told)
    names = f"; told: {', '.join(told)}" if told else ""
    return _done(case, f"the exception from {kind} stands in the history of case {case.id}{names}")


def _join(sheet: Sheet, case: CaseRow, change: Join, by: str) -> Worked:
    _in_hand(case)
    other = _another(sheet, case, change.other)
    _in_hand(other)
    if other.brand_n != case.brand_n:
        raise CaseRefused(
            f"case {case.id} and case {other.id} are of different brands: they stay two cases (each shows the other)"
        )
    _of_posts(case, other)
    loser, winner = best_of(case, other)
    merge_by_hand(sheet, loser, winner, by)
    ties.say(sheet.connection, loser.id, winner.id, "joined", sheet.now, by)
    return _done(winner, f"case {loser.id} is part of case {winner.id} now (clamor case undo {loser.id} takes it back)")


def _keep_apart(sheet: Sheet, case: CaseRow, change: KeepApart, by: str) -> Worked:
    other = _another(sheet, case, change.other)
    held = ties.between(sheet.connection, case.id, other.id)
    if held is not None and held.state == "apart":
        return _unchanged(case, f"case {case.id} and case {other.id} are kept apart already")
    if other.id in (case.merged_into, None) or other.merged_into == case.id:
        merged = case if case.merged_into is not None else other
        raise CaseRefused(f"case {merged.id} is part of the other: take that back (clamor case undo {merged.id})")
    ties.say(sheet.connection, case.id, other.id, "apart", sheet.now, by)
    why = _reason(change.why)
    for one, two in ((case, other), (other, case)):
        _event(sheet, one, "kept_apart", f"from case {two.id}", by, reason=why)
    return _done(case, f"case {case.id} and case {other.id} stay apart: nobody is asked again")


def _of_posts(*cases: CaseRow) -> None:
    """Raises CaseRefused for one that a person opened."""
    for case in cases:
        if case.by_hand:
            raise CaseRefused(
                f"case {case.id} was opened by hand: it has no posts that another could take over, nor do posts belong "
                f"in it. Say in a note of each what they have in common (clamor case note {case.id})"
            )


def _another(sheet: Sheet, case: CaseRow, id: int) -> CaseRow:
    if id == case.id:
        raise CaseRefused(f"case {case.id} is itself: name another case")
    sheet.load_cases_by_id([id])
    if id not in sheet.cases:
        raise NoSuchCase(f"there is no case {id}")
    return sheet.cases[id]


def _undo(sheet: Sheet, case: CaseRow, change: Undo, by: str) -> Worked:
    if case.merged_into is not None:
        into = {case.merged_into, sheet.end_of_merges(case.merged_into).id}
        part(sheet, case.id, by)
        for other in into:
            ties.say(sheet.connection, case.id, other, "apart", sheet.now, by)
        return _done(case, f"case {case.id} is open again with the mentions that it brought")
    if case.by_hand:
        raise CannotPart(f"case {case.id} was opened by hand, out of no other: there is nothing to take back")
    if case.strand:
        origin = unsplit(sheet, case, by)
        return _done(origin, f"what was split off as case {case.id} is in case {origin.id} again")
    sql = "SELECT 1 FROM case_event WHERE case_id = ? AND change = 'parted' AND detail LIKE 'from %' LIMIT 1"
    if rows(sheet.connection, sql, (case.id,)):
        return _unchanged(case, f"case {case.id} was parted before: nothing was done")
    took = rows(sheet.connection, "SELECT id FROM cases WHERE merged_into = ? ORDER BY id DESC", (case.id,))
    advice = f"; case {took[0][0]} was merged into it: undo that one" if took else ""
    raise CannotPart(f"case {case.id} was not merged into another, nor split off from one{advice}")


def _in_hand(case: CaseRow) -> None:
    """Raises CaseRefused for a case that is over."""
    _not_merged(case)
    if not case.live:
        raise CaseRefused(f"case {case.id} is {case.state}: reopen it first (clamor case reopen {case.id})")


def _not_merged(case: CaseRow) -> None:
    if case.merged_into is not None:
        raise CaseRefused(f"case {case.id} was merged into case {case.merged_into}: work on that one")


def _person(sheet: Sheet, id: str) -> None:
    people = [person.id for person in sheet.desk.in_force.people]
    if id not in people:
        advice = did_you_mean(id, people) or "people: in clamor.yaml says who there is"
        raise CaseRefused(f"{id[:LONGEST_NAME]!r} is nobody whom Clamor knows: {advice}")


def _reason(why: str) -> str:
    return why.strip()[:LONGEST_WHY]


def _event(
    sheet: Sheet,
    case: CaseRow,
    change: str,
    detail: str,
    by: str,
    told: tuple[str, ...] = (),
    reason: str = "",
) -> None:
    case.updated_at, case.dirty = sheet.now, True
    sheet.events.append(CaseEvent(case, change, None, detail, by, sheet.face(case), told, reason))


def _done(case: CaseRow, said: str) -> Worked:
    return Worked(case.id, True, case.revision, said)


def _unchanged(case: CaseRow, said: str) -> Worked:
    return Worked(case.id, False, case.revision, said)


_DO: Mapping[type[Command], Callable[[Sheet, CaseRow, Any, str], Worked]] = {
    Assign: _assign, Note: _note, Tag: _tag, Watch: _watch, Wait: _wait, Snooze: _snooze, Resolve: _resolve,
    Reopen: _reopen, Merge: _merge, Split: _split, Deviate: _deviate, Join: _join, KeepApart: _keep_apart, Undo: _undo,
}  # fmt: skip
_IN_CASE = (
    "SELECT m.n FROM mention m JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = m.brand "
    "WHERE p.id = ? AND d.value = ? AND m.case_id = ? AND m.state = 'live'"
)
