"""All networks at once, in a process of their own, where invented people write, edit and delete: `python -m
tests.standins.town`.

It is told and asked by lines. The first line of its standard input is a JSON object (`Plan`); its first answer names
sources and secrets for a configuration. Then, a line each: `write` begins writing and trouble, `still` ends both,
`figures` asks what has happened so far, `truth` what stands on each network, as post id: text. It ends with its
standard input.

Some quotas are set higher than the networks', so that an hour of it fits into a minute; everything else is as each
stand-in's docstring says.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from ingest.intake import post_id
from tests.standins.inhabited import NETWORKS, Editable, Forgetful, Network
from tests.standins.server import Fault

AUTHORS = ("ana", "ben", "carla", "dmitri", "eva", "farid", "gala", "hugo")
YOUNG = 20
"""Only the last posts of a network are edited and deleted."""
OUTAGE = 3.0
"""Seconds."""
SHORTEST = 0.002


class Plan(NamedTuple):
    texts: Sequence[str]
    """Each has to name a brand."""
    rate: float = 4.0
    """Posts a second, on all networks together."""
    networks: Sequence[str] = tuple(one.name for one in NETWORKS)
    trouble_every: float = 8.0
    """Seconds between two troubles, each on one network; 0: none."""
    edits: float = 0.06
    """Part of what happens."""
    deletes: float = 0.04
    numbered: bool = False
    """Whether each text has a number, so that no two are the same."""
    look_again: str = "10s"
    """How often young posts are looked up again on networks that do not tell of deletes."""
    seed: int = 0


class Town:
    """Use as a context manager: the networks listen, and nothing happens before `live`."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._random = plan, random.Random(plan.seed)
        self.networks = [one() for one in NETWORKS if one.name in plan.networks]
        self.counts = {one.name: {"published": 0, "edited": 0, "deleted": 0, "troubles": 0} for one in self.networks}
        self.still = threading.Event()
        self._young: dict[str, deque[str]] = {one.name: deque(maxlen=YOUNG) for one in self.networks}
        self._written: dict[tuple[str, str], str] = {}
        self._out: list[tuple[float, Network]] = []
        self._open = ExitStack()

    def __enter__(self) -> Town:
        for one in self.networks:
            self._open.enter_context(one.standin)
        return self

    def __exit__(self, *_: object) -> None:
        self.still.set()
        self._open.close()

    def sections(self) -> list[dict[str, Any]]:
        return [self._section(one) for one in self.networks]

    def secrets(self) -> dict[str, str]:
        return {name: value for one in self.networks for name, value in one.secrets.items()}

    def truth(self) -> dict[str, dict[str, str]]:
        """What was written here and stands: source → post id → text."""
        return {
            one.name: {
                post_id(one.name, id): text for id, text in one.texts().items() if (one.name, id) in self._written
            }
            for one in self.networks
        }

    def live(self) -> None:
        """Blocks until `still`."""
        number, begun, renewed = 0, time.monotonic(), time.monotonic()
        trouble = begun + self._plan.trouble_every if self._plan.trouble_every else float("inf")
        troubles = 0
        while not self.still.is_set():
            now = time.monotonic()
            if now >= trouble:
                self._go_wrong(troubles, now)
                troubles, trouble = troubles + 1, trouble + self._plan.trouble_every
            if now - renewed >= 60:
                renewed = now
                for one in self.networks:
                    one.renew()
            self._end_outages(now)
            while number < (now - begun) * self._plan.rate:
                self._happen(self.networks[number % len(self.networks)], number)
                number += 1
            self.still.wait(max(SHORTEST, min(0.25, 1 / self._plan.rate)))
        self._end_outages(float("inf"))
        for one in self.networks:
            one.standin.recover()
            one.renew()

    def _section(self, network: Network) -> dict[str, Any]:
        section = {"id": network.name, **network.section()}
        if isinstance(network, Forgetful):
            every = self._plan.look_again
            section["look_again"] = [{"younger_than": "3m", "every": every}, {"younger_than": "1d", "every": "5m"}]
        return section

    def _happen(self, network: Network, number: int) -> None:
        young, counts, dice = self._young[network.name], self.counts[network.name], self._random.random()
        if len(young) > YOUNG // 4 and dice < self._plan.deletes and isinstance(network, Forgetful):
            id = self._random.choice(young)
            young.remove(id)
            network.delete(id)
            counts["deleted"] += 1
        elif len(young) > YOUNG // 4 and dice < self._plan.deletes + self._plan.edits and isinstance(network, Editable):
            id = self._random.choice(young)
            self._written[network.name, id] += " (!)"
            network.edit(id, self._written[network.name, id])
            counts["edited"] += 1
        else:
            text = self._plan.texts[number % len(self._plan.texts)]
            text = f"{text} {number}" if self._plan.numbered else text
            id = network.publish(text, self._random.choice(AUTHORS))
            self._written[network.name, id] = text
            young.append(id)
            counts["published"] += 1

    def _go_wrong(self, number: int, now: float) -> None:
        """In turn, one network after the other: its connections end, it limits the rate, it is away."""
        network = self.networks[number % len(self.networks)]
        kind = (number // len(self.networks) + number) % 3
        self.counts[network.name]["troubles"] += 1
        if kind == 1:
            network.standin.misbehave(Fault("status", status=429, headers={"Retry-After": "1"}, only=network.first))
        elif kind == 2:
            network.standin.misbehave(Fault("status", status=503, times=1_000_000, only=network.first))
            self._out.append((now + OUTAGE, network))
        network.standin.cut_streams()

    def _end_outages(self, now: float) -> None:
        for until, network in list(self._out):
            if until <= now:
                network.standin.recover()
                self._out.remove((until, network))


def main() -> None:
    asked = sys.stdin.readline()
    if not asked:
        return
    with Town(Plan(**json.loads(asked))) as town:
        _say({"sources": town.sections(), "secrets": town.secrets()})
        writing = threading.Thread(target=town.live, name="town", daemon=True)
        answers: dict[str, Callable[[], object]] = {"figures": lambda: town.counts, "truth": town.truth}
        for line in sys.stdin:
            word = line.strip()
            if word == "write":
                writing.start()
                _say({})
            elif word == "still":
                town.still.set()
                if writing.ident is not None:
                    writing.join()
                _say({})
            elif word in answers:
                _say(answers[word]())


def _say(held: object) -> None:
    print(json.dumps(held), flush=True)


if __name__ == "__main__":
    main()
