"""`clamor init`: a commented configuration to start from."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from clamor.console import answers
from config.home import Home, write_example, write_policy, write_rules
from config.schema import json_schema
from routing.policy import default_policy
from routing.rules import default_rules


def init(
    context: typer.Context,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="The shipped rules as rules.yaml, to change them; also in a home that is there."),
    ] = False,
    policy: Annotated[
        bool,
        typer.Option(
            "--policy", help="The shipped policy for detractors as detractors.yaml; also in a home that is there."
        ),
    ] = False,
) -> None:
    """Write a commented clamor.yaml, its schema for editors and an empty secrets.env. Nothing is overwritten.

    [bold]Examples[/bold]

      clamor init
      clamor --home /srv/clamor init
      clamor init --rules
      clamor init --policy
    """
    home: Home = context.obj
    if rules:
        answers.print(f"wrote {write_rules(home, default_rules())}", highlight=False, soft_wrap=True)
    if policy:
        answers.print(f"wrote {write_policy(home, default_policy())}", highlight=False, soft_wrap=True)
    if (rules or policy) and home.settings_file.exists():
        return
    for path in write_example(home, json_schema()):
        answers.print(f"wrote {path}", highlight=False, soft_wrap=True)
    answers.print(
        f"\nEdit {home.settings_file}, then: clamor --home {shlex.quote(str(home.root))} check",
        highlight=False,
        soft_wrap=True,
    )
