"""The brands' own accounts: whether they are there, seen as anybody sees them; one that is not is told to people."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import NamedTuple

import structlog

from clamor import networks
from clamor.budgets import count_besides
from clamor.clocks import pace_of
from clamor.collecting import BrandsInForce, lacks, setting_of
from clamor.opening import Opened
from clamor.sources import kind_of
from config.sources import Collected
from database.engine import write
from database.tenure import Tenure
from ingest.collector import Accountable, AccountCounted, AccountState, Collector, Denied, Interrupted
from ingest.setting import Setting
from ingest.web import Refused
from routing.operations import open_troubles, raise_operations, resolve_operations
from stream.clock import MINUTE
from stream.ports import Transient, Unusable
from stream.records import Millis

log = structlog.get_logger(__name__)

EVERY = 900.0
"""Seconds between two looks. An account counts as away when two of them in a row say so: one wrong answer alarms
nobody."""
FIRST = 20.0
"""Seconds after the start of the first look, …"""
AGAIN = 120.0
"""… and from a look that missed an account to the next one."""
LONGEST: Millis = 15 * MINUTE
"""A look that takes longer counts as hanging: another process may look."""
KIND = "account"
_WORDS: dict[AccountState, str] = {
    "limited": "is hidden from many people by {network}'s moderators",
    "suspended": "is suspended by {network}",
    "gone": "is not there any more: deactivated, deleted or renamed",
}

Make = Callable[[Collected, Setting], Collector]


class Own(NamedTuple):
    """An account of a brand's own on a network that can be asked."""

    brand: str
    source: Collected
    network: str
    handle: str

    @property
    def key(self) -> str:
        return f"{KIND}:{self.network}:{self.handle}"


class Accounts:
    """Of several processes one looks. What it saw last is its own: after a restart two looks are needed again."""

    def __init__(self, opened: Opened, make: Make = networks.make) -> None:
        self._opened, self._make = opened, make
        self._brands, self._stop = BrandsInForce(opened), threading.Event()
        self._tenure = Tenure(opened.engine, "accounts", opened.clock)
        self._before: dict[str, AccountState] = {}

    def run(self) -> None:
        """Until `stop`."""
        if pace_of(self._opened.home) is not None:
            return  # what a network says now is not of a home whose time is simulated
        wait = FIRST
        while not self._stop.wait(wait):
            wait = EVERY
            with suppress(Transient, Unusable):
                if self._tenure.hold():
                    with self._tenure.kept(LONGEST):
                        wait = AGAIN if self.look() else EVERY
        with suppress(Transient, Unusable):
            self._tenure.leave()

    def stop(self) -> None:
        self._stop.set()

    def look(self) -> bool:
        """Ask for every account once; whether one is away for the first time. Raises Transient."""
        asked = list(self._own())
        states = {one.key: state for one in asked if (state := self._state(one)) is not None}
        now = self._opened.clock.now()
        with write(self._opened.engine) as connection:
            for one in asked:
                state = states.get(one.key)
                if state == "there":
                    resolve_operations(connection, one.key, now)
                elif state is not None and self._before.get(one.key) == state:
                    raise_operations(connection, one.key, KIND, _why(one, state), now)
            for key in open_troubles(connection, (f"{KIND}:",)) - {one.key for one in asked}:
                resolve_operations(connection, key, now)
        unsure = any(state != "there" and self._before.get(key) != state for key, state in states.items())
        self._before = {**{key: state for key, state in self._before.items() if key not in states}, **states}
        return unsure

    def _own(self) -> Iterator[Own]:
        """Accounts that name their network, where a source of that network is in force."""
        sources: dict[str, Collected] = {}
        for source in self._opened.registry.sources():
            if isinstance(source, Collected):
                sources.setdefault(kind_of(source), source)
        for brand in self._opened.registry.current().brands:
            for account in brand.accounts if brand.kind == "own" else ():
                network, _, handle = account.partition(":")
                if handle and network in sources:
                    yield Own(brand.name, sources[network], network, handle.lstrip("@"))

    def _state(self, one: Own) -> AccountState | None:
        """None: the network cannot say, or does not answer now."""
        try:
            setting = setting_of(self._opened, one.source, self._brands, self._stop)
            with closing(self._make(one.source, setting)) as collector:
                if not isinstance(collector, Accountable):
                    return None
                used = collector.account_used if isinstance(collector, AccountCounted) else (1, 0)
                count_besides(self._opened, one.source, used)
                return collector.account(one.handle)
        except (Interrupted, Denied, Refused, networks.NotInstalled) as fault:
            log.info("account not looked at", network=one.network, why=type(fault).__name__)
            return None
        except Exception as fault:
            # A network's strange answer must not end the looks at all the other accounts.
            log.error("account not looked at", network=one.network, why=lacks(fault))
            return None


def _why(one: Own, state: AccountState) -> str:
    words = _WORDS[state].format(network=one.network)
    return (
        f"{one.brand}'s own account {one.handle} on {one.network} {words} (seen twice): look at it there, and take it "
        "out of the brand's `accounts` where that is as you want it"
    )
