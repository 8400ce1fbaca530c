"""Hubs that tell of a feed's new entries at once (WebSub, https://www.w3.org/TR/websub/).

Nothing secret is stored: the address that a hub calls and the secret by which it signs are derived from the source's
secret, the feed and its topic. The collector asks a hub for a subscription; that the hub has granted it, and until
when, the web process learns, and leaves the collector a note.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import urlencode, urljoin

import msgspec
import structlog

from config.sources.feeds import FeedsSource
from ingest.collector import Denied, Draft, Interrupted, Malformed
from ingest.links import web_address
from ingest.networks.feeds_entries import Feed, Unreadable, read_feed
from ingest.push import Pushed, Unsigned
from ingest.setting import Setting
from ingest.signature import signing_keys, verify_body
from ingest.web import Refused, Web
from stream.clock import DAY, HOUR, SECOND
from stream.records import Millis

SIGNATURE = "X-Hub-Signature"
METHODS = ("sha256", "sha1", "sha384", "sha512")
"""That a hub may sign by (8, recognized algorithms)."""
LEASE: Millis = 10 * DAY
"""That is asked for; the hub decides."""
ASK_AGAIN: Millis = HOUR
"""A hub that did not confirm is asked no sooner."""
MOST_HOPS = 5
_LINK = re.compile(r"<([^<>]{1,2000})>([^<]{0,500})")
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]{0,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)

_log = structlog.get_logger(__name__)


class Hub(NamedTuple):
    address: str
    topic: str
    """The feed, as the hub knows it."""


class Lease(msgspec.Struct, frozen=True):
    """What a hub granted, by the wall."""

    since: Millis
    until: Millis

    @property
    def renew_at(self) -> Millis:
        """After three quarters of it."""
        return self.until - (self.until - self.since) // 4


def feed_key(url: str) -> str:
    """A feed's address may hold a key: what stands for it."""
    return blake2b(url.encode(), digest_size=8).hexdigest()


def hub_of(url: str, place: str, headers: Mapping[str, str], feed: Feed) -> Hub | None:
    """By the answer's Link headers, else by the feed's own links. A feed that is read over TLS is not subscribed to
    without."""
    found: dict[str, str] = {}
    for address, rest in _LINK.findall(headers.get("link", "")[:10_000]):
        for quoted, bare in _REL.findall(rest):
            for rel in (quoted or bare).lower().split():
                found.setdefault(rel, urljoin(place, address))
    hub = web_address(found.get("hub", "")) or feed.hub
    topic = (web_address(found.get("self", "")) if "hub" in found else feed.itself) or feed.itself or place
    if not hub:
        return None
    if url.startswith("https://") and hub.startswith("http://"):
        hub = "https://" + hub.removeprefix("http://")
    return Hub(hub, topic)


