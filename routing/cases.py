"""Which case a mention belongs to: opened, grown, raised, reopened, shrunk, closed, merged.

In sales and support an author's mentions of a brand in one conversation are one case; in pr the whole conversation is.
A case has one queue: its gravest live mention raises it, only a person lowers it. An author whose matter was raised
stays with the pr case. What nobody has to act on (the brand's own answers, a thank-you) joins the case of whom it
answers or of its author, and opens none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from database.engine import rows_in
from query.document import set_aside
from routing.keys import NOBODY
from routing.rows import CaseRow, MentionRow
from routing.sheet import CaseEvent, Sheet
from stream.records import Millis

RANK = {"none": 0, "sales": 1, "support": 2, "pr": 3}
_PRIORITY = ("low", "normal", "high", "urgent")
REOPEN_WITHIN: Millis = 14 * 86_400_000


def place(sheet: Sheet, changed: Sequence[MentionRow], unions: Sequence[tuple[int, int]]) -> None:
    """Give every changed mention its case, and cases what follows from it."""
    _load(sheet, changed, unions)
    for loser, winner in unions:
        _unite(sheet, loser, winner)
    working = [m for m in changed if m.working or m.was_working]
    for m in working:
        if m.was_working and m.was_case is not None and not m.working:
            _leave(sheet, m)
        if m.working:
            _join(sheet, m)
    quiet = (m for m in chain(changed, list(sheet.others.values())) if m.state == "live" and m.queue == "none")
    context = list({m.n: m for m in quiet}.values())
    for m in context:
        _listen(sheet, m)
    _gather(sheet, {sheet.root(winner) for _, winner in unions})


def merge(sheet: Sheet, loser: CaseRow, winner: CaseRow, why: str) -> None:
    """The winner takes the loser's mentions over. `database` keeps which, so that `part` can give them back."""
    members = sheet.load_members([loser.id])
    sheet.load_bodies(members)
    for m in members:
        m.case_id = m.was_case = winner.id
        m.touched = True
        sheet.also(m)
    _forget(sheet, loser)
    loser.live, loser.state, loser.merged_into, loser.dirty = 0, "merged", winner.id, True
    loser.closed_at = loser.updated_at = sheet.now
    winner.mentions += loser.mentions
    winner.risk = max(winner.risk, loser.risk)
    winner.priority = max(winner.priority, loser.priority, key=_PRIORITY.index)
    winner.opened_at, winner.updated_at, winner.dirty = min(winner.opened_at, loser.opened_at), sheet.now, True
    if winner.queue == "pr":
        for author in {loser.author, *(sheet.parties(loser) if loser.queue == "pr" else ())} - {NOBODY}:
            _party(sheet, winner, author)
    moved = ",".join(str(m.n) for m in members)
    sheet.events.append(
        CaseEvent(loser, "merged", members[0] if members else None, f"{why}; into {winner.id}: {moved}")
    )


def part(sheet: Sheet, id: int, person: str = "") -> None:
    """Take a merge back: the case gets the mentions again that it brought, where they are still with the other.

    `person` stands in both histories. Raises CannotPart where it was not merged, where nothing that it brought asks
    for work any more, or where another live case has its place by now.
    """
    sheet.load_cases_by_id([id])
    case = sheet.cases.get(id)
    if case is None or case.merged_into is None:
        raise CannotPart(f"case {id} was not merged into another")
    winner = _end_of_merges(sheet, case.merged_into)
    sheet.load_cases([case.conversation])
    place = (case.conversation, case.brand_n)
    taken = sheet.pr_cases.get(place) if case.queue == "pr" else sheet.author_cases.get((*place, case.author))
    if taken is winner:
        raise CannotPart(f"case {id} cannot be parted from {winner.id}: a conversation has one pr case of a brand")
    if taken is not None:
        raise CannotPart(f"case {id} cannot be parted from {winner.id}: case {taken.id} has its place by now")
    sql = "SELECT detail FROM case_event WHERE case_id IN (??) AND change = 'merged' ORDER BY n"
    brought = {int(n) for n in rows_in(sheet.connection, sql, [id])[-1][0].rpartition(": ")[2].split(",") if n}
    held = sheet.load_members([winner.id])
    members = [m for m in held if m.n in brought]
    if not any(m.working for m in members):
        raise CannotPart(f"case {id} cannot be parted from {winner.id}: nothing that it brought asks for work any more")
    sheet.load_bodies(members)
    for m in members:
        m.case_id, m.touched = id, True
        sheet.also(m)
    case.live, case.state, case.merged_into, case.closed_at = 1, "open", None, None
    sheet.enter_case(case)
    sheet.parties(winner).discard(case.author)
    sheet.lost_parties.append((winner.id, case.author))
    for changed in (case, winner):
        changed.shrunk = changed.dirty = True
        changed.updated_at = sheet.now
    by = f", by {person}" if person else ""
    sheet.events.append(CaseEvent(case, "parted", members[0], f"from {winner.id}{by}"))
    sheet.events.append(CaseEvent(winner, "parted", members[0], f"{id} left{by}"))
    if not any(m.working and m.n not in brought for m in held):
        _close(sheet, winner, members[0], f"what was in it went back to case {id}")


