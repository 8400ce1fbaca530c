"""Reddit: posts and comments of subreddits, and posts that a search for the brands finds.

A round reads every listing back to where the last one ended. Where more came than a listing shows, its parts are read
one by one, and then what fell out of them is looked up by number, since numbers are given out in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock, get_ident
from typing import Any
from urllib.parse import quote

import msgspec

from config.sources.reddit import RedditSource
from ingest.buried import Buried
from ingest.collector import (
    PAGE_CAP,
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
    Unfillable,
    left_out,
)
from ingest.networks.reddit_access import Access, Closed, Limit
from ingest.networks.reddit_listings import (
    RUN,
    Known,
    Listing,
    carried,
    decode,
    encode,
    listings,
    searches,
)
from ingest.networks.reddit_posts import (
    COMMENT,
    POST,
    Thing,
    draft,
    is_open,
    name_of,
    number_of,
    stands,
    swept,
    things,
)
from ingest.networks.reddit_reading import Back, Reading, children, nearest_first, page, thread
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import HOUR, SECOND
from stream.records import Millis

PAGE = 100
"""Things in one answer, at most (https://www.reddit.com/dev/api/)."""
ROOM = 500
"""Things that may come between two rounds before they follow one another faster: half of what a listing shows."""
LOOK_AT_SUBREDDITS: Millis = HOUR
MOST_PAGES = 50
"""Of one listing in a round: more than Reddit has ever given."""
MOST_SAMPLED = 10
"""Pages of a sample."""
SAMPLED_HOURS = 24
ANCESTORS = 8
"""Comments above another one that Reddit shows with it, at most."""


def collector(settings: RedditSource, setting: Setting) -> Reddit:
    return Reddit(settings, setting)


class Reddit:
    style: Style = "poll"
    resumes = True
    most_looked_up = PAGE

    def __init__(self, settings: RedditSource, setting: Setting) -> None:
        self.settings, self.setting = settings, setting
        self.source = msgspec.structs.replace(setting.source, firehose=bool(settings.subreddits))
        self.interval: Millis = settings.interval
        self._limit = Limit(setting.clock)
        self._ways: dict[int, Access] = {}
        self._lock = Lock()
        self._rate = 0.0
        """Things a second of the busiest listing."""
        self._buried = Buried()
        self._began: Millis | None = None
        self._looked_at_subreddits: Millis | None = None

    # --- Collector ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        known, way = decode(cursor), self._access()
        since, self._began = self._began, self.setting.clock.steady()
        told = way.asked
        yield from self._unreadable(way)
        read, kept = dict[str, Known](), dict[str, Known]()
        newest = dict[str, Known | None]()
        most, refused = 0, None
        asked_for = listings(self.settings, self.setting.wanted())
        for listing in asked_for:
            if carried(listing, known) is None and (not listing.brand or self.setting.allowed(listing.brand)):
                begins = newest[listing.kind] = newest.get(listing.kind) or self._newest_of_all(listing.kind)
                known |= {listing.key: begins} if begins is not None else {}
        if newest:
            # Where they begin is kept before anything is read: a fault or a kill must not move it.
            yield Delivery(cursor=encode(known), asked=way.asked - told)
            told = way.asked
        for listing in asked_for:
            before = carried(listing, known)
            if listing.brand and not self.setting.allowed(listing.brand):
                yield Delivery(query=listing.query, asked=0, missed=None, reason="spend cap")
                kept |= {listing.key: before} if before is not None else {}
                continue
            if before is None:
                before = newest[listing.kind] = newest.get(listing.kind) or self._newest_of_all(listing.kind)
            reading = Reading(listing, before)
            try:
                for delivery in self._read(reading):
                    told += delivery.asked
                    yield delivery
                read[listing.key] = reading.known
                for delivery in self._pay(reading):
                    told += delivery.asked
                    read[listing.key] = reading.known
                    yield msgspec.structs.replace(delivery, cursor=encode({**known, **read}))
            except Closed as why:
                refused = why
                kept |= {listing.key: before} if before is not None else {}
                yield Delivery(query=listing.query, asked=way.asked - told, missed=None, reason=str(why))
            else:
                read[listing.key] = reading.known
                most = max(most, reading.new)
                yield Delivery(
                    query=listing.query,
                    cursor=encode({**known, **read}),
                    asked=way.asked - told,
                    **left_out(PAGE_CAP if reading.overflowed else ""),
                )
            told = way.asked
        if refused is not None and not read:
            raise refused
        if known.keys() - {*read, *kept}:
            yield Delivery(cursor=encode({**kept, **read}), asked=0)
        self._pace(most, since)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        found, reached, missing = 0, span.until, ""
        chosen = [one for one in listings(self.settings, self.setting.wanted()) if query in ("", one.query)]
        if not chosen:
            raise Unfillable(f"{query} is not asked for here any more")
        for listing in chosen:
            reading = Back(listing, span)
            try:
                for delivery in self._back(reading):
                    found += len(delivery.drafts)
                    yield delivery
            except Closed as why:
                missing = str(why)
                continue
            reached = min(reached, reading.reached)
            missing = missing or (PAGE_CAP if reading.overflowed else "")
        if missing and not found and reached >= span.until:
            why_not = "a listing shows about a thousand things, and all of these are newer"
            raise Unfillable(why_not if missing == PAGE_CAP else missing)
        if missing:
            yield Delivery(query=query, asked=0, missed=None, reason=missing)

    def close(self) -> None:
        with self._lock:
            for way in self._ways.values():
                way.close()
            self._ways.clear()

    # --- Sweepable, Contextual, Estimable, Checkable, Accountable ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        now = self.setting.clock.now()
        return self._looked_up(native_ids, lambda one: swept(one, now))

    def show(self, native_id: str) -> Found:
        return self._looked_up([native_id], draft)

    def _looked_up(self, native_ids: Sequence[str], drafted: Callable[[Thing], Draft]) -> Found:
        existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
        drafts: list[Draft] = []
        found, _ = self._info(",".join(native_ids))
        for one in found:
            if one.name not in existence:
                continue
            # Not shown any more to everybody is as good as gone where everybody reads.
            existence[one.name] = stands(one) if self._may_bring(one) else "gone"
            if existence[one.name] == "there":
                drafts.append(drafted(one))
        return Found(existence=existence, drafts=drafts)

    def context(self, native_id: str) -> Iterator[Delivery]:
        """Of a comment: those above it and its post, then those below; of a post: its comments."""
        own = self._own(native_id)
        if own is None:
            return
        post = str(own.data.get("link_id") or "") if own.name.startswith(COMMENT) else own.name
        params: dict[str, str | int] = {"limit": PAGE, "sort": "old"}
        if own.name.startswith(COMMENT):
            params |= {"comment": own.name.partition("_")[2], "context": ANCESTORS}
        try:
            number_of(post)
            answer = self._access().get(f"/comments/{post.partition('_')[2]}", params)
        except (Closed, ValueError):
            return
        found, malformed = thread(answer)
        yield Delivery(
            drafts=[draft(one) for one in nearest_first(own, found) if stands(one) == "there" and self._may_bring(one)],
            malformed=malformed,
            asked=2,
        )

    def sample(self, wanted: Wanted) -> Sample:
        """What the brand's searches found in the last day; without searches, what its names stand in of the subreddits'
        newest."""
        now = self.setting.clock.now()
        span = Span(now - SAMPLED_HOURS * HOUR, now + HOUR)
        asked_by = searches(wanted)
        chosen = asked_by if self.settings.search else listings(self.settings, ())
        by_hour, seen, asked, capped = [0] * SAMPLED_HOURS, set[str](), 0, False
        for listing in chosen:
            reading = Back(listing, span)
            for found, _ in self._pages(reading, MOST_SAMPLED):
                asked += 1
                for one in found:
                    about = listing.brand or any(search.holds(one) for search in asked_by)
                    hour = (one.created_at - span.since) // HOUR
                    if about and one.name not in seen and hour >= 0:
                        seen.add(one.name)
                        by_hour[min(hour, SAMPLED_HOURS - 1)] += 1
            capped |= reading.reached > span.since and not reading.whole
        return Sample(tuple(by_hour), asked=asked, capped=capped)

    def check(self) -> str:
        access = self._access()
        if self.settings.subreddits:
            missing = self._missing(access)
        else:
            missing = {}
            access.get("/search", {"q": "reddit", "sort": "new", "limit": 1})
        if missing and len(missing) == len({name.lower() for name in self.settings.subreddits}):
            raise Denied(f"none of the subreddits can be read: {_told(missing)}")
        as_whom = f"u/{self.settings.username}" if self.settings.password_env else "the app alone"
        left = "" if self._limit.left is None else f", {self._limit.left} requests are left in this window"
        but = f"; but {_told(missing)}" if missing else ""
        return f"Reddit answers as {as_whom}{left}{but}"

    def account(self, handle: str) -> AccountState:
        """Of a suspended account Reddit names no more than that; one that nobody is to see has no page, as if it were
        deleted (https://github.com/praw-dev/praw/issues/1241)."""
        try:
            answer = self._access().get(f"/user/{quote(handle, safe='')}/about", {})
        except Closed as refused:
            if refused.status == 404:
                return "gone"
            raise
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise Interrupted("Reddit does not say how an account stands")
        return "suspended" if data.get("is_suspended") is True else "there"

    # --- a round ---

    def _read(self, reading: Reading) -> Iterator[Delivery]:
        """All that is new in a listing, then in its parts where it showed too little; what these hide is owed."""
        yield from self._shown(reading, reading)
        if not reading.overflowed:
            return
        missing = [reading]
        if reading.listing.parts:
            missing = []
            for part in (Reading(part, reading.before) for part in reading.listing.parts):
                try:
                    yield from self._shown(reading, part)
                except Closed:
                    # It is accounted for by its name, once an hour.
                    continue
                missing += [part] if part.overflowed else []
        reading.overflowed = bool(missing)
        if missing:
            first, last = reading.before.newest + 1, max(one.lowest for one in missing) - 1
            if reading.before.newest > 0 and last - first < self.settings.most_scanned:
                reading.overflowed = False
                if first <= last:
                    reading.owes(first, last)

    def _pay(self, reading: Reading) -> Iterator[Delivery]:
        """Look up what fell out of listings, among all of Reddit's things with a number between what was known and what
        was still shown."""
        if reading.known.owed:
            yield Delivery(query=reading.listing.query, asked=0)
        while reading.known.owed:
            first, last = reading.known.owed[0]
            numbers = range(first, min(first + PAGE - 1, last) + 1)
            found, malformed = self._info(",".join(name_of(reading.listing.kind, number) for number in numbers))
            yield reading.paid(found, malformed, numbers[-1])

    def _shown(self, reading: Reading | Back, of: Reading | Back) -> Iterator[Delivery]:
        """What a listing, the whole one or a part `of` it, shows of what is looked for."""
        for found, malformed in self._pages(of):
            wrong = self._buried.unknown(malformed)
            yield reading.delivery(found, wrong)
            self._buried.note(wrong)

    def _pages(self, reading: Reading | Back, most: int = MOST_PAGES) -> Iterator[tuple[list[Thing], list[Malformed]]]:
        """Pages of a listing, newest first, until what is looked for has been read or there is no more."""
        listing, anchors = reading.listing, list[str]()
        for number in range(most):
            held, following = self._page(listing, anchors, number)
            found, malformed = things(held, listing.path)
            promised = bool(anchors) and not held
            ended = not following or following in anchors or number == MOST_PAGES - 1
            reading.add(found, ended=ended, cut=promised)
            yield found, malformed
            if reading.done:
                return
            anchors = [following, *(one.name for one in reversed(found[-RUN:]) if one.name != following)]

    def _page(self, listing: Listing, anchors: Sequence[str], number: int) -> tuple[list[Any], str]:
        """The page behind the first of the anchors that still stands: one that is deleted meanwhile leads nowhere."""
        params: dict[str, str | int] = {**listing.params, "limit": PAGE}
        if not anchors:
            return page(self._access().get(listing.path, params))
        held, following = list[Any](), ""
        for anchor in anchors:
            held, following = page(
                self._access().get(listing.path, {**params, "after": anchor, "count": number * PAGE})
            )
            if held:
                break
        return held, following

    def _back(self, reading: Back) -> Iterator[Delivery]:
        yield from self._shown(reading, reading)
        if reading.overflowed and reading.listing.parts:
            parts = [Back(part, reading.span) for part in reading.listing.parts]
            for part in parts:
                yield from self._shown(reading, part)
            reading.in_parts(parts)

    def _pace(self, most: int, since: Millis | None) -> None:
        """The next round comes before the busiest listing can show less than has come."""
        now = self.setting.clock.steady()
        elapsed = max(now - since, 1) if since is not None else max(self.settings.interval, 1)
        self._rate = max(most * SECOND / elapsed, self._rate * 0.7)
        room = round(ROOM * SECOND / self._rate) if self._rate else self.settings.interval
        self.interval = min(self.settings.interval, max(self.settings.shortest_interval, room))

    # --- subreddits that cannot be read ---

    def _unreadable(self, way: Access) -> Iterator[Delivery]:
        """Several subreddits in one question are answered without a word about those that are private or gone."""
        now = self.setting.clock.steady()
        last = self._looked_at_subreddits
        if not self.settings.subreddits or (last is not None and now - last < LOOK_AT_SUBREDDITS):
            return
        missing = self._missing(way)
        if len(missing) == len({name.lower() for name in self.settings.subreddits}) and not self.settings.search:
            raise Denied(f"none of the subreddits can be read: {_told(missing)}")
        self._looked_at_subreddits = now
        for name, why in missing.items():
            yield Delivery(query=f"r/{name}", asked=0, missed=None, reason=why)

    def _missing(self, access: Access) -> dict[str, str]:
        """Subreddits that give nothing to read, and why."""
        names = sorted({name.lower() for name in self.settings.subreddits})
        kinds: dict[str, str] = {}
        closed: set[str] = set()
        for start in range(0, len(names), PAGE):
            answer = access.get("/api/info", {"sr_name": ",".join(names[start : start + PAGE])})
            for child in children(answer):
                data = child.get("data") if isinstance(child, dict) else None
                if isinstance(data, dict) and isinstance(data.get("display_name"), str):
                    name = data["display_name"].lower()
                    kinds[name] = str(data.get("subreddit_type"))
                    closed |= {name} if self.settings.open_only and not is_open(data) else set()
        missing = {name: "there is none of that name, or it was banned" for name in names if name not in kinds}
        if not self.settings.password_env:
            missing |= {name: "it is private" for name in names if kinds.get(name) == "private"}
        return missing | {name: _labelled(kinds[name]) for name in names if name in closed}

    def _may_bring(self, one: Thing) -> bool:
        return one.open or not self.settings.open_only

    # --- asking ---

    def _newest_of_all(self, kind: str) -> Known | None:
        """Where a listing that was never read begins: behind the newest thing of all Reddit. None: it is not told."""
        path = f"/r/all/{'new' if kind == POST else 'comments'}"
        try:
            found, _ = things(children(self._access().get(path, {"limit": PAGE})), path)
        except Closed:
            return None
        return Known(max(one.number for one in found)) if found else None

    def _access(self) -> Access:
        """This thread's: connections are not shared, what Reddit allows is."""
        with self._lock:
            way = self._ways.get(get_ident())
            if way is None:
                way = Access(self.settings, self.setting.secret, self._limit, self.setting.stop)
                self._ways[get_ident()] = way
            return way

    def _info(self, names: str) -> tuple[list[Thing], list[Malformed]]:
        # An answer that is none of Reddit's must not pass for "none of these is there".
        held, _ = page(self._access().get("/api/info", {"id": names}))
        return things(held, "/api/info")

    def _own(self, native_id: str) -> Thing | None:
        found, _ = self._info(native_id)
        return next((one for one in found if one.name == native_id), None)


def _labelled(kind: str) -> str:
    return f"it is {kind.replace('_', ' ')}, and `access` of the source is public: write there who may read it here"


def _told(missing: Mapping[str, str]) -> str:
    return "; ".join(f"r/{name}: {why}" for name, why in list(missing.items())[:10])
