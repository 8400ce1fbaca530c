"""Who may work a home at the same time: one process for each role, and one program for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from config.home import Home
from config.lock import Holder, RunLock, holder

RUN = "run"
SINGLE = ("routing", "index")
"""Stages that a home has once; nlp may run many times."""
WEB = "web"
COLLECT = "collect"
"""May run many times, as nlp: its processes share the sources."""
SEVERAL = ("nlp", COLLECT)


@contextmanager
def whole_program(home: Home, *, web: bool = True) -> Iterator[None]:
    """All stages in one program, and the API with them if `web`. Raises AlreadyRunning, naming who holds what."""
    with ExitStack() as held:
        for role in (RUN, *SINGLE, *((WEB,) if web else ())):
            held.enter_context(RunLock(home, role))
        yield


def worked_by(home: Home) -> Holder | None:
    """Who decides this home's posts now, be it a whole program or a stage alone; None: nobody."""
    return holder(home, RUN) or holder(home, "routing")
