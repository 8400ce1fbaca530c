"""What every collector promises, as tests that run on each of them against its stand-in.

A network's test file makes a `Case` and inherits the tests:

    class TestReddit(Contract):
        @pytest.fixture
        def case(self) -> Iterator[Case]:
            with RedditStandIn() as reddit:
                yield RedditCase(reddit)

Add promises here, never in one network's file, where they hold for all. What a network cannot do it says in its case
(`edits = ""`), and the test checks that the ledger or the docs' words then say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from config.sources import Collected
from tests.standins.server import StandIn

How = Literal["", "stream", "poll", "sweep", "webhook"]
"""By what a collector learns of it; empty: never."""


class Case(Protocol):
    """One network, to be driven by the contract. Brand `acme` (name Acme) is listened for; a published text that holds
    `Acme` has to arrive here, a text without need not."""

    standin: StandIn
    edits: How
    deletes: How
    fills: bool
    """Whether the network has a history that a missed span can be asked of."""
    first: str
    """Path that the collector's first questions begin with: where faults hit it."""

    def settings(self) -> Collected:
        """The source's section, `id="source"`, pointing at the stand-in, with short intervals (0.1 s at most)."""

    def secrets(self) -> Mapping[str, str]:
        """By NAME, as the environment would have them."""

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        """A new post by `author`, public at once, claimed at `at` (milliseconds; None: now). Its native id."""

    def edit(self, native_id: str, text: str) -> None: ...

    def delete(self, native_id: str) -> None: ...

    def truth(self) -> Mapping[str, str]:
        """What stands on the network now: native id → text."""