class CannotPart(ValueError):
    pass


def _end_of_merges(sheet: Sheet, id: int) -> CaseRow:
    """The case that has the mentions now."""
    sheet.load_cases_by_id([id])
    case = sheet.cases[id]
    return case if case.merged_into is None else _end_of_merges(sheet, case.merged_into)


def _load(sheet: Sheet, changed: Sequence[MentionRow], unions: Sequence[tuple[int, int]]) -> None:
    together = {
        sheet.root(m.post.conversation) for m in changed if m.state == "live" and not _alone(m)
    } | set(chain.from_iterable(unions))  # fmt: skip
    sheet.load_cases(together)
    sheet.load_cases_by_id({m.was_case for m in changed if m.was_case is not None})


def _alone(m: MentionRow) -> bool:
    """Nobody can have answered it, and it answers nobody: no case can be there."""
    return m.post.new and m.post.conversation == m.post.n and not m.post.referred


def _join(sheet: Sheet, m: MentionRow) -> None:
    conversation, author = sheet.root(m.post.conversation), m.post.author or NOBODY
    pr = sheet.pr_cases.get((conversation, m.brand_n))
    mine = sheet.author_cases.get((conversation, m.brand_n, author))
    at_home = sheet.cases.get(m.case_id) if m.case_id is not None else None
    if m.was_working and at_home is not None and at_home.live:
        pr, mine = (at_home, mine) if at_home.queue == "pr" else (pr, at_home)
    case: CaseRow | None
    change = "grew"
    if m.queue == "pr" or (pr is not None and author != NOBODY and author in sheet.parties(pr)):
        if pr is None and mine is not None:
            _raise(sheet, mine, m, "pr")
        elif pr is not None and mine is not None:
            merge(sheet, mine, pr, "raised to pr")
        case = pr or mine
    else:
        case = mine
    if case is None:
        case, change = _open(sheet, m, conversation, author)
    elif RANK[m.queue] > RANK[case.queue]:
        _raise(sheet, case, m, m.queue)
    if case.queue == "pr" and author != NOBODY:
        _party(sheet, case, author)
    _enter(sheet, case, m, change)


def _enter(sheet: Sheet, case: CaseRow, m: MentionRow, change: str) -> None:
    stays = m.was_working and m.was_case == case.id
    worse = m.risk > case.risk
    m.case_id = case.id
    case.risk = max(case.risk, m.risk)
    priority = m.value.decision.priority if m.value is not None and m.value.decision is not None else "normal"
    case.priority = max(case.priority, priority, key=_PRIORITY.index)
    case.updated_at, case.dirty = sheet.now, True
    if m.was_risk > m.risk and stays:
        case.shrunk = True
    if not stays:
        case.mentions += 1
        sheet.events.append(CaseEvent(case, change, m))
    elif worse:
        sheet.events.append(CaseEvent(case, "grew", m))


def _open(sheet: Sheet, m: MentionRow, conversation: int, author: int) -> tuple[CaseRow, str]:
    owner = NOBODY if m.queue == "pr" else author
    past = sheet.past_cases.get((conversation, m.brand_n, owner))
    if past is not None and sheet.now - (past.closed_at or 0) <= REOPEN_WITHIN:
        past.live, past.state, past.closed_at, past.closed_why, past.dirty = 1, "open", None, None, True
        if m.queue != "pr" and past.queue != "pr":
            past.queue = max(past.queue, m.queue, key=RANK.__getitem__)
        sheet.enter_case(past)
        sheet.joined_by.append(past)
        return past, "reopened"
    case = CaseRow(
        sheet.desk.cases.take(sheet.connection), m.brand_n, conversation, owner, m.queue,
        opened_at=sheet.now, updated_at=sheet.now, new=True,
    )  # fmt: skip
    sheet.enter_case(case)
    sheet.opened.append(case)
    return case, "opened"


def _raise(sheet: Sheet, case: CaseRow, m: MentionRow, queue: str) -> None:
    _forget(sheet, case)
    if queue == "pr":
        if case.author != NOBODY:
            _party(sheet, case, case.author)
        case.author = NOBODY
    case.queue, case.dirty = queue, True
    sheet.enter_case(case)
    sheet.events.append(CaseEvent(case, "raised", m, f"to {queue}"))


def _leave(sheet: Sheet, m: MentionRow) -> None:
    case = sheet.cases.get(m.was_case or 0)
    while case is not None and case.merged_into is not None:
        case = sheet.cases.get(case.merged_into)
    if case is None or not case.live:
        return
    case.mentions -= 1
    case.shrunk = case.dirty = True
    case.updated_at = sheet.now
    if case.mentions > 0:
        sheet.events.append(CaseEvent(case, "shrank", m))
        return
    _close(sheet, case, m, "nothing in it asks for work any more")


