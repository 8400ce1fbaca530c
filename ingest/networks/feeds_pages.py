"""Pages behind entries of feeds: read once each, one host at a time and with pauses, as its robots.txt allows.

An entry comes at once in the words of its feed, and its page's text later, as an edit. None is read while a feed is
due, so that feeds are looked at in time: a page that answers slowly keeps them waiting for less than a minute. What
cannot be read, is not to be read, or tells less than the feed leaves the entry as the feed gave it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import msgspec
import structlog

from config.sources.feeds import FeedsSource
from ingest.collector import Denied, Draft, Interrupted, Source
from ingest.intake import MAX_TEXT, passes
from ingest.links import web_address
from ingest.networks.feeds_entries import SLOW, Entry
from ingest.networks.feeds_reader import Reader, needs_its_libraries
from ingest.patience import Backoff
from ingest.setting import Setting
from ingest.web import PASSES, Answer, Refused, Web
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Millis

if TYPE_CHECKING:
    from protego import Protego

MOST_BYTES = 2_000_000
"""Of a page; of a longer one nothing is read."""
LONGEST_ANSWER = 15.0
"""Seconds for one answer, from its first byte to its last."""
LONGEST_PAGE: Millis = 30 * SECOND
"""Behind that no further redirect of a page is followed."""
MOST_HOPS = 5
MOST_WAITING = 2_000
"""Entries whose pages are still to be read; where there are more, the oldest stay as their feeds gave them."""
MOST_TRIES = 3
TRY_AGAIN: Millis = MINUTE
"""A host that does not answer is left alone for so long, where it names no time itself, and each time for twice as
long."""
MOST_FAILING = 2_000
"""Hosts of which it is known how often they failed: a feed may name new ones without end."""
LONGEST_PAUSE: Millis = HOUR
ROBOTS_KEPT: Millis = DAY
"""A robots.txt is asked for again after that (RFC 9309, 2.4)."""
MOST_ROBOTS = 500
LONGEST_ROBOTS = 512_000
"""Bytes of a robots.txt that are read (RFC 9309, 2.5)."""
MOST_RULES = 5_000_000
"""Lines of a robots.txt times robots that it names: each rule may be one of all of them, in time and in memory."""
WHOLE = 2_500
"""Characters of an entry's own text from which on the feed is taken to give all of it."""
AGREES = 0.3
"""Share of the words of an entry that its page has to hold: a wall of consent, a login or a front page does not."""
AGENT = "Clamor"
_HTML = ("text/html", "application/xhtml+xml")
_MOVED = frozenset({301, 302, 303, 307, 308})
_NO_ROBOTS = tuple(status for status in range(400, 500) if status not in PASSES)
"""It has none (RFC 9309, 2.3.1.3)."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{3,}")
_FAR_EAST = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")

_log = structlog.get_logger(__name__)


class Unread(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a page is still to be read; durable."""

    told: bool = True
    """The entry's own words are; else they come with the page, in place of text that a page gave before."""
    seen_at: Millis | None = None
    """Of the version that the page makes; None: when it is read."""


class Waiting(NamedTuple):
    feed: str
    entry: Entry
    unread: Unread
    tries: int = 0


class Read(NamedTuple):
    """What became of one; no `draft`: the entry stays as it was told."""

    feed: str
    key: str
    """Empty: it is tried again later."""
    draft: Draft | None


class Left(Exception):
    """The page is not read, and the entry stays as its feed gave it; says why."""


