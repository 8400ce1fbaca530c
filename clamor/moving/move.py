"""A home moved while it goes on, and ended while it stands still.

Log and index follow what comes, a batch at a time; tables are compared whole, again and again. When nothing of Clamor
works here any more, the old engines are closed to whoever still has them open, the rest is copied, all of it is
compared, and only then the new ones are put in use. Whatever is cut short is gone on with by the next call.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import Engine

from clamor.moving.beginning import Begun, Moved, mark
from clamor.moving.gone import without_gone
from clamor.moving.mentions import IndexCopy
from clamor.moving.note import MoveError, Phase, note
from clamor.moving.places import places, put_group, store_places, stored_places
from clamor.moving.records import TWICE, LogCopy
from config.home import AlreadyRunning
from config.lock import START, RunLock, holder
from database.closing import close_off, open_again
from database.copying import NotEqual, Show, clear_references, equalise, forms
from database.migrate import current, head, put_in_use
from database.sequences import go_on_behind, last_given
from stream.embedded import EmbeddedLog
from stream.ports import DECIDED, MENTIONS, POSTS, OffsetOutside, Transient

ROLES = ("run", START, "routing", "index", "web", "reindex")
"""Who must not work while a home is moved to its end; nlp and collect have no lock and are seen by their status."""
READER = "nlp"
JOURNALS = ("mails.journal", "channels.journal")
LOOK = 1.0
"""Seconds between two looks for news, and for whether Clamor still works."""
AGAIN = 5.0
"""Seconds after a fault that passes."""
SOONEST = 30.0
"""Seconds between two passes over all tables, at least; a pass that took long is followed by a longer rest."""

Say = Callable[[str], None]


class Ended(NamedTuple):
    """What was moved, all of it compared."""

    settings: str
    moved: Moved
    tables: int
    rows: int
    records: int
    left_out: int
    """Records of posts that are gone."""
    twice: int
    """Records that stand there once more, since a call that had appended them failed."""
    mentions: int
    refused: int
    """Mentions that the new store cannot take."""


class Move:
    def __init__(self, begun: Begun) -> None:
        self.source, self.target, self.note, self.moved, self.journal = begun
        source, store = self.source, (self.target if self.moved.store else self.source).store
        self._records: LogCopy | None = None
        if self.moved.log:
            choose = partial(without_gone, source.engine)
            self._records = LogCopy(source.log, self.target.log, self.journal, choose, self._through)
        self._index = IndexCopy(source.engine, source.log, store, self.journal, self.note.epoch, source.clock.now)

    def follow(self) -> int:
        """Copy a batch of what is new in the log and for the index; how much it was."""
        done = self._records.step() if self._records is not None else 0
        return done + (self._index.step() if self.moved.store else 0)

    def compare_rows(self, show: Show, *, still: bool) -> tuple[int, int]:
        """A pass over the tables: (tables, rows). `still`: the source stands still, and afterwards all are equal."""
        if not self.moved.database:
            return 0, 0
        clear_references(self.target.engine)
        asked = forms(still=still)
        found = [equalise(self.source.engine, self.target.engine, form, still=still, show=show) for form in asked]
        return len(asked), sum(each.rows for each in found)

    def compare_records(self) -> None:
        """Read back what was copied of the log, once `follow` has nothing left to do."""
        if self._records is not None:
            self._records.compare()

    def left(self) -> int:
        """Records of the log that wait to be copied."""
        return self._records.behind() if self._records is not None else 0

    def working(self) -> list[str]:
        """What of Clamor works on the home now, in words."""
        home = self.source.home
        held = [f"{role} (process {found.pid})" for role in ROLES if (found := holder(home, role)) is not None]
        return held or self._stages()

    def end(self, show: Show) -> Ended:
        """While nothing works on the home. Raises AlreadyRunning where something does, MoveError where the copy is not
        what it should be (then the home is as it was), Transient."""
        with ExitStack() as held:
            for role in ROLES:
                held.enter_context(RunLock(self.source.home, role))
            if working := self._stages():
                raise AlreadyRunning(f"stages still work on {self.source.home.data}: {', '.join(working)}")
            ended = self._last_of_it(show) if self.note.phase != "opening" else self._known()
            self._put_in_use()
        return ended

    # --- while nothing works on the home -----------------------------------------------------------------------------

    def _last_of_it(self, show: Show) -> Ended:
        self._enter("stopping")
        try:
            self._close_off()
            ended = self._copy_the_rest(show)
        except BaseException:
            self._open_again()
            self._enter("copying")
            raise
        self._enter("opening")
        return ended

    def _copy_the_rest(self, show: Show) -> Ended:
        if self._records is not None:
            copied = 0
            while done := self._records.step():
                copied += done
                show("log", copied, copied + self.left())
            self.compare_records()
        try:
            tables, rows = self.compare_rows(show, still=True)
        except NotEqual as error:
            raise MoveError(f"{error}: nothing was switched, the home is as it was; give the move again") from error
        if self.moved.log and not self.moved.store:
            self._index.go_on_at(self._indexed())
        mentions = 0
        if self.moved.log or self.moved.store:
            show("index", 0, 0)
            self._index.finish()
        if self.moved.store:
            mentions = self._index.compare()
        return self._known()._replace(tables=tables, rows=rows, mentions=mentions)

    def _put_in_use(self) -> None:
        """Each step may be done again; after the last one others may work on what was moved to."""
        if not self.moved.database or current(self.target.engine) != head():
            self._carry_offsets(self.target.engine if self.moved.database else self.source.engine)
            if self.moved.database:
                go_on_behind(self.target.engine, last_given(self.source.engine))
            self._carry_mails()
            if self.moved.database:
                put_in_use(self.target.engine, mark(self.note))
        self._enter("done")
        self.journal.remove()

    def _carry_offsets(self, engine: Engine) -> None:
        source, epoch = self.source, self.note.epoch
        routing = stored_places(source.engine, source.log.epoch())
        if self.moved.log:
            log = self.target.log
            put_group(log, READER, POSTS, self._places(POSTS, source.log.committed(READER, POSTS)))
            routing = self._places(MENTIONS, routing)
            # All that `decided` holds was put there, and what SQL still has to tell it comes behind.
            indexed = {part: end for part, (_, end) in log.bounds(DECIDED).items()}
        else:
            # Nobody has closed this log off: other machines may have told it more since the mentions were compared.
            indexed = self._index.followed()
        if engine is not source.engine or (self.moved.log and not stored_places(engine, epoch)):
            store_places(engine, epoch, routing)
        if self.moved.log or self.moved.store:
            store = (self.target if self.moved.store else source).store
            store.adopt(epoch, {(DECIDED, part): end for part, end in indexed.items()})

    def _places(self, topic: str, stands: Mapping[int, int]) -> dict[int, int]:
        sources, bounds = self.source.log.partitions(topic), self.target.log.bounds(topic)
        return places(self.journal, topic, stands, sources, bounds)

    def _carry_mails(self) -> None:
        """Mails, and messages by channels, that left and that SQL may not know of yet."""
        for name in JOURNALS:
            here, there = self.source.home.data / name, self.target.home.data / name
            if here != there and here.exists():
                shutil.copy2(here, there)

    def _close_off(self) -> None:
        words = f"this home is moved to the engines of {self.note.settings}: nothing is written here any more"
        if self.moved.log and isinstance(self.source.log, EmbeddedLog):
            self.source.log.close_off(words)
        if self.moved.database:
            close_off(self.source.engine, words)

    def _open_again(self) -> None:
        if self.moved.log and isinstance(self.source.log, EmbeddedLog):
            self.source.log.open_again()
        if self.moved.database:
            open_again(self.source.engine)

    def _enter(self, phase: Phase) -> None:
        self.note = replace(self.note, phase=phase)
        note(self.source.home, self.note)

    def _known(self) -> Ended:
        """What the journal tells, also of a move that was compared by a process that is gone."""
        copied, left_out = self.journal.records()
        twice, refused = self.journal.mark(TWICE) or 0, len(self.journal.refused())
        return Ended(self.note.settings, self.moved, 0, 0, copied, left_out, twice, 0, refused)

    def _stages(self) -> list[str]:
        told = [one for one in self.source.statuses.read() if one.alive() and one.state != "stopped"]
        return [f"stage {one.stage} (process {one.pid})" for one in told]

    def _through(self, topic: str) -> Mapping[int, int] | None:
        """Below which offsets our own group is done."""
        source = self.source
        if topic == POSTS:
            return source.log.committed(READER, POSTS)
        if topic == MENTIONS:
            return stored_places(source.engine, source.log.epoch())
        return self._indexed() if topic == DECIDED else None

    def _indexed(self) -> dict[int, int]:
        standing, epoch = self.source.store.standing(), self.source.log.epoch()
        if standing.log not in (None, epoch):
            raise OffsetOutside(
                f"the index of {self.source.home.data} stands in another log ({standing.log}, not {epoch}): give "
                "`clamor reindex` first"
            )
        return {part: following for (topic, part), following in standing.offsets.items() if topic == DECIDED}


def carry_out(move: Move, say: Say, show: Show) -> Ended:
    """Follow the home as long as it works, then end the move. Faults that pass are waited for.

    Raises MoveError, Unusable and KeyboardInterrupt as they come: the next call goes on from there.
    """
    caught_up, told = move.note.phase != "copying", False
    while True:
        try:
            if caught_up and not move.working():
                return move.end(show)
            took = catch_up(move, show)
            caught_up = True
            if (working := move.working()) and not told:
                say(
                    f"all that there was is copied, and what comes is followed. Now stop Clamor here: "
                    f"{', '.join(working)}. What is left then takes about {max(1, round(took))} s, and more for the "
                    "first time that the index is compared"
                )
                told = True
            _follow_until(move, time.monotonic() + max(SOONEST, 4 * took))
        except AlreadyRunning:
            time.sleep(LOOK)
        except Transient as fault:
            say(f"{fault}; the move goes on in a moment")
            time.sleep(AGAIN)


def catch_up(move: Move, show: Show) -> float:
    """Seconds that the pass over the tables and the reading back took."""
    copied = 0
    while done := move.follow():
        copied += done
        show("log and index", copied, copied + move.left())
    began = time.monotonic()
    move.compare_rows(show, still=False)
    spent = time.monotonic() - began
    while move.follow():
        pass
    began = time.monotonic()
    move.compare_records()
    return spent + time.monotonic() - began


def _follow_until(move: Move, deadline: float) -> None:
    """Or until nothing works on the home any more."""
    while time.monotonic() < deadline and move.working():
        if not move.follow():
            time.sleep(LOOK)
