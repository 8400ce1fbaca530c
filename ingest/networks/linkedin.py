"""The LinkedIn page of an organisation: its posts, comments on the newest of them and answers, posts that mention it.

A round asks for the posts that were changed last and for the counts of those that are followed; where a count differs,
the comments are read. Nobody says in which order LinkedIn lists comments: so they are read until those that are new
explain the difference, else to the end, and all of them again now and then, in case one was deleted and another
written. How far a post was read is a mark that moves only when that is done, so that a cut loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain

import msgspec

from config.sources import LinkedinSource
from ingest.buried import Buried
from ingest.collector import Collector, Delivery, Draft, Existence, Found, Malformed, Sample, Span, Style, left_out
from ingest.cursors import closed, opened
from ingest.last_week import LastWeek
from ingest.networks.linkedin_api import Api, Counts, Gone, Hidden, grant_of
from ingest.networks.linkedin_lists import FIRST, NOT_SHOWN, Lists
from ingest.networks.linkedin_posts import Item, edited, parts_of, reach
from ingest.remembered import Remembered
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, MINUTE, passed
from stream.records import Millis

OVERLAP: Millis = 10 * MINUTE
"""What is made may be shown this much later than what was made after it."""
MENTIONS_KEPT: Millis = 60 * DAY
MOST_ANSWERED = 200
"""Comments of a post of which it is remembered how many answers they have."""
MOST_ABOVE = 10
MOST_SAMPLED = {"standard": 60, "development": 15}
"""Requests of an estimate, by the tier."""


def collector(settings: LinkedinSource, setting: Setting) -> Collector:
    return Linkedin(settings, setting)


class Mark(msgspec.Struct, omit_defaults=True):
    """Of a post that is followed."""

    at: Millis
    """When it was published."""
    began: Millis
    """Comments that are older were there before."""
    seen: Millis = 0
    """Of the newest comment."""
    count: int = -1
    likes: int | None = 0
    read: Millis = 0
    """When all its comments were read last, by the wall's clock."""
    about: str = ""
    """What LinkedIn calls it in the ids of its comments."""
    answered: dict[str, int] = {}
    """Number of a comment: how many answers it had."""


class State(msgspec.Struct, omit_defaults=True):
    modified: Millis = 0
    """Of the post that was changed last."""
    mentioned: Millis = 0
    posts: dict[str, Mark] = {}


