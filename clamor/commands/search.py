"""`clamor search`: find mentions in the query language."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich.table import Column, Table
from rich.text import Text

from clamor.console import UNBROKEN, answers, errors
from clamor.opening import Opened, open_home
from clamor.sources import not_asked
from config.home import Home
from ingest.coverage import ASKED_BY_ID, NOT_SEEN
from query.document import effective
from query.parse import parse
from query.tree import Node
from stream.ports import EVERYTHING, Hit
from stream.records import Millis
from web.ledger import covered
from web.truth import standing


class Order(StrEnum):
    newest = "newest"
    oldest = "oldest"
    risk = "risk"
    relevance = "relevance"


PAGE = 200


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What to find; empty finds everything.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most mentions to show.")] = 20,
    order: Annotated[Order, typer.Option(help="Which come first.")] = Order.newest,
    as_json: Annotated[bool, typer.Option("--json", help="One mention a line, as JSON.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many there are.")] = False,
    facet: Annotated[
        list[str] | None, typer.Option("--facet", help="Count the values of a field instead; may be repeated.")
    ] = None,
) -> None:
    """Find mentions: in a table, as JSON lines, or counted.

    [bold]Examples[/bold]

      clamor search 'brand:aurelia risk:>=70 since:-7d'
      clamor search '"no me dejan" OR cancel* -lang:pt' --order risk -n 50
      clamor search 'intent:churn_threat' --count
      clamor search 'queue:pr' --json | jq .post.text
      clamor search 'since:-1d' --facet brand --facet queue
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        node = parse(query, now=opened.clock.now(), context="search")
        if count:
            print(opened.store.count(node, EVERYTHING).value)
            _tell_covered(opened, node)
            return
        if facet:
            try:
                counted = opened.store.facets(node, EVERYTHING, facet, exact=True)
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint="--facet") from error
            for found in counted:
                _show_facet(found.field, found.values)
            _tell_covered(opened, node)
            return
        hits: list[Hit] = []
        cursor = None
        while len(hits) < limit:
            page = opened.store.search(
                node, EVERYTHING, limit=min(PAGE, limit - len(hits)), cursor=cursor, order=order.value
            )
            hits += standing(opened.engine, node, page.hits, EVERYTHING)
            cursor = page.cursor
            if cursor is None:
                break
        if as_json:
            for hit in hits:
                sys.stdout.buffer.write(msgspec.json.encode(hit.mention) + b"\n")
            return
        _show(opened, hits, opened.store.count(node, EVERYTHING, exact=False).value)


def _tell_covered(opened: Opened, node: Node) -> None:
    """On standard error: where a count rests on less than there was, and where nobody listens at all."""
    known = covered(opened.engine, EVERYTHING, node, opened.clock.now(), not_asked(opened))
    if known.gaps and known.complete is not None:
        errors.print(
            f"incomplete: {known.complete:.1%} of the time asked for was received (clamor coverage --gaps)",
            style="yellow",
        )
    errors.print(NOT_SEEN, style="dim", highlight=False)


WIDE, NARROW = 100, 72
"""From so many columns on the intent is shown as well; below so many the queue is left out too."""
MOST_TEXT = 300
"""Characters of a post that stand in its line; --json has the whole."""


def _show(opened: Opened, hits: list[Hit], total: int) -> None:
    columns = {
        "time (UTC)": Column("time (UTC)", no_wrap=True),
        "brand": Column("brand", no_wrap=True, max_width=20),
        "risk": Column("risk", no_wrap=True, justify="right"),
        "queue": Column("queue", no_wrap=True),
        "intent": Column("intent", no_wrap=True),
        "post": Column("post", no_wrap=True, overflow="ellipsis", ratio=1),
    }
    if answers.width < WIDE:
        del columns["intent"]
    if answers.width < NARROW:
        del columns["queue"]
    table = Table(*columns.values(), box=None, pad_edge=False, header_style="bold", expand=answers.width < UNBROKEN)
    for hit in hits:
        cells = _cells(hit)
        table.add_row(*(cells[name] for name in columns))
    answers.print(table)
    errors.print(f"{len(hits)} of {total}", style="dim")
    if not hits:
        errors.print(NOT_SEEN, style="dim", highlight=False)
    if hits:
        since = min(hit.mention.event_time for hit in hits)
        found = opened.ledger.gaps(since=since, until=opened.clock.now())
        found += [one.row for one in not_asked(opened) if one.row.until > since]
        missing = [row for row in found if row.query not in ASKED_BY_ID]
        if missing:
            errors.print(
                f"incomplete: {len(missing)} gaps in what was collected for this time "
                f"(clamor coverage --gaps --since {when(since)[:10]})",
                style="yellow",
            )


def _cells(hit: Hit) -> dict[str, str | Text]:
    mention = hit.mention
    decision = mention.decision
    return {
        "time (UTC)": when(mention.event_time),
        "brand": mention.brand,
        "risk": str(decision.risk if decision else 0),
        "queue": decision.queue if decision else "",
        "intent": effective(mention, "intent") or "",
        "post": _marked(hit),
    }


def _marked(hit: Hit) -> Text:
    """The post's text on one line, what matched in bold; control characters do not reach the terminal."""
    post = hit.mention.post
    if post is None:
        return Text("(deleted)", style="dim")
    shown = Text("".join(c if c.isprintable() else " " for c in post.text))
    for start, end in hit.highlights:
        shown.stylize("bold yellow", start, end)
    if len(shown) > MOST_TEXT:
        shown.truncate(MOST_TEXT, overflow="ellipsis")
    return shown


def _show_facet(field: str, values: tuple[tuple[str, int], ...]) -> None:
    table = Table(title=field, box=None, title_justify="left", show_header=False)
    for value, number in values:
        table.add_row(Text(value), str(number))
    answers.print(table)


def when(millis: Millis) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M")
