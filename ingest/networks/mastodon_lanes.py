"""Several streams at once, each a lane: one that is cut comes back by itself, and the others go on.

A lane is a connection in a thread of its own, so that no server waits for what is done with another's posts. What a
lane misses is a hole of its own in the ledger. Only when all of them are down is the source cut.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import structlog

from ingest.collector import Delivery, Denied, Hole, Interrupted
from ingest.networks.mastodon_posts import Timeline
from ingest.networks.mastodon_stream import Stream
from ingest.patience import DENIED_WAIT, Backoff
from ingest.runner import LOST_MOST, STEADY
from ingest.server_sent import Event
from stream.clock import SECOND, Clock
from stream.records import Millis

TICK = 0.25
"""Seconds after which quiet lanes are looked at."""
MOST_EVENTS = 2_000
"""Taken together."""
MOST_BYTES = 32_000_000
"""That wait to be taken; a server whose lane has to wait for room is not read meanwhile."""
EVERY: Millis = SECOND
"""A lane that is up says so at least so often."""
CHANGE_EVERY: Millis = 5 * SECOND
"""How often it is looked which lanes are wanted."""
GROWS_EVERY: Millis = 10 * SECOND
"""How often a hole that lasts is told of."""
LEAVES: Millis = SECOND
"""What all lanes together have to end. One that is just connecting ends by itself, by its time-out."""

Connect = Callable[[Timeline, threading.Event], Stream]
"""Opens a lane's stream, unless it is to leave meanwhile. Raises Interrupted, Denied."""

_log = structlog.get_logger(__name__)


class Said(NamedTuple):
    lane: Lane
    events: Sequence[Event] = ()
    fault: Exception | None = None
    """It is cut; without one and without events it is connected."""
    heard_at: Millis = 0


class Inbox:
    """What the lanes say, in order, bounded."""

    def __init__(self) -> None:
        self._held: deque[Said] = deque()
        self._bytes = 0
        self._change = threading.Condition()
        self._closed = False

    def put(self, said: Said) -> None:
        size = sum(len(event.data) for event in said.events)
        with self._change:
            while self._bytes and self._bytes + size > MOST_BYTES and not self._closed:
                self._change.wait()
            if not self._closed:
                self._held.append(said)
                self._bytes += size
                self._change.notify_all()

    def take(self, seconds: float) -> list[Said]:
        """As soon as there is something; none after `seconds`."""
        taken: list[Said] = []
        events = 0
        with self._change:
            if not self._held:
                self._change.wait(seconds)
            while self._held and events < MOST_EVENTS:
                said = self._held.popleft()
                taken.append(said)
                events += len(said.events)
                self._bytes -= sum(len(event.data) for event in said.events)
            self._change.notify_all()
        return taken

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()


