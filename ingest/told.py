"""Which things of a list that is read again and again were told of, and in which state: each once, and each change.

Kept in the source's notes, so that whoever goes on after a kill knows it. A note is made once what it tells of is
durable: killed in between, the same is told once more, never less.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b

import msgspec

from ingest.collector import Draft
from ingest.setting import Notes
from stream.clock import DAY, HOUR, Clock, passed
from stream.records import Millis

TIDY_EVERY: Millis = DAY
RESTORED_AFTER: Millis = HOUR
"""A list may come from a cache: one that was told of as gone is back when it is still shown so much later."""
_MARK, _GONE = "told:", "gone "


def state(draft: Draft) -> str:
    """What is known of a draft afterwards: digests of its words and of its reach, parted by a space."""
    words = (draft.text, draft.title, draft.media)
    return f"{_digest(words)} {_digest(draft.metrics)}"


class Told:
    """For one thread."""

    def __init__(self, notes: Notes, clock: Clock, keep: Millis) -> None:
        """`keep`: how long a note stays, from its last change."""
        self._notes, self._clock, self._keep = notes, clock, keep
        self._tidied: Millis | None = None

    def of(self, ids: Collection[str]) -> Mapping[str, str]:
        """Of these ids those that were told of, with the state. Raises Transient."""
        found = self._notes.all([_MARK + id for id in ids]) if ids else {}
        return {name.removeprefix(_MARK): value for name, value in found.items()}

    def note(self, states: Mapping[str, str]) -> None:
        """These were told of. Raises Transient."""
        if states:
            self._notes.put_all({_MARK + id: value for id, value in states.items()})

    def note_found(self, drafts: Collection[Draft]) -> None:
        """A filling told of these. One that was told of as gone stays so until it is seen back. Raises Transient."""
        known = self.of([draft.native_id for draft in drafts])
        self.note({one.native_id: state(one) for one in drafts if stands(known.get(one.native_id, ""))})

    def drop(self, ids: Collection[str]) -> None:
        """These are gone. Raises Transient."""
        if ids:
            self._notes.drop([_MARK + id for id in ids])

    def tidy(self) -> None:
        """Now and then: notes that are older than `keep` go. Raises Transient."""
        now = self._clock.steady()
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            self._notes.forget(self._clock.wall() - self._keep)


def gone(wall: Millis) -> str:
    """What is known of one that was told of as gone at that time."""
    return f"{_GONE}{wall}"


def stands(known: str | None) -> bool:
    """Whether it was told of, and not as gone since."""
    return known is not None and not known.startswith(_GONE)


def judged(draft: Draft, known: str | None, fresh: bool | None, wall: Millis) -> tuple[Draft | None, str | None]:
    """(what to tell of one that is shown, what is known once that is durable); None: nothing, unchanged. `fresh`: of
    one that nothing was told of, whether it is news; None: it is only looked at."""
    if known is None:
        return draft if fresh else None, None if fresh is False else state(draft)
    if known.startswith(_GONE):
        if not passed(int(known.removeprefix(_GONE)), wall, RESTORED_AFTER):
            return None, None
        return msgspec.structs.replace(draft, kind="restored"), state(draft)
    now = state(draft)
    return changed(draft, known), None if known == now else now


def deleted(ids: Collection[str]) -> list[Draft]:
    return [Draft(native_id=id, kind="deleted") for id in ids]


def changed(draft: Draft, known: str) -> Draft | None:
    """What to tell of one that was told of as `known`: an edit, a new reach, or nothing."""
    words, _, reach = state(draft).partition(" ")
    known_words, _, known_reach = known.partition(" ")
    if words != known_words:
        return msgspec.structs.replace(draft, kind="edited")
    if reach == known_reach or draft.metrics is None:
        return None
    return Draft(native_id=draft.native_id, kind="metrics", claimed_at=draft.claimed_at, metrics=draft.metrics)


def _digest(held: object) -> str:
    return blake2b(msgspec.json.encode(held), digest_size=8).hexdigest()
