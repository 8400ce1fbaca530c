"""The command `clamor`: its options, and how every error reaches a person."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a fork must not inherit another library's threads
os.environ.setdefault("OMP_NUM_THREADS", "1")

from clamor import exits, logs
from clamor.told import told
from config.home import Home

START, FEED, ASK, KEEP = "Start", "Bring posts in", "Ask", "Keep it well"


class Command(NamedTuple):
    name: str
    panel: str
    """Of the help."""
    module: str
    """In clamor.commands."""
    attribute: str
    """The function, or the Typer of a command that has commands of its own."""


COMMANDS = (
    Command("demo", START, "demo", "demo"),
    Command("try", START, "try_it", "try_it"),
    Command("init", START, "init", "init"),
    Command("check", START, "check", "check"),
    Command("run", START, "run", "run"),
    Command("stage", START, "stage", "stage"),
    Command("watch", FEED, "watch", "watch"),
    Command("replay", FEED, "replay", "replay"),
    Command("backfill", FEED, "backfill", "backfill"),
    Command("reprocess", FEED, "reprocess", "reprocess"),
    Command("classify", ASK, "classify", "classify"),
    Command("search", ASK, "search", "search"),
    Command("explain", ASK, "explain", "explain"),
    Command("replay-decision", ASK, "replay_decision", "replay_decision"),
    Command("backtest", ASK, "backtest", "backtest"),
    Command("correct", ASK, "explain", "correct"),
    Command("status", ASK, "status", "status"),
    Command("kpi", ASK, "kpi", "kpi"),
    Command("drill", KEEP, "drill", "drill"),
    Command("coverage", ASK, "coverage", "coverage"),
    Command("surges", ASK, "surges", "surges"),
    Command("apply", KEEP, "apply", "apply"),
    Command("export", KEEP, "apply", "export"),
    Command("sweep", KEEP, "sweep", "sweep"),
    Command("backup", KEEP, "backup", "backup"),
    Command("restore", KEEP, "backup", "restore"),
    Command("move", KEEP, "move", "move"),
    Command("offsets", KEEP, "offsets", "offsets"),
    Command("reindex", KEEP, "reindex", "reindex"),
    Command("rules", KEEP, "rules", "app"),
    Command("corrections", KEEP, "corrections", "app"),
    Command("sources", FEED, "sources", "app"),
    Command("brand", KEEP, "brands", "app"),
    Command("model", KEEP, "model", "app"),
    Command("mails", KEEP, "mails", "app"),
    Command("dead-letter", KEEP, "dead_letters", "app"),
    Command("case", KEEP, "cases", "app"),
    Command("person", KEEP, "person", "app"),
    Command("incident", ASK, "incidents", "app"),
    Command("rota", ASK, "rota", "app"),
    Command("silence", KEEP, "silences", "app"),
    Command("token", KEEP, "token", "app"),
)


def program(asked: str = "") -> typer.Typer:
    """The command line: of its commands the one that is `asked`, else all. Importing all of them takes seconds."""
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
    app.callback()(options)
    for command in [one for one in COMMANDS if one.name == asked] or COMMANDS:
        made = getattr(import_module(f"clamor.commands.{command.module}"), command.attribute)
        if isinstance(made, typer.Typer):
            app.add_typer(made, name=command.name, rich_help_panel=command.panel)
        else:
            app.command(command.name, rich_help_panel=command.panel)(made)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"clamor {version('clamor')}")
        raise typer.Exit


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
        words = arranged(sys.argv[1:])
        program(_command(words))(args=words)
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
