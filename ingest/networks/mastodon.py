"""Mastodon: hashtags and public timelines of several servers, read forward from the last post that was seen.

`min_id` pages forward from a post, so that nothing that came between two rounds is skipped. Ids begin with the time of
a post's creation, and posts of other servers arrive late, so each round reads the last minutes again; what was seen
there before is passed over. Follows docs.joinmastodon.org: methods/timelines, methods/statuses, entities/Status.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from config.sources.mastodon import MastodonSource
from ingest.collector import (
    AccountState,
    Delivery,
    Denied,
    Draft,
    Existence,
    Found,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
)
from ingest.markup import words_of
from ingest.setting import Setting
from ingest.wanted import Wanted
from ingest.web import Answer, Web
from stream.clock import HOUR
from stream.records import Author, Metrics, Millis, PostKind

T = TypeVar("T")

PAGE = 40
"""Posts of a page, the most that a server gives."""
MOST_PAGES = 1_000
"""Of one timeline and round."""
REMEMBERED = 50_000
TIME_BITS = 16
"""Bits of an id below its time in milliseconds (Mastodon::Snowflake)."""
SAMPLED_PAGES = 10
_SHOWN = frozenset({"public", "unlisted"})


class Shape(msgspec.Struct, frozen=True, gc=False):
    """What stands in JSON; unknown fields are passed over."""


class Account(Shape, frozen=True, gc=False):
    acct: str
    display_name: str | None = None
    followers_count: int | None = None
    noindex: bool | None = None


class _Standing(Shape, frozen=True, gc=False):
    """Of an account, as a server's moderators left it; the flags are told only where they are true."""

    acct: str
    suspended: bool | None = None
    limited: bool | None = None


class Attachment(Shape, frozen=True, gc=False):
    url: str | None = None
    description: str | None = None


class Boosted(Shape, frozen=True, gc=False):
    uri: str


class Status(Shape, frozen=True, gc=False):
    id: str
    uri: str
    account: Account
    created_at: str
    content: str = ""
    url: str | None = None
    edited_at: str | None = None
    in_reply_to_id: str | None = None
    reblog: Boosted | None = None
    spoiler_text: str | None = None
    visibility: str = "public"
    language: str | None = None
    media_attachments: list[Attachment] = []
    favourites_count: int | None = None
    reblogs_count: int | None = None
    replies_count: int | None = None


class _Context(Shape, frozen=True, gc=False):
    ancestors: list[Status] = []
    descendants: list[Status] = []


class Timeline(NamedTuple):
    instance: str
    path: str
    query: str = ""
    """The brand it is read for."""

    @property
    def name(self) -> str:
        return f"{urlsplit(self.instance).netloc}{self.path}"


def collector(settings: MastodonSource, setting: Setting) -> Mastodon:
    return Mastodon(settings, setting)


