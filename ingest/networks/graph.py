"""What Facebook and Instagram have in common: lists of posts, newest first, whose comments are read back to the last
one seen.

A round asks every list for its newest page, and for the comments of those posts whose count or time of change differs
from what it was. How far a post's comments were read is a mark that moves only when the listing has reached what was
known before, so that a burst, or a cut in its middle, loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from config.sources.graph import GraphSource
from ingest.buried import Buried
from ingest.collector import (
    PAGE_CAP,
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
    left_out,
)
from ingest.cursors import closed, opened
from ingest.last_week import LastWeek
from ingest.loose import each_of
from ingest.networks.graph_api import Api, Gone, Odd, checked, token_ends
from ingest.remembered import Remembered
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Millis

FIRST: Millis = HOUR
OVERLAP: Millis = 10 * MINUTE
"""A comment may be shown this much later than one that was made after it."""
MOST_PAGES = 1_000


class Item(NamedTuple):
    """A post or comment, as far as asking needs to know it."""

    id: str
    at: Millis
    draft: Draft | None
    """None: it says nothing that could be read."""
    comments: int = 0
    changed: str = ""
    """Differs where its comments may differ."""
    answers: tuple[Any, ...] = ()
    """Comments that came with it."""


Page: TypeAlias = tuple[list[Item], list[Malformed], str]
"""(what is listed, what of it is none, why more is missing; empty: nothing is)."""


class Edge(NamedTuple):
    path: str
    fields: str
    own: bool
    """Whether the comments of its posts may be read."""
    mark: str = ""
    """What stands before the ids of its posts."""


class Network(Protocol):
    edges: Sequence[Edge]
    page: int
    needs: tuple[str, ...]
    """Permissions that the token has to have."""
    flat: bool
    """Answers stand in the list of comments by their time; otherwise below what they answer."""

    def post(self, one: Any, edge: Edge) -> Item | None: ...

    def comment(self, one: Any, post: str) -> Item | None: ...

    def comments(self, post: str) -> tuple[str, dict[str, str | int]]:
        """Path and parameters of the list, newest first."""

    def look_up(self, api: Api, native_ids: Sequence[str]) -> tuple[dict[str, Existence], list[Draft]]: ...

    def above(self, api: Api, native_id: str) -> Iterator[Draft | None]:
        """What a comment answers, nearest first; after each question, also where it brought nothing."""

    def who(self, api: Api) -> str: ...


class Mark(msgspec.Struct, omit_defaults=True):
    began: Millis
    """What is older was there before."""
    seen: Millis = 0
    """Of the newest comment."""
    count: int = -1
    changed: str = ""


class State(msgspec.Struct, omit_defaults=True):
    began: Millis = 0
    """What is older was there before; 0: nothing answered yet."""
    seen: dict[str, Millis] = {}
    """Of each list: when its newest post was made."""
    posts: dict[str, Mark] = {}


class Graph:
    """Keeps `Collector`, `Sweepable`, `Contextual`, `Estimable`, `Checkable`, `Expiring`."""

    style: Style = "poll"
    resumes = True
    most_looked_up = 50

    def __init__(self, settings: GraphSource, setting: Setting, network: Network) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting, self._network = settings, setting, network
        self._api = self._new_api()
        self._known, self._buried = Remembered(), Buried()
        self._week = LastWeek(lambda span: self.fill("", span, None), self.source, setting.clock)
        self._ends: Millis | None = None
        self._ends_asked_at: Millis | None = None

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        state = opened(cursor, State, "the Graph API's")
        for edge in self._network.edges:
            yield from self._listed(state, edge)
            yield Delivery(asked=0, cursor=closed(state))
        kept = sorted(state.posts.items(), key=lambda one: one[1].began)[-4 * self._settings.follow :]
        state.posts = dict(kept)
        self.interval = self._settings.interval * self._api.pace()
        self._learn_its_end()
        yield self._api.delivery(cursor=closed(state))

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """The posts of the span, and the comments made in it on posts that are followed."""
        with closing(self._new_api()) as api:
            for edge in self._network.edges:
                items: list[Item] = []
                for found, wrong, cut in self._pages(api, edge, span.since):
                    items += found
                    drafts = [one.draft for one in found if one.draft and span.since <= one.at < span.until]
                    yield from self._brought(api, drafts, wrong, cut)
                for post in items[: self._settings.follow] if edge.own else ():
                    for comments, wrong, cut in self._comments(api, post.id, span.since, None):
                        drafts = [one.draft for one in comments if one.draft and span.since <= one.at < span.until]
                        yield from self._brought(api, drafts, wrong, cut)

    def look_up(self, native_ids: Sequence[str]) -> Found:
        with closing(self._new_api()) as api:
            existence, drafts = self._network.look_up(api, native_ids)
            if "gone" in existence.values():
                self._sees_its_own(api)
            return Found(existence=existence, drafts=drafts, asked=api.used())

    def _sees_its_own(self, api: Api) -> None:
        """What a token may not read any more looks like what is gone: to one that does not see the list of its own
        posts, or lacks a permission, nothing is gone. Raises Denied."""
        try:
            next(api.pages(self._network.edges[0].path, 1, fields="id", limit=1), None)
            checked(api, self._settings, self._setting.clock.wall(), self._network.needs)
        except (Gone, Odd) as fault:
            raise Denied(
                f"whether posts of source {self.source.id} are gone cannot be told: the token in "
                f"{self._settings.token_env} does not see the list of its own posts ({type(fault).__name__})"
            ) from None

    def context(self, native_id: str) -> Iterator[Delivery]:
        """The comment that it answers, where it answers one, then the post."""
        with closing(self._new_api()) as api:
            for draft in self._network.above(api, native_id):
                yield api.delivery(drafts=[] if draft is None else [draft])

    def sample(self, wanted: Wanted) -> Sample:
        """Of what was published and said in the last week."""
        try:
            return self._week.sample(wanted)
        except (Gone, Odd) as fault:
            raise self._shows_nothing(fault) from None

    def check(self) -> str:
        with closing(self._new_api()) as api:
            try:
                who = self._network.who(api)
                self._ends = checked(api, self._settings, self._setting.clock.wall(), self._network.needs)
            except (Gone, Odd) as fault:
                raise self._shows_nothing(fault) from None
        return f"{who} answers"

    def _shows_nothing(self, fault: Exception) -> Denied:
        return Denied(
            f"the Graph API shows nothing under the number in source {self.source.id}: is it right, and may the token "
            f"in {self._settings.token_env} read it? ({type(fault).__name__})"
        )

    def ends(self) -> Millis | None:
        return self._ends

    def close(self) -> None:
        self._api.close()

    def _new_api(self) -> Api:
        return Api(self._settings, self._setting)

    # --- a round ---

    def _learn_its_end(self) -> None:
        """Once a day, however that ends: what goes wrong here tells nothing of the posts."""
        now = self._setting.clock.steady()
        if self._ends_asked_at is None or now - self._ends_asked_at >= DAY:
            with suppress(Gone, Odd, Denied, Interrupted):
                self._ends_asked_at = now
                self._ends = token_ends(self._api)

    def _listed(self, state: State, edge: Edge) -> Iterator[Delivery]:
        """One list of posts, then the comments of those that have changed."""
        newest, items = state.seen.get(edge.path, 0), list[Item]()
        floor = max(state.began, newest - OVERLAP)
        for found, wrong, cut in self._pages(self._api, edge, floor or None):
            # All lists have begun, whichever question fails next.
            state.began = state.began or self._api.time - FIRST
            yield from self._told(found, wrong, cut, max(floor, state.began))
            items += found
            newest = max([newest, *(one.at for one in found)])
        if edge.own:
            for post in items[: self._settings.follow]:
                mark = state.posts.get(post.id)
                if mark is None:
                    mark = state.posts[post.id] = Mark(max(post.at - 1, state.began))
                if (mark.count, mark.changed) != (post.comments, post.changed):
                    yield from self._read(post, mark)
                    yield Delivery(asked=0, cursor=closed(state))
        state.seen[edge.path] = newest

    def _read(self, post: Item, mark: Mark) -> Iterator[Delivery]:
        newest = mark.seen
        floor = max(mark.seen - OVERLAP, mark.began)
        explain = None if self._network.flat or not mark.seen else post.comments - mark.count
        try:
            for found, wrong, cut in self._comments(self._api, post.id, floor, explain):
                newest = max([newest, *(one.at for one in found)])
                yield from self._told(found, wrong, cut, mark.began)
        except Gone:
            yield self._api.delivery()
        mark.seen, mark.count, mark.changed = newest, post.comments, post.changed

    def _told(self, found: Sequence[Item], wrong: Sequence[Malformed], cut: str, floor: Millis) -> Iterator[Delivery]:
        """What was not brought yet, and what says something else now."""
        drafts, states = self._known.news(found, lambda one: one.draft if one.at > floor else None, lambda one: False)
        yield from self._brought(self._api, drafts, wrong, cut)
        self._known.note(states)

    def _brought(self, api: Api, drafts: Sequence[Draft], wrong: Sequence[Malformed], cut: str) -> Iterator[Delivery]:
        bad = self._buried.unknown(wrong)
        yield api.delivery(drafts=drafts, malformed=bad, **left_out(cut))
        self._buried.note(bad)

    # --- lists ---

    def _pages(self, api: Api, edge: Edge, floor: Millis | None) -> Iterator[Page]:
        """A list of posts, back to `floor`; None: to where a first start begins."""
        for number, (listed, more) in enumerate(
            api.pages(edge.path, MOST_PAGES, fields=edge.fields, limit=self._network.page), 1
        ):
            found, wrong = self._each(api, listed, edge.path, lambda one: self._network.post(one, edge))
            floor = api.time - FIRST if floor is None else floor
            reached = not more or (bool(found) and min(one.at for one in found) <= floor)
            yield found, wrong, PAGE_CAP if number == MOST_PAGES and not reached else ""
            if reached:
                return

    def _comments(self, api: Api, post: str, floor: Millis, explain: int | None) -> Iterator[Page]:
        """Back to `floor`, and where answers stand below what they answer until so many news explain the count."""
        path, params = self._network.comments(post)
        explained = 0
        for number, (listed, more) in enumerate(api.pages(path, MOST_PAGES, **params), 1):
            found, wrong = self._each(api, listed, "comments", lambda one: self._network.comment(one, post))
            oldest = min((one.at for one in found), default=None)
            answers = [answer for one in found for answer in one.answers]
            below, bad = self._each(api, answers, "comments", lambda one: self._network.comment(one, post))
            found, wrong = found + below, wrong + bad
            explained += sum(one.at > floor and one.id not in self._known for one in found)
            reached = (oldest is not None and oldest <= floor) and (explain is None or explained >= explain)
            yield found, wrong, PAGE_CAP if number == MOST_PAGES and more and not reached else ""
            if reached or not more:
                return

    def _each(
        self, api: Api, listed: Sequence[Any], place: str, read: Callable[[Any], Item | None]
    ) -> tuple[list[Item], list[Malformed]]:
        """What is dated ahead counts as of now: how far a list was read must not lie where nothing is yet."""
        found, wrong = each_of(listed, read, f"{self.source.id}:{place}", "post")
        return [one._replace(at=min(one.at, api.time)) for one in found], wrong


def edited(draft: Draft, at: Millis | None = None) -> Draft:
    return msgspec.structs.replace(draft, kind="edited", edited_at=at)


def number_of(one: Any, *names: str) -> int | None:
    for name in names:
        one = one.get(name) if isinstance(one, dict) else None
    return one if isinstance(one, int) else None


def looked_up(api: Api, ids: Sequence[str], fields: str) -> dict[str, Any]:
    """By id those that are there. One that is gone spoils the answer for all of them: then each half is asked."""
    if not ids:
        return {}
    try:
        held = api.get("", ids=",".join(ids), fields=fields)
    except (Gone, Odd):
        if len(ids) == 1:
            return {}
        half = len(ids) // 2
        return looked_up(api, ids[:half], fields) | looked_up(api, ids[half:], fields)
    return {id: one for id, one in held.items() if id in ids and isinstance(one, dict)}
