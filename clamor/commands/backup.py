"""`clamor backup` and `clamor restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clamor.backed_models import held, names_of
from clamor.backup import backup as make
from clamor.backup import refuse_server
from clamor.clocks import pace_of
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import open_home
from clamor.progress import progress
from clamor.restoring import restore as put_back
from config.home import Home


def backup(
    context: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(
            help="A folder to make, a folder that exists (a new one is made in it), or a .tar, .tar.gz or .tgz.",
            metavar="FILE_OR_DIR",
        ),
    ],
) -> None:
    """Copy both databases, each as of one moment, the configuration and your own models, while everything goes on.

    Where the database or the log is on a server, this copies nothing and names what does.

    A manifest holds the checksums. The index is not copied, since it is rebuilt from SQL, and secrets.env never is.
    A backup holds the posts' texts: keep it as safe as the home, and no longer than you may.

    [bold]Examples[/bold]

      clamor backup /backups
      clamor backup before-upgrade.tar.gz
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        now, place = opened.clock.wall(), opened.home
        if pace_of(place) is None:
            # In simulated time all of it is in files, whatever the settings name.
            refuse_server(opened.configuration.settings)
    with progress() as show:
        written, manifest = make(place, target, now, show)
    size = sum(file.bytes for file in manifest.files)
    models = names_of(file.name for file in manifest.files)
    own = f"models {', '.join(models)}, " if models else ""
    answers.print(
        f"{written}: {manifest.posts:,} posts, {manifest.mentions:,} mentions, {own}{size / 1e6:,.1f} MB",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for line in held(place).left_out:
        errors.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="What `clamor backup` wrote.", metavar="BACKUP")],
    force: Annotated[bool, typer.Option("--force", help="Replace what the home holds; it is kept aside.")] = False,
    without_deletes: Annotated[
        bool,
        typer.Option(
            "--without-deletes",
            help="Go on though the databases to be replaced cannot be read: what was deleted since comes back.",
        ),
    ] = False,
) -> None:
    """Put a backup into a home that is not running.

    Checksums are verified and all is made ready before anything is replaced. Posts that were deleted since the backup
    stay deleted, tokens stay as they are now, the index is rebuilt, and mails that were not sent wait for a person's
    word (clamor mails). What else has happened since the backup is lost. Models of your own come back where the home
    lacks them.

    [bold]Examples[/bold]

      clamor --home /srv/new restore /backups/clamor-20261124-031500
      clamor restore before-upgrade.tar.gz --force
    """
    home: Home = context.obj
    with progress() as show:
        done = put_back(home, source, force=force, without_deletes=without_deletes, show=show)
    index = "the index still of before" if done.index_left else f"{done.mentions:,} mentions in the new index"
    answers.print(
        f"restored the backup of {when(done.manifest.made_at)} UTC: {done.manifest.posts:,} posts, {index}, "
        f"epoch {done.epoch}",
        highlight=False,
    )
    if done.index_left:
        errors.print(
            f"the index on the cluster is not rebuilt ({done.index_left}): give `clamor reindex` before `clamor run`",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    if done.knew_former:
        answers.print(f"deleted since the backup, and again now: {done.deletes:,} posts", highlight=False)
    else:
        errors.print(
            "what was deleted since the backup is not known here: replay those deletes, and look through clamor token",
            style="yellow",
        )
    if done.held:
        errors.print(f"{done.held} mails and alerts were not sent and wait for your word: clamor mails list")
    if done.models.back:
        answers.print(f"your own models, in the home again: {', '.join(done.models.back)}", markup=False)
    for name in done.models.others:
        errors.print(
            f"model {name!r} of the backup is another than the one in {home.models / name}, which stays as it is: "
            "rename that folder and give the same restore again with --force to have the backup's",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    if done.aside:
        errors.print(
            f"what was replaced lies in {done.aside}, deleted texts included: delete it when all is well",
            markup=False,
            soft_wrap=True,
        )
