"""The API's server: uvicorn inside a process that is told to stop by its supervisor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib.metadata import version

import msgspec
import structlog
import uvicorn

from clamor.address import cannot_listen
from clamor.clocks import is_drill
from clamor.engines import silent_engines
from clamor.metrics import metrics
from clamor.opening import Opened
from clamor.presence import Presence
from clamor.roles import WEB
from clamor.sources import collected, not_asked
from clamor.standstill import standing_still
from clamor.status import status
from clamor.threads import Chore, repeat
from clamor.webhooks import Webhooks
from config.home import HomeError
from routing.explain import in_words
from stream.records import Decision, Mention
from web.app import create_app
from web.services import Services
from web.tokens import scope_of

MOST_CONNECTIONS = 256
LISTENING = 20.0
"""Seconds between two notes of what came by webhooks."""

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
    presence = Presence(opened, WEB)
    server = _Server(config, presence)
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
        presence.ended()
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
        collected=lambda source: collected(opened, source),
        explain=explained,
        drill=is_drill(opened.home),
        unasked=lambda: not_asked(opened),
    )


def explained(mention: Mention, decision: Decision) -> list[str]:
    """A decision about a mention, in force or replaced, in sentences. A correction belongs to the one in force."""
    correction = mention.correction if decision is mention.decision else None
    return in_words(msgspec.structs.replace(mention, decision=decision, correction=correction))


def ready(opened: Opened) -> dict[str, str]:
    """What keeps the program from serving, by part."""
    missing = silent_engines(opened)
    missing |= {f"stage {one.stage}": one.why for one in standing_still(opened)}
    if missing:
        log.warning("not ready", missing=missing)
    return missing


class _Server(uvicorn.Server):
    """Says that it serves from within its loop, so that a loop that hangs says nothing."""

    def __init__(self, config: uvicorn.Config, presence: Presence) -> None:
        super().__init__(config)
        self._presence = presence

    async def on_tick(self, counter: int) -> bool:
        self._presence.serving()
        return await super().on_tick(counter)


def _serve(server: _Server, host: str, port: int) -> None:
    started = time.monotonic()
    try:
        server.run()
    except SystemExit as error:
        raise cannot_listen(host, port) from error
    if not server.started and time.monotonic() - started < 5:
        raise HomeError(f"the API could not start on {host}:{port}: set `api: port:` in clamor.yaml")
