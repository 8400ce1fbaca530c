"""Which process is meant: a number alone does not say, since numbers are given again.

What tells one from another is when it began, counted from the machine's start: the wall clock may be set meanwhile.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

import psutil

UNKNOWN = "?"
"""There is such a process, and the system does not say when it began."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> tuple[int, str]:
    """(its number, when it began) as `began` says it."""
    return os.getpid(), began(os.getpid()) or UNKNOWN


@cache
def here() -> str:
    """This machine since its start, seen from this container: process numbers mean nothing elsewhere."""
    if not _BOOT.exists():
        return socket.gethostname()
    return f"{socket.gethostname()}/{_BOOT.read_text().strip()[:8]}/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116


def began(pid: int) -> str | None:
    """When the process began, in the system's own count; None where there is none, or it only waits to be reaped."""
    if Path("/proc/self/stat").exists():
        return _began_by_proc(pid)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return UNKNOWN


def runs(pid: int, since: str) -> bool:
    """Whether the process of this number that began at `since` may still run; false where it has surely ended."""
    return began(pid) in (since, UNKNOWN)


def _began_by_proc(pid: int) -> str | None:
    try:
        # The name, in brackets, may hold anything: what counts stands behind the last one (proc(5): state, starttime).
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return UNKNOWN if psutil.pid_exists(pid) and not Path(f"/proc/{pid}").exists() else None
    except OSError:
        return UNKNOWN
    return None if fields[0] in ("Z", "X") else f"{_boot()}{fields[19]}"


@cache
def _boot() -> str:
    """Which start of the machine it is that is counted from."""
    try:
        return f"{_BOOT.read_text()[:8]}+"
    except OSError:
        return ""
