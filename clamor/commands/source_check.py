"""`clamor sources test`: one cheap question to each source, and what is missing in words."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import Annotated

import typer

from clamor import exits, networks
from clamor.budgets import count_besides
from clamor.collecting import BrandsInForce, lacks, setting_of
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.endings import left
from clamor.opening import Opened, open_home
from clamor.sources import kind_of
from config.sources import AnySource, Collected, WebhookSource
from database.migrate import upgrade
from ingest.collector import NEVER, Checkable, CheckCounted, Denied, Interrupted
from ingest.credentials import ends_of
from stream.ports import Transient
from stream.records import Millis


def check_sources(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Sources; all of them by default.")] = None,
) -> None:
    """Ask each source one cheap question: does its access work, as whom, and what is missing where it does not.

    Nothing is collected, and a running program is not disturbed.

    [bold]Examples[/bold]

      clamor sources test
      clamor sources test acme-on-reddit
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        chosen = sources_of(opened, ids)
        failed = [source.id for source in chosen if not _tested(opened, source)]
    if not chosen:
        errors.print("no sources are in force: name some under `sources:` in clamor.yaml, then clamor apply")
    if failed:
        raise typer.Exit(exits.FAILED)


def sources_of(opened: Opened, ids: list[str] | None) -> list[AnySource]:
    """Those in force, of these ids where there are any. Raises typer.BadParameter for an unknown one."""
    inforce: dict[str, AnySource] = {source.id: source for source in opened.registry.sources()}
    for id in ids or ():
        if id not in inforce:
            known = ", ".join(inforce) or "none"
            raise typer.BadParameter(f"no source in force is called {id!r}: there are {known}", param_hint="ID")
    return [inforce[id] for id in ids] if ids else list(inforce.values())


def _tested(opened: Opened, source: AnySource) -> bool:
    try:
        said = asked(opened, source)
    except Exception as fault:
        answers.print(f"{source.id}: {why(fault)}", style="red", markup=False, highlight=False)
        return False
    answers.print(f"{source.id}: {said}", markup=False, highlight=False)
    return True


def asked(opened: Opened, source: AnySource) -> str:
    """What works, in a sentence. Raises Denied, Interrupted, NotInstalled, and what the network's file raises."""
    if isinstance(source, WebhookSource):
        return _webhook(opened, source)
    if not isinstance(source, Collected):
        return f"of kind {kind_of(source)}, there is nothing to ask: its files are given to clamor replay"
    collector = networks.make(source, setting_of(opened, source, BrandsInForce(opened), Event()))
    try:
        if not isinstance(collector, Checkable):
            return "its section is right; this network has no question that would test more"
        try:
            return _and_its_end(collector.check(), collector, opened.clock.wall())
        finally:
            used = collector.check_used if isinstance(collector, CheckCounted) else (1, 0)
            with suppress(Transient):
                count_besides(opened, source, used)
    finally:
        collector.close()


def _and_its_end(said: str, collector: object, wall: Millis) -> str:
    ends = ends_of(collector)
    return said if ends is None or ends == NEVER else f"{said}; its credential {left(ends - wall)} ({when(ends)} UTC)"


def _webhook(opened: Opened, source: WebhookSource) -> str:
    if opened.configuration.secrets.get(source.secret_env) is None:
        raise Denied(
            f"the key of its signatures is missing: write {source.secret_env}=… into {opened.home.secrets_file}, and "
            "give the same key to the program that sends"
        )
    return f"its key is there; programs send to {opened.settings.api.url}/api/webhooks/{source.id}"


def why(fault: Exception) -> str:
    """In words; of a strange fault only its class, since what it says may hold a secret."""
    match fault:
        case Denied():
            return f"refused: {fault}"
        case Interrupted():
            return f"no answer for now: {fault}"
    return lacks(fault)
