"""The command `clamor`: its options, and how every error reaches a person."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a fork must not inherit another library's threads
os.environ.setdefault("OMP_NUM_THREADS", "1")

from clamor import exits, logs
from clamor.commands import (
    apply,
    backfill,
    backup,
    brands,
    cases,
    check,
    classify,
    coverage,
    dead_letters,
    demo,
    explain,
    init,
    mails,
    model,
    move,
    offsets,
    reindex,
    replay,
    reprocess,
    run,
    search,
    sources,
    stage,
    status,
    sweep,
    token,
    try_it,
    watch,
)
from clamor.told import told
from config.home import Home

app = typer.Typer(
    name="clamor",
    help="Hears what people say about a brand, understands it, and puts it in front of the team that should act.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some input was refused, 4 configuration has errors, "
    "5 another process holds the home.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

START, FEED, ASK, KEEP = "Start", "Bring posts in", "Ask", "Keep it well"

app.command("demo", rich_help_panel=START)(demo.demo)
app.command("try", rich_help_panel=START)(try_it.try_it)
app.command("init", rich_help_panel=START)(init.init)
app.command("check", rich_help_panel=START)(check.check)
app.command("run", rich_help_panel=START)(run.run)
app.command("stage", rich_help_panel=START)(stage.stage)
app.command("watch", rich_help_panel=FEED)(watch.watch)
app.command("replay", rich_help_panel=FEED)(replay.replay)
app.command("backfill", rich_help_panel=FEED)(backfill.backfill)
app.command("reprocess", rich_help_panel=FEED)(reprocess.reprocess)
app.command("classify", rich_help_panel=ASK)(classify.classify)
app.command("search", rich_help_panel=ASK)(search.search)
app.command("explain", rich_help_panel=ASK)(explain.explain)
app.command("correct", rich_help_panel=ASK)(explain.correct)
app.command("status", rich_help_panel=ASK)(status.status)
app.command("coverage", rich_help_panel=ASK)(coverage.coverage)
app.command("apply", rich_help_panel=KEEP)(apply.apply)
app.command("export", rich_help_panel=KEEP)(apply.export)
app.command("sweep", rich_help_panel=KEEP)(sweep.sweep)
app.command("backup", rich_help_panel=KEEP)(backup.backup)
app.command("restore", rich_help_panel=KEEP)(backup.restore)
app.command("move", rich_help_panel=KEEP)(move.move)
app.command("offsets", rich_help_panel=KEEP)(offsets.offsets)
app.command("reindex", rich_help_panel=KEEP)(reindex.reindex)
app.add_typer(sources.app, name="sources", rich_help_panel=FEED)
app.add_typer(brands.app, name="brand", rich_help_panel=KEEP)
app.add_typer(model.app, name="model", rich_help_panel=KEEP)
app.add_typer(mails.app, name="mails", rich_help_panel=KEEP)
app.add_typer(dead_letters.app, name="dead-letter", rich_help_panel=KEEP)
app.add_typer(cases.app, name="case", rich_help_panel=KEEP)
app.add_typer(token.app, name="token", rich_help_panel=KEEP)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"clamor {version('clamor')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            envvar="CLAMOR_HOME",
            help="Folder of configuration and data. Default: ./clamor-home",
            metavar="DIR",
        ),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    logs.configure(level="warning")
    context.obj = Home.find(home)


def arranged(words: Sequence[str]) -> list[str]:
    """The words with `--home DIR` in front, where people put it last, and a query such as -lang:en behind `--`."""
    at = words.index("--") if "--" in words else len(words)
    own, rest = words[:at], words[at + 1 :]
    command = _command(own)
    if command == "demo":
        return list(words)
    front: list[str] = []
    kept: list[str] = []
    queries: list[str] = []
    following = iter(own)
    for word in following:
        if word == "--home":
            front += [word, *islice(following, 1)]
        elif word.startswith("--home="):
            front.append(word)
        elif command == "search" and "search" in kept and re.fullmatch(r"-(?![hn]$|n\d+$)[^-].*", word, re.DOTALL):
            queries.append(word)
        else:
            kept.append(word)
    behind = [*queries, *rest]
    return [*front, *kept, *(["--", *behind] if behind else [])]


def _command(words: Sequence[str]) -> str:
    """The first word that is neither an option nor the value of --home; empty where there is none."""
    following = iter(words)
    for word in following:
        if word == "--home":
            next(following, None)
        elif not word.startswith("-"):
            return word
    return ""


def main() -> None:
    """Runs the command line; what people can mend is told in a sentence, never as a traceback."""
    os.umask(os.umask(0o077) | 0o077)  # what is written is for its owner, also in a folder that others may look into
    try:
        app(args=arranged(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.OK)
    except Exception as error:
        code = told(error)
        if code is None:
            raise
        sys.exit(code)


if __name__ == "__main__":
    main()
