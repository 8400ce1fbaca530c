"""Whether the incidents of two brands have one cause: what of the posts of each the other has as well.

A post's marks (near copies, links, tags, codes, names, author, the post itself: `routing.matters.marks`) that are
frequent in a rise and were not before are what it is made of; of two rises that are one matter, each has a good part of
its posts under marks that the other has too. Numbers alone: which words they are, stands in the live posts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from config.everyday import everyday
from query.text import WORD, analyse
from routing.matters.marks import Mark, key_of, marks_of
from stream.records import Mention

FEWEST_POSTS = 3
"""Under a mark, in each of the two."""
FEWEST_AUTHORS = 3
"""Of a tag, a code, a name or a link: one person makes no matter of two brands."""
NEW = 3.0
"""So many times as frequent as before has to be what explains a rise."""
BEFORE_AT_LEAST = 20
"""Of a brand of which less was said before, it is taken that so many posts were without the mark."""
COMPARED = 50
"""Where fewer were before, nobody can tell new words from those that are always said."""
PART, SMALLER = 0.2, 0.4
"""So large a part of the posts of each, and of one of the two, stands under what both have."""
MANY = 5
"""Posts of each, under what both have: fewer may be chance."""
SAME_WORDS = 2
"""New words of both that a post has to have: one alone may be another matter's."""
SHORTEST_WORD, MOST_WORDS = 4, 60
"""Characters; words of a post that are looked at."""


class Made(NamedTuple):
    """What a rise is made of."""

    posts: int
    by_mark: Mapping[tuple[str, int], frozenset[int]]
    """The posts (places) under each mark that is new."""


class Common(msgspec.Struct, frozen=True):
    """What two rises have in common."""

    one: float = 0.0
    """Part of the posts of the first that stands under a mark of both, 0 to 1."""
    other: float = 0.0
    kinds: tuple[str, ...] = ()
    """Of these marks, those with most posts first."""

    @property
    def percent(self) -> tuple[int, int]:
        return round(100 * self.one), round(100 * self.other)


def made_of(rise: Iterable[Mention], before: Iterable[Mention]) -> Made:
    """Of the posts that hurt of a rise, held against those of before it."""
    posts = [marks_in(mention) for mention in rise]
    return Made(len(posts), new_marks(posts, [marks_in(mention) for mention in before]))


def new_marks(
    posts: Sequence[Collection[tuple[str, int]]], before: Sequence[Collection[tuple[str, int]]]
) -> Mapping[tuple[str, int], frozenset[int]]:
    """The posts (places) under each mark that is frequent among them and was not before."""
    then = Counter(mark for marks in before for mark in marks)
    places: dict[tuple[str, int], set[int]] = {}
    people: dict[tuple[str, int], set[int]] = {}
    for place, marks in enumerate(posts):
        who = author_in(marks, place)
        for mark in marks:
            places.setdefault(mark, set()).add(place)
            people.setdefault(mark, set()).add(who)
    silent = max(len(before), BEFORE_AT_LEAST)
    if len(before) < COMPARED:
        places = {key: under for key, under in places.items() if key[0] != "word"}
    return {
        key: frozenset(under)
        for key, under in places.items()
        if len(under) / max(len(posts), 1) >= NEW * then[key] / silent and _enough(key[0], under, people[key])
    }


def in_common(one: Made, other: Made) -> Common:
    """Symmetric but for the order of the two."""
    both = [key for key in one.by_mark if key in other.by_mark]
    first, second = under(one.by_mark, both), under(other.by_mark, both)
    weights: Counter[str] = Counter()
    for key in both:
        weights[key[0]] = max(weights[key[0]], min(len(one.by_mark[key]), len(other.by_mark[key])))
    if min(len(first), len(second)) < MANY:
        return Common()
    kinds = tuple(kind for kind, _ in weights.most_common())
    return Common(len(first) / one.posts, len(second) / other.posts, kinds)


def is_one(common: Common) -> bool:
    return min(common.one, common.other) >= PART and max(common.one, common.other) >= SMALLER


def under(by_mark: Mapping[tuple[str, int], frozenset[int]], keys: Iterable[tuple[str, int]]) -> set[int]:
    """The posts that stand under one of these marks, or under several of these words."""
    found, words = set[int](), Counter[int]()
    for key in keys:
        if key[0] == "word":
            words.update(by_mark.get(key, ()))
        else:
            found |= by_mark.get(key, frozenset())
    return found | {place for place, several in words.items() if several >= SAME_WORDS}


def marks_in(mention: Mention) -> frozenset[tuple[str, int]]:
    return frozenset(map(_key, _marks(mention)))


def author_in(marks: Collection[tuple[str, int]], place: int) -> int:
    """Who wrote a post, by its marks: of account and handle always the same one, else one person would be two. A post
    by nobody is its own."""
    return min((key for kind, key in marks if kind == "author"), default=-place)


def _marks(mention: Mention) -> tuple[Mark, ...]:
    if mention.post is None:
        return ()
    text = analyse(mention.post.text)
    plain = (s for s, mark in zip(text.surfaces, text.marks, strict=True) if mark == WORD and len(s) >= SHORTEST_WORD)
    words = list(dict.fromkeys(word for word in plain if not word.isdigit() and not everyday(word)))[:MOST_WORDS]
    return (*marks_of(mention), *(Mark("word", key_of("word", word), word) for word in words))


def _key(mark: Mark) -> tuple[str, int]:
    # The same page, tag, flight or name is the same whatever the kind of storm; handles are people, as authors are.
    return ("author" if mark.kind == "handle" else mark.kind), mark.key


def _enough(kind: str, posts: Collection[int], people: Collection[int]) -> bool:
    if kind in ("author", "post"):
        return True
    return len(posts) >= FEWEST_POSTS and len(people) >= FEWEST_AUTHORS
