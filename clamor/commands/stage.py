"""`clamor stage NAME`: one stage alone."""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import Annotated

import typer

from clamor.opening import open_home
from clamor.processes import STAGES, one_stage
from clamor.starting import make_ready
from config.home import Home
from config.lock import RunLock

Name = StrEnum("Name", {name: name for name in STAGES})  # type: ignore[misc]


def stage(
    context: typer.Context, name: Annotated[Name, typer.Argument(help="Which one; nlp may run several times.")]
) -> None:
    """Run one stage in this process until Ctrl-C or SIGTERM.

    For those who let systemd or Kubernetes keep the processes, and for looking closely. Refused while `clamor run`
    runs the same home.

    [bold]Examples[/bold]

      clamor stage nlp
      clamor stage routing
    """
    home: Home = context.obj
    told = False

    def request_stop(*_: object) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    with open_home(home) as opened:
        with RunLock(opened.home, "start"):
            make_ready(opened, by="clamor stage")
        role = opened.home
    lock = None if name.value == "nlp" else RunLock(role, name.value)
    if lock:
        lock.acquire()
    try:
        one_stage(home, name.value)(lambda: told)
    finally:
        if lock:
            lock.release()