def _close(sheet: Sheet, case: CaseRow, m: MentionRow, why: str) -> None:
    case.mentions = 0
    _forget(sheet, case)
    case.live, case.state, case.closed_at = 0, "closed", sheet.now
    case.closed_why = why
    sheet.past_cases[(case.conversation, case.brand_n, case.author)] = case
    sheet.events.append(CaseEvent(case, "closed", m, why))


def _listen(sheet: Sheet, m: MentionRow) -> None:
    """Let a mention that asks for no work join the case that it is about, if it is in none."""
    held = sheet.cases.get(m.case_id) if m.case_id is not None else None
    if m.value is not None and set_aside(m.value):
        m.case_id = None
        return
    if held is not None and held.live:
        return
    conversation, author = sheet.root(m.post.conversation), m.post.author or NOBODY
    pr = sheet.pr_cases.get((conversation, m.brand_n))
    case = sheet.author_cases.get((conversation, m.brand_n, author)) if author else None
    if case is None and pr is not None and author in sheet.parties(pr):
        case = pr
    if case is None and _own(m) and m.post.parent is not None:
        answered = sheet.mention_rows(m.post.parent).get(m.brand_n)
        case = sheet.cases.get(answered.case_id) if answered is not None and answered.case_id else None
    if case is not None and case.live and m.case_id != case.id:
        m.case_id, m.touched = case.id, True


def _own(m: MentionRow) -> bool:
    return m.value is not None and m.value.understanding is not None and m.value.understanding.speaker == "own"


def _gather(sheet: Sheet, united: set[int]) -> None:
    """When a case opens in a conversation that was there before, takes an author in, or comes to stand in a
    conversation that was united, what was said already joins."""
    old = {case.conversation for case in chain(sheet.opened, sheet.joined_by)} & sheet.known_cases
    old -= sheet.made_now()
    if united:
        old |= united & {case.conversation for case in sheet.cases.values() if case.live}
    if not old:
        return
    quiet = sheet.load_quiet(sheet.short_threads(old))
    sheet.load_bodies(quiet)
    for m in quiet:
        _listen(sheet, m)
        if m.case_id is not None:
            sheet.also(m)


def _unite(sheet: Sheet, loser: int, winner: int) -> None:
    """Two conversations became one: so do their cases, brand by brand."""
    for case in [c for c in sheet.cases.values() if c.live and c.conversation == loser]:
        _forget(sheet, case)
        pr = sheet.pr_cases.get((winner, case.brand_n))
        twin = pr if case.queue == "pr" else sheet.author_cases.get((winner, case.brand_n, case.author))
        if twin is None and pr is not None and case.queue != "pr" and case.author in sheet.parties(pr):
            twin = pr
        if twin is not None:
            if RANK[case.queue] > RANK[twin.queue]:
                twin.queue, twin.dirty = case.queue, True
            merge(sheet, case, twin, "the conversations became one")
        case.conversation, case.dirty = winner, True
        if twin is None:
            sheet.enter_case(case)
            if case.queue == "pr":
                _take_in(sheet, case)
    for case in [c for c in sheet.cases.values() if not c.live and c.conversation == loser]:
        case.conversation, case.dirty = winner, True
    sheet.known_cases.add(winner)


def _take_in(sheet: Sheet, pr: CaseRow) -> None:
    for author in list(sheet.parties(pr)):
        case = sheet.author_cases.get((pr.conversation, pr.brand_n, author))
        if case is not None:
            merge(sheet, case, pr, "its author's matter is in pr")


def _party(sheet: Sheet, case: CaseRow, author: int) -> None:
    known = sheet.parties(case)
    if author not in known:
        known.add(author)
        sheet.joined_by.append(case)
        sheet.new_parties.append((case.id, author))


def _forget(sheet: Sheet, case: CaseRow) -> None:
    """Let the case no longer be found by its conversation; another one that took its place stays."""
    if case.queue == "pr":
        if sheet.pr_cases.get((case.conversation, case.brand_n)) is case:
            del sheet.pr_cases[(case.conversation, case.brand_n)]
    elif sheet.author_cases.get((case.conversation, case.brand_n, case.author)) is case:
        del sheet.author_cases[(case.conversation, case.brand_n, case.author)]


def counted_anew(sheet: Sheet, shrunk: Iterable[CaseRow]) -> None:
    """Mentions and worst risk of cases that lost something, from what SQL holds now."""
    by_id = {case.id: case for case in shrunk}
    sql = (
        "SELECT case_id, count(*), max(risk) FROM mention "
        "WHERE case_id IN (??) AND state = 'live' AND queue != 'none' GROUP BY case_id"
    )
    for id, mentions, risk in rows_in(sheet.connection, sql, list(by_id)):
        by_id[id].mentions, by_id[id].risk = mentions, risk
