"""`clamor status`: how a home does."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from clamor.commands.search import when
from clamor.console import answers
from clamor.endings import left
from clamor.opening import open_home
from clamor.roles import COLLECT, WEB
from clamor.status import status as status_of
from config.home import Home
from database.migrate import upgrade
from stream.clock import MINUTE
from stream.records import Millis

MOST_DAYS = 3_650
MOST_INCIDENTS = 10
CLOCK_LATE: Millis = 2 * MINUTE
"""A clock that is further behind than this is told of."""


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Lag of each stage, what was missed, incidents, the last alert, latencies, cases, disk.

    [bold]Examples[/bold]

      clamor status
      clamor status --json | jq .waiting
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        found = status_of(opened)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    running = f"running (process {found['running']})" if found["running"] else "not running"
    simulated = ", simulated time" if found["simulated"] else ""
    answers.print(f"{running}; it is {when(found['now'])} UTC{simulated}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "state", "lag", "records", "dead letters", "retries"):
        table.add_column(name, justify="left" if name in ("stage", "state") else "right")
    for stage in found["stages"]:
        counts = [f"{stage[k]:,}" for k in ("lag", "records", "dead_letters", "retries")]
        if stage["stage"] in (WEB, COLLECT):
            counts = []  # they take no records: what they say is whether they are there
        table.add_row(stage["stage"], stage["state"], *counts)
    answers.print(table)
    if found["understanding"]["why"]:
        answers.print(f"model: {found['understanding']['why']}", style="yellow", markup=False, highlight=False)
    if overload := _overload(found["understanding"]):
        answers.print(overload, style="yellow", markup=False, highlight=False)
    for one in found["stuck"]:
        answers.print(f"stuck: {one['stage']}: {one['why']}", style="red", markup=False)
    for one in found["troubles"]:
        if not one["key"].startswith("stage:"):
            answers.print(f"trouble since {when(one['since'])}: {one['why']}", style="red", markup=False)
    _show_rest(found)


def _overload(found: dict[str, Any]) -> str:
    now = "overload: the linear model reads what is new; " if found["overloaded"] else ""
    left = f"{found['provisional']:,} posts will be read anew" if found["provisional"] else ""
    return f"{now}{left}" if left else now.removesuffix("; ")


def _show_rest(found: dict[str, Any]) -> None:
    coverage, mail, disk = found["coverage"], found["mail"], found["disk"]
    nothing = "nothing was asked for (earlier: clamor coverage --since -30d)"
    share = nothing if coverage["share"] is None else f"{coverage['share']:.1%} received"
    known, refused = coverage["known_missed"], coverage["refused"]
    missing = f", {refused:,} rows refused" if refused else ""
    missing += f", {known:,} known to be missed" if known else ""
    holes = coverage["unknown_gaps"]
    gaps = f", {holes:,} {'gap' if holes == 1 else 'gaps'} of unknown size" if holes else ""
    gaps += " (clamor coverage --gaps)" if coverage["gaps"] else ""
    alert = found["last_alert"]
    cases = ", ".join(f"{queue} {number:,}" for queue, number in sorted(found["cases"].items())) or "none"
    lines = {
        "posts": f"{found['posts']:,} taken, {found['dead_letters']:,} dead letters",
        "coverage, last day": share + missing + gaps,
        "sources": _sources(found["sources"]),
        "credentials": _credentials(found["sources"]),
        "used up": _budgets(found["budgets"]),
        "sweeps": _sweeps(found["sweeps"]),
        "live cases": cases,
        "incidents": _incidents(found["incidents"]),
        "last alert": _alert(alert),
        "mails": f"{mail['waiting']} waiting, {mail['gathering']} gathering, {mail['failed']} failed today"
        + (f" ({mail['trouble']})" if mail["trouble"] else "")
        + ("; clamor mails list names them" if mail["failed"] else "")
        + (f", {mail['unheard']} alerts for which nobody is configured" if mail["unheard"] else ""),
        "test alert": _trial(found["test_alert"]),
        "not reached": "; ".join(f"{who} ({why})" for who, why in sorted(mail["refused"].items())),
        "channels": _channels(mail["channels"]),
        "searchable after": _latency(found["latency"].get("arrival_to_searchable")),
        "deletes": _unreachable(found["erasure"]["unreachable"]),
        "to be erased": _erasure(found["erasure"], found["now"]),
        "disk": _disk(disk),
    }
    for unused in ("credentials", "test alert", "not reached", "channels"):
        if not lines[unused]:
            del lines[unused]
    if not found["budgets"]:
        del lines["used up"]
    if found["move"] is not None:
        lines["move"] = _move(found["move"])
    if found["log"] == "kafka":
        lines["log"] = "on Kafka: its size is the brokers' to tell"
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, min_width=18)
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(name, Text(value))
    answers.print(table, highlight=False)


def _trial(found: dict[str, Any]) -> str:
    if not found["name"]:
        return ""
    missing = f"; not by {', '.join(found['missing'])}" if found["missing"] else ""
    return f"{found['name']}: confirmed by {found['confirmed']} of {found['asked']}{missing}"


def _channels(found: dict[str, Any]) -> str:
    """What waits or failed by ways beside mail; empty where nothing was told by any."""
    told = []
    for name, one in sorted(found.items()):
        parts = [f"{one[what]} {word}" for what, word in _OF_CHANNELS if one[what]]
        trouble = f" ({one['trouble']})" if one["trouble"] and (one["waiting"] or one["failed"]) else ""
        told.append(f"{name} {', '.join(parts) or 'nothing'}{trouble}")
    return "; ".join(told)


_OF_CHANNELS = (("sent", "told today"), ("waiting", "waiting"), ("failed", "failed"))


def _move(found: dict[str, Any]) -> str:
    words = f"to the engines of {found['to']} since {when(found['since'])}: {found['phase']}"
    if found["process"] is not None:
        return words
    return f"{words}, cut short: `clamor move --to {found['to']}` goes on"


def _incidents(found: dict[str, Any]) -> str:
    open_ = [
        f"{one['id']} {one['brand']} {one['state']} since {when(one['since'])}"
        + (f", {one['acknowledged_by']} looks after it" if one["acknowledged_by"] else "")
        for one in found["open"][:MOST_INCIDENTS]
    ]
    more = sum(found["by_state"].values()) - len(open_)
    under_way = "; ".join(open_) + (f"; and {more:,} more (clamor incident list)" if more else "")
    if found["lag"] is None:
        return f"{under_way or 'none'}; the clock has not begun"
    late = f"; the clock lies {_time(found['lag'])} behind" if found["lag"] > CLOCK_LATE else ""
    return f"{under_way or 'none'}{late}"


def _alert(alert: dict[str, Any] | None) -> str:
    if alert is None:
        return "none"
    about = f"{alert['brand']} {alert['queue']}, risk {alert['risk']}" if alert["brand"] else f"about {alert['kind']}"
    return f"{when(alert['created_at'])} {about}"


def _sources(sources: list[dict[str, Any]]) -> str:
    """Those that need somebody by name, the others by number."""
    named = [
        f"{one['source']} silent for {_time(one['silent_for'])}"
        if one["state"] == "silent"
        else f"{one['source']} {one['state']}: {one['trouble']}"
        for one in sources
        if one["state"] in _NAMED
    ]
    counts = Counter(one["state"] for one in sources if one["state"] not in _NAMED)
    return ", ".join([*named, *(f"{number} {state}" for state, number in sorted(counts.items()))]) or "none"


def _credentials(sources: list[dict[str, Any]]) -> str:
    """Of the sources whose credentials end some day, the nearest end first."""
    ending = sorted((one["ends_in"], one["source"]) for one in sources if one["ends_in"] is not None)
    return ", ".join(f"{source} {left(span)}" for span, source in ending)


def _budgets(budgets: list[dict[str, Any]]) -> str:
    """Of each source and of brands that have a part of their own; those of brands without one are in --json."""
    return ", ".join(
        f"{one['source']}{' ' * bool(one['brand'])}{one['brand']} {_amount(one['used'], one)}"
        + ("" if one["limit"] is None else f" of {_amount(one['limit'], one)} ({one['share']:.0%})")
        for one in budgets
        if one["limit"] is not None or not one["brand"]
    )


def _amount(amount: float, one: dict[str, Any]) -> str:
    return f"{amount:,.2f} {one['unit']}" if one["measure"] == "money" else f"{amount:,.0f} {one['unit']}"


_NAMED = ("silent", "cut", "refused", "broken")


def _sweeps(sweeps: list[dict[str, Any]]) -> str:
    """Those that are not on time by name, and how many posts are looked up again."""
    troubled = [
        f"{one['source']} {one['state']}" + (f" ({one['overdue']:,} posts overdue)" if one["overdue"] else "")
        for one in sweeps
        if one["state"] != "on time"
    ]
    posts = f"{sum(one['held'] for one in sweeps):,} posts are looked up again"
    return ", ".join([*troubled, posts]) if sweeps else "none"


def _latency(found: dict[str, Any] | None) -> str:
    if not found or not found["count"]:
        return "nothing in the last hour"
    return _percentiles(found, "hour")


def _unreachable(took: dict[str, Any]) -> str:
    """Of the last hour, else of the last day."""
    for span in ("hour", "day"):
        if any(spans[span]["count"] for spans in took.values()):
            return "\n".join(f"{_PLACES[where]} {_percentiles(spans[span], span)}" for where, spans in took.items())
    return "none in the last day"


_PLACES = {"sql": "out of SQL:     ", "index": "out of searches:"}


def _percentiles(found: dict[str, Any], span: str) -> str:
    if not found["count"]:
        return f"none in the last {span}"
    return f"p50 {_time(found['p50'])}, p99 {_time(found['p99'])} ({found['count']:,} in the last {span})"


def _time(millis: int) -> str:
    """Short and of one unit: 40 ms, 3.2 s, 5.0 min, 7.1 h."""
    for most, unit, size in ((1_000, "ms", 1), (60_000, "s", 1_000), (3_600_000, "min", 60_000)):
        if millis < most:
            return f"{millis} ms" if size == 1 else f"{millis / size:.1f} {unit}"
    return f"{millis / 3_600_000:,.1f} h"


def _erasure(erasure: dict[str, Any], now: int) -> str:
    if not erasure.get("waiting"):
        return "no deleted text waits in the index"
    oldest = _time(max(0, now - erasure["since"]))
    left = "" if erasure["rounds_left"] > 30 else f"; {erasure['rounds_left']} rounds left, then run clamor reindex"
    waiting = "1 batch waits" if erasure["waiting"] == 1 else f"{erasure['waiting']:,} batches wait"
    return f"{waiting} in the index's file, the oldest for {oldest}{left}"


def _disk(disk: dict[str, Any]) -> str:
    files = "\n".join(
        f"{name:8} {size / 1e6:,.1f} MB"
        + (f" ({disk['bytes_a_post'][name]:,} B a post)" if disk["bytes_a_post"] else "")
        for name, size in disk["bytes"].items()
    )
    if disk["on_server"] is not None:
        files = "\n".join(filter(None, (files, f"database {disk['on_server'] / 1e6:,.1f} MB on its server")))
    left = f", {_days(disk['days_left'])} left at this pace" if disk["days_left"] is not None else ""
    return f"{disk['free'] / 1e9:,.1f} GB free ({disk['free_share']:.0%}){left}\n{_WRITES[disk['writes']]}{files}"


def _days(days: float) -> str:
    """`2.5 days`, `140 days`, and no more than ten years, beyond which the pace of one day tells nothing."""
    if days > MOST_DAYS:
        return "more than ten years"
    return f"{days:.1f} days" if days < 10 else f"{days:,.0f} days"


_WRITES = {"all": "", "stages": "streams and webhooks pause\n", "deletes": "only deletes are written\n"}
