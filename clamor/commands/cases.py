"""`clamor case`: which cases there are, what a case is about and what happened to it."""

from __future__ import annotations

import getpass
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import typer

from clamor import exits
from clamor.commands import casework
from clamor.commands.case_audit import audit
from clamor.commands.case_open import in_line, open_
from clamor.commands.casework import Number, number
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from clamor.replies import told_of
from clamor.roles import worked_by
from clamor.sources import collected
from database.engine import read, rows
from database.migrate import upgrade
from routing import by_hand
from routing.advice import Advice, in_words, of_case
from routing.by_hand import ByHand
from routing.incidents import hold
from routing.incidents.hold import Hold
from routing.matters import ties
from routing.matters.seeking import in_words as in_evidence
from routing.matters.shown import matters_of
from routing.tracking import tracking_key
from stream.ports import EVERYTHING
from stream.records import Millis
from web import casebook, context

app = typer.Typer(help="Cases: what they are about, and what people do with them.", no_args_is_help=True)

SHOWN = 280
"""Characters of a post above a reply; `--json` has all."""
_STATES = {
    "not_asked": "not asked for, clamor case show ID --context does",
    "asked": "asked for",
    "fetched": "it came, and is on its way or was not kept",
    "none": "not to be had",
    "refused": "refused by its network",
    "gone": "gone",
}


class Language(StrEnum):
    en = "en"
    es = "es"


class Move(msgspec.Struct, frozen=True):
    at: Millis
    change: str
    mention: str | None
    """None: it is gone, or the move was of no single mention."""
    detail: str
    person: str
    """Who did it; empty: Clamor."""


class Above(msgspec.Struct, frozen=True):
    """A post above a reply; nearest first."""

    post: str
    at: Millis
    author: str
    text: str
    link: str | None


class Matter(msgspec.Struct, frozen=True):
    """Another case that is, may be, or is not the same matter."""

    case: int
    brand: str
    state: str
    """`proposed`, `joined`, `apart`, `linked` (of another brand)."""
    certainty: float
    why: str
    mentions: tuple[str, ...]
    """The two that show it, as far as they are live."""


class Proposal(msgspec.Struct, frozen=True):
    one: int
    other: int
    certainty: float
    why: str


class Thread(msgspec.Struct, frozen=True):
    mention: str
    state: str
    """As in the API: `shown`, or why what it answers is not here."""
    why: str
    above: list[Above]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    tracking: str
    brand: str
    queue: str
    state: str
    priority: str
    risk: int
    mentions: int
    assignee: str | None
    revision: int
    opened_at: Millis
    updated_at: Millis
    snoozed_until: Millis | None
    first_response_at: Millis | None
    closed_at: Millis | None


class Told(Listed, frozen=True, kw_only=True):
    merged_into: int | None
    took_over: list[int]
    """Cases that were merged into it and not taken back."""
    live: list[str]
    """Its mentions: the newest live ones, at most 500."""
    links: dict[str, str]
    """Of those, where the posts stand on their networks."""
    tags: list[str]
    watchers: list[str]
    deadlines: list[casebook.Due]
    notes: list[casebook.Note]
    history: list[Move]
    threads: list[Thread] = []
    """What those of its mentions answer that are replies."""
    policy: list[Advice] = []
    """What the policy for detractors advises, for each kind that stands in the case."""
    matters: list[Matter] = []
    """Cases that are, may be or are not the same matter."""
    by_hand: ByHand | None = None
    """What it is, where a person opened it; None: posts stand behind it."""
    holds: list[Hold] = []
    """Incidents of which PR holds replies back, the case being one of theirs; until then they go before the policy."""


