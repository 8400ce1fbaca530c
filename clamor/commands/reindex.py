"""`clamor reindex`: the search index anew."""

from __future__ import annotations

import time

import typer

from clamor.console import answers
from clamor.opening import Opened, open_home
from clamor.progress import progress
from clamor.reindexing import reindex as build
from clamor.stores import index_file
from config.disk import disk_free
from config.home import Home, HomeError
from config.lock import RunLock
from database.migrate import upgrade


def reindex(context: typer.Context) -> None:
    """Rebuild the search index from SQL, where the truth about every mention stands.

    Searches go on in the old index until the new one takes its place; a running `clamor run` goes on as well. For an
    index that is damaged, lost, or of another release or log.

    [bold]Examples[/bold]

      clamor reindex
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened, RunLock(opened.home, "reindex"):
        _enough_space(opened)
        upgrade(opened.engine)
        started = time.monotonic()
        with progress() as show:
            written = build(opened.engine, opened.log, opened.store, lambda done, total: show("mentions", done, total))
    answers.print(f"{written:,} mentions indexed in {time.monotonic() - started:,.1f} s", highlight=False)


def _enough_space(opened: Opened) -> None:
    """On the disk here; a cluster says for itself when its own are full."""
    index, free = index_file(opened.configuration), disk_free(opened.home.data).free
    needed = index.stat().st_size if index is not None and index.exists() else 0
    if free < needed:
        raise HomeError(
            f"{opened.home.data} has {free / 1e9:.1f} GB free; the new index needs about {needed / 1e9:.1f} GB beside "
            "the old one: make space"
        )
