"""Cases put together and taken apart: merged, parted again, split; by Clamor and by people in the same way."""

from __future__ import annotations

from collections.abc import Sequence

from database.engine import rows
from routing.keys import NOBODY
from routing.rows import CaseRow, MentionRow
from routing.sheet import CaseEvent, Sheet

RANK = {"none": 0, "sales": 1, "support": 2, "pr": 3}
PRIORITY = ("low", "normal", "high", "urgent")


class CaseRefused(ValueError):
    """What is asked of a case cannot be done, with the reason and the way out."""


class CannotPart(CaseRefused):
    pass


def merge(sheet: Sheet, loser: CaseRow, winner: CaseRow, why: str, person: str = "", reason: str = "") -> None:
    """The winner takes the loser's mentions over. `database` keeps which, so that `part` can give them back."""
    members = sheet.load_members([loser.id])
    sheet.load_bodies(members)
    for m in members:
        m.case_id = m.was_case = winner.id
        m.touched = True
        sheet.also(m)
    forget_place(sheet, loser)
    loser.live, loser.state, loser.merged_into, loser.dirty = 0, "merged", winner.id, True
    loser.closed_at = loser.updated_at = sheet.now
    if not loser.strand:
        sheet.handed_over[(loser.conversation, loser.brand_n, loser.author)] = loser
    former = _owed(winner)
    winner.mentions += loser.mentions
    winner.risk = max(winner.risk, loser.risk)
    winner.priority = max(winner.priority, loser.priority, key=PRIORITY.index)
    winner.assignee = winner.assignee or loser.assignee
    _owe(winner, loser)
    winner.updated_at, winner.dirty = sheet.now, True
    if winner.queue == "pr":
        for author in {loser.author, *(sheet.parties(loser) if loser.queue == "pr" else ())} - {NOBODY}:
            take_party(sheet, winner, author)
    moved = ",".join(str(m.n) for m in members)
    first = members[0] if members else None
    detail = f"{why}; into {winner.id}: {moved}; {former}"
    sheet.events.append(CaseEvent(loser, "merged", first, detail, person, reason=reason))


def _owe(winner: CaseRow, loser: CaseRow) -> None:
    """The older of the two says since when something is owed, and whether that was answered."""
    if loser.opened_at < winner.opened_at:
        winner.opened_at, winner.first_response_at = loser.opened_at, loser.first_response_at
    elif loser.opened_at == winner.opened_at:
        answers = [at for at in (winner.first_response_at, loser.first_response_at) if at is not None]
        winner.first_response_at = min(answers, default=None)
    winner.deadline = winner.deadline or loser.deadline


def _owed(case: CaseRow) -> str:
    """What `_owe` and the loser's priority may change, in words that `_owe_as_before` reads."""
    answered = case.first_response_at if case.first_response_at is not None else ""
    return f"{case.opened_at} {answered} {case.priority} {case.deadline}"


def _owe_as_before(sheet: Sheet, winner: CaseRow, case: CaseRow, former: str, left: Sequence[MentionRow]) -> None:
    """Take back what the winner of a merge owes because of the case that goes, as far as nothing else says so too."""
    opened, answered, priority, deadline = former.split(" ", 3)
    if winner.opened_at == case.opened_at != int(opened):
        if winner.first_response_at == case.first_response_at:
            winner.first_response_at = int(answered) if answered else None
        winner.opened_at = int(opened)
    if winner.deadline == case.deadline:
        winner.deadline = deadline
    if winner.priority == case.priority != priority:
        sheet.load_bodies(left)
        asked = [m.value.decision.priority for m in left if m.working and m.value and m.value.decision]
        winner.priority = max([priority, *asked], key=PRIORITY.index)


def merge_by_hand(
    sheet: Sheet, loser: CaseRow, winner: CaseRow, person: str, why: str = "one matter", reason: str = ""
) -> None:
    """Two cases of a brand are one matter, says a person, wherever they were written; `reason`: in their own words.

    What is said later in the loser's place joins the winner. Raises CaseRefused.
    """
    if loser is winner:
        raise CaseRefused(f"case {loser.id} cannot be merged into itself")
    if loser.brand_n != winner.brand_n:
        raise CaseRefused(f"case {loser.id} and case {winner.id} are of different brands: only one brand's are merged")
    if not winner.live:
        raise CaseRefused(f"case {winner.id} is {winner.state}: merge into a case that is in work, or reopen it first")
    if RANK[loser.queue] > RANK[winner.queue]:
        sheet.load_cases([winner.conversation])
        taken = sheet.pr_cases.get((winner.conversation, winner.brand_n)) if loser.queue == "pr" else None
        if taken is not None and taken is not winner and not winner.strand:
            raise CaseRefused(
                f"case {winner.id} would go to pr with it, and its conversation has pr case {taken.id}: "
                f"merge into {taken.id}"
            )
        raise_to(sheet, winner, sheet.face(loser), loser.queue, person)
    merge(sheet, loser, winner, "" if reason else why, person, reason)
    sheet.events.append(CaseEvent(winner, "merged", None, f"took over case {loser.id}", person))