@app.command("show")
def show(
    context: typer.Context,
    id: Number,
    fetch: Annotated[
        bool,
        typer.Option(
            "--context", help="Ask the networks what its replies answer, within the budgets of their sources."
        ),
    ] = False,
    language: Annotated[Language, typer.Option(help="Of the policy's advice.")] = Language.en,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """What a case is about, what the policy advises, what its replies answer, what happened, which cases it took over.

    [bold]Examples[/bold]

      clamor case show 169
      clamor case show 169 --context
      clamor case show 169 --json | jq .history
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        case = number(id)
        asked = _ask(opened, case) if fetch else None
        told = _told(opened, case, _written(language))
        held = told_of(told.holds, opened.registry, _written(language)) if told is not None else []
    if told is None:
        errors.print(f"there is no case {id}")
        raise typer.Exit(exits.FAILED)
    if as_json:
        print(msgspec.json.encode(told).decode())
        return
    _say_case(told, held, _written(language))
    if asked is not None:
        _say(asked)


@app.command("list")
def list_cases(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only of this state: new, waiting, resolved …")] = None,
    queue: Annotated[str | None, typer.Option(help="sales, support or pr.")] = None,
    brand: Annotated[str | None, typer.Option(help="Id of a brand.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Whose cases; an empty word: nobody's.")] = None,
    tag: Annotated[str | None, typer.Option(help="With this tag.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    most: Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One case a line, as JSON.")] = False,
) -> None:
    """Cases in work, the newest first.

    [bold]Examples[/bold]

      clamor case list
      clamor case list --assignee ana
      clamor case list --state resolved --json | jq .tracking
    """
    over = everything or state in ("resolved", "closed", "merged")
    wanted = casebook.Filter(queue, brand, None if over else True, state, assignee, tag)
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        shown: list[Listed] = []
        cursor: int | None = None
        while len(shown) < most:
            found, cursor = casebook.page(opened.engine, EVERYTHING, wanted, min(200, most - len(shown)), cursor)
            shown += [_listed(case.row) for case in found]
            if cursor is None:
                break
    if as_json:
        for one in shown:
            print(msgspec.json.encode(one).decode())
        return
    for one in shown:
        whose = f", {one.assignee}" if one.assignee else ""
        until = f" until {when(one.snoozed_until)}" if one.snoozed_until is not None else ""
        _say(
            f"{one.tracking} {one.brand}, {one.queue}, {one.state}{until}, {one.priority}, risk {one.risk}, "
            f"{one.mentions} mentions, since {when(one.opened_at)}{whose}"
        )
    if not shown:
        errors.print("no case fits", highlight=False)


@app.command("proposals")
def proposals(
    context: typer.Context,
    most: Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=500)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One a line, as JSON.")] = False,
) -> None:
    """Cases that may be one matter, the most certain first: a person decides.

    [bold]Examples[/bold]

      clamor case proposals
      clamor case proposals --json | jq .certainty
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            found = [
                Proposal(tie.one, tie.other, tie.certainty, in_evidence(tie.evidence.terms))
                for tie in ties.proposed(connection, most)
            ]
    for one in found:
        if as_json:
            print(msgspec.json.encode(one).decode())
        else:
            _say(f"{one.one} and {one.other}: {one.certainty:.1%} ({one.why}); clamor case join {one.one} {one.other}")
    if not found:
        errors.print("nothing is proposed", highlight=False)


def _listed(row: Any) -> Listed:
    return Listed(
        id=row.id, tracking=row.tracking or tracking_key(row.brand_id, row.opened_at, row.id), brand=row.brand_id,
        queue=row.queue, state=row.state, priority=row.priority, risk=row.risk, mentions=row.mentions,
        assignee=row.assignee, revision=row.revision, opened_at=row.opened_at, updated_at=row.updated_at,
        snoozed_until=row.snoozed_until, first_response_at=row.first_response_at, closed_at=row.closed_at,
    )  # fmt: skip


def _told(opened: Opened, id: int, language: Literal["en", "es"]) -> Told | None:
    found = casebook.one(opened.engine, id, EVERYTHING)
    if found is None:
        return None
    with read(opened.engine) as connection:
        took = [n for (n,) in rows(connection, "SELECT id FROM cases WHERE merged_into = ? ORDER BY id", (id,))]
        policy = of_case(connection, id, language, opened.clock.now())
        matters = [Matter(*one) for one in matters_of(connection, id)]
        holds, opened_by_hand = hold.of_case(connection, id), by_hand.of_case(connection, id)
    return Told(
        **msgspec.structs.asdict(_listed(found.case.row)),
        merged_into=found.case.row.merged_into,
        took_over=took,
        live=found.mentions,
        links={m.id: m.post.link for m in found.live if m.post is not None and m.post.link},
        tags=found.tags,
        watchers=found.watchers,
        deadlines=found.deadlines,
        notes=found.notes,
        history=[Move(*event) for event in found.history],
        threads=[_thread(each) for each in context.threads(opened.engine, found.live, EVERYTHING)],
        policy=policy,
        matters=matters,
        holds=holds,
        by_hand=opened_by_hand,
    )


def _say_case(told: Told, held: list[str], language: Literal["en", "es"]) -> None:
    """`held`: what there is to say of the holds that it is under."""
    into = f", merged into case {told.merged_into}" if told.merged_into is not None else ""
    until = f" until {when(told.snoozed_until)} UTC" if told.snoozed_until is not None else ""
    _say(
        f"case {told.id} ({told.tracking}): {told.brand}, queue {told.queue}, {told.state}{until}{into}, "
        f"{told.priority}, risk {told.risk}, revision {told.revision}"
    )
    answered = f"first answered {when(told.first_response_at)} UTC" if told.first_response_at else "not answered yet"
    _say(f"  {told.assignee or 'nobody'} has it; {answered}")
    for one in told.deadlines:
        words = one.what.replace("_", " ")
        state = f"due {when(one.due)} UTC" if one.due is not None else "the clock stands still"
        done = f", done {when(one.done_at)} UTC" if one.done_at is not None else ""
        _say(f"  {words} ({one.deadline}, {one.target}): {state}{done}{', missed' if one.missed else ''}")
    for what, names in (("tags", told.tags), ("watched by", told.watchers)):
        if names:
            _say(f"  {what}: {', '.join(names)}")
    if told.took_over:
        _say(f"  took over: {', '.join(f'case {one}' for one in told.took_over)} (clamor case undo ID takes it back)")
    for other in told.matters:
        _say(f"  {_matter(told.id, other)}")
    if told.by_hand is not None:
        _say(f"  {in_line(told.by_hand)}")
    for line in held:
        _say(f"  {line}")
    for advice in told.policy:
        for line in in_words(advice, language):
            _say(f"  {line}")
    by_mention = {thread.mention: thread for thread in told.threads}
    for mention in told.live:
        _say(f"  {mention}" + (f" {told.links[mention]}" if mention in told.links else ""))
        if mention in by_mention:
            _say_thread(by_mention[mention])
    for note in told.notes:
        _say(f"  {when(note.at)} UTC {note.person} noted: {note.text}")
    for move in told.history:
        by = f"by {move.person}" if move.person else ""
        _say(f"  {when(move.at)} UTC {move.change}" + "".join(f" {x}" for x in (move.mention, move.detail, by) if x))


def _matter(id: int, other: Matter) -> str:
    sure = f"{other.certainty:.1%}" if other.certainty else "no evidence"
    by = f"{sure}: {other.why}" if other.why else sure
    if other.state == "proposed":
        ways = f"clamor case join {id} {other.case}, or clamor case keep-apart {id} {other.case}"
        return f"may be one matter with case {other.case} ({by}); {ways}"
    if other.state == "linked":
        return f"same matter at the other brand: case {other.case} of {other.brand} ({by})"
    return (
        f"kept apart from case {other.case}" if other.state == "apart" else f"one matter with case {other.case} ({by})"
    )


def _ask(opened: Opened, id: int) -> str:
    """What came of asking, in words."""
    by, now = getpass.getuser(), opened.clock.now()
    done = context.ask(opened.engine, id, EVERYTHING, by, now, lambda source: collected(opened, source))
    if done is None or not any(done):
        return "nothing to ask for: what its replies answer is here, or nothing in it is a reply"
    waits = "" if worked_by(opened.home) else ", once clamor run works this home"
    parts = [
        (done.asked, f"{done.asked} replies are asked about now{waits}"),
        (done.waiting, f"{done.waiting} were asked about before"),
        (done.impossible, f"{done.impossible} are not to be had"),
        (done.left, f"{done.left} more are left for another time"),
    ]
    return "; ".join(words for count, words in parts if count)


def _thread(thread: context.Thread) -> Thread:
    above = [
        Above(
            one.post.id,
            one.post.event_time,
            (one.post.author.handle or one.post.author.id) if one.post.author else "",
            one.post.text or one.post.title or "",
            one.post.link,
        )
        for one in thread.above
    ]
    return Thread(thread.mention, thread.state, thread.why, above)


def _say_thread(thread: Thread) -> None:
    if not thread.above:
        why = f" ({thread.why})" if thread.why else ""
        _say(f"    answers a post that is not here: {_STATES.get(thread.state, thread.state)}{why}")
    for depth, one in enumerate(thread.above):
        who = one.author or "somebody"
        _say(f"    {'  ' * min(depth, 10)}answers {who}, {when(one.at)} UTC: {' '.join(one.text.split())[:SHOWN]}")


def _written(language: Language) -> Literal["en", "es"]:
    return "es" if language is Language.es else "en"


def _say(line: str) -> None:
    answers.print(line, markup=False, highlight=False, soft_wrap=True)


casework.register(app)
app.command("audit")(audit)
app.command("open")(open_)
