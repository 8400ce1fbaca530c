"""`clamor replay-decision`: stored decisions made once more from what is stored of them."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from clamor import exits
from clamor.commands.explain import mentions_of
from clamor.console import answers, errors
from clamor.decisions import Again, Sum, again, all_again, earlier, stands, with_kind
from clamor.moments import moment
from clamor.opening import Opened, open_home
from clamor.progress import progress
from clamor.rules_of_day import RulesOfDay
from config.home import Home
from database.engine import read, rows
from database.migrate import upgrade
from routing.replayed import Replayed, in_words
from stream.records import Mention


def replay_decision(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="A mention, network:123#brand, or a post, network:123.")] = "",
    revision: Annotated[
        int | None, typer.Option(min=1, help="Of the mention. Default: the decision in force and all before it.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every decision of mentions published since --since.")] = False,
    since: Annotated[str, typer.Option(help="With --all: 2026-03-01, 2026-03-01T08:30, -7d, -12h.")] = "-30d",
    until: Annotated[str, typer.Option(help="With --all: published before then; a day counts whole.")] = "now",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: a decision a line, or the sum of all.")] = False,
) -> None:
    """Make a stored decision once more, from its stored terms, facts and the rules of its day, and compare the two.

    Neither the model nor the text is asked. It says `the same`, or what differs, or what is missing to tell. Exit code
    1 where one differs, and where the one that was asked for cannot be replayed.

    [bold]Examples[/bold]

      clamor replay-decision 'x:1759#aurelia'
      clamor replay-decision 'x:1759#aurelia' --revision 1 --json
      clamor replay-decision --all --since -7d
    """
    if bool(id) == every:
        errors.print("name a mention or a post, or say --all")
        raise typer.Exit(exits.USAGE)
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        if every:
            _all(opened, since, until, as_json)
            return
        found = [one for n, mention in mentions_of(opened, id) for one in _of(opened, n, mention, revision)]
    for one in found:
        if as_json:
            print(msgspec.json.encode(one).decode())
        else:
            _show(one)
    if any(one.outcome != "same" or one.kind_again != one.kind for one in found):
        raise typer.Exit(exits.FAILED)


def _of(opened: Opened, n: int, mention: Mention, revision: int | None) -> list[Again]:
    if revision is not None and revision > mention.revision:
        errors.print(f"{mention.id} has the revisions 1 to {mention.revision}", markup=False, highlight=False)
        raise typer.Exit(exits.FAILED)
    with read(opened.engine) as connection:
        held = stands(mention, earlier(connection, n))
    if revision is not None:
        held = [(last, one) for last, one in held if last >= revision][-1:]
    if not held:
        errors.print(f"{mention.id} is {mention.state}: nothing is decided about it", markup=False, highlight=False)
        raise typer.Exit(exits.FAILED)
    rules = RulesOfDay(opened.engine)
    made = [again(mention, last, one, rules) for last, one in held]
    with read(opened.engine) as connection:
        return [with_kind(connection, one, n) for one in made]


def _all(opened: Opened, since: str, until: str, as_json: bool) -> None:
    now = opened.clock.now()
    start, end = int(moment(since, now, "since").low or 0), int(moment(until, now, "until").high or now)
    total = Sum()
    with read(opened.engine) as connection:
        highest = rows(connection, "SELECT coalesce(max(n), 0) FROM mention")[0][0]
    with progress() as show:
        for after in all_again(opened.engine, total, start, end):
            show("replaying decisions", after, highest)
    if as_json:
        print(msgspec.json.encode(total).decode())
    else:
        _tell(total)
    if total.differs:
        raise typer.Exit(exits.FAILED)


def _tell(total: Sum) -> None:
    unknown = total.unknown.total()
    answers.print(
        f"{total.decisions:,} decisions about {total.mentions:,} mentions: {total.same:,} the same, "
        f"{total.differs:,} differ, {unknown:,} cannot be replayed",
        highlight=False,
    )
    for why, count in total.unknown.most_common():
        answers.print(f"  {count:,} cannot be replayed: {why}", markup=False, highlight=False)
    for one in total.examples:
        _show(one)


def _kind(one: Again) -> str:
    if not one.kind:
        return ""
    outcome = "cannot be replayed" if not one.kind_again else "the same" if one.kind_again == one.kind else "differs"
    return f"; kind {one.kind} by the policy: {outcome}"


def _show(one: Again) -> None:
    told = in_words(Replayed(one.outcome, one.why, one.differences))
    now = " (in force)" if one.in_force else ""
    answers.print(
        f"{one.mention} revision {one.revision}{now}: queue {one.queue} by {one.rule}, "
        f"rules {one.rules_revision}: {told}{_kind(one)}",
        style="red" if one.outcome == "differs" else "yellow" if one.outcome == "unknown" else None,
        markup=False,
        highlight=False,
    )
