"""What a Discourse community's webhook sends."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from config.sources import DiscourseSource
from ingest.collector import Denied, Draft, Interrupted, Malformed
from ingest.networks.discourse_api import Categories
from ingest.networks.discourse_posts import Post, drafted, posts_of
from ingest.push import Pushed, Unsigned
from ingest.setting import Setting
from ingest.signature import signing_keys, verify_body
from stream.records import Millis, PostKind

SIGNATURE = "X-Discourse-Event-Signature"
_KINDS: dict[str, PostKind] = {
    "post_created": "created", "post_edited": "edited", "post_destroyed": "deleted", "post_recovered": "restored"
}  # fmt: skip


class DiscoursePush:
    """What the community's webhook sends: headers and signature by Discourse's `emit_web_hook_event`, a post by its
    WebHookPostSerializer. Of topics it tells nothing that the posts do not."""

    def __init__(self, settings: DiscourseSource, setting: Setting) -> None:
        self.source, self.max_body = setting.source, settings.max_body
        self._settings, self._setting = settings, setting
        self._categories = Categories(settings, setting)

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        settings, secret = self._settings, self._setting.secret
        keys = signing_keys(*(secret(name) for name in (settings.secret_env, settings.former_secret_env) if name))
        if not keys:
            raise Unsigned(f"source {settings.id} has no secret of 16 characters or more for its webhook: secret_env")
        verify_body(headers.get(SIGNATURE.lower(), ""), body, keys, SIGNATURE)
        event = headers.get("x-discourse-event", "")
        kind, key = _KINDS.get(event), f"{event} {headers.get('x-discourse-event-id', '')}"
        if headers.get("x-discourse-event-type") != "post" or kind is None:
            return Pushed()
        try:
            held = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
            return Pushed((), [Malformed(settings.id, "the body is no JSON", body, type(wrong).__name__)])
        posts, malformed = posts_of([held.get("post") if isinstance(held, dict) else held], settings.id)
        return Pushed([made for post in posts if (made := self._draft(post, kind)) is not None], malformed, key)

    def _draft(self, post: Post, kind: PostKind) -> Draft | None:
        try:
            access = self._categories.access(post.category_id)
        except Denied as denied:
            raise Interrupted(f"who may read it is not known: {denied}") from None
        return drafted(post, self._settings, access, kind)

    def close(self) -> None:
        self._categories.close()
