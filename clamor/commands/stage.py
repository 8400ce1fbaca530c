"""`clamor stage NAME`: one stage alone."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated

import typer

from clamor.commands.run import tell, tell_model
from clamor.console import errors
from clamor.opening import open_home
from clamor.processes import STAGES, one_stage
from clamor.roles import SEVERAL, WEB
from clamor.starting import make_ready
from config.home import Home
from config.lock import START, RunLock

OTHERS_START = 60.0
"""Seconds to wait for stages that are started together: one after the other makes the home ready."""

Name = StrEnum("Name", {name: name for name in STAGES})  # type: ignore[misc]


def stage(
    context: typer.Context,
    name: Annotated[Name, typer.Argument(help="Which one; nlp and collect may run several times.")],
) -> None:
    """Run one stage in this process until Ctrl-C or SIGTERM.

    For those who let systemd or Kubernetes keep the processes, and for looking closely. routing, index and web are
    refused while another process, or `clamor run`, has that role; nlp and collect may be added to any of them.

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
    serves = name.value == WEB
    with open_home(home) as opened, ExitStack() as held:
        if name.value not in SEVERAL:
            held.enter_context(RunLock(opened.home, name.value))
        with RunLock(opened.home, START, patience=OTHERS_START):
            started = make_ready(opened, by="clamor stage", serves=serves and errors.is_terminal)
        if serves:
            tell(started, opened.settings.api.url)
        if name.value == "nlp":
            tell_model(home, opened.settings)
        opened.close()
        one_stage(home, name.value)(lambda: told)
