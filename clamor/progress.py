"""How far a long command is, on standard error of a terminal; nothing elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clamor.console import errors

OFTEN = 0.1

Show = Callable[[str, int, int], None]


@contextmanager
def progress() -> Iterator[Show]:
    """Yields what is called with (what is done, how far, of how much), as often as one likes."""
    last = 0.0
    with errors.status("starting …") as status:

        def show(what: str, done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= OFTEN:
                last = now
                share = f" ({done / total:.0%})" if total else ""
                status.update(f"{what}: {done:,} of {total:,}{share}")

        yield show
