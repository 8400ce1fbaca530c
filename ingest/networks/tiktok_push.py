"""What TikTok's webhook sends of an account: comments that come, go, or are shown to others than before, and mentions.

https://business-api.tiktok.com/portal/docs?id=1759977800177665 (at least once, again for 72 hours), 1759978341579777
(`Tiktok-Signature`), 1810515104773122 (`comment.update`). One app has one address for all its accounts; what an event
says stands in `content`, JSON within the JSON.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from config.sources.tiktok import TiktokSource
from ingest.collector import Denied, Draft, Interrupted, Malformed
from ingest.loose import text_of
from ingest.networks.tiktok_api import Api, Odd, granted
from ingest.networks.tiktok_comments import asked_for
from ingest.networks.tiktok_posts import (
    BY_HANDLE,
    HANDLE,
    MENTION,
    MENTIONED_COMMENT,
    MENTIONED_VIDEO,
    Mentioned,
    link_of,
    mentioned_comment,
    mentioned_video,
    number_of,
    seconds_of,
)
from ingest.push import Pushed, Unsigned
from ingest.setting import Setting
from ingest.signature import signing_keys, verify_stamped
from stream.clock import HOUR
from stream.records import Author, Millis

SIGNATURE = "Tiktok-Signature"
SENT_AGAIN: Millis = 73 * HOUR
"""What could not be taken is sent again for 72 hours, and nobody says that it is signed anew. The same body counts once
(`ingest.taken`), so that it can be no older one that somebody kept."""
_AWAY = frozenset({"set_to_hidden", "set_to_friends_only"})


class TiktokPush:
    """Keeps `Push` and `Addressed`: an app has one address for all its accounts."""

    def __init__(self, settings: TiktokSource, setting: Setting) -> None:
        self.source, self.max_body = setting.source, settings.max_body
        self.account = settings.account
        self._settings, self._setting = settings, setting
        self._api, self._lock = Api(settings, setting, granted(settings, setting)), threading.Lock()

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        keys = signing_keys(self._setting.secret(self._settings.client_secret_env))
        if not keys:
            raise Unsigned(f"source {self._settings.id} has no app secret: client_secret_env")
        verify_stamped(headers.get(SIGNATURE.lower(), ""), body, keys, SIGNATURE, wall, SENT_AGAIN)
        try:
            event = msgspec.json.decode(body)
            if not isinstance(event, dict) or event.get("user_openid") != self._settings.account:
                return Pushed()
            held = event.get("content")
            told = msgspec.json.decode(held) if isinstance(held, str) else held
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
            return Pushed((), [Malformed(self._settings.id, "what it says is no JSON", body, type(wrong).__name__)])
        try:
            with self._lock:
                return self._understood(event.get("event"), told, body)
        except Denied as denied:
            raise Interrupted(f"what it tells of cannot be read: {denied}") from None

    def accounts(self, body: bytes) -> frozenset[str]:
        try:
            event = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return frozenset()
        account = event.get("user_openid") if isinstance(event, dict) else None
        return frozenset([account] if isinstance(account, str) else [])

    def close(self) -> None:
        with self._lock:
            self._api.close()

    def _understood(self, what: object, told: Any, body: bytes) -> Pushed:
        video, comment = number_of(told, "video_id"), number_of(told, "comment_id")
        if what == "comment.update":
            if video is None or comment is None:
                return Pushed((), [Malformed(self._settings.id, "it names no comment", body)])
            made = self._commented(video, comment, told)
        elif what == "brand.mention.event" and self._settings.mentions:
            if video is None:
                return Pushed((), [Malformed(self._settings.id, "it names no post", body)])
            made = self._mentioned(f"{MENTION}{video}" + (f"/{comment}" if comment else ""), told)
        else:
            return Pushed()
        return Pushed([made] if made is not None else [])

    def _commented(self, video: str, comment: str, told: Any) -> Draft | None:
        action, id = text_of(told, "comment_action"), f"{video}/{comment}"
        if action == "delete" or (action in _AWAY and not self._settings.keep_hidden):
            return Draft(native_id=id, kind="deleted")
        if action not in ("insert", "set_to_public"):
            return None
        made = self._told(video, comment, told) or self._asked(video, comment)
        if made is None:
            return None
        return made if action == "insert" else msgspec.structs.replace(made, kind="restored")

    def _told(self, video: str, comment: str, told: Any) -> Draft | None:
        """As the push says it, which has no picture and no name of the writer; None where it has no text. `timestamp`
        is when a comment was made only where it was made just now."""
        text, writer = text_of(told, "text"), text_of(told, "unique_identifier")
        above, made_at = number_of(told, "parent_comment_id"), seconds_of(told, "timestamp")
        if not text or not writer or text_of(told, "comment_action") != "insert":
            return None
        return Draft(
            native_id=f"{video}/{comment}",
            text=text,
            author=Author(id=writer),
            claimed_at=made_at,
            conversation=video,
            reply_to=f"{video}/{above}" if above else video,
            link=link_of(self._setting.notes.get(HANDLE), video),
        )

    def _asked(self, video: str, comment: str) -> Draft | None:
        try:
            found = asked_for(self._api, video, [comment], self._setting.notes.get(HANDLE) or "")
        except Odd:
            return None
        return next((one.draft for one in found if one.id == f"{video}/{comment}"), None)

    def _mentioned(self, id: str, told: Any) -> Draft | None:
        """A push does not say who wrote a comment's text, nor what it is: it is asked for."""
        one, event = mentioned(self._api, id), text_of(told, "type_of_event")
        found: Mentioned | None = (mentioned_comment if id.count("/") > 1 else mentioned_video)(one)
        if found is None or found.id != id:
            return Draft(native_id=id, kind="deleted") if event == "PRIVACY_CHANGE" else None
        own = self._setting.notes.get(HANDLE)
        if found.draft is None or (own and found.handle == own):
            # Below a post of the account: that is told as a comment.
            return None
        kind = {"EDIT": "edited", "PRIVACY_CHANGE": "restored"}.get(event, "created")
        return msgspec.structs.replace(found.draft, kind=kind)


def mentioned(api: Api, id: str) -> Any:
    """What the API says of one mention; None where it shows nothing."""
    _, video, *comment = id.split("/")
    try:
        if comment:
            fields = [*MENTIONED_COMMENT, BY_HANDLE]
            return api.get("business/mention/comment/get/", item_id=video, comment_id=comment[0], fields=fields).get(
                "comment"
            )
        listed = api.get("business/mention/video/get/", item_id=video, fields=list(MENTIONED_VIDEO)).get("video")
    except Odd:
        return None
    return listed[0] if isinstance(listed, list) and listed else listed