class Waits:
    """Before when a server does not want to be asked again. Several threads may ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, Millis] = {}

    def heed(self, instance: str, fault: Exception) -> None:
        wait = getattr(fault, "retry_after", None)
        if wait is not None:
            self._until[instance] = max(self._clock.steady() + wait, self._until.get(instance, 0))

    def left(self, instance: str) -> Millis:
        return max(0, self._until.get(instance, 0) - self._clock.steady())

    def check(self, instance: str) -> None:
        """Raises Interrupted while it has to be left alone."""
        left = self.left(instance)
        if left:
            raise Interrupted("the server wants to be left alone for a while", retry_after=left)


class Lane:
    """One stream. What it says it puts into the inbox; the fields are the taker's."""

    def __init__(self, timeline: Timeline, connect: Connect, inbox: Inbox, clock: Clock) -> None:
        self.timeline, self.name = timeline, timeline.name
        self.up = self.answered = self.was_up = False
        self.events: list[Event] = []
        self.fault: Exception | None = None
        self.down_since: Millis | None = None
        self.hole_told: Millis | None = None
        """Steady time at which its hole was told of last."""
        self.told: Millis = 0
        self._connect, self._inbox, self._clock = connect, inbox, clock
        self._leave = threading.Event()
        self._stream: Stream | None = None
        self._came_about = False
        """Whether the connection of now, or the one before, was made."""
        self._thread = threading.Thread(target=self._run, name=f"mastodon-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        self._leave.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def join(self, seconds: float) -> None:
        self._thread.join(max(seconds, 0.0))

    def _run(self) -> None:
        backoff, lost = Backoff(), Backoff(most=LOST_MOST)
        while not self._leave.is_set():
            began, self._came_about = self._clock.steady(), False
            heard, fault = self._listen()
            if self._clock.steady() - began >= STEADY:
                lost.reset()
            if self._came_about:
                backoff.reset()
            waits = lost if self._came_about else backoff
            wait = DENIED_WAIT if isinstance(fault, Denied) else getattr(fault, "retry_after", None)
            self._inbox.put(Said(self, fault=fault, heard_at=heard))
            self._leave.wait((waits.next() if wait is None else max(wait, waits.first)) / 1_000)

    def _listen(self) -> tuple[Millis, Exception]:
        """One connection: when anything was heard last, and how it ended."""
        heard = self._clock.now()
        try:
            with closing(self._connect(self.timeline, self._leave)) as stream:
                self._stream, self._came_about = stream, True
                heard = self._clock.now()
                self._inbox.put(Said(self))
                with closing(stream.parts()) as parts:
                    for events in parts:
                        if self._leave.is_set():
                            break
                        heard = self._clock.now()
                        if events:
                            self._inbox.put(Said(self, events))
            return heard, Interrupted(f"{self.name} ended the stream")
        except (Interrupted, Denied) as fault:
            return heard, fault
        except Exception as fault:
            # Of a strange fault only the class is told: its words may hold a post's.
            return heard, Interrupted(f"{self.name}: unexpected {type(fault).__name__}")
        finally:
            self._stream = None


class Lanes:
    """Use with `closing`."""

    def __init__(
        self,
        wanted: Callable[[], Sequence[Timeline]],
        connect: Connect,
        read: Callable[[Timeline, Sequence[Event]], Delivery],
        clock: Clock,
        stop: threading.Event,
        patience: Millis,
    ) -> None:
        """`patience`: how long the first connections are waited for."""
        self._wanted, self._connect, self._read = wanted, connect, read
        self._clock, self._stop, self._patience = clock, stop, patience
        self._inbox = Inbox()
        self._lanes: dict[str, Lane] = {}
        self._ended: list[Delivery] = []
        """Holes that are over and were not told of yet."""

    def deliveries(self) -> Iterator[Delivery]:
        """Until stopped, or until none is up. Raises Interrupted, Denied."""
        self._change()
        self._first()
        looked = self._clock.steady()
        while not self._stop.is_set():
            yield from self._told()
            if self._lanes and not any(lane.up for lane in self._lanes.values()):
                yield from self._end_holes()
                raise self._all_down()
            for said in self._inbox.take(TICK):
                self._hear(said)
            if self._clock.steady() - looked >= CHANGE_EVERY:
                looked = self._clock.steady()
                self._change()

    def close(self) -> None:
        self._inbox.close()
        for lane in self._lanes.values():
            lane.leave()
        ends = self._clock.steady() + LEAVES
        for lane in self._lanes.values():
            lane.join((ends - self._clock.steady()) / 1_000)

    def _change(self) -> None:
        """The lanes that are wanted by now, and no others."""
        wanted = {timeline.name: timeline for timeline in self._wanted()}
        for name in [name for name in self._lanes if name not in wanted]:
            self._lanes.pop(name).leave()
        for name, timeline in wanted.items():
            if name not in self._lanes:
                lane = self._lanes[name] = Lane(timeline, self._connect, self._inbox, self._clock)
                lane.down_since = self._clock.now()
                lane.start()

    def _first(self) -> None:
        """Wait until each lane is connected or is not, for a while."""
        until = self._clock.steady() + self._patience
        while self._clock.steady() < until and not self._stop.is_set():
            if all(lane.answered for lane in self._lanes.values()):
                break
            for said in self._inbox.take(TICK):
                self._hear(said)

    def _hear(self, said: Said) -> None:
        lane = said.lane
        if said.events:
            lane.events.extend(said.events)
            return
        lane.answered = True
        if said.fault is None:
            if lane.was_up or lane.hole_told is not None:
                self._ended.append(self._hole(lane, lasts=False))
            lane.up = lane.was_up = True
            lane.fault = lane.down_since = lane.hole_told = None
        else:
            lane.up, lane.fault = False, said.fault
            if lane.down_since is None:
                lane.down_since = said.heard_at
                _log.warning("ingest.lane_cut", lane=lane.name, why=str(said.fault))

    def _told(self) -> Iterator[Delivery]:
        """What each lane has to say, were it only that it is there."""
        ended, self._ended = self._ended, []
        yield from ended
        others_up = any(lane.up for lane in self._lanes.values())
        for lane in list(self._lanes.values()):
            now = self._clock.steady()
            if lane.events or (lane.up and now - lane.told >= EVERY):
                events, lane.events = lane.events, []
                asked = int(lane.told == 0)
                lane.told = now
                yield (
                    self._read(lane.timeline, events)
                    if events
                    else Delivery(query=lane.name, asked=asked, payer=lane.timeline.brand)
                )
            missing = not lane.up and others_up and lane.answered
            if missing and (lane.hole_told is None or now - lane.hole_told >= GROWS_EVERY):
                lane.hole_told = now
                yield self._hole(lane, lasts=True)
        if not self._lanes:
            yield Delivery(asked=0)

    def _end_holes(self) -> Iterator[Delivery]:
        for lane in self._lanes.values():
            if lane.hole_told is not None:
                yield self._hole(lane, lasts=False)
                lane.down_since = self._clock.now()

    def _hole(self, lane: Lane, lasts: bool) -> Delivery:
        now = self._clock.now()
        since = now if lane.down_since is None else lane.down_since
        reason = str(lane.fault) if lane.fault is not None else "it was cut off"
        if isinstance(lane.fault, Denied):
            reason = f"refused by the network, a person has to act: {reason}"
        return Delivery(
            query=lane.name, asked=0, payer=lane.timeline.brand, hole=Hole(since, max(now, since + 1), reason, lasts)
        )

    def _all_down(self) -> Exception:
        lanes = self._lanes.values()
        faults = [lane.fault for lane in lanes if lane.fault is not None]
        passing = [fault for fault in faults if isinstance(fault, Interrupted)]
        if not passing and len(faults) == len(self._lanes):
            return faults[0]
        waits = [fault.retry_after for fault in passing]
        wait = min((wait for wait in waits if wait is not None), default=None) if None not in waits else None
        why = passing[0].reason if passing else "no server answers"
        return Interrupted(
            why, retry_after=wait, since=min((lane.down_since for lane in lanes if lane.down_since), default=None)
        )
