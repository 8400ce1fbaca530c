"""What a Discourse community's webhook sends."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

import msgspec

from config.sources import DiscourseSource
from ingest.collector import Denied, Draft, Interrupted, Malformed
from ingest.loose import list_of, table
from ingest.networks.discourse_api import Api, Categories, Refusing
from ingest.networks.discourse_posts import Access, Post, Topic, community, drafted, native_id, posts_of
from ingest.push import Pushed, Unsigned
from ingest.setting import Setting
from ingest.signature import signing_keys, verify_body
from stream.records import Millis, PostKind

SIGNATURE = "X-Discourse-Event-Signature"
MOST_OF_TOPIC = 5_000
"""Posts of a topic that go or come back with it at once; sweeps find the rest of a longer one that went."""
TOPIC_PAGE = 20
_TOPICS = {"topic_destroyed", "topic_recovered"}
_KINDS: dict[str, PostKind] = {
    "post_created": "created", "post_edited": "edited", "post_destroyed": "deleted", "post_recovered": "restored"
}  # fmt: skip


class DiscoursePush:
    """What the community's webhook sends: headers and signature by Discourse's `emit_web_hook_event`, a post by its
    WebHookPostSerializer. Of topics (WebHookTopicViewSerializer) only that one goes or comes back: of its posts only
    the first is told of then."""

    def __init__(self, settings: DiscourseSource, setting: Setting) -> None:
        self.source, self.max_body = setting.source, settings.max_body
        self._settings, self._setting = settings, setting
        self._categories = Categories(settings, setting)
        self._api, self._lock = Api(settings, setting), Lock()

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        settings, secret = self._settings, self._setting.secret
        keys = signing_keys(*(secret(name) for name in (settings.secret_env, settings.former_secret_env) if name))
        if not keys:
            raise Unsigned(f"source {settings.id} has no secret of 16 characters or more for its webhook: secret_env")
        verify_body(headers.get(SIGNATURE.lower(), ""), body, keys, SIGNATURE)
        event = headers.get("x-discourse-event", "")
        kind, key = _KINDS.get(event), f"{event} {headers.get('x-discourse-event-id', '')}"
        about = headers.get("x-discourse-event-type")
        if (about, event) not in {*(("post", one) for one in _KINDS), *(("topic", one) for one in _TOPICS)}:
            return Pushed()
        try:
            held = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
            return Pushed((), [Malformed(settings.id, "the body is no JSON", body, type(wrong).__name__)])
        if kind is None:
            try:
                topic = msgspec.convert(held.get("topic") if isinstance(held, dict) else held, Topic)
            except (msgspec.ValidationError, ValueError) as wrong:
                reason = f"it is no topic: {wrong}"[:300]
                return Pushed((), [Malformed(settings.id, reason, body, type(wrong).__name__)])
            return Pushed(self._with_topic(topic, event), (), key)
        posts, malformed = posts_of([held.get("post") if isinstance(held, dict) else held], settings.id)
        return Pushed([made for post in posts if (made := self._draft(post, kind)) is not None], malformed, key)

    def _with_topic(self, topic: Topic, event: str) -> list[Draft]:
        if topic.archetype == "private_message":
            return []
        if event == "topic_destroyed":
            place, last = community(self._settings.url), min(topic.highest_post_number, MOST_OF_TOPIC)
            label = self._access(topic.category_id).label(topic.category_id) or self._settings.access
            return [Draft(native_id=native_id(place, topic.id, number), kind="deleted", access=label)
                    for number in range(1, last + 1)]  # fmt: skip
        posts = self._posts_of(topic)
        return [made for post in posts if (made := self._draft(post, "restored")) is not None]

    def _posts_of(self, topic: Topic) -> list[Post]:
        """Those that are shown again: one that was deleted by itself before does not come back with its topic."""
        found: dict[int, Post] = {}
        for number in range(1, MOST_OF_TOPIC // TOPIC_PAGE + 1):
            try:
                with self._lock:
                    page = self._api.get(f"t/{topic.id}.json", page=number)
            except Refusing:
                break
            except Denied as denied:
                raise Interrupted(f"what came back cannot be read: {denied}") from None
            posts, _ = posts_of(list_of(table(page, "post_stream"), "posts"), "topic")
            about = {"topic_title": topic.title, "category_id": topic.category_id, "topic_slug": topic.slug}
            found |= {post.id: msgspec.structs.replace(post, **about) for post in posts}
            if not posts or max(post.post_number for post in posts) >= topic.highest_post_number:
                break
        return list(found.values())

    def _access(self, category: int | None) -> Access:
        try:
            return self._categories.access(category)
        except Denied as denied:
            raise Interrupted(f"who may read it is not known: {denied}") from None

    def _draft(self, post: Post, kind: PostKind) -> Draft | None:
        return drafted(post, self._settings, self._access(post.category_id), kind)

    def close(self) -> None:
        self._categories.close()
        with self._lock:
            self._api.close()
