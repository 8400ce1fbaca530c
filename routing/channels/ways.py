"""All ways beside mail as one transport: each rests alone where it fails, so that none keeps the others waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from routing.mail.transport import Delivery, Outgoing
from routing.mailer import back_off
from stream.clock import MINUTE, SECOND, Clock
from stream.records import Millis

FIRST_REST: Millis = 5 * SECOND
LONGEST_REST: Millis = 2 * MINUTE


class Way(Protocol):
    @property
    def deadline(self) -> float:
        """Seconds that one message takes at most."""

    def send(self, mail: Outgoing) -> Delivery:
        """Hand over one message; never `down`, since that would speak for all ways. Does not raise."""

    def close(self) -> None: ...


class Ways:
    """By id of the channel. A message's recipient is a channel."""

    def __init__(self, ways: Mapping[str, Way], clock: Clock) -> None:
        self._ways, self._clock = ways, clock
        self._rests: dict[str, tuple[int, Millis, str]] = {}
        """(failures in a row, until when, by the steady clock, why)."""

    @property
    def deadline(self) -> float:
        return max((way.deadline for way in self._ways.values()), default=0.0)

    def send(self, mail: Outgoing) -> Delivery:
        way = self._ways.get(mail.recipient)
        if way is None:
            return Delivery("refused", f"there is no channel {mail.recipient} any more")
        failures, until, why = self._rests.get(mail.recipient, (0, 0, ""))
        if self._clock.steady() < until:
            return Delivery("later", why)
        delivery = way.send(mail)
        if delivery.outcome == "later":
            pause = back_off(failures, FIRST_REST, LONGEST_REST, mail.recipient)
            self._rests[mail.recipient] = failures + 1, self._clock.steady() + pause, delivery.reason
        else:
            self._rests.pop(mail.recipient, None)
        return delivery

    def hang_up(self) -> None:
        """Nothing is kept open."""

    def forget_older(self, before: Millis) -> int:
        return 0

    def close(self) -> None:
        for way in self._ways.values():
            way.close()
