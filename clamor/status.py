"""How a home does: lag of each stage, coverage, mails, latencies, disk; from any process, in one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from clamor.backlog import backlog
from clamor.budgets import budgets
from clamor.clocks import pace_of
from clamor.kafka_log import on_kafka
from clamor.moving.note import ROLE as MOVE
from clamor.moving.note import noted
from clamor.opening import Opened
from clamor.rescoring import count_marked
from clamor.roles import COLLECT, WEB
from clamor.sources import rows_now, standings
from clamor.sql import file_of
from clamor.standstill import BROKEN, standing_still
from clamor.stores import index_file
from clamor.sweeps import sweeps
from config.home import Home
from config.lock import holder
from database.engine import read, rows, size_on_server
from database.revisions import last_generation
from ingest.coverage import Figure, figure
from nlp.shelf import ModelError, in_force, named
from routing.chain_test import trial_status
from routing.incident_status import incident_status
from routing.mail_status import mail_status
from routing.unreachable import unreachable
from stream.clock import DAY, HOUR
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, POSTS
from stream.status import StageStatus

_ALERT = ("kind", "brand", "queue", "case_id", "risk", "why", "created_at", "state")


def status(opened: Opened) -> dict[str, Any]:
    """Plain values, as `clamor status --json` prints and `/api/status` answers them. Times in milliseconds UTC."""
    now = opened.clock.now()
    statuses = living(opened)
    sources = standings(opened)
    running = holder(opened.home)
    covered = figure(rows_now(opened, since=now - DAY), now - DAY, now)
    behind = backlog(opened)
    return {
        "now": now,
        "simulated": pace_of(opened.home) is not None,
        "log": "kafka" if on_kafka(opened.configuration) else "embedded",
        "running": running.pid if running else None,
        "move": _move(opened.home),
        "stages": stages(statuses, behind.by_stage, any(one.kind != "webhook" for one in sources)),
        "processes": [process_of(one) for one in statuses],
        "understanding": _understanding(opened, statuses),
        "stuck": [msgspec.to_builtins(one) for one in standing_still(opened, behind.by_stage)],
        "troubles": _troubles(opened),
        "waiting": asdict(behind),
        "posts": _appended(opened, POSTS),
        "dead_letters": _appended(opened, DEAD_LETTER),
        "coverage": _coverage(covered),
        "sources": msgspec.to_builtins(sources),
        "budgets": msgspec.to_builtins(budgets(opened)),
        "sweeps": msgspec.to_builtins(sweeps(opened)),
        "test_alert": msgspec.to_builtins(trial_status(opened.engine)),
        "mail": msgspec.to_builtins(mail_status(opened.engine, now)),
        "incidents": msgspec.to_builtins(incident_status(opened.engine, now)),
        "last_alert": _last_alert(opened),
        "cases": _cases(opened),
        "latency": _latency(opened, now),
        "erasure": _erasure(opened, now),
        "disk": _disk(opened),
    }


def stages(statuses: Sequence[StageStatus], lags: Mapping[str, int], collects: bool = False) -> list[dict[str, Any]]:
    """What living processes say, added up by stage, and how many records wait for each. `collects`: there are sources
    that want a process, so that its absence is told of too."""
    found: list[dict[str, Any]] = []
    collecting = {COLLECT: 0} if collects or any(one.stage == COLLECT for one in statuses) else {}
    for name, lag in {**lags, WEB: 0, **collecting}.items():
        members = [one for one in statuses if one.stage == name]
        found.append(
            {
                "stage": name,
                "processes": len(members),
                "state": ", ".join(sorted({one.state for one in members})) or "not running",
                "lag": lag,
                "records": sum(one.records for one in members),
                "dead_letters": sum(one.dead_letters for one in members),
                "retries": sum(one.retries for one in members),
                "rebalances": sum(one.rebalances for one in members),
                "error": next((one.error for one in members if one.error), ""),
            }
        )
    return found


def living(opened: Opened) -> list[StageStatus]:
    """What living processes say, one status a stage and process: a container that was started again has the name and
    the number of the one before, which counts as alive for a while."""
    latest: dict[tuple[str, str], StageStatus] = {}
    for one in opened.statuses.read():
        if one.alive():
            latest.setdefault((one.stage, _process(one)), one)
    return list(latest.values())


def _process(status: StageStatus) -> str:
    return f"{status.place.partition('/')[0]}:{status.pid}"


def process_of(status: StageStatus) -> dict[str, Any]:
    """What one process says of its stage since it began."""
    told = ("stage", "state", "records", "dead_letters", "retries", "rebalances", "batch_time", "model_time")
    return {
        "process": _process(status),
        **{name: msgspec.to_builtins(getattr(status, name)) for name in told},
    }


def _move(home: Home) -> dict[str, Any] | None:
    """The move to other engines that is not at its end, and the process that works on it now."""
    found = noted(home)
    if found is None or found.phase == "done":
        return None
    at_work = holder(home, MOVE)
    return {
        "phase": found.phase,
        "to": found.settings,
        "since": found.begun_at,
        "process": at_work.pid if at_work else None,
    }


def _understanding(opened: Opened, statuses: list[StageStatus]) -> dict[str, Any]:
    """Which model the settings ask for, which one reads at the next start and why another, which one the latest stage
    nlp read with; how many processes read by the linear model for overload, and how many posts are to be read anew."""
    asked, device = opened.settings.understanding.model, opened.settings.understanding.device
    try:
        card, why = in_force(asked, opened.home, device)
        reads = named(card, device)
    except ModelError as error:
        reads, why = "", str(error)
    with read(opened.engine) as connection:
        last = last_generation(connection)
    return {
        "asked": asked,
        "reads": reads,
        "why": why,
        "latest": last.model if last else "",
        "overloaded": sum(one.overloaded for one in statuses),
        "provisional": count_marked(opened),
    }


def _appended(opened: Opened, topic: str) -> int:
    """How many records the topic has ever taken: offsets grow by one a record, and start at 1 in the embedded log."""
    first = 1 if isinstance(opened.log, EmbeddedLog) else 0
    return sum(high - first for _, high in opened.log.bounds(topic).values())


def _coverage(known: Figure) -> dict[str, Any]:
    return {
        "since": known.since,
        "until": known.until,
        "share": known.share,
        "received": known.received,
        "refused": known.refused,
        "known_missed": known.known_missed,
        "unknown_gaps": known.unknown_gaps,
        "gaps": [msgspec.to_builtins(gap) for gap in known.gaps[:20]],
    }


def _last_alert(opened: Opened) -> dict[str, Any] | None:
    with read(opened.engine) as connection:
        found = rows(connection, f"SELECT {', '.join(_ALERT)} FROM alert ORDER BY id DESC LIMIT 1")
    return dict(zip(_ALERT, found[0], strict=True)) if found else None


def _troubles(opened: Opened) -> list[dict[str, Any]]:
    """What people were told is wrong with Clamor itself, and is not over."""
    sql = (
        "SELECT o.key, o.raised_at, a.why FROM operation_alert o LEFT JOIN alert a ON a.id = o.alert "
        "WHERE o.resolved_at IS NULL ORDER BY o.raised_at, o.key"
    )
    with read(opened.engine) as connection:
        return [{"key": key, "since": since, "why": why or key} for key, since, why in rows(connection, sql)]


def _cases(opened: Opened) -> dict[str, int]:
    with read(opened.engine) as connection:
        found = rows(connection, "SELECT queue, COUNT(*) AS n FROM cases WHERE live = 1 GROUP BY queue")
    return dict(found)


def _latency(opened: Opened, now: int) -> dict[str, Any]:
    try:
        found = opened.store.latency(now)
    except BROKEN:
        return {}
    return {"arrival_to_searchable": msgspec.to_builtins(found)}


def _erasure(opened: Opened, now: int) -> dict[str, Any]:
    """How long deletes took until their texts were unreachable, and how far the index is with taking them out of its
    file for good."""
    spans = {"hour": HOUR, "day": DAY}
    took: dict[str, Any] = {"sql": {name: unreachable(opened.engine, now, span) for name, span in spans.items()}}
    found: dict[str, Any] = {}
    with suppress(*BROKEN):
        took["index"] = {name: opened.store.hidden(now, span) for name, span in spans.items()}
        found = dict(msgspec.to_builtins(opened.store.erasing()))
    return {"unreachable": msgspec.to_builtins(took), **found}


def _disk(opened: Opened) -> dict[str, Any]:
    """Bytes of each file here, of a database on a server and of an index that is elsewhere, bytes a post, and how many
    days of the disk here are left at the pace of the last day. A log on Kafka is none of them: its brokers know it."""
    home = opened.home
    log = None if on_kafka(opened.configuration) else home.log_db
    databases = (log, file_of(opened.configuration), index_file(opened.configuration))
    files = {path.name: _size(path) for path in databases if path is not None}
    free = opened.disk()
    posts = _appended(opened, POSTS)
    total = sum(files.values())
    everywhere = {**files, **_elsewhere(opened)}
    with read(opened.engine) as connection:
        on_server = size_on_server(connection)
    lately = _posts_since(opened, opened.clock.now() - DAY)
    per_day = total / posts * lately if posts else 0.0
    return {
        "bytes": everywhere,
        "bytes_a_post": {name: size // posts for name, size in everywhere.items()} if posts else {},
        "on_server": on_server,
        "free": free.free,
        "free_share": round(free.part, 4),
        "writes": "deletes" if free.stop else "stages" if free.pause else "all",
        "days_left": round(free.free / per_day, 1) if per_day else None,
    }


def _elsewhere(opened: Opened) -> dict[str, int]:
    """Of the index on a cluster; nothing while that does not answer."""
    if index_file(opened.configuration) is None:
        with suppress(*BROKEN):
            return {"elasticsearch": opened.store.size()}
    return {}


def _posts_since(opened: Opened, since: int) -> int:
    bounds = opened.log.bounds(POSTS)
    return sum(high - opened.log.offset_at(POSTS, partition, since) for partition, (_, high) in bounds.items())


def _size(path: Path) -> int:
    """Of a database with its write-ahead log; a rebuilt index is a link to the file that has both."""
    path = path.resolve()
    return sum(one.stat().st_size for one in (path, path.with_name(path.name + "-wal")) if one.exists())