class Mastodon:
    style: Style = "poll"
    resumes = True
    most_looked_up = 10

    def __init__(self, settings: MastodonSource, setting: Setting) -> None:
        self.source = msgspec.structs.replace(setting.source, firehose=True)
        self.interval = settings.interval
        self._settings, self._setting = settings, setting
        self._webs = {instance: self._web(instance) for instance in settings.instances}
        self._seen: OrderedDict[tuple[str, str | None], None] = OrderedDict()
        self._uris: OrderedDict[tuple[str, str], str] = OrderedDict()
        """Of posts by server and its id."""
        self._ids: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        places = _places(cursor)
        for timeline in self._timelines():
            if timeline.query and not self._setting.allowed(timeline.query):
                yield Delivery(query=timeline.query, asked=0, missed=None, reason="spend cap")
                continue
            if timeline.name not in places:
                newest = self._page(self._webs, timeline, {"limit": 1})
                places[timeline.name] = max((int(one.id) for one in newest.statuses), default=0)
                yield Delivery(cursor=_written(places))
                continue
            yield from self._forward(timeline, places)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        webs = {instance: self._web(instance) for instance in self._settings.instances}
        try:
            for timeline in self._timelines():
                if query in ("", timeline.query):
                    for page in self._pages(webs, timeline, span.since << TIME_BITS):
                        yield self._delivery(timeline, page, fresh=False)
                        if page.last >> TIME_BITS >= span.until:
                            break
        finally:
            for web in webs.values():
                web.close()

    def close(self) -> None:
        for web in self._webs.values():
            web.close()

    # --- a timeline ---

    def _timelines(self) -> Iterator[Timeline]:
        asked = self._setting.wanted()
        for instance in self._settings.instances:
            if self._settings.public:
                yield Timeline(instance, "/api/v1/timelines/public")
            for tag in self._settings.hashtags:
                yield Timeline(instance, _tagged(tag))
            for one in asked:
                for tag in one.hashtags:
                    yield Timeline(instance, _tagged(tag), one.brand)

    def _forward(self, timeline: Timeline, places: dict[str, int]) -> Iterator[Delivery]:
        """What came since; the cursor moves page by page, from the oldest on."""
        known = places[timeline.name]
        again = self._settings.look_back if "/tag/" in timeline.path else 0
        begin = max(known - (again << TIME_BITS), 0)
        for page in self._pages(self._webs, timeline, begin):
            places[timeline.name] = max(known, page.last)
            yield msgspec.structs.replace(self._delivery(timeline, page), cursor=_written(places))

    def _pages(self, webs: Mapping[str, Web], timeline: Timeline, begin: int) -> Iterator[Page]:
        for _ in range(MOST_PAGES):
            page = self._page(webs, timeline, {"limit": PAGE, "min_id": str(begin)})
            yield page
            if page.size == 0 or page.last <= begin or self._setting.stop.is_set():
                return
            begin = page.last

    def _page(self, webs: Mapping[str, Web], timeline: Timeline, params: Mapping[str, str | int]) -> Page:
        return _read(webs[timeline.instance].get(timeline.path, params), timeline)

    def _delivery(self, timeline: Timeline, page: Page, fresh: bool = True) -> Delivery:
        drafts: list[Draft] = []
        for status in sorted(page.statuses, key=lambda status: int(status.id)):
            self._note(timeline.instance, status)
            version = (status.uri, status.edited_at)
            if (fresh and version in self._seen) or status.visibility not in _SHOWN or status.account.noindex:
                continue
            _remember(self._seen, version)
            drafts.append(self._draft(timeline.instance, status))
        return Delivery(drafts=drafts, malformed=page.malformed, query=timeline.query)

    def _note(self, instance: str, status: Status) -> None:
        self._uris[instance, status.id] = status.uri
        self._ids[status.uri] = instance, status.id
        if len(self._uris) > REMEMBERED:
            self._uris.popitem(last=False)
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    def _draft(self, instance: str, status: Status) -> Draft:
        answered = None if status.in_reply_to_id is None else self._uris.get((instance, status.in_reply_to_id))
        return _draft(instance, status, answered)

    # --- single posts ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        """One request each; of a post whose server is not asked, nothing is learnt."""
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        asked = 0
        for native_id in native_ids:
            place = self._place(native_id)
            existence[native_id] = "there"
            if place is None:
                continue
            with self._web(place[0]) as web:
                answer = web.get(f"/api/v1/statuses/{quote(place[1], safe='')}")
            asked += 1
            if answer.status in (404, 410):
                existence[native_id] = "gone"
                continue
            status = _decoded(answer, Status)
            kind: PostKind = "metrics" if status.edited_at is None else "edited"
            drafts.append(msgspec.structs.replace(self._draft(place[0], status), kind=kind))
        return Found(existence=existence, drafts=drafts, asked=asked)

    def context(self, native_id: str) -> Iterator[Delivery]:
        place = self._place(native_id)
        if place is None:
            return
        with self._web(place[0]) as web:
            answer = web.get(f"/api/v1/statuses/{quote(place[1], safe='')}/context")
        if answer.status in (404, 410):
            return
        found = _decoded(answer, _Context)
        for status in (*found.ancestors, *found.descendants):
            self._note(place[0], status)
        shown = [one for one in (*reversed(found.ancestors), *found.descendants) if one.visibility in _SHOWN]
        yield Delivery(drafts=[self._draft(place[0], status) for status in shown])

    def _place(self, uri: str) -> tuple[str, str] | None:
        """The server to ask about a post, and its id there: only servers of the settings are ever asked."""
        known = self._ids.get(uri)
        if known is not None:
            return known
        for instance in self._settings.instances:
            begin, _, id = uri.rpartition("/statuses/")
            if begin.startswith(instance + "/") and id.isdecimal():
                return instance, id
        return None

    # --- before it is switched on ---

    def check(self) -> str:
        for timeline in self._timelines():
            with self._web(timeline.instance) as web:
                _read(web.get(timeline.path, {"limit": 1}), timeline)
            return f"{urlsplit(timeline.instance).netloc} shows its timelines"
        raise Denied("nothing is asked for: give the brands hashtags, or set `hashtags` or `public` of the source")

    def sample(self, wanted: Wanted) -> Sample:
        now = self._setting.clock.now()
        hours = [0] * 24
        asked, capped = 0, False
        for instance in self._settings.instances:
            for tag in wanted.hashtags:
                timeline = Timeline(instance, _tagged(tag), wanted.brand)
                before: dict[str, str | int] = {}
                for _ in range(SAMPLED_PAGES):
                    with self._web(instance) as web:
                        page = _read(web.get(timeline.path, {"limit": PAGE, **before}), timeline)
                    asked += 1
                    ages = [(now - (_millis(one.created_at) or now)) // HOUR for one in page.statuses]
                    for age in ages:
                        if 0 <= age < 24:
                            hours[23 - age] += 1
                    if not ages or max(ages) >= 24:
                        break
                    before = {"max_id": min(page.statuses, key=lambda one: int(one.id)).id}
                else:
                    capped = True
        return Sample(tuple(hours), asked=asked, capped=capped)

    def account(self, handle: str) -> AccountState:
        """By `accounts/lookup` of its own server where that is asked, else of the first one."""
        name, _, host = handle.partition("@")
        own = [one for one in self._settings.instances if urlsplit(one).netloc == host]
        with self._web((own or list(self._settings.instances))[0]) as web:
            answer = web.get("/api/v1/accounts/lookup", {"acct": name if own or not host else handle})
        if answer.status in (404, 410):
            return "gone"
        found = _decoded(answer, _Standing)
        return "suspended" if found.suspended else "limited" if found.limited else "there"

    def _web(self, instance: str) -> Web:
        name = self._settings.token_envs.get(instance)
        token = None if name is None else self._setting.secret(name)
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return Web(instance, headers, timeout=self._settings.timeout / 1_000)


class Page(NamedTuple):
    statuses: list[Status]
    malformed: list[Malformed]
    size: int
    last: int
    """The highest id; 0: none."""


def _read(answer: Answer, timeline: Timeline) -> Page:
    found = answer.json()
    if answer.status != 200 or not isinstance(found, list):
        raise Interrupted(f"{timeline.name} answers with no timeline")
    statuses: list[Status] = []
    malformed: list[Malformed] = []
    last = 0
    for one in found:
        try:
            status = msgspec.convert(one, Status)
            last = max(last, int(status.id))
            statuses.append(status)
        except (msgspec.ValidationError, ValueError) as fault:
            malformed.append(Malformed(timeline.name, f"no status: {fault}"[:300], msgspec.json.encode(one)))
    return Page(statuses, malformed, len(found), last)


def _draft(instance: str, status: Status, answered: str | None) -> Draft:
    account, host = status.account, urlsplit(instance).netloc
    handle = account.acct if "@" in account.acct else f"{account.acct}@{host}"
    edited = status.edited_at is not None
    return Draft(
        native_id=status.uri,
        kind="edited" if edited else "created",
        text=words_of(status.content),
        title=status.spoiler_text or None,
        author=Author(
            id=handle.lower(), handle=handle, name=account.display_name or None, followers=account.followers_count
        ),
        lang=status.language,
        claimed_at=_millis(status.created_at),
        edited_at=_millis(status.edited_at),
        reply_to=answered,
        repost_of=None if status.reblog is None else status.reblog.uri,
        link=status.url or status.uri,
        media=tuple(one.url for one in status.media_attachments if one.url),
        metrics=Metrics(likes=status.favourites_count, reposts=status.reblogs_count, replies=status.replies_count),
    )


def _decoded(answer: Answer, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Interrupted("the server's answer is none, or only half of it") from None


def _millis(text: str | None) -> Millis | None:
    if text is None:
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None


def _tagged(tag: str) -> str:
    return f"/api/v1/timelines/tag/{quote(tag.lstrip('#'), safe='')}"


def _remember(memory: OrderedDict[tuple[str, str | None], None], key: tuple[str, str | None]) -> None:
    memory[key] = None
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


def _places(cursor: str | None) -> dict[str, int]:
    """Highest id seen, by timeline."""
    try:
        return msgspec.json.decode(cursor or "{}", type=dict[str, int])
    except msgspec.MsgspecError:
        return {}


def _written(places: Mapping[str, int]) -> str:
    return msgspec.json.encode(places).decode()
