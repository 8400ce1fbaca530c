"""What Meta's webhooks send for a page or an account: one app, one address, one signature for both.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started (challenge, `X-Hub-Signature-256`, up to a
thousand changes in one body, sent again for 36 hours).
"""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from config.sources.graph import GraphSource
from ingest.collector import Denied, Draft, Interrupted, Malformed
from ingest.networks.graph_api import Api, Gone, Odd
from ingest.push import Pushed, Unsigned
from ingest.setting import Setting
from ingest.signature import signing_keys, verify_body
from stream.clock import SECOND
from stream.records import Millis

SIGNATURE = "X-Hub-Signature-256"
MOST_CHANGES = 2_000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


class Change(NamedTuple):
    field: str
    value: dict[str, Any]
    at: Millis


class Changes(Protocol):
    about: str
    """`object` of the body."""
    account: str

    def drafts(self, api: Api, change: Change) -> list[Draft]: ...


class GraphPush:
    """Keeps `Push`, `Challenged` and `Addressed`: an app has one address for all its pages."""

    def __init__(self, settings: GraphSource, setting: Setting, changes: Changes) -> None:
        self.source, self.max_body = setting.source, settings.max_body
        self.account = changes.account
        self._settings, self._setting, self._changes = settings, setting, changes
        self._api, self._lock = Api(settings, setting), threading.Lock()

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        name = self._settings.verify_env
        words = signing_keys(self._setting.secret(name) if name else None)
        given = query.get("hub.verify_token", "").encode("utf-8", "replace")
        if query.get("hub.mode") != "subscribe" or not any(hmac.compare_digest(one.encode(), given) for one in words):
            return None
        said = query.get("hub.challenge", "")
        return said if _CHALLENGE.fullmatch(said) else None

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        name = self._settings.secret_env
        keys = signing_keys(self._setting.secret(name) if name else None)
        if not keys:
            raise Unsigned(f"source {self._settings.id} has no app secret: secret_env")
        verify_body(headers.get(SIGNATURE.lower(), ""), body, keys, SIGNATURE)
        try:
            held = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
            return Pushed((), [Malformed(self._settings.id, "the body is no JSON", body, type(wrong).__name__)])
        if not isinstance(held, dict) or held.get("object") != self._changes.about:
            return Pushed()
        drafts, wrong_ones = list[Draft](), list[Malformed]()
        for change in self._listed(held)[:MOST_CHANGES]:
            try:
                with self._lock:
                    drafts += self._changes.drafts(self._api, change)
            except Denied as denied:
                raise Interrupted(f"what it tells of cannot be read: {denied}") from None
            except (Gone, Odd) as fault:
                why, payload = f"it cannot be read: {fault!r}", msgspec.json.encode(change.value)
                wrong_ones.append(Malformed(self._settings.id, why, payload))
        return Pushed(drafts, wrong_ones)

    def accounts(self, body: bytes) -> frozenset[str]:
        try:
            held = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return frozenset()
        entries = held.get("entry") if isinstance(held, dict) and held.get("object") == self._changes.about else ()
        listed = entries if isinstance(entries, list) else ()
        return frozenset(str(one.get("id")) for one in listed[:MOST_CHANGES] if isinstance(one, dict))

    def close(self) -> None:
        with self._lock:
            self._api.close()

    def _listed(self, held: dict[str, Any]) -> list[Change]:
        """Of the account that is listened to: an app's webhook tells of all that it is installed on
        (`ingest.push.Together`)."""
        found = []
        entries = held.get("entry")
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict) or str(entry.get("id")) != self._changes.account:
                continue
            time, changes = entry.get("time"), entry.get("changes")
            at = self._setting.clock.now() if not isinstance(time, int) else time if time > 10**11 else time * SECOND
            for one in changes if isinstance(changes, list) else ():
                value = one.get("value") if isinstance(one, dict) else None
                if isinstance(value, dict):
                    found.append(Change(str(one.get("field")), value, at))
        return found
