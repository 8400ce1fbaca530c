"""The networks that Clamor can ask, each a line: which file makes the collector of a source."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, cast

from config.sources import AnySource, Collected
from ingest.collector import Collector
from ingest.push import Push
from ingest.setting import Setting


class Network(NamedTuple):
    """`module` has `collector(settings, setting)`. It is imported when a source of its kind is first opened: libraries
    of networks that nobody listens to cost nothing."""

    module: str
    extra: str = ""
    """Of the package, where its library is not part of the default install."""
    pushes: bool = False
    """It calls as well: `module` has `push(settings, setting)`, an `ingest.push.Push`."""


class NotInstalled(Exception):
    """The library that a network needs is not here; the message has the command that brings it."""


NETWORKS: dict[str, Network] = {
    "discourse": Network("ingest.networks.discourse", pushes=True),
    "x": Network("ingest.networks.x", "x"),
    "youtube": Network("ingest.networks.youtube"),
    "reddit": Network("ingest.networks.reddit", extra="reddit"),
    "facebook": Network("ingest.networks.facebook", pushes=True),
    "instagram": Network("ingest.networks.instagram", pushes=True),
    "linkedin": Network("ingest.networks.linkedin"),
    "feeds": Network("ingest.networks.feeds", pushes=True),
    "bluesky": Network("ingest.networks.bluesky"),
    "mastodon": Network("ingest.networks.mastodon"),
    "mediawiki": Network("ingest.networks.mediawiki"),
    "hackernews": Network("ingest.networks.hackernews"),
    "appstore": Network("ingest.networks.appstore"),
    "trustpilot": Network("ingest.networks.trustpilot", pushes=True),
    "telegram": Network("ingest.networks.telegram"),
    "tiktok": Network("ingest.networks.tiktok", pushes=True),
    "yelp": Network("ingest.networks.yelp"),
    "googleplay": Network("ingest.networks.googleplay", extra="googleplay"),
}


def make(settings: Collected, setting: Setting) -> Collector:
    """The collector of a source. Raises NotInstalled."""
    return cast("Collector", _of(settings, "collector")(settings, setting))


def pushes(settings: AnySource) -> bool:
    """Whether the network of a source calls us."""
    network = NETWORKS.get(cast("Any", settings).kind)
    return network is not None and network.pushes


def make_push(settings: Collected, setting: Setting) -> Push:
    """What reads the pushes of a source. Raises NotInstalled."""
    return cast("Push", _of(settings, "push")(settings, setting))


def _of(settings: Collected, name: str) -> Callable[[Collected, Setting], object]:
    kind: str = cast("Any", settings).kind
    network = NETWORKS[kind]
    try:
        return cast("Callable[[Collected, Setting], object]", getattr(import_module(network.module), name))
    except ModuleNotFoundError as missing:
        if not network.extra or (missing.name or "").startswith("ingest"):
            raise
        raise NotInstalled(
            f"source {settings.id} of kind {kind} needs {missing.name}: pip install 'clamor[{network.extra}]'"
        ) from None
