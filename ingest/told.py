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
from stream.merge import steady_address
from stream.records import Millis

REPLY = "/reply"
"""Behind a review's id: what is answered to it."""
KEEP: Millis = 800 * DAY
"""How long it is known what was told of one, from its last change."""
TIDY_EVERY: Millis = DAY
RESTORED_AFTER: Millis = HOUR
"""A list may come from a cache: one that was told of as gone is back when it is still shown so much later."""
_MARK, _SHOWN, _GONE = "told:", "shown:", "gone "


def state(draft: Draft) -> str:
    """What is known of a draft afterwards: digests of its words and of its reach, parted by a space."""
    return f"{_digest(content(draft))} {_digest(draft.metrics)}"


def content(draft: Draft) -> tuple[str, str | None, tuple[str, ...]]:
    """What makes it another one where it changes: not how a picture's address is signed, which is new each time."""
    return draft.text, draft.title, tuple(map(steady_address, draft.media))


class Told:
    """For one thread."""

    def __init__(self, notes: Notes, clock: Clock) -> None:
        self._notes, self._clock = notes, clock
        self._tidied: Millis | None = None

    def of(self, ids: Collection[str]) -> Mapping[str, str]:
        """Of these ids those that were told of, with the state. Raises Transient."""
        found = self._notes.all([_MARK + id for id in ids]) if ids else {}
        return {name.removeprefix(_MARK): value for name, value in found.items()}

    def standing(self, reviews: Collection[str]) -> list[str]:
        """These reviews and the answers to them, as far as they were told of and are not gone. Raises Transient."""
        known = self.of([*reviews, *(id + REPLY for id in reviews)])
        return [id for id, value in known.items() if stands(value)]

    def judge(
        self, shown: Mapping[str, Draft], written: Mapping[str, Millis], since: Millis | None
    ) -> tuple[list[Draft], dict[str, str]]:
        """(what to tell of the reviews of a list, what is known once that is durable). `shown`: they and the answers to
        them; `written`: when each review was, of those too that are listed and not to be shown; what was is news
        `since` then, None: nothing is, but all is looked at. Raises Transient."""
        known, wall = self.of([*written, *(id + REPLY for id in written)]), self._clock.wall()
        drafts: list[Draft] = []
        states: dict[str, str] = {}
        for id, draft in shown.items():
            review = id.removesuffix(REPLY)
            # An answer to a review that was told of is news, however old the review.
            answers = review != id and stands(known.get(review))
            fresh = None if since is None else answers or written[review] >= since
            told, noted = judged(draft, known.get(id), fresh, wall)
            drafts += [told] if told is not None else []
            states |= {id: noted} if noted is not None else {}
        away = [id for id, value in known.items() if id not in shown and stands(value)]
        return [*drafts, *deleted(away)], states | self.gone(away)

    def gone(self, ids: Collection[str]) -> dict[str, str]:
        """What is known of these once they were told of as gone."""
        return dict.fromkeys(ids, f"{_GONE}{self._clock.wall()}")

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

    def shown(self, place: str) -> dict[str, Millis]:
        """What a list showed, by id: when it was written. Raises Transient."""
        noted = self._notes.get(_SHOWN + place)
        return msgspec.json.decode(noted, type=dict[str, Millis]) if noted else {}

    def note_shown(self, place: str, shown: Mapping[str, Millis]) -> None:
        """Raises Transient."""
        self._notes.put(_SHOWN + place, msgspec.json.encode(shown).decode())

    def tidy(self) -> None:
        """Now and then: notes that are older than `KEEP` go. Raises Transient."""
        now = self._clock.steady()
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            self._notes.forget(self._clock.wall() - KEEP)


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
    return changed(draft, known, now), None if known == now else now


def reached(before: Millis | None, times: Collection[Millis], wall: Millis) -> Millis:
    """Up to when a list has been read that showed reviews of these times: the last that does not lie ahead, for that
    would make all others old; never back, should the clock be set back."""
    if not times:
        return unseen(wall) if before is None else before
    return max(before or 0, max([time for time in times if time <= wall], default=wall))


def unseen(wall: Millis) -> Millis:
    """Up to when a list counts as read of which no review was ever seen. A clock may be ahead of the network's."""
    return wall - DAY


def deleted(ids: Collection[str]) -> list[Draft]:
    return [Draft(native_id=id, kind="deleted") for id in ids]


def changed(draft: Draft, known: str, now: str) -> Draft | None:
    """What to tell of one that was told of as `known` and is `now` (`state`): an edit, a new reach, or nothing."""
    if now == known:
        return None
    if not same_words(now, known):
        return msgspec.structs.replace(draft, kind="edited")
    if draft.metrics is None:
        return None
    return Draft(native_id=draft.native_id, kind="metrics", claimed_at=draft.claimed_at, metrics=draft.metrics)


def same_words(one: str, other: str) -> bool:
    """Of two states."""
    return one.partition(" ")[0] == other.partition(" ")[0]


def _digest(held: object) -> str:
    return blake2b(msgspec.json.encode(held), digest_size=8).hexdigest()
