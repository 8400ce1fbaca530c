"""One process for each role on a data folder; the lock dies with its holder, however that dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from types import TracebackType
from typing import Self

import msgspec
import psutil

from config.home import AlreadyRunning, Home, HomeError
from stream.records import Millis

_PAUSE = 0.05
_MOMENT = 0.25
"""Seconds that a lock is waited for by itself: its holder may be ending just now."""
START = "start"
"""The role of whoever makes a home ready: held for seconds, by processes that start together."""


class Holder(msgspec.Struct, frozen=True):
    """Who took a lock, as the lock's file says."""

    role: str
    pid: int
    since: Millis


class RunLock:
    """`with RunLock(home, "run"): …`; raises AlreadyRunning, or HomeError where the folder cannot be locked.

    The lock is a flock(2) on `data/locks/ROLE.lock`. Forks of the holder hold it with it, so a new `clamor run` also
    waits for children that outlived a killed parent.
    """

    def __init__(self, home: Home, role: str = "run", *, patience: float = _MOMENT) -> None:
        """`patience`: seconds to wait for whoever holds it."""
        self.home, self.role, self._patience = home, role, patience
        self.path = home.locks / f"{role}.lock"
        self._descriptor: int | None = None
        self._owner = 0

    def acquire(self) -> None:
        descriptor = self._open()
        deadline = time.monotonic() + self._patience
        while not _lock(descriptor, self):
            if time.monotonic() >= deadline:
                found = _holder(descriptor)
                os.close(descriptor)
                raise AlreadyRunning(_refusal(self.home, self.role, found))
            time.sleep(_PAUSE)
        note = msgspec.json.encode(Holder(self.role, os.getpid(), time.time_ns() // 1_000_000))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note, 0)
        self._descriptor, self._owner = descriptor, os.getpid()

    def release(self) -> None:
        """Does nothing where the lock is not held; in a fork it leaves the parent's lock in place."""
        if self._descriptor is None:
            return
        if os.getpid() == self._owner:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.release()

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(
                f"cannot write the lock {self.path} ({error.strerror}): "
                "is the data folder there, and may this user write to it?"
            ) from error


def holder(home: Home, role: str = "run") -> Holder | None:
    """Who holds the role now; None when nobody does."""
    path = home.locks / f"{role}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(descriptor) or Holder(role, 0, 0)
    else:
        return None
    finally:
        os.close(descriptor)


def _lock(descriptor: int, lock: RunLock) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL):
            raise HomeError(
                f"the file system under {lock.path} knows no locks: keep the data on a local disk"
            ) from error
        raise
    return True


def _holder(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 1_000, 0), type=Holder)
    except msgspec.DecodeError:
        return None


def _refusal(home: Home, role: str, held: Holder | None) -> str:
    if role == START:
        who = f"process {held.pid} makes" if held else "another process makes"
        return f"{who} {home.data} ready and has not ended within the time to wait for it: try again in a moment"
    what = "clamor run" if role == "run" else f"stage {role}"
    if held is None:
        return f"another process is just starting {what} on {home.data}: wait a moment and look with `clamor status`"
    if not psutil.pid_exists(held.pid):
        return (
            f"{what} on {home.data} was process {held.pid}, which is gone, but processes that it started still end: "
            f"try again in a few seconds; `fuser {home.locks / (role + '.lock')}` names them"
        )
    whole = holder(home, "run") if role != "run" else None
    if whole is not None and whole.pid == held.pid:
        return (
            f"{what} is part of `clamor run`, which is running on {home.data} as process {whole.pid}: a stage alone is "
            "for a home without it; stop it first, or use another --home"
        )
    return (
        f"{what} is already running on {home.data} as process {held.pid}: stop it with `kill {held.pid}` or use "
        "another --home; single commands (search, replay, status …) work beside it"
    )
