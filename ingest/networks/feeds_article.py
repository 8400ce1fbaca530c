"""What a web page tells, without what stands around it: run as a process of its own by `feeds_reader`.

trafilatura takes minutes for a page of 200 kB that is made for it, or just ill made, inside of C code that nothing
interrupts: only a process can be ended. So this file imports nothing of Clamor's. It writes an empty text to its
standard output once it is ready, then reads pages from its standard input and writes the text of each, everything
behind its length: 8 bytes, the most significant first.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import BinaryIO

LONGEST = 30
"""Seconds for one page, after which the system ends this process, should nobody else be there to do so."""
MOST_MEMORY = 2_000_000_000


def main() -> None:
    from trafilatura import extract

    _be_modest()
    pages, texts = sys.stdin.buffer, sys.stdout.buffer
    _tell(texts, "")
    while (page := _taken(pages)) is not None:
        _limited(LONGEST)
        try:
            text = extract(page.decode("utf-8", "replace"), include_comments=False) or ""
        except Exception:
            # It raises whatever lxml and its own parts raise, on what they did not foresee.
            text = ""
        _limited(0)
        _tell(texts, text)


def _tell(texts: BinaryIO, text: str) -> None:
    said = text.encode("utf-8", "replace")
    texts.write(len(said).to_bytes(8, "big") + said)
    texts.flush()


def _taken(pages: BinaryIO) -> bytes | None:
    head = pages.read(8)
    return pages.read(int.from_bytes(head, "big")) if len(head) == 8 else None


def _be_modest() -> None:
    """Others go first, and memory has an end, where the system knows of such."""
    with suppress(OSError, AttributeError):
        os.nice(10)
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def _limited(seconds: int) -> None:
    """The signal's own effect is the end of the process; no handler would be called while C code runs."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


if __name__ == "__main__":
    main()
