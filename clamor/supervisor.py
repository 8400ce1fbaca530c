"""The processes of `clamor run`: started as forks of one warmed-up parent, watched, restarted, stopped in order.

The parent holds no thread and no connection, so that a fork at any later time is safe; what it has imported before the
first fork is shared by all children (they copy a page of memory only when they write to it).
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeAlias

import structlog

from clamor.told import told
from clamor.upkeep import FAILING, Kept
from stream.records import Millis

log = structlog.get_logger(__name__)

BACKOFF_FIRST = 0.2
BACKOFF_MOST = 30.0
STEADY_AFTER = 60.0
"""A child that ran this many seconds had started well: its next restart is immediate again."""

_PR_SET_PDEATHSIG = 1


Target: TypeAlias = Callable[[Callable[[], bool]], None]
"""The body of a process: runs until what it is given says stop, returns when it is drained."""


@dataclass(frozen=True)
class ProcessSpec:
    name: str
    target: Target
    essential: bool = True
    """An essential process is restarted for ever; another one may end by itself (a replay that is through)."""


@dataclass
class Child:
    spec: ProcessSpec
    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    not_before: float = 0.0
    done: bool = False
    exits: list[int] = field(default_factory=list)
    ended_at: Millis | None = None

    def kept(self) -> Kept:
        return Kept(self.spec.name, self.pid, self.restarts, self.exits[-1] if self.exits else None, self.ended_at)


class Supervisor:
    """Keeps the given processes running until it is told to stop, then stops them in the order of their list."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        grace: float = 30.0,
        on_restart: Callable[[str, int], None] | None = None,
        note: Callable[[tuple[Kept, ...]], None] = lambda processes: None,
        messages: Path | None = None,
    ) -> None:
        """`note` takes how the processes stand, whenever that changes.

        `messages`: file that takes the standard error of the processes, where the terminal shows something else."""
        self.children = [Child(spec) for spec in specs]
        self.grace = grace
        self.on_restart = on_restart
        self._note = note
        self._noted: tuple[Kept, ...] = ()
        self.messages = messages
        self._stop = False

    def request_stop(self, *_: object) -> None:
        self._stop = True

    def run(self, each_round: Callable[[], bool] = lambda: True, interval: float = 0.2) -> None:
        """Blocks. `each_round` is called every `interval` seconds; when it returns False the processes are stopped."""
        previous = {s: signal.signal(s, self.request_stop) for s in (signal.SIGTERM, signal.SIGINT)}
        gc.collect()
        gc.freeze()
        try:
            while not self._stop:
                self._start_missing()
                self._tell()
                if not each_round():
                    break
                time.sleep(interval)
                if not self._stop:  # where all were told to end at once, theirs is no failure
                    self._reap()
        finally:
            self.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)
            gc.unfreeze()

    def alive(self) -> dict[str, int]:
        """Process id of each living child by name."""
        return {child.spec.name: child.pid for child in self.children if child.pid}

    def stop(self) -> None:
        """Asks each process in turn to drain; kills what has not ended within the grace time."""
        deadline = time.monotonic() + self.grace
        for child in self.children:
            child.done = True
            if child.pid:
                _signal(child.pid, signal.SIGTERM)
        while any(child.pid for child in self.children) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        for child in self.children:
            if child.pid:
                log.warning("process did not drain in time, killed", process=child.spec.name, seconds=self.grace)
                _signal(child.pid, signal.SIGKILL)
        while any(child.pid for child in self.children):
            self._reap()
            time.sleep(0.02)

    def _start_missing(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.pid and child.restarts and now - child.started > STEADY_AFTER:
                child.restarts = 0
            if not child.pid and not child.done and now >= child.not_before:
                child.pid = _fork(child.spec, self.messages)
                child.started = now

    def _tell(self) -> None:
        kept = tuple(child.kept() for child in self.children)
        if kept != self._noted:
            self._noted = kept
            self._note(kept)

    def _reap(self) -> None:
        for child in self.children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == 0:
                continue
            code = os.waitstatus_to_exitcode(status)
            child.pid = 0
            child.exits.append(code)
            child.ended_at = time.time_ns() // 1_000_000
            if child.done or (code == 0 and not child.spec.essential):
                child.done = True
                continue
            self._plan_restart(child, code)

    def _plan_restart(self, child: Child, code: int) -> None:
        now = time.monotonic()
        if now - child.started > STEADY_AFTER:
            child.restarts = 0
        elif child.restarts == FAILING - 1:
            log.error("process does not stay up", process=child.spec.name, exit_code=code)
        delay = min(BACKOFF_FIRST * 2**child.restarts, BACKOFF_MOST) if child.restarts else 0.0
        child.restarts += 1
        child.not_before = now + delay
        log.warning(
            "process ended, restarting it", process=child.spec.name, exit_code=code, after_seconds=round(delay, 1)
        )
        if self.on_restart:
            self.on_restart(child.spec.name, code)


def _fork(spec: ProcessSpec, messages: Path | None) -> int:
    _flush()
    parent = os.getpid()
    held = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)  # a request must not reach the parent's handler in the child
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)
        return pid
    code = 1
    try:
        if messages is not None:
            os.dup2(os.open(messages, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), sys.stderr.fileno())
        stopping = _Stopping(parent)
        signal.signal(signal.SIGTERM, stopping)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)
        _die_with(parent)
        spec.target(stopping.check)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        with suppress(OSError):
            code = _said(error)
    finally:
        _flush()
        os._exit(code)


def _said(error: BaseException) -> int:
    """The exit code, with what people can mend in a sentence; for the rest the traceback."""
    code = told(error)
    if code is None:
        traceback.print_exc()
    return code or 1


def _flush() -> None:
    """Where the log lies on a full disk its lines wait or are lost; a child that failed here would outlive its fork."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


class _Stopping:
    """Told to stop by SIGTERM, or by the parent's death."""

    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.told = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.told = True

    def check(self) -> bool:
        return self.told or os.getppid() != self.parent


def _die_with(parent: int) -> None:
    """Linux tells the child when its parent was killed; elsewhere `_Stopping.check` sees it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
