"""Which words of a firehose concern posts that are here.

A firehose tells of every delete on its network, and nearly all of them are of posts that nobody kept: taken, each would
cost a record of the log and a row that says that the post must never come. So a delete, an edit that names no brand any
more, and a word about an author are kept only where the post or author may be here: where this process appended it, or
where SQL knows it.

SQL learns of a post a moment after the log: whoever was restarted while the stages lag knows of such a post by neither.
A word that was left out, such an edit included, is therefore looked at once more after `AGAIN`. What even that misses a
sweep finds, as for networks that tell nothing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from ingest.collector import Draft
from stream.clock import MINUTE
from stream.records import CONTENT_KINDS, Millis

MOST = 100_000
"""Posts, and authors, that are remembered: about 20 MB. Older ones are in SQL by then."""
AGAIN: Millis = 10 * MINUTE
MOST_UNSURE = 20_000
"""Words that wait to be looked at again; the oldest are looked at early where there are more."""
MOST_TEXT = 5_000_000
"""Characters of their texts."""
_OF_AUTHORS = frozenset({"author_gone", "author_back"})


class Held(Protocol):
    """What is here, as SQL knows it. Raises Transient."""

    def posts(self, ids: Collection[str]) -> Collection[str]:
        """Those of these post ids (`network:native_id`) that are known."""

    def authors(self, network: str, ids: Collection[str]) -> Collection[str]:
        """Those of these authors, by the network's own ids, that wrote a post that is known."""


class Sorted(NamedTuple):
    kept: list[Draft]
    """In their order, behind those that were left out before and concern what is here by now."""
    filtered: int
    """Posts that were left out as unwanted; an edit that is found to concern what is here later counts all the same."""
    unsure: list[Draft]
    """Words that concern nothing that is here, to be looked at again."""
    looked_again: int


class Known:
    """Of one firehose. Not for several threads at once."""

    def __init__(self, network: str, held: Held) -> None:
        self._network, self._held = network, held
        self._posts: OrderedDict[str, None] = OrderedDict()
        self._authors: OrderedDict[str, None] = OrderedDict()
        self._unsure: deque[tuple[Millis, Draft]] = deque()
        self._text = 0

    def sort(self, drafts: Sequence[Draft], wanted: Callable[[Draft], bool], now: Millis) -> Sorted:
        """What of a batch is to be taken; changes nothing. Raises Transient."""
        again = self._due(now)
        good = [_has_content(draft) and wanted(draft) for draft in drafts]
        doubtful = [d for d, fine in zip(drafts, good, strict=True) if not fine and d.kind != "created"]
        here = self._here([*again, *doubtful], [d for d, fine in zip(drafts, good, strict=True) if fine])
        kept = [draft for draft in again if self._key(draft) in here]
        filtered, unsure = 0, []
        for draft, fine in zip(drafts, good, strict=True):
            if fine or (draft.kind != "created" and self._key(draft) in here):
                kept.append(draft)
            elif draft.kind == "created":
                filtered += 1
            else:
                # When it was said counts, not when it is looked at again.
                filtered += _has_content(draft)
                unsure.append(replace(draft, seen_at=draft.seen_at or now))
        return Sorted(kept, filtered, unsure, len(again))

    def note(self, done: Sorted, now: Millis) -> None:
        """What was sorted is durable."""
        for _ in range(done.looked_again):
            self._text -= _size(self._unsure.popleft()[1])
        self._unsure.extend([(now + AGAIN, draft) for draft in done.unsure])
        self._text += sum(map(_size, done.unsure))
        for draft in done.kept:
            if _has_content(draft):
                _remember(self._posts, self._post(draft))
                if draft.author is not None:
                    _remember(self._authors, draft.author.id)

    def _due(self, now: Millis) -> list[Draft]:
        """What is to be looked at again now, the oldest first."""
        due: list[Draft] = []
        words, text = len(self._unsure), self._text
        for at, draft in self._unsure:
            if at > now and words <= MOST_UNSURE and text <= MOST_TEXT:
                break
            due.append(draft)
            words, text = words - 1, text - _size(draft)
        return due

    def _here(self, words: Sequence[Draft], coming: Sequence[Draft]) -> set[tuple[bool, str]]:
        """Keys of these words that concern what is here, or comes with the same batch."""
        keys = {self._key(word) for word in words}
        fresh = {(False, self._post(draft)) for draft in coming}
        fresh |= {(True, draft.author.id) for draft in coming if draft.author is not None}
        here = {key for key in keys if key in fresh or key[1] in (self._authors if key[0] else self._posts)}
        posts = [id for of_author, id in keys - here if not of_author]
        authors = [id for of_author, id in keys - here if of_author]
        if posts:
            here |= {(False, id) for id in self._held.posts(posts)}
        if authors:
            here |= {(True, id) for id in self._held.authors(self._network, authors)}
        return here

    def _key(self, word: Draft) -> tuple[bool, str]:
        """(whether it is about an author, the author's or the post's id)."""
        if word.kind in _OF_AUTHORS and word.author is not None:
            return True, word.author.id
        return False, self._post(word)

    def _post(self, draft: Draft) -> str:
        network = draft.network or self._network
        return draft.native_id if draft.native_id.startswith(network + ":") else f"{network}:{draft.native_id}"


def _size(draft: Draft) -> int:
    return len(draft.text) + len(draft.title or "")


def _has_content(draft: Draft) -> bool:
    return draft.kind in CONTENT_KINDS


def _remember(memory: OrderedDict[str, None], id: str) -> None:
    memory[id] = None
    memory.move_to_end(id)
    if len(memory) > MOST:
        memory.popitem(last=False)