class Pages:
    """Of one source; for one thread."""

    def __init__(self, settings: FeedsSource, setting: Setting, source: Source) -> None:
        self._settings, self._setting, self._source = settings, setting, source
        self._web = Web(
            timeout=min(settings.timeout / 1000, LONGEST_ANSWER),
            max_bytes=MOST_BYTES,
            longest=LONGEST_ANSWER,
            public_only=not settings.private_addresses,
        )
        self._reader = Reader()
        self._waiting: OrderedDict[tuple[str, str], Waiting] = OrderedDict()
        self._free_at: dict[str, Millis] = {}
        """When a host may be asked again, by `clock.steady()`."""
        self._robots: OrderedDict[str, tuple[Protego, Millis]] = OrderedDict()
        self._backoff: dict[str, Backoff] = {}
        """Of hosts that do not answer, the one that failed last at the end."""
        self._told: set[tuple[str, str]] = set()

    def check(self) -> None:
        """Raises Denied where a library is missing."""
        needs_its_libraries(self._settings.id)

    def want(self, one: Waiting) -> None:
        """A later version of an entry takes the place of an earlier one, at the end."""
        self._waiting.pop((one.feed, one.entry.key), None)
        self._waiting[one.feed, one.entry.key] = one

    def drop(self, feed: str, key: str) -> None:
        self._waiting.pop((feed, key), None)

    def waits(self, feed: str, key: str) -> bool:
        return (feed, key) in self._waiting

    def next(self, until: Millis) -> Read | None:
        """What became of the one that has waited longest, of those whose hosts may be asked; None: none may be until
        then, by `clock.steady()`, or it is the end."""
        if not self._waiting or self._setting.stop.is_set():
            return None
        if len(self._waiting) > MOST_WAITING:
            return self._as_told(self._waiting.popitem(last=False)[1])
        now = self._setting.clock.steady()
        ready = {key: self._free_at.get(_host(one.entry.draft.link), 0) for key, one in self._waiting.items()}
        key, free_at = min(ready.items(), key=lambda found: max(found[1], now))
        if max(now, free_at) >= until:
            return None
        if free_at > now:
            self._setting.stop.wait((free_at - now + 1) / 1000)
            if self._setting.clock.steady() < free_at:
                return None
        return self._one(self._waiting.pop(key))

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()
        self._reader.close()

    # --- one page ---

    def _one(self, one: Waiting) -> Read:
        link = one.entry.draft.link or ""
        try:
            text = self._text(link, one.entry.draft)
        except Interrupted as fault:
            self._leave_alone(_host(link), fault.retry_after)
            if one.tries + 1 < MOST_TRIES:
                self._waiting[one.feed, one.entry.key] = one._replace(tries=one.tries + 1)
                return Read(one.feed, "", None)
            self._tell(link, fault.reason)
        except Left as why:
            self._tell(link, str(why))
        else:
            draft = _edited(one, text)
            # About nobody, as its few words were: the entry was counted by them.
            if not one.unread.told or passes(draft, self._source, self._setting.prefilter):
                return Read(one.feed, one.entry.key, draft)
        return self._as_told(one)

    def _leave_alone(self, host: str, named: Millis | None) -> None:
        backoff = self._backoff.pop(host, None) or Backoff(TRY_AGAIN, LONGEST_PAUSE)
        self._backoff[host] = backoff
        if len(self._backoff) > MOST_FAILING:
            del self._backoff[next(iter(self._backoff))]
        wait = named or backoff.next()
        self._free_at[host] = self._setting.clock.steady() + min(wait, DAY)

    def _as_told(self, one: Waiting) -> Read:
        return Read(one.feed, one.entry.key, None if one.unread.told else _edited(one, one.entry.draft.text))

    def _text(self, link: str, draft: Draft) -> str:
        """Raises Left, Interrupted."""
        answer = self._page(link)
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _HTML:
            raise Left(f"it is no page but {kind[:60]!r}")
        text = self._reader.text_of(_decoded(answer))
        if text is None:
            raise Left("it cannot be taken apart, or not in time")
        text = text.strip()[:MAX_TEXT]
        if len(text) <= len(draft.text):
            raise Left("it tells no more than the feed does")
        if not _agrees(draft, text):
            raise Left("it speaks of something else than the entry: a login, a wall of consent, or another page")
        return text

    def _page(self, link: str) -> Answer:
        """Redirects are followed one by one, as each host allows. Raises Left, Interrupted."""
        place, began = link, self._setting.clock.steady()
        for _ in range(MOST_HOPS):
            if self._setting.clock.steady() - began > LONGEST_PAGE:
                raise Left("it takes too long")
            if not self._allowed(place):
                raise Left("its robots.txt does not allow it")
            answer = self._ask(place, {"Accept": ", ".join(_HTML)})
            if answer.status not in _MOVED:
                self._backoff.pop(_host(link), None)
                if answer.status != 200:
                    raise Left(f"it answers {answer.status}")
                return answer
            place = _moved(place, answer)
        raise Left("it redirects in a circle")

    def _ask(self, place: str, headers: dict[str, str] | None = None) -> Answer:
        """Raises Left, Interrupted. The host is not asked again before its pause is over, however it answered."""
        try:
            return self._web.ask("GET", place, headers=headers, good=(404, 410, *_MOVED))
        except Denied:
            raise Left("it wants a login, or refuses") from None
        except Refused as fault:
            raise Left(_why(fault)) from None
        finally:
            self._pause(place)

    def _pause(self, place: str) -> None:
        host = _host(place)
        rules, _ = self._robots.get(_origin(place), (None, 0))
        delay = rules.crawl_delay(AGENT) if rules is not None else None
        pause = max(self._settings.full_text_pause, min(round((delay or 0) * 1000), LONGEST_PAUSE))
        now = self._setting.clock.steady()
        self._free_at = {name: at for name, at in self._free_at.items() if at > now} | {host: now + pause}

    # --- robots.txt ---

    def _allowed(self, place: str) -> bool:
        """By RFC 9309. Raises Interrupted where the host does not say: until it does, nothing is allowed."""
        origin, now = _origin(place), self._setting.clock.steady()
        rules, asked_at = self._robots.get(origin, (None, 0))
        if rules is None or now - asked_at >= ROBOTS_KEPT:
            rules = _rules(self._robots_of(origin))
            self._robots[origin] = (rules, now)
            self._robots.move_to_end(origin)
            if len(self._robots) > MOST_ROBOTS:
                self._robots.popitem(last=False)
        return bool(rules.can_fetch(place, AGENT))

    def _robots_of(self, origin: str) -> str:
        """Empty where it has none: all is allowed."""
        place = f"{origin}/robots.txt"
        for _ in range(MOST_HOPS):
            try:
                answer = self._web.ask("GET", place, good=(*_NO_ROBOTS, *_MOVED))
            except Refused as fault:
                raise Left(f"its robots.txt cannot be read: {_why(fault)}") from None
            if answer.status not in _MOVED:
                return answer.body[:LONGEST_ROBOTS].decode("utf-8", "replace") if answer.status == 200 else ""
            place = _moved(place, answer)
        return ""

    def _tell(self, link: str, why: str) -> None:
        """Once for each host and reason, for as long as the process lives."""
        host = _host(link)
        if (host, why) not in self._told and len(self._told) < MOST_WAITING:
            self._told.add((host, why))
            _log.info("feeds.page_left", source=self._settings.id, host=host, why=why[:300])


