"""The webhooks of the sources in force, each made when it is first called and anew when its source has changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from clamor import holding
from clamor.collecting import BrandsInForce, setting_of
from clamor.networks import make_push, pushes
from clamor.opening import Opened
from config.sources import AnySource, Collected, WebhookSource
from ingest.collector import Source
from ingest.listening import APART, Listening, Pulses
from ingest.push import Addressed, Receiver, Together
from ingest.signature import signing_keys
from ingest.taken import Taken
from ingest.webhook import Answer, Hook, Webhook
from stream.ports import Transient
from stream.records import Millis


class Mounted:
    """A webhook as the API mounts it (see `web.services.Webhook`)."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    @property
    def max_body(self) -> int:
        return self._webhook.hook.max_body

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        """Programs that sign what they send ask nothing before."""
        return None

    def handle(
        self, headers: Mapping[str, str], body: bytes, now: Millis, wall: Millis, query: Mapping[str, str]
    ) -> Answer:
        return self._webhook.handle(headers, body, now, wall)


class Webhooks:
    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._taken = Taken(opened.engine)
        self._made: dict[str, tuple[WebhookSource, Mounted]] = {}
        self._receivers: dict[str, tuple[Collected, Receiver]] = {}
        self._listening: dict[str, tuple[WebhookSource, Listening]] = {}
        self._lock = threading.Lock()
        self._brands, self._stop = BrandsInForce(opened), threading.Event()

    def of(self, source_id: str) -> Mounted | Receiver | Together | None:
        """The handler of a source in force that is pushed; None where there is none of that id. Several threads may
        ask."""
        with self._lock:
            sources = self._opened.registry.sources()
            for source in sources:
                if source.id == source_id and isinstance(source, WebhookSource):
                    return self._handler(source)
                if source.id == source_id and isinstance(source, Collected) and pushes(source):
                    return self._of_network(source, sources)
        return None

    def _of_network(self, source: Collected, sources: Sequence[AnySource]) -> Receiver | Together:
        """Where the network has one address for several sources, with all that it may be about."""
        receiver = self._receiver(source)
        if not isinstance(receiver.push, Addressed):
            return receiver
        others = [one for one in sources if type(one) is type(source) and one.id != source.id]
        return Together(receiver, [self._receiver(one) for one in others if isinstance(one, Collected)])

    def look(self) -> bool:
        """Note of every webhook in force that it is open, or paused, and what came. False: nothing more to do."""
        now, paused = self._opened.clock.now(), self._opened.disk().pause
        with self._lock:
            found = [
                self._listens(source)
                for source in self._opened.registry.sources()
                if isinstance(source, WebhookSource) and self._hook(source).secrets()
            ]
        for listening in found:
            listening.look(now, paused=paused)
        return False

    def close(self) -> None:
        """They are shut from now on."""
        now = self._opened.clock.now()
        self._stop.set()
        for _, receiver in self._receivers.values():
            receiver.close()
        for _, listening in self._listening.values():
            with suppress(Transient):
                listening.close(now)

    def _listens(self, source: WebhookSource) -> Listening:
        """Under the lock. A source that was changed is another one to the ledger: its brands may be others."""
        known = self._listening.get(source.id)
        if known is not None and known[0] == source:
            return known[1]
        opened = self._opened
        if known is not None:
            with suppress(Transient):
                known[1].close(opened.clock.now())
        apart = round(APART * getattr(opened.clock, "speed", 1.0))
        made = Listening(self._hook(source).source, opened.ledger, Pulses(opened.engine), apart)
        self._listening[source.id] = (source, made)
        return made

    def _handler(self, source: WebhookSource) -> Mounted:
        made = self._made.get(source.id)
        if made is None or made[0] != source:
            heard = self._listens(source).took
            made = (source, Mounted(Webhook(self._hook(source), self._opened.log, self._taken, self._hold, heard)))
            self._made[source.id] = made
        return made[1]

    def _receiver(self, source: Collected) -> Receiver:
        """Of a network that calls. Its poll is the safety net, and keeps the ledger."""
        made = self._receivers.get(source.id)
        if made is None or made[0] != source:
            opened = self._opened
            setting = setting_of(opened, source, self._brands, self._stop)
            if made is not None:
                made[1].close()
            receiver = Receiver(
                make_push(source, setting),
                opened.log,
                self._taken,
                self._hold,
                prefilter=self._brands.prefilter(source.listen_for),
            )
            made = (source, receiver)
            self._receivers[source.id] = made
        return made[1]

    def _hook(self, source: WebhookSource) -> Hook:
        secrets = self._opened.configuration.secrets

        def keys() -> tuple[str, ...]:
            names = (source.secret_env, source.former_secret_env)
            found = [secrets.get(name) for name in names if name is not None]
            return signing_keys(*(one.get_secret_value() for one in found if one is not None))

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
        return holding.standing(self._opened)
