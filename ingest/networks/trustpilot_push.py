"""What Trustpilot's webhook sends: events of service reviews.

Trustpilot documents no signature of what it sends (see docs/networks/trustpilot.md), so the address that it calls holds
a word that only it and Clamor know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any

import msgspec

from config.sources.trustpilot import TrustpilotSource
from ingest.collector import Draft, Malformed
from ingest.networks.trustpilot_reviews import drafts_of, reviews_of
from ingest.push import Pushed, Unsigned
from ingest.setting import Setting
from ingest.signature import BadSignature, signing_keys
from ingest.told import REPLY, Told, deleted
from stream.records import Millis, PostKind

MOST_EVENTS = 1_000
_KINDS: dict[str, PostKind] = {
    "service-review-created": "created", "service-review-updated": "edited", "service-review-deleted": "deleted"
}  # fmt: skip


class Events(msgspec.Struct):
    events: list[Any]


class TrustpilotPush:
    def __init__(self, settings: TrustpilotSource, setting: Setting) -> None:
        self.source, self.max_body = setting.source, settings.max_body
        self._settings, self._setting = settings, setting
        self._told = Told(setting.notes, setting.clock)

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        self._verify(query.get("key", ""))
        source = self.source.id
        try:
            held = msgspec.json.decode(body, type=Events).events
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
            return Pushed((), [Malformed(source, "the body is no list of events", body, type(wrong).__name__)])
        if len(held) > MOST_EVENTS:
            return Pushed((), [Malformed(source, f"it has more than {MOST_EVENTS} events", body, "TooMany")])
        drafts: list[Draft] = []
        malformed: list[Malformed] = []
        for number, event in enumerate(held):
            named = event.get("eventName") if isinstance(event, dict) else None
            kind = _KINDS.get(named) if isinstance(named, str) else None
            if kind is not None:
                told, wrong_ones = self._of(kind, event.get("eventData"), number)
                drafts += told
                malformed += wrong_ones
        # An edit that is taken back is the same body as the one before: each version counts, not each body.
        return Pushed(drafts, malformed, str(wall))

    def close(self) -> None:
        """It holds no connection."""

    def _verify(self, given: str) -> None:
        settings, secret = self._settings, self._setting.secret
        names = (settings.secret_env, settings.former_secret_env)
        words = signing_keys(*(secret(name) for name in names if name))
        if not words:
            raise Unsigned(f"source {settings.id} has no word of 16 characters or more for its webhook: secret_env")
        good = False
        for word in words:
            good |= compare_digest(word.encode(), given.encode("utf-8", "replace"))
        if not good:
            raise BadSignature("the address that was called has not the word of this source behind ?key=")

    def _of(self, kind: PostKind, data: object, number: int) -> tuple[Sequence[Draft], list[Malformed]]:
        if kind != "deleted":
            reviews, malformed = reviews_of([data], self.source.id)
            return [draft for review in reviews for draft in drafts_of(review, kind)], malformed
        id = data.get("id") if isinstance(data, dict) else None
        if not isinstance(id, str) or not id:
            payload = msgspec.json.encode(data)
            return [], [Malformed(self.source.id, "a deleted review has no id", payload, "ValidationError", number)]
        return deleted([id, *self._told.of([id + REPLY])]), []