def _rules(robots: str) -> Protego:
    """Raises Left."""
    from protego import Protego

    lines = robots.splitlines()
    named = sum(line.lstrip()[:4].lower() == "user" for line in lines)
    if named * len(lines) > MOST_RULES:
        raise Left("its robots.txt is beyond all measure")
    try:
        return Protego.parse(robots)
    except ValueError as fault:
        raise Left(f"its robots.txt cannot be read: {type(fault).__name__}") from None


def wants_page(entry: Entry) -> bool:
    """Whether its page may tell more."""
    return entry.draft.link is not None and len(entry.draft.text) < WHOLE


def _edited(one: Waiting, text: str) -> Draft:
    return msgspec.structs.replace(
        one.entry.draft, kind="edited", text=text, seen_at=one.unread.seen_at, edited_at=None
    )


def _why(fault: Refused) -> str:
    """Without what the answer's body says."""
    return fault.said if fault.status in (0, 200) else f"it answers {fault.status}"


def _moved(place: str, answer: Answer) -> str:
    """Raises Left."""
    try:
        found = web_address(urljoin(place, answer.headers.get("location", "")))
    except ValueError:
        found = None
    if found is None:
        raise Left("it redirects to what is no address")
    return found


def _host(place: str | None) -> str:
    return urlsplit(place or "").netloc.lower()


def _origin(place: str) -> str:
    return f"{urlsplit(place).scheme}://{_host(place)}"


def _decoded(answer: Answer) -> str:
    """By the charset that the answer names, else the page itself, else UTF-8."""
    said = _CHARSET.search(answer.headers.get("content-type", ""))
    declared = _DECLARED.search(answer.body[:4_096])
    named = said[1] if said else declared[1].decode("ascii", "replace") if declared else "utf-8"
    if any(slow in named.lower() for slow in SLOW):
        named = "utf-8"
    try:
        return answer.body.decode(named, "replace")
    except (LookupError, ValueError):
        return answer.body.decode("utf-8", "replace")


def _agrees(draft: Draft, text: str) -> bool:
    """Whether a page's text is the entry's: it holds some of its words."""
    said = _words(f"{draft.title or ''}\n{draft.text}")
    return not said or len(said & _words(text)) >= AGREES * len(said)


def _words(text: str) -> set[str]:
    """Where no spaces stand between words, pairs of signs."""
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        found |= {word[at : at + 2] for at in range(len(word) - 1)} if _FAR_EAST.search(word) else {word}
    return found