def part(sheet: Sheet, id: int, person: str = "") -> None:
    """Take a merge back: the case gets the mentions again that it brought, where they are still with the other, and
    what was said in its place since.

    Raises CannotPart where it was not merged, where nothing that it brought asks for work any more, or where another
    live case has its place by now.
    """
    sheet.load_cases_by_id([id])
    case = sheet.cases.get(id)
    if case is None or case.merged_into is None:
        raise CannotPart(f"case {id} was not merged into another")
    winner = sheet.end_of_merges(case.merged_into)
    sheet.load_cases([case.conversation])
    taken = in_its_place(sheet, case)
    if taken is winner:
        raise CannotPart(f"case {id} cannot be parted from {winner.id}: a conversation has one pr case of a brand")
    if taken is not None:
        raise CannotPart(f"case {id} cannot be parted from {winner.id}: case {taken.id} has its place by now")
    sql = "SELECT detail FROM case_event WHERE case_id = ? AND change = 'merged' AND detail LIKE '%; into %' ORDER BY n"
    into, _, moved = rows(sheet.connection, sql, (id,))[-1][0].rpartition("; into ")[2].partition(": ")
    moved, _, former = moved.partition("; ")
    brought = {int(n) for n in moved.split(",") if n}
    held = sheet.load_members([winner.id])
    sheet.load_conversations({m.post.conversation for m in held})
    members = [m for m in held if m.n in brought or _said_in(sheet, case, winner, m)]
    if not any(m.working for m in members):
        raise CannotPart(f"case {id} cannot be parted from {winner.id}: nothing that it brought asks for work any more")
    sheet.load_bodies(members)
    for m in members:
        m.case_id, m.touched = id, True
        sheet.also(m)
    case.live, case.state, case.merged_into, case.closed_at = 1, "open", None, None
    set_aside(case, None)
    sheet.enter_case(case)
    sheet.parties(winner).discard(case.author)
    sheet.lost_parties.append((winner.id, case.author))
    for changed in (case, winner):
        changed.shrunk = changed.dirty = True
        changed.updated_at = sheet.now
    sheet.events.append(CaseEvent(case, "parted", members[0], f"from {winner.id}", person))
    sheet.events.append(CaseEvent(winner, "parted", members[0], f"{id} left", person))
    gone = {m.n for m in members}
    left = [m for m in held if m.n not in gone]
    if former and int(into) == winner.id:
        _owe_as_before(sheet, winner, case, former, left)
    if winner.live and not any(m.working for m in left):
        close(sheet, winner, members[0], f"what was in it went back to case {id}")


def in_its_place(sheet: Sheet, case: CaseRow) -> CaseRow | None:
    """The live case that stands where this one would be found."""
    place = (case.conversation, case.brand_n)
    if case.strand:
        return None
    return sheet.pr_cases.get(place) if case.queue == "pr" else sheet.author_cases.get((*place, case.author))


def _said_in(sheet: Sheet, case: CaseRow, winner: CaseRow, m: MentionRow) -> bool:
    """Whether it came to the winner of a merge by hand only because it was said in the other case's place."""
    if case.strand or sheet.root(m.post.conversation) != case.conversation or case.conversation == winner.conversation:
        return False
    return case.queue == "pr" or (m.post.author or NOBODY) == case.author