class Hubs:
    """The hubs of one source's feeds, from the collector's side."""

    def __init__(self, settings: FeedsSource, setting: Setting) -> None:
        self._settings, self._setting = settings, setting
        self._pushed: dict[str, str] = {}

    @property
    def used(self) -> bool:
        """Whether hubs can call, and could sign."""
        return bool(self._settings.websub and self._setting.public_url and _keys(self._settings, self._setting))

    def lease(self, url: str) -> Lease | None:
        """One that the hub confirmed and that has not ended."""
        if not self.used:
            return None
        said = self._setting.notes.get(_granted(self._setting, feed_key(url)))
        try:
            lease = msgspec.json.decode(said, type=Lease) if said else None
        except msgspec.MsgspecError:
            return None
        return lease if lease is not None and self._setting.clock.wall() < lease.until else None

    def ask(self, web: Web, url: str, place: str, hub: Hub, asked: Millis) -> Millis:
        """Subscribe where that is due; when it was asked for last, by the wall."""
        if not self.used:
            return asked
        name = _place(feed_key(url))
        if self._setting.notes.get(name) != place:
            self._setting.notes.put(name, place)
        lease, wall = self.lease(url), self._setting.clock.wall()
        if (lease is not None and wall < lease.renew_at) or (asked and 0 <= wall - asked < ASK_AGAIN):
            return asked
        self._send(web, feed_key(url), hub, "subscribe")
        return wall

    def pushed(self) -> frozenset[str]:
        """Keys of feeds that were pushed since this was asked last."""
        if not self.used:
            return frozenset()
        names = {_told_of(feed_key(url)): feed_key(url) for url in self._settings.urls}
        found = dict(self._setting.notes.all(names))
        new = frozenset(names[name] for name, at in found.items() if self._pushed.get(name, at) != at)
        self._pushed = {**dict.fromkeys(names, ""), **found}
        return new

    def leave(self, web: Web, key: str, hub: Hub) -> None:
        """End the subscription of a feed that is not listened to any more; where the hub does not answer, its lease
        ends it."""
        if self._setting.public_url and _keys(self._settings, self._setting):
            self._send(web, key, hub, "unsubscribe")

    def _send(self, web: Web, key: str, hub: Hub, mode: str) -> None:
        secret = _keys(self._settings, self._setting)[0]
        called = {"feed": key, "key": callback_key(secret, key, hub.topic)}
        form = {
            "hub.mode": mode,
            "hub.topic": hub.topic,
            "hub.callback": f"{self._setting.public_url}/api/webhooks/{self._settings.id}?{urlencode(called)}",
            "hub.lease_seconds": str(LEASE // SECOND),
            "hub.secret": signing_secret(secret, key, called["key"]),
        }
        address = hub.address
        try:
            for _ in range(MOST_HOPS):
                answer = web.ask("POST", address, form=form, good=(307, 308))
                if answer.status < 300:
                    return
                address = urljoin(address, answer.headers.get("location", ""))
            why = "it redirects in a circle"
        except (Refused, Interrupted, Denied) as fault:
            why = str(fault)
        _log.warning("feeds.hub_refused", source=self._settings.id, mode=mode, why=why[:300])


class FeedsPush:
    """What hubs ask and send; keeps `Push` and `Challenged`."""

    def __init__(self, settings: FeedsSource, setting: Setting) -> None:
        self.source = msgspec.structs.replace(setting.source, network=settings.network, firehose=not settings.brands)
        self.max_body = settings.max_body
        self._settings, self._setting = settings, setting
        self._feeds = {feed_key(url): url for url in settings.urls} if settings.websub else {}

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        """Only whoever was sent the address knows the key in it, which fits one feed and topic. A subscription is
        confirmed for a feed that is listened to, its end for one that is not."""
        feed, key, topic = query.get("feed", ""), query.get("key", ""), query.get("hub.topic", "")
        keys = _keys(self._settings, self._setting)
        known = [hmac.compare_digest(callback_key(one, feed, topic).encode(), key.encode()) for one in keys]
        if not any(known):
            return None
        mode = query.get("hub.mode")
        if mode == "denied":
            _log.warning("feeds.hub_denied", source=self._settings.id, feed=feed)
            self._setting.notes.put(_granted(self._setting, feed), "")
            return ""
        if mode not in ("subscribe", "unsubscribe") or (mode == "subscribe") != (feed in self._feeds):
            return None
        seconds = query.get("hub.lease_seconds", "")
        if mode == "subscribe" and re.fullmatch(r"[1-9]\d{0,9}", seconds, re.ASCII):
            lease = Lease(wall, wall + int(seconds) * SECOND)
            self._setting.notes.put(_granted(self._setting, feed), msgspec.json.encode(lease).decode())
        return query.get("hub.challenge")

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        settings, feed = self._settings, query.get("feed", "")
        keys, url = _keys(settings, self._setting), self._feeds.get(feed)
        if not keys or url is None:
            raise Unsigned(f"source {settings.id} waits for no such hub: look at websub, secret_env and urls")
        secrets = [signing_secret(one, feed, query.get("key", "")) for one in keys]
        verify_body(headers.get(SIGNATURE.lower(), ""), body, secrets, SIGNATURE, METHODS)
        place = self._setting.notes.get(_place(feed)) or url
        try:
            found = read_feed(body, place, headers.get("content-type", ""))
        except Unreadable as fault:
            return Pushed((), [Malformed(settings.id, str(fault), body, "Unreadable")])
        if settings.full_text:
            self._setting.notes.put(_told_of(feed), str(wall))
        now = self._setting.clock.now()
        drafts = [_dated(entry.draft, now, self.source.max_lateness) for entry in found.entries]
        return Pushed(drafts, [one for _, one in found.malformed], feed)

    def close(self) -> None:
        """It holds nothing open."""


def callback_key(secret: str, feed: str, topic: str) -> str:
    return _derived(secret, "called for", feed, topic)[:32]


def signing_secret(secret: str, feed: str, key: str) -> str:
    return _derived(secret, "signed for", feed, key)


def _derived(secret: str, *parts: str) -> str:
    said = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()


def _keys(settings: FeedsSource, setting: Setting) -> tuple[str, ...]:
    names = (settings.secret_env, settings.former_secret_env)
    return signing_keys(*(setting.secret(name) for name in names if name))


def _granted(setting: Setting, feed: str) -> str:
    """A hub that calls another address than the present one has granted nothing."""
    return f"websub:{feed}:{feed_key(setting.public_url)}"


def _place(feed: str) -> str:
    return f"websub-at:{feed}"


def _told_of(feed: str) -> str:
    return f"websub-told:{feed}"


def _dated(draft: Draft, now: Millis, lateness: Millis) -> Draft:
    """A hub may send the whole feed: what is old in it came when it says, and wakes nobody."""
    written = draft.edited_at or draft.claimed_at
    old = written is not None and written < now - lateness
    return msgspec.structs.replace(draft, seen_at=written) if old else draft
