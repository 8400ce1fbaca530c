"""`clamor init`: a commented configuration to start from."""

from __future__ import annotations

import typer

from clamor.console import answers
from config.home import Home, write_example
from config.schema import json_schema


def init(context: typer.Context) -> None:
    """Write a commented clamor.yaml, its schema for editors and an empty secrets.env. Nothing is overwritten.

    [bold]Examples[/bold]

      clamor init
      clamor --home /srv/clamor init
    """
    home: Home = context.obj
    for path in write_example(home, json_schema()):
        answers.print(f"wrote {path}", highlight=False)
    answers.print(f"\nEdit {home.settings_file}, then: clamor --home {home.root} check", highlight=False)