class Linkedin:
    """Keeps `Collector`, `Sweepable`, `Contextual`, `Estimable`, `Checkable`, `CheckCounted`, `Expiring`."""

    style: Style = "poll"
    resumes = True
    most_looked_up = 10

    def __init__(self, settings: LinkedinSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self.check_used = (0, 0)
        self.grant = grant_of(settings, setting)
        """What access tokens are got by; None: a person gives one."""
        self._buried = Buried()
        self._lists = self._new_lists()
        self._api = self._lists.api
        self._known = Remembered()
        most = MOST_SAMPLED[settings.tier]
        self._week = LastWeek(lambda span: self.fill("", span, None), self.source, setting.clock, most)
        self._whole: set[str] = set()
        """Posts of which this process has seen every comment that there was."""
        self._posts: Mapping[str, str] = {}
        """What LinkedIn calls a post in the ids of its comments: how its list of posts calls it."""
        self._hidden: set[str] = set()
        """Posts that mentioned the page in the last round and that may not be read."""

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        state = opened(cursor, State, "LinkedIn's")
        yield from self._published(state)
        if self._settings.mentions and not state.mentioned:
            # They have begun as well, whichever question fails next.
            state.mentioned = self._api.time - FIRST + OVERLAP
        yield Delivery(asked=0, cursor=closed(state))
        yield from self._commented(state)
        if self._settings.mentions:
            yield from self._mentioned(state)
        yield self._api.delivery(cursor=closed(state))

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """The posts of the span, and the comments made in it on the newest posts of then."""
        lists = self._new_lists()
        with closing(lists.api) as api:
            posts: list[Item] = []
            for found, wrong, cut in lists.posts(span.since):
                posts += found
                yield api.delivery(drafts=_within(found, span), malformed=wrong, **left_out(cut))
                self._buried.note(wrong)
            before = sorted((one for one in posts if one.at < span.until), key=lambda one: -one.at)
            followed = [one.id for one in before[: self._settings.follow]]
            for post in self._talked_about(api, followed):
                yield from self._fill_comments(lists, post, span)
            if self._settings.mentions:
                for found, wrong, cut in lists.mentions(span, lambda id: False):
                    yield api.delivery(drafts=_within(found, span), malformed=wrong, **left_out(cut))
                    self._buried.note(wrong)
                if span.since < api.time - MENTIONS_KEPT:
                    yield Delivery(asked=0, **left_out("LinkedIn keeps mentions for 60 days"))

    def _talked_about(self, api: Api, posts: Sequence[str]) -> Sequence[str]:
        """Those that have comments, where that is told of all in one answer."""
        if self._settings.tier == "development":
            return posts
        try:
            counts = api.counts(posts)
        except Hidden:
            raise api.refused("comments and reactions") from None
        return [one for one in posts if one in counts and ((of := counts[one]) is None or of.comments)]

    def _fill_comments(self, lists: Lists, post: str, span: Span) -> Iterator[Delivery]:
        for page in lists.comments(post, post):
            answered = [one for one in page[0] if one.answers != 0]
            for found, wrong, cut in chain([page], lists.answers(answered, post)):
                yield lists.api.delivery(drafts=_within(found, span), malformed=wrong, **left_out(cut))
                self._buried.note(wrong)

    def look_up(self, native_ids: Sequence[str]) -> Found:
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        lists = self._new_lists()
        with closing(lists.api) as api:
            for native in native_ids:
                existence[native], item = self._looked_up(lists, native)
                if item is not None and item.draft is not None:
                    drafts.append(edited(msgspec.structs.replace(item.draft, native_id=native)))
            if set(existence.values()) & {"gone", "absent"}:
                lists.sees_its_own()
            return Found(existence=existence, drafts=drafts, asked=api.used())

    def _looked_up(self, lists: Lists, native: str) -> tuple[Existence, Item | None]:
        try:
            item = lists.one(native, self._posts)
        except Gone:
            return "gone", None
        except Hidden:
            # A comment was shown once, on the page. A post may be somebody's that mentions the page, known by what a
            # notification said, and never to be read: that it may not be says nothing.
            return "absent" if parts_of(native) else "there", None
        return "there" if item is not None else "absent", item

    def context(self, native_id: str) -> Iterator[Delivery]:
        """The comment that it answers, if it does, and the post."""
        lists = self._new_lists()
        with closing(lists.api) as api:
            above: str | None = native_id
            for step in range(MOST_ABOVE):
                try:
                    item = lists.one(above, self._posts) if above else None
                except (Gone, Hidden):
                    return
                if item is None or item.draft is None:
                    return
                if step:
                    yield api.delivery(drafts=[item.draft])
                above = item.draft.reply_to or self._posts.get(item.about)

    def sample(self, wanted: Wanted) -> Sample:
        """Of what was published and said in the last week."""
        return self._week.sample(wanted)

    def check(self) -> str:
        lists = self._new_lists()
        with closing(lists.api):
            try:
                newest = lists.sees_its_own()
                if newest:
                    lists.sees_comments(newest)
            finally:
                self.check_used = (lists.api.used(), 0)
        settings = self._settings
        read = "posts and comments" if newest else "posts"
        lasts = "" if self.grant is not None else "; its access token lasts 60 days from when it was made"
        until = f"{int(settings.version[:4]) + 1}-{settings.version[4:]}"
        return (
            f"reads the {read} of organisation {settings.organization}, by version {settings.version} of the API, "
            f"which LinkedIn supports until about {until}{lasts}"
        )

    def ends(self) -> Millis | None:
        """Of an access token that a person gave LinkedIn does not say it."""
        return None if self.grant is None else self.grant.ends()

    def close(self) -> None:
        self._api.close()

    def _new_lists(self) -> Lists:
        return Lists(self._settings, Api(self._settings, self._setting, self.grant), self._buried)

    # --- a round ---

    def _published(self, state: State) -> Iterator[Delivery]:
        """Posts back to those that were changed before the last round."""
        before = state.modified - OVERLAP if state.modified else None
        newest, began = state.modified, 0
        for found, wrong, cut in self._lists.posts(before):
            began = began or self._api.time - FIRST
            floor = began if before is None else before
            drafts, said = self._news(found, floor, floor)
            yield self._api.delivery(drafts=drafts, malformed=wrong, **left_out(cut))
            self._remember(said, wrong)
            newest = max([newest, *(one.modified for one in found)])
            for one in found:
                if one.id not in state.posts and (before is None or one.at > floor):
                    state.posts[one.id] = Mark(one.at, max(one.at - 1, began) if before is None else one.at - 1)
        # What is older was there before the first round, also to a process that begins after it.
        state.modified = max(newest, began) if before is None else newest
        followed = sorted(state.posts.items(), key=lambda one: one[1].at)[-self._settings.follow :]
        state.posts = dict(followed)

    def _commented(self, state: State) -> Iterator[Delivery]:
        """The comments of posts whose number of them differs, or that have not been read for long."""
        self._posts = {mark.about: post for post, mark in state.posts.items() if mark.about}
        self._whole &= state.posts.keys()
        try:
            counts = self._api.counts(list(state.posts))
        except Hidden:
            raise self._api.refused("comments and reactions") from None
        yield self._api.delivery()
        for post, mark in state.posts.items():
            if post not in counts:
                continue
            of_post = counts[post]
            if of_post is None:
                yield Delivery(asked=0, missed=None, reason=NOT_SHOWN)
                continue
            if mark.at > mark.began and (of_post.reactions, of_post.comments) != (mark.likes, max(mark.count, 0)):
                yield Delivery(asked=0, drafts=[reach(post, of_post.reactions, of_post.comments)])
            mark.likes = of_post.reactions
            again = passed(mark.read, self._setting.clock.wall(), self._settings.reread)
            if again or of_post.comments != mark.count:
                yield from self._read(post, mark, of_post, again)
                yield self._api.delivery(cursor=closed(state))

    def _read(self, post: str, mark: Mark, counts: Counts, again: bool) -> Iterator[Delivery]:
        """The comments of a post, all of them where it is done `again`."""
        warm = post in self._whole
        # What came since all were read, another process may not have seen: its reading may have ended before.
        floor = mark.began if warm else max(min(mark.seen, mark.read) - OVERLAP, mark.began)
        expected = 0 if again or not warm else counts.comments - mark.count
        newest, fresh, answered, ended = mark.seen, 0, dict[str, int](), True
        started = self._setting.clock.wall()
        for items, wrong, cut in self._lists.comments(post, post) if counts.comments or again else ():
            below = [one for one in items if self._to_be_read(one, mark, counts, again)]
            for found, bad, more in chain([(items, wrong, cut)], self._lists.answers(below, post)):
                drafts, said = self._news(found, floor, mark.began)
                fresh += sum(draft.kind == "created" for draft in drafts)
                yield self._api.delivery(drafts=drafts, malformed=bad, **left_out(more))
                self._remember(said, bad)
                newest = max([newest, *(one.at for one in found)])
            answered |= {_number(one.id): one.answers for one in items if one.answers}
            mark.about = mark.about or next((one.about for one in items if one.about), "")
            ended = not 0 < expected <= fresh
            if not ended:
                break
        if ended:
            self._whole.add(post)
            mark.read = started
        kept = answered if ended else {**mark.answered, **answered}
        mark.answered = dict(sorted(kept.items(), key=lambda one: int(one[0]))[-MOST_ANSWERED:])
        mark.seen, mark.count = newest, counts.comments

    def _to_be_read(self, comment: Item, mark: Mark, counts: Counts, again: bool) -> bool:
        """Whether there may be answers to it that are not known."""
        if comment.answers is None:
            return counts.top is None or counts.comments > counts.top
        return comment.answers > 0 if again else comment.answers != mark.answered.get(_number(comment.id), 0)

    def _mentioned(self, state: State) -> Iterator[Delivery]:
        since, until = state.mentioned - OVERLAP, self._api.time + MINUTE
        newest, hidden = state.mentioned, set[str]()
        for found, wrong, cut in self._lists.mentions(Span(since, until), self._asked_for):
            drafts, said = self._news(found, since, since)
            unread = {one.id for one in found if one.draft is None and one.id not in self._known}
            missed = len(unread - self._hidden)
            unseen = {"missed": missed, "reason": "LinkedIn does not show the post"} if missed else {}
            yield self._api.delivery(drafts=drafts, malformed=wrong, **(left_out(cut) or unseen))
            self._remember(said, wrong)
            hidden |= unread
            newest = max([newest, *(one.at for one in found)])
        state.mentioned, self._hidden = newest, hidden

    def _asked_for(self, mention: str) -> bool:
        """Whether it was asked for before, in vain or not."""
        return mention in self._hidden or mention in self._known

    def _news(self, found: Sequence[Item], floor: Millis, began: Millis) -> tuple[list[Draft], dict[str, str]]:
        """What was not brought yet, and what says something else now; and what is to be remembered once it is taken."""

        def first(one: Item) -> Draft | None:
            if one.draft is None or one.at > floor:
                return one.draft
            return edited(one.draft) if one.modified > floor and one.draft.edited_at is not None else None

        return self._known.news(found, first, lambda one: one.at > began)

    def _remember(self, said: Mapping[str, str], wrong: Sequence[Malformed]) -> None:
        """After what it was said in was taken: until then it may have to be brought once more."""
        self._known.note(said)
        self._buried.note(wrong)


def _number(comment: str) -> str:
    parts = parts_of(comment)
    return parts[1] if parts else "0"


def _within(found: Sequence[Item], span: Span) -> list[Draft]:
    return [one.draft for one in found if one.draft is not None and span.since <= one.at < span.until]
