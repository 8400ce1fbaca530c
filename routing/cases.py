"""Which case a mention belongs to: opened, grown, raised, reopened, shrunk, closed, merged.

In sales and support an author's mentions of a brand in one conversation are one case; in pr the whole conversation is.
A case has one queue: its gravest live mention raises it, only a person lowers it. An author whose matter was raised
stays with the pr case. What nobody has to act on (the brand's own answers, a thank-you) joins the case of whom it
answers or of its author, and opens none. What people do with cases stands in `routing.casework`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from database.engine import rows_in
from query.document import set_aside as does_not_mean_it
from routing.assigning import assign_by_rule
from routing.crm import hand_to_crm
from routing.decide import held_for_review
from routing.keys import NOBODY
from routing.merging import (
    PRIORITY,
    RANK,
    close,
    forget_place,
    in_its_place,
    merge,
    raise_to,
    reopen,
    set_aside,
    take_party,
)
from routing.rows import CaseRow, MentionRow
from routing.sheet import CaseEvent, Sheet
from routing.tracking import tracking_key
from stream.records import Millis

REOPEN_WITHIN: Millis = 14 * 86_400_000
FOR_REVIEW = "review"
"""Tag of a case with a mention that a rule holds for people to look at."""
_LIVE = ("live", "gapfill")
"""Origins of what is said now; the rest is news only where it was said after the case was set aside."""


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
    _let_go(sheet, {m.was_case for m in changed if m.was is not None and held_for_review(m.was) and not _held(m)})


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
    at_home = sheet.cases.get(m.case_id) if m.case_id is not None else None
    if m.was_working and at_home is not None and at_home.state == "resolved":
        if RANK[m.queue] <= RANK[at_home.queue] or in_its_place(sheet, at_home) is not None:
            _enter(sheet, at_home, m, "grew")
            return
        reopen(sheet, at_home)
        sheet.events.append(CaseEvent(at_home, "reopened", m))
    pr, mine = _in_work(sheet, m, conversation, author)
    if m.was_working and at_home is not None and at_home.live:
        others = (None, None) if at_home.strand else (pr, mine)
        pr, mine = (at_home, others[1]) if at_home.queue == "pr" else (others[0], at_home)
    change = "grew"
    if pr is None and mine is None:
        past = _past(sheet, m, conversation, author)
        if past is not None and not _news(m, past.closed_at, sheet.now) and past.state == "resolved":
            _enter(sheet, past, m, "grew")
            return
        if past is not None:
            reopen(sheet, past)
            change = "reopened"
            pr, mine = (past, None) if past.queue == "pr" else (None, past)
    case: CaseRow | None
    if m.queue == "pr" or (pr is not None and author != NOBODY and author in sheet.parties(pr)):
        case = _in_pr(sheet, m, pr, mine)
    else:
        case = mine
    if case is None:
        case, change = _open(sheet, m, conversation, author), "opened"
    elif RANK[m.queue] > RANK[case.queue]:
        raise_to(sheet, case, m, m.queue)
    if case.queue == "pr" and author != NOBODY:
        take_party(sheet, case, author)
    _enter(sheet, case, m, change)


def _in_work(sheet: Sheet, m: MentionRow, conversation: int, author: int) -> tuple[CaseRow | None, CaseRow | None]:
    """(the pr case of its conversation, the author's case in sales or support)."""
    answered = _split_off(sheet, m)
    if answered is not None:
        return (
            (answered, sheet.author_cases.get((conversation, m.brand_n, author)))
            if answered.queue == "pr"
            else (None, answered)
        )
    pr = sheet.pr_cases.get((conversation, m.brand_n))
    mine = sheet.author_cases.get((conversation, m.brand_n, author))
    for owner in (author, NOBODY) if pr is None and mine is None else ():
        handed_over = sheet.handed_over.get((conversation, m.brand_n, owner))
        heir = sheet.end_of_merges(handed_over.id) if handed_over is not None else None
        if heir is None or not heir.live or heir is handed_over:
            continue
        if heir.queue == "pr" and pr is None:
            pr = heir
        elif heir.queue != "pr" and mine is None and owner == author:
            mine = heir
    return pr, mine


def _split_off(sheet: Sheet, m: MentionRow) -> CaseRow | None:
    """The case that a person split off, where it holds what this one answers."""
    if m.post.parent is None or m.was_working:
        return None
    answered = sheet.mention_rows(m.post.parent).get(m.brand_n)
    case = sheet.cases.get(answered.case_id) if answered is not None and answered.case_id else None
    return case if case is not None and case.live and case.strand else None


def _in_pr(sheet: Sheet, m: MentionRow, pr: CaseRow | None, mine: CaseRow | None) -> CaseRow | None:
    """The case that has it in pr: the author's own is raised, or joins the one that is there."""
    if pr is None and mine is not None and not mine.strand:
        # One that was merged by hand may be at home in another conversation, which may have its own.
        sheet.load_cases([mine.conversation])
        pr = sheet.pr_cases.get((mine.conversation, mine.brand_n))
    if mine is None:
        return pr
    if pr is None:
        raise_to(sheet, mine, m, "pr")
        return mine
    merge(sheet, mine, pr, "raised to pr")
    return pr


def _past(sheet: Sheet, m: MentionRow, conversation: int, author: int) -> CaseRow | None:
    """The case that is over and that this one goes on with."""
    for owner in (NOBODY, author):
        case = sheet.past_cases.get((conversation, m.brand_n, owner))
        if case is None or case.live or sheet.now - (case.closed_at or 0) > REOPEN_WITHIN:
            continue
        if owner == author or m.queue == "pr" or author in sheet.parties(case):
            return case
    return None


def _news(m: MentionRow, since: Millis | None, now: Millis) -> bool:
    """Whether it was said after that: what is brought from the past says nothing new."""
    cause = m.post.cause
    return cause is None or cause.post.origin in _LIVE or m.post.event_time > (since or now)


def _wake(sheet: Sheet, case: CaseRow, m: MentionRow) -> None:
    """Its customer spoke: nothing is waited for any more."""
    if case.state in ("waiting", "snoozed") and _news(m, case.set_aside_at, sheet.now):
        was, case.state, case.dirty = case.state, "open", True
        set_aside(case, None)
        sheet.events.append(CaseEvent(case, "woken", m, f"was {was}: a new post came"))


def _enter(sheet: Sheet, case: CaseRow, m: MentionRow, change: str) -> None:
    stays = m.was_working and m.was_case == case.id
    worse = m.risk > case.risk
    m.case_id = case.id
    case.risk = max(case.risk, m.risk)
    priority = m.value.decision.priority if m.value is not None and m.value.decision is not None else "normal"
    case.priority = max(case.priority, priority, key=PRIORITY.index)
    case.updated_at, case.dirty = sheet.now, True
    _act(sheet, case, m)
    if m.was_risk > m.risk and stays:
        case.shrunk = True
    if not stays:
        case.mentions += 1
        sheet.events.append(CaseEvent(case, change, m))
        assign_by_rule(sheet, case, m)
        hand_to_crm(sheet, case, m)
        _wake(sheet, case, m)
    elif worse:
        sheet.events.append(CaseEvent(case, "grew", m))


def _act(sheet: Sheet, case: CaseRow, m: MentionRow) -> None:
    """What the mention's rule asks for beside its queue, and who gets the case."""
    value = m.value
    if value is None or value.decision is None:
        return
    if value.decision.deadline:
        case.deadline = value.decision.deadline
    if held_for_review(value):
        sheet.new_tags.append((case.id, FOR_REVIEW))


def _held(m: MentionRow) -> bool:
    return m.state == "live" and m.value is not None and held_for_review(m.value)


def _let_go(sheet: Sheet, looked_at: set[int | None]) -> None:
    """Take the tag for review from cases in which nothing is held any more."""
    ids = [id for id in looked_at if id is not None]
    members = sheet.load_members(ids) if ids else []
    sheet.load_bodies(members)
    still = {m.case_id for m in members if _held(m)}
    sheet.lost_tags += [(id, FOR_REVIEW) for id in ids if id not in still]


def _open(sheet: Sheet, m: MentionRow, conversation: int, author: int) -> CaseRow:
    id = sheet.desk.cases.take(sheet.connection)
    case = CaseRow(
        id, m.brand_n, conversation, NOBODY if m.queue == "pr" else author, m.queue,
        opened_at=sheet.now, updated_at=sheet.now, tracking=tracking_key(m.brand, sheet.now, id), new=True,
    )  # fmt: skip
    sheet.enter_case(case)
    sheet.opened.append(case)
    return case


def _leave(sheet: Sheet, m: MentionRow) -> None:
    if m.was_case not in sheet.cases:
        return
    case = sheet.end_of_merges(m.was_case)
    if not case.holds:
        return
    case.mentions -= 1
    case.shrunk = case.dirty = True
    case.updated_at = sheet.now
    if case.mentions > 0 or not case.live:
        sheet.events.append(CaseEvent(case, "shrank", m))
        return
    close(sheet, case, m, "nothing in it asks for work any more")


def _listen(sheet: Sheet, m: MentionRow) -> None:
    """Let a mention that asks for no work join the case that it is about, if it is in none."""
    held = sheet.cases.get(m.case_id) if m.case_id is not None else None
    if m.value is not None and does_not_mean_it(m.value):
        m.case_id = None
        return
    if held is not None and held.holds:
        return
    conversation, author = sheet.root(m.post.conversation), m.post.author or NOBODY
    pr, case = _in_work(sheet, m, conversation, author) if author else (None, None)
    if case is None and pr is not None and (author in sheet.parties(pr) or pr.strand):
        case = pr
    if case is None and _own(m) and m.post.parent is not None:
        answered = sheet.mention_rows(m.post.parent).get(m.brand_n)
        case = sheet.cases.get(answered.case_id) if answered is not None and answered.case_id else None
    if case is None and author:
        past = sheet.past_cases.get((conversation, m.brand_n, author))
        if past is not None and past.state == "resolved" and sheet.now - (past.closed_at or 0) <= REOPEN_WITHIN:
            case = past
    if case is None or not case.holds or m.case_id == case.id:
        return
    m.case_id, m.touched = case.id, True
    if not m.new:
        return
    if not _own(m):
        _wake(sheet, case, m)
    elif m.post.parent is not None:
        at = max(m.post.event_time, case.opened_at)
        case.first_response_at, case.dirty = min(at, case.first_response_at or at), True


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
        if case.strand:
            case.conversation, case.dirty = winner, True
            continue
        forget_place(sheet, case)
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


def counted_anew(sheet: Sheet, shrunk: Iterable[CaseRow]) -> None:
    """Mentions and worst risk of cases that lost something, from what SQL holds now."""
    by_id = {case.id: case for case in shrunk}
    sql = (
        "SELECT case_id, count(*), max(risk) FROM mention "
        "WHERE case_id IN (??) AND state = 'live' AND queue != 'none' GROUP BY case_id"
    )
    left = {id: (mentions, risk) for id, mentions, risk in rows_in(sheet.connection, sql, list(by_id))}
    for id, case in by_id.items():
        case.mentions, case.risk = left.get(id, (0, 0))
