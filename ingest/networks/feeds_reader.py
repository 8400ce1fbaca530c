"""Reads articles out of pages, in a process beside this one that is ended when it takes too long."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import IO

from ingest.collector import Denied
from ingest.networks import feeds_article

SECONDS = 8.0
"""For one page. One of 200 kB takes 0.7 s."""
START = 30.0
"""Seconds for the process to be ready; it takes one, and longer on a busy machine."""
PAGES = 500
"""That one process reads before it makes way for a new one: what a library keeps for itself ends with it."""
NEEDED = ("trafilatura", "lxml_html_clean", "protego")
_ENVIRONMENT = frozenset({"PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL"})
"""What of this process's environment the other one gets, besides Python's own: no secret, whatever a page does."""


def needs_its_libraries(source_id: str) -> None:
    """Raises Denied."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Denied(
            f"source {source_id} has full_text, which needs {', '.join(missing)}: pip install 'clamor[fulltext]', or "
            "set full_text to false"
        )


class Reader:
    """For one thread. The process is there from the first page on until `close`."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def text_of(self, page: str) -> str | None:
        """The article's text, empty where there is none; None: it could not be read, or not in time."""
        said = page.encode("utf-8", "replace")
        if self._process is None:
            self._process = _started()
            if _answer(self._process, b"", START) is None:
                self.close()
                return None
        text = _answer(self._process, len(said).to_bytes(8, "big") + said, self._seconds)
        if text is None:
            self.close()
            return None
        self._read += 1
        if self._read >= PAGES:
            self.close()
        return text.decode("utf-8", "replace")

    def close(self) -> None:
        process, self._process, self._read = self._process, None, 0
        if process is not None:
            process.kill()
            process.communicate()


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this Python, a file of ours
        [sys.executable, "-P", str(Path(feeds_article.__file__).resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if _passed_on(name)},
    )


def _answer(process: subprocess.Popen[bytes], question: bytes, seconds: float) -> bytes | None:
    """What the process says to it; None: nothing in time."""
    assert process.stdin is not None
    assert process.stdout is not None
    timer = Timer(seconds, process.kill)
    timer.start()
    try:
        process.stdin.write(question)
        process.stdin.flush()
        return _exactly(process.stdout, int.from_bytes(_exactly(process.stdout, 8), "big"))
    except (OSError, EOFError):
        return None
    finally:
        timer.cancel()


def _passed_on(name: str) -> bool:
    return name in _ENVIRONMENT or name.startswith("PYTHON")


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    said = pipe.read(size)
    if len(said) < size:
        raise EOFError
    return said
