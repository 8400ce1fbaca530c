"""Which time a home lives in: the wall's, or the simulated time of the days that a replay tells of."""

from __future__ import annotations

from pathlib import Path

import msgspec

from config.home import Home
from stream.clock import Clock, SimulatedClock, WallClock
from stream.records import Millis


class Pace(msgspec.Struct, frozen=True):
    """`data/clock.json`: at wall time `anchor` it was `start` here; since then time runs `speed` times as fast."""

    start: Millis
    anchor: Millis
    speed: float
    until: Millis | None = None
    """Where time stops: a home whose days are over stays in its last moment."""
    replayed: bool = False
    """The home is made from another one's configuration: what that one serves is not here."""
    sends: bool = True
    """False: mails go to the home's own mailbox file, whatever mail server is configured."""
    drill: bool = False
    """What happens here is an exercise: every mail and page says so."""

    def clock(self) -> SimulatedClock:
        return SimulatedClock(self.start, self.anchor, self.speed, self.until)


def clock_of(home: Home) -> Clock:
    """The clock by which every process of this home goes."""
    pace = pace_of(home)
    return pace.clock() if pace else WallClock()


def pace_of(home: Home) -> Pace | None:
    """None: the home lives in real time."""
    try:
        return msgspec.json.decode(_path(home).read_bytes(), type=Pace)
    except FileNotFoundError:
        return None


def sends_mails(home: Home) -> bool:
    """False: a replay's home, whose mails stay in it."""
    pace = pace_of(home)
    return pace is None or pace.sends


def is_drill(home: Home) -> bool:
    pace = pace_of(home)
    return pace is not None and pace.drill


def set_pace(
    home: Home,
    start: Millis,
    speed: float,
    until: Millis | None = None,
    *,
    replayed: bool = False,
    sends: bool = True,
    drill: bool = False,
) -> SimulatedClock:
    """From now on it is `start` in this home, and time runs `speed` times as fast as on the wall, up to `until`."""
    pace = Pace(start, WallClock().wall(), speed, until, replayed, sends, drill)
    draft = _path(home).with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(pace))
    draft.replace(_path(home))
    return pace.clock()


def _path(home: Home) -> Path:
    return home.data / "clock.json"
