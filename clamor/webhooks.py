"""The webhooks of the sources in force, each made when it is first called and anew when its source has changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from clamor.opening import Opened
from config.sources import WebhookSource
from ingest.collector import Source
from ingest.signature import secrets_in
from ingest.taken import Taken
from ingest.webhook import Answer, Hook, Webhook
from stream.ports import POSTS
from stream.records import Millis

HIGH_WATER = 100_000
"""Posts that may wait to be understood before pushes are asked to come again later."""


class Mounted:
    """A webhook as the API mounts it (see `web.services.Webhook`)."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    @property
    def max_body(self) -> int:
        return self._webhook.hook.max_body

    def handle(self, headers: Mapping[str, str], body: bytes, now: Millis) -> Answer:
        return self._webhook.handle(headers, body, now)


class Webhooks:
    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._taken = Taken(opened.engine)
        self._made: dict[str, tuple[WebhookSource, Mounted]] = {}
        self._lock = threading.Lock()

    def of(self, source_id: str) -> Mounted | None:
        """The handler of a source in force; None where there is none of that id. Several threads may ask."""
        with self._lock:
            for source in self._opened.registry.sources():
                if source.id == source_id and isinstance(source, WebhookSource):
                    return self._handler(source)
        return None

    def _handler(self, source: WebhookSource) -> Mounted:
        made = self._made.get(source.id)
        if made is None or made[0] != source:
            made = (source, Mounted(Webhook(self._hook(source), self._opened.log, self._taken, self._hold)))
            self._made[source.id] = made
        return made[1]

    def _hook(self, source: WebhookSource) -> Hook:
        secrets = self._opened.configuration.secrets

        def keys() -> tuple[str, ...]:
            found = secrets.get(source.secret_env)
            return secrets_in(found.get_secret_value() if found else None)

        return Hook(
            source=Source(
                id=source.id,
                network=source.network,
                brands=source.brands,
                access=source.access,
                max_lateness=source.max_lateness,
            ),
            secrets=keys,
            max_body=source.max_body,
            max_posts=source.max_posts,
            posts_per_minute=source.posts_per_minute,
        )

    def _hold(self) -> str | None:
        if self._opened.disk().pause:
            return "disk"
        return "lag" if self._opened.log.lag("nlp", POSTS) > HIGH_WATER else None