def split(sheet: Sheet, origin: CaseRow, numbers: Sequence[int], person: str) -> CaseRow:
    """A case of its own for some of a case's mentions. What is said later goes to the case that was there before, but
    for answers to what was split off. Raises CaseRefused."""
    held = sheet.load_members([origin.id])
    wanted = set(numbers)
    members = [m for m in held if m.n in wanted]
    if not any(m.working for m in members):
        raise CaseRefused(f"none of them asks for work: case {origin.id} would lose nothing, and the new one be empty")
    if not any(m.working and m.n not in wanted for m in held):
        raise CaseRefused(f"nothing that asks for work would be left in case {origin.id}: leave one of its mentions")
    sheet.load_bodies(members)
    sheet.load_conversations({m.post.conversation for m in members})
    id = sheet.desk.cases.take(sheet.connection)
    authors = {m.post.author or NOBODY for m in members}
    queue = max((m.queue for m in members), key=RANK.__getitem__)
    made = CaseRow(
        id, origin.brand_n, sheet.root(members[0].post.conversation),
        NOBODY if queue == "pr" or len(authors) > 1 else authors.pop(), queue, strand=id, state="open",
        priority=origin.priority, assignee=origin.assignee, opened_at=origin.opened_at, updated_at=sheet.now,
        first_response_at=origin.first_response_at, deadline=origin.deadline, new=True,
    )  # fmt: skip
    sheet.enter_case(made)
    for m in members:
        m.case_id, m.touched = id, True
        sheet.also(m)
    for changed in (made, origin):
        changed.shrunk = changed.dirty = True
        changed.updated_at = sheet.now
    moved = ",".join(str(m.n) for m in members)
    sheet.events.append(CaseEvent(made, "split", members[0], f"from {origin.id}: {moved}", person))
    sheet.events.append(CaseEvent(origin, "split", members[0], f"{len(members)} mentions left to case {id}", person))
    return made


def unsplit(sheet: Sheet, case: CaseRow, person: str) -> CaseRow:
    """Give what was split off back; the case that has it. Raises CaseRefused."""
    sql = "SELECT detail FROM case_event WHERE case_id = ? AND change = 'split' AND detail LIKE 'from %' ORDER BY n"
    came_from = int(rows(sheet.connection, sql, (case.id,))[0][0].removeprefix("from ").partition(":")[0])
    origin = sheet.end_of_merges(came_from)
    if origin is case:
        raise CaseRefused(
            f"case {came_from}, which it was split from, was merged into it: undo that one, case {came_from}"
        )
    if not origin.live:
        raise CaseRefused(f"case {origin.id}, which it was split from, is {origin.state}: reopen that one first")
    if RANK[case.queue] > RANK[origin.queue]:
        merge_by_hand(sheet, case, origin, person, "the split was taken back")
    else:
        merge(sheet, case, origin, "the split was taken back", person)
    return origin


def raise_to(sheet: Sheet, case: CaseRow, m: MentionRow | None, queue: str, person: str = "") -> None:
    forget_place(sheet, case)
    if queue == "pr":
        if case.author != NOBODY:
            take_party(sheet, case, case.author)
        case.author = NOBODY
    case.queue, case.dirty = queue, True
    sheet.enter_case(case)
    sheet.events.append(CaseEvent(case, "raised", m, f"to {queue}", person))


def close(sheet: Sheet, case: CaseRow, m: MentionRow, why: str) -> None:
    case.mentions = 0
    forget_place(sheet, case)
    case.live, case.state, case.closed_at = 0, "closed", sheet.now
    case.closed_why = why
    set_aside(case, None)
    remember(sheet, case)
    sheet.events.append(CaseEvent(case, "closed", m, why))


def reopen(sheet: Sheet, case: CaseRow, state: str = "reopened") -> None:
    """Let it live again, in its place."""
    case.live, case.state, case.closed_at, case.closed_why, case.dirty = 1, state, None, None, True
    sheet.enter_case(case)
    sheet.joined_by.append(case)


def set_aside(case: CaseRow, since: int | None, until: int | None = None) -> None:
    case.set_aside_at, case.snoozed_until = since, until


def remember(sheet: Sheet, case: CaseRow) -> None:
    """Let a case that is over be found by what comes in its place."""
    if not case.strand:
        sheet.past_cases[(case.conversation, case.brand_n, case.author)] = case


def take_party(sheet: Sheet, case: CaseRow, author: int) -> None:
    """What this author writes in the conversation belongs to the pr case from now on."""
    known = sheet.parties(case)
    if author not in known:
        known.add(author)
        sheet.joined_by.append(case)
        sheet.new_parties.append((case.id, author))


def forget_place(sheet: Sheet, case: CaseRow) -> None:
    """Let the case no longer be found by its conversation; another one that took its place stays."""
    if case.queue == "pr":
        if sheet.pr_cases.get((case.conversation, case.brand_n)) is case:
            del sheet.pr_cases[(case.conversation, case.brand_n)]
    elif sheet.author_cases.get((case.conversation, case.brand_n, case.author)) is case:
        del sheet.author_cases[(case.conversation, case.brand_n, case.author)]
