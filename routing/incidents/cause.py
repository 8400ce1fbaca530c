"""What explains a rise: which posts, words, near copies, threads, people and networks it is made of, with shares.

Worked out from the live mentions whenever somebody asks, and stored nowhere: what was deleted is in no cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from math import log, sqrt
from typing import NamedTuple

from sqlalchemy import Connection

from config.everyday import everyday
from database.engine import rows
from query.document import effective, set_aside
from query.text import ADDRESS, HANDLE, analyse
from routing.named import named
from stream.clock import DAY
from stream.records import Mention, Millis, decode

LOOKED_AT = 40_000
"""Mentions back (all brands) that are looked through, the newest."""
READ = 3_000
"""Of a brand: of the rise, and as many of before it, that are read word by word, the newest."""
BEFORE: Millis = 7 * DAY
FEWEST_AUTHORS = 3
"""A word that fewer people use explains nothing; a person is no word."""
STRANGE = 2.58
"""A word is told that is so many standard deviations more frequent than before (99 % of a normal)."""
QUIET = 20
"""Of a brand of which less was said before, it is taken that so many posts were without the word."""
MOST_SHARES, MOST_WORDS, MOST_POSTS = 5, 8, 3


class Share(NamedTuple):
    name: str
    posts: int
    share: float
    """Of the posts of the rise, 0 to 1."""


class Heap(NamedTuple):
    """Near copies, or one thread."""

    number: int
    """Of the cluster; 0 for a thread."""
    name: str
    """Id of the thread; empty for a cluster."""
    posts: int
    authors: int
    share: float
    post_id: str
    """Of the first of them."""
    span: Millis
    """From the first to the last of them."""


class Cause(NamedTuple):
    posts: int
    """Mentions of the rise that were looked at: what hurts, where the rise is one of what hurts, else all."""
    authors: int
    compared: int
    """Mentions of before it that its words are held against."""
    reach: int
    """Followers of these authors together, each once, as far as the networks tell."""
    networks: tuple[Share, ...] = ()
    intents: tuple[Share, ...] = ()
    words: tuple[Share, ...] = ()
    links: tuple[Share, ...] = ()
    copies: tuple[Heap, ...] = ()
    threads: tuple[Heap, ...] = ()
    loudest: tuple[Share, ...] = ()
    """Authors (`network:handle`) who wrote most of it, where one wrote more than one."""
    top: tuple[tuple[int, Mention], ...] = ()
    """(number, mention) of the posts to show first."""


def cause_of(
    connection: Connection,
    brand: str,
    since: Millis,
    until: Millis,
    *,
    hurts: bool,
    access: Collection[str] | None,
    known: Callable[[Mention], bool] = lambda mention: True,
) -> Cause:
    """Of the mentions of `brand` with an event time in [since, until). Mentions that `access` does not allow count, and
    none of their words, links, people or texts are shown; None: everything is. Those that are not `known` to the reader
    do not even count."""
    found = [(n, m) for n, m in _mentions(connection, brand, since, until) if known(m)]
    rise = [(n, m) for n, m in found if (_hurts(m) or not hurts) and not _own(m)]
    if not rise:
        return Cause(0, 0, 0, 0)
    before = [m for _, m in _mentions(connection, brand, since - BEFORE, since) if not _own(m) and known(m)]
    whole = [mention for _, mention in rise]
    shown = [(n, m) for n, m in rise if _readable(m, access)]
    readable = [mention for _, mention in shown]
    total = len(rise)
    reach: dict[str, int] = {}
    for mention in whole:
        followers = mention.post.author.followers if mention.post and mention.post.author else None
        reach[_who(mention)] = max(reach.get(_who(mention), 0), followers or 0)
    return Cause(
        posts=total,
        authors=len(reach),
        compared=len(before),
        reach=sum(reach.values()),
        networks=_shares((m.network for m in whole), total),
        intents=_shares((effective(m, "intent") or "other" for m in whole), total),
        words=_words(readable, [m for m in before if _readable(m, access)], brand, total),
        links=_links(readable, total),
        copies=_heaps(((m.cluster, m) for _, m in shown if m.cluster is not None), total),
        threads=_heaps(((m.conversation, m) for _, m in shown if m.conversation), total),
        loudest=tuple(s for s in _shares((_who(m) for m in readable if _named(m)), total) if s.posts > 1),
        top=_top(shown),
    )


def hurtful_posts(connection: Connection, brand: str, since: Millis, until: Millis, most: int) -> list[Mention]:
    """Of the newest mentions of `brand` with an event time in [since, until), three times `most`, those that hurt it,
    none of its own: at most `most`."""
    found = (m for _, m in _mentions(connection, brand, since, until, 3 * most) if _hurts(m) and not _own(m))
    return list(islice(found, most))


def _mentions(
    connection: Connection, brand: str, since: Millis, until: Millis, most: int = READ
) -> list[tuple[int, Mention]]:
    """Newest first."""
    newest = rows(connection, "SELECT max(n) FROM mention")[0][0] or 0
    found = named(connection, _LIVE, (newest - LOOKED_AT, since, until, brand, most))
    mentions = [(row.n, decode(Mention, row.body)) for row in found]
    return [(n, one) for n, one in mentions if one.post is not None and not set_aside(one)]


def _readable(mention: Mention, access: Collection[str] | None) -> bool:
    return access is None or mention.access == "public" or mention.access in access


def _hurts(mention: Mention) -> bool:
    level = effective(mention, "detractor")
    negative = (effective(mention, "reputation") or effective(mention, "sentiment")) == "negative"
    return negative or (level is not None and level >= "2")


def _own(mention: Mention) -> bool:
    return mention.understanding is not None and mention.understanding.speaker == "own"


def _named(mention: Mention) -> bool:
    return mention.post is not None and mention.post.author is not None and bool(mention.post.author.handle)


def _who(mention: Mention) -> str:
    author = mention.post.author if mention.post else None
    if author is None:
        return mention.post_id
    return f"{mention.network}:{author.handle or author.id}"


def _shares(names: Iterable[str], total: int, most: int = MOST_SHARES) -> tuple[Share, ...]:
    counted = Counter(names).most_common(most)
    return tuple(Share(name, posts, posts / total) for name, posts in counted)


def _heaps(found: Iterable[tuple[int | str, Mention]], total: int) -> tuple[Heap, ...]:
    heaps: dict[int | str, list[Mention]] = {}
    for key, mention in found:
        heaps.setdefault(key, []).append(mention)
    largest = sorted(((k, one) for k, one in heaps.items() if len(one) > 1), key=lambda pair: -len(pair[1]))
    return tuple(_heap(key, one, total) for key, one in largest[:MOST_SHARES])


def _heap(key: int | str, posts: Sequence[Mention], total: int) -> Heap:
    times = [mention.event_time for mention in posts]
    return Heap(
        number=key if isinstance(key, int) else 0,
        name=key if isinstance(key, str) else "",
        posts=len(posts),
        authors=len({_who(mention) for mention in posts}),
        share=len(posts) / total,
        post_id=min(posts, key=lambda mention: mention.event_time).post_id,
        span=max(times) - min(times),
    )


def _links(found: Sequence[Mention], total: int) -> tuple[Share, ...]:
    """Sites that posts of several people link to."""
    sites: dict[str, set[str]] = {}
    posts: Counter[str] = Counter()
    for mention in found:
        assert mention.post is not None
        for site in {surface for mark, surface in analyse(mention.post.text).marked if mark == ADDRESS}:
            sites.setdefault(site, set()).add(_who(mention))
            posts[site] += 1
    several = [site for site, _ in posts.most_common() if len(sites[site]) >= FEWEST_AUTHORS][:MOST_SHARES]
    return tuple(Share(site, posts[site], posts[site] / total) for site in several)


def _words(rise: Sequence[Mention], before: Sequence[Mention], brand: str, total: int) -> tuple[Share, ...]:
    """Words that are more frequent than before, by weighted log-odds with a prior (Monroe, Colaresi and Quinn 2008,
    "Fightin' Words"): how many posts have one, not how often it stands in them."""
    now, people = _counted(rise)
    then, _ = _counted(before)
    spoken, silent = len(rise) + 2, max(len(before), QUIET) + 2
    odd: list[tuple[float, str]] = []
    for word, posts in now.items():
        if len(people[word]) < FEWEST_AUTHORS or word == brand:
            continue
        prior = (posts + then[word] + 1) / (spoken + silent)
        one, other = posts + prior, then[word] + prior
        apart = log(one / (spoken - one)) - log(other / (silent - other))
        strange = apart / sqrt(1 / one + 1 / other)
        if strange >= STRANGE:
            odd.append((strange, word))
    strangest = [word for _, word in sorted(odd, reverse=True)[:MOST_WORDS]]
    return tuple(Share(word, now[word], now[word] / total) for word in strangest)


def _counted(mentions: Sequence[Mention]) -> tuple[Counter[str], dict[str, set[str]]]:
    counted: Counter[str] = Counter()
    people: dict[str, set[str]] = {}
    for mention in mentions:
        assert mention.post is not None
        text = analyse(mention.post.text)
        words = {s for s, mark in zip(text.surfaces, text.marks, strict=True) if mark not in (ADDRESS, HANDLE)}
        for word in words:
            if len(word) >= 3 and not word.isdigit() and not everyday(word):
                counted[word] += 1
                people.setdefault(word, set()).add(_who(mention))
    return counted, people


def _top(found: Sequence[tuple[int, Mention]]) -> tuple[tuple[int, Mention], ...]:
    """The worst of each heap first: three copies of one text would tell one thing."""
    chosen: list[tuple[int, Mention]] = []
    clusters: set[int] = set()
    for n, mention in sorted(found, key=lambda one: (-_weight(one[1]), one[0])):
        if mention.cluster is not None and mention.cluster in clusters:
            continue
        chosen.append((n, mention))
        if mention.cluster is not None:
            clusters.add(mention.cluster)
        if len(chosen) == MOST_POSTS:
            break
    return tuple(chosen)


def _weight(mention: Mention) -> float:
    risk = mention.decision.risk if mention.decision else 0
    metrics = mention.post.metrics if mention.post else None
    reactions = sum(x or 0 for x in (metrics.likes, metrics.reposts, metrics.replies)) if metrics else 0
    return risk + 5 * log(1 + reactions)


_LIVE = (
    "SELECT n, body FROM mention WHERE n > ? AND state = 'live' AND event_time >= ? AND event_time < ?"
    " AND brand = (SELECT n FROM dictionary WHERE kind = 'brand' AND value = ?) ORDER BY n DESC LIMIT ?"
)
