"""The API's server: uvicorn inside a process that is told to stop by its supervisor."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from importlib.metadata import version

import msgspec
import structlog
import uvicorn

from clamor.metrics import metrics
from clamor.opening import Opened
from clamor.status import status
from clamor.threads import Chore, repeat
from clamor.webhooks import Webhooks
from config.home import HomeError
from database.engine import read, rows
from index.embedded import IndexUnusable
from routing.explain import in_words
from stream.ports import DECIDED, POSTS, LogUnusable, OffsetOutside, Transient
from stream.records import Decision, Mention
from stream.watchdog import stuck
from web.app import create_app
from web.services import Services
from web.tokens import scope_of

MOST_CONNECTIONS = 256
LISTENING = 20.0
"""Seconds between two notes of what came by webhooks."""
BROKEN = (Transient, LogUnusable, IndexUnusable, OffsetOutside, OSError, sqlite3.Error)
"""What keeps a part from serving."""

log = structlog.get_logger(__name__)


def serve(opened: Opened, stop: Callable[[], bool]) -> None:
    """Blocks until `stop`. Raises HomeError where the address cannot be listened on."""
    api = opened.settings.api
    webhooks = Webhooks(opened)
    config = uvicorn.Config(
        create_app(services(opened, webhooks), version("clamor")),
        host=api.host,
        port=api.port,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            if stop():
                server.should_exit = True
                return

    threads = [
        threading.Thread(target=watch, name="stop"),
        threading.Thread(target=repeat, args=(Chore("webhooks", webhooks.look, LISTENING), ended), name="webhooks"),
    ]
    for thread in threads:
        thread.start()
    try:
        _serve(server, api.host, api.port)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        webhooks.close()


def services(opened: Opened, webhooks: Webhooks) -> Services:
    """The ports of the API, over one home."""
    return Services(
        store=opened.store,
        engine=opened.engine,
        clock=opened.clock,
        webhook=webhooks.of,
        status=lambda: status(opened),
        ready=lambda: ready(opened),
        metrics=lambda: metrics(opened),
        scope_of=lambda token: scope_of(opened.engine, token),
        explain=explained,
    )


def explained(mention: Mention, decision: Decision) -> list[str]:
    """A decision about a mention, in force or replaced, in sentences. A correction belongs to the one in force."""
    correction = mention.correction if decision is mention.decision else None
    return in_words(msgspec.structs.replace(mention, decision=decision, correction=correction))


def ready(opened: Opened) -> dict[str, str]:
    """What keeps the program from serving, by part."""
    parts: dict[str, Callable[[], object]] = {
        "log": lambda: opened.log.bounds(POSTS),
        "database": lambda: _ask(opened),
        "store": lambda: opened.store.offsets(DECIDED, frozenset({0}), opened.log.epoch()),
    }
    missing = {}
    for part, ask in parts.items():
        try:
            ask()
        except BROKEN as error:
            missing[part] = str(error)
    alive = [one for one in opened.statuses.read() if one.alive()]
    missing |= {f"stage {one.stage}": one.why for one in stuck(alive, opened.clock.wall())}
    if missing:
        log.warning("not ready", missing=missing)
    return missing


def _ask(opened: Opened) -> None:
    with read(opened.engine) as connection:
        rows(connection, "SELECT 1")


def _serve(server: uvicorn.Server, host: str, port: int) -> None:
    started = time.monotonic()
    try:
        server.run()
    except SystemExit as error:
        raise HomeError(
            f"the API cannot listen on {host}:{port}: another program does, or the address is not this machine's; "
            "set `api: port:` in clamor.yaml or CLAMOR_API__PORT"
        ) from error
    if not server.started and time.monotonic() - started < 5:
        raise HomeError(f"the API could not start on {host}:{port}: set `api: port:` in clamor.yaml")
