"""`clamor sources`: what is collected where, whether it can be, and what it will cost."""

from __future__ import annotations

import typer

from clamor.commands.estimate import estimate
from clamor.commands.source_check import check_sources
from clamor.commands.source_list import list_

app = typer.Typer(help="The sources in force: how they do, and whether each can be asked.", no_args_is_help=True)

app.command("list")(list_)
app.command("test")(check_sources)
app.command("estimate")(estimate)
