"""`clamor model`: the models that there are, the one in force, and a user's own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table

from clamor import exits, models
from clamor.console import answers, errors
from clamor.models import in_words
from clamor.opening import open_home
from clamor.roles import worked_by
from config.home import Home
from nlp import shelf
from nlp.own import labelled, measure, train
from nlp.own.measure import Figure, Same
from nlp.shelf import Card, ModelError

app = typer.Typer(help="The models that posts are read by: which is in force, and your own.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A model, as `clamor model list` names it.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command("list")
def listed(context: typer.Context, as_json: AsJson = False) -> None:
    """The models that there are, shipped and your own: version, tier, size, and which one is in force.

    [bold]Examples[/bold]

      clamor model list
      clamor model list --json | jq -r .name
    """
    home: Home = context.obj
    reads, why = _reads(home)
    found = shelf.models(home)
    if as_json:
        for one in found:
            print(json.dumps({**_plain(one), "in_force": one == reads}))
        return
    table = Table("name", "model", "tier", "MB", "", box=None, pad_edge=False)
    for one in found:
        state = "in force" if one == reads else one.problem
        table.add_row(one.name, one.model, one.tier or "", f"{one.size / 1e6:.1f}" if one.size else "", state)
    answers.print(table)
    if why:
        errors.print(why, style="yellow")


@app.command("show")
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """A model's card: what it was made from, licences, figures, heads, bands.

    [bold]Examples[/bold]

      clamor model show fast
      clamor model show own-1 --json | jq .bands
    """
    card = shelf.find(name, context.obj)
    with in_words():
        told = json.loads((card.folder / "card.json").read_text("utf-8"))
    if as_json:
        print(json.dumps({**told, **_plain(card)}))
        return
    shown = {**_plain(card), **{key: value for key, value in told.items() if key not in (*_plain(card), "proof")}}
    answers.print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=110).rstrip(), highlight=False)


@app.command("use")
def use(context: typer.Context, name: Name) -> None:
    """Check a model and put it in force: opens it, proves it, lets it read. What was in force stays where it is.

    It reads from the next start of `clamor run` on: one that runs keeps to the model of its start. What was read before
    stays as it was; `clamor reprocess` reads it anew.

    [bold]Examples[/bold]

      clamor model use own-1
      clamor model use fast && clamor reprocess --since -7d
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        device = opened.settings.understanding.device
    before, _ = _reads(home)
    card = shelf.find(name, home)
    shelf.look(card, device)
    models.check(shelf.open_folder(card, device))
    environment = {key.upper(): value for key, value in os.environ.items()}
    other = environment.get("CLAMOR_UNDERSTANDING__MODEL", name)
    if other != name:
        raise ModelError(
            f"CLAMOR_UNDERSTANDING__MODEL in the environment asks for {other!r} and goes before the file: unset it"
        )
    models.put_in_force(home, name)
    back = f"; back by: clamor model use {before.name}" if before and before.name != name else ""
    answers.print(f"{name} ({shelf.named(card, device)}) is in force from the next start on{back}", highlight=False)
    if worked_by(home) is not None:
        errors.print("clamor run works this home with the old one: restart it", style="yellow")
    errors.print("what was read before stays as it was; clamor reprocess --since -7d reads a week anew", style="dim")


@app.command("evaluate")
def evaluate(
    context: typer.Context,
    name: Name,
    on: Annotated[Path | None, typer.Option(help="JSON Lines with labels. Default: the team's corrections.")] = None,
    as_json: AsJson = False,
) -> None:
    """How well a model reads labelled posts: macro-F1 of each head, with the interval that 95 of 100 samples lie in.

    Beside it the model in force, on the same posts. A line of the file has `text`, optional `brand` and `lang`, and
    any of sentiment, reputation, intent, detractor, queue, complaint, irony, offensive. Corrections are mostly of what
    the model in force got wrong: on them it looks worse than it is.

    [bold]Examples[/bold]

      clamor model evaluate own-1
      clamor model evaluate accurate --on labelled.jsonl --json
    """
    home: Home = context.obj
    card, (force, _) = shelf.find(name, home), _force(home)
    with in_words():
        rows = labelled.of_file(on, models.stated_brands(home)) if on else models.kept(home, 0).corrections
    if not rows:
        raise ModelError("no correction is stored in this home: give labelled posts, --on FILE.jsonl")
    passages = [row.passage for row in rows]
    said = measure.read_labels(shelf.open_folder(card), passages)
    other = measure.read_labels(shelf.open_folder(force), passages) if force.name != card.name else None
    found = measure.figures(rows, said, other)
    if as_json:
        print(json.dumps([one._asdict() for one in found]))
        return
    _show(found, card.name, force.name if other else "")


@app.command("import")
def import_(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="MODEL", help="A Hugging Face folder, or an id: owner/name.")],
    labels: Annotated[Path, typer.Option(help="YAML: which head it gives, and what its labels mean.")],
    name: Annotated[str, typer.Option(help="What it is to be called; a number follows.")] = "imported",
    revision: Annotated[str | None, typer.Option(help="Of an id: a branch, tag or commit.")] = None,
) -> None:
    """Bring in a Hugging Face model that classifies texts, as one head upon the model in force. Needs the extra own.

    Only safetensors are read, and no code that comes with a model is run. It is exported to 8-bit ONNX where that says
    the same, and compared with the model in force on 200 posts. It is not in force yet.

    [bold]Examples[/bold]

      clamor model import ./robertuito --labels sentiment.yaml --name robertuito
    """
    from nlp.own import bring, foreign

    home: Home = context.obj
    base, _ = _force(home)
    folder, version = models.next_name(home, name)
    with in_words(), models.draft(home, folder) as draft:
        mapped = foreign.read_map(labels)
        fetched = draft.with_suffix(".fetched")
        try:
            place, commit = foreign.fetch(source, fetched, revision, mapped)
            posts, of_home = models.sample(home)
            old = shelf.open_folder(base)
            told = {
                "name": name, "version": version, "tier": base.tier, "bands": dict(old.bands), "base": base.model,
                "source": source if place != Path(source) else place.name, "revision": commit or revision,
            }  # fmt: skip
            brought = bring.bring(place, mapped, base.folder, draft, told, [post.text for post in posts])
        finally:
            shutil.rmtree(fetched, ignore_errors=True)
        new = shelf.open_folder(shelf.at(draft))
        models.check(new)
        found = models.alike(new, old, mapped.head, posts, of_home)
        models.settle(draft, home, name, version)
    _tell_import(folder, brought, found, base)


@app.command("train")
def train_(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What it is to be called; a number follows.")] = "own",
    base: Annotated[str, typer.Option(help="The model to begin with. Default: the one in force.")] = "",
) -> None:
    """Learn from the team's corrections (at least 100), from the model in force on. Needs the extra own.

    A third of the corrections is held out. The new model is kept only if it gains on them for certain, no head
    loses more than a point on what is labelled, and complaint, emotion, irony and offence, which nobody can correct,
    stay the same on 99 of 100 other posts; the old one stays in force.

    [bold]Examples[/bold]

      clamor model train
      clamor model train --base fast --name acme
    """
    home: Home = context.obj
    begin = shelf.find(base, home) if base else _force(home)[0]
    if begin.format != "transformer":
        raise ModelError(f"{begin.name} is {begin.format} and is not learnt from: begin with --base fast or accurate")
    folder, version = models.next_name(home, name)
    with in_words():
        count = models.counted(home)
        if count < train.ENOUGH:
            raise ModelError(train.too_few(count))
        kept, written = models.kept(home, models.HELD), labelled.synthetic()
        told = {
            "name": name, "version": version,
            "learnt": {"from": begin.model, "corrections": len(kept.corrections), "posts": len(kept.posts)},
        }  # fmt: skip
        with models.draft(home, folder) as draft:
            errors.print(f"{begin.name} learns from {len(kept.corrections):,} corrections …", style="dim")
            found = train.train(begin.folder, draft, kept, written, told)
            models.check(shelf.open_folder(shelf.at(draft)))
            errors.print("on corrections that were held out:")
            _show(found.corrections, folder, begin.name)
            if found.same:
                errors.print(f"on posts that were kept aside, how often it says what {begin.name} says:")
                _show_same(found.same)
            if not found.reasons:
                train.note(draft, found)
                models.settle(draft, home, name, version)
    if found.reasons:
        for reason in found.reasons:
            errors.print(reason)
        errors.print(f"not kept; {begin.name} stays", style="yellow")
        raise typer.Exit(exits.FAILED)
    answers.print(f"{folder} is kept; put it in force by: clamor model use {folder}", highlight=False)


def _force(home: Home) -> tuple[Card, str]:
    return shelf.in_force(models.asked_for(home), home)


def _reads(home: Home) -> tuple[Card | None, str]:
    """As `_force`; None and why where the model that the settings name cannot be used: so that another one can."""
    try:
        return _force(home)
    except ModelError as error:
        return None, str(error)


def _plain(card: Card) -> dict[str, Any]:
    return {
        "name": card.name, "model": card.model, "version": card.version, "tier": card.tier, "format": card.format,
        "bytes": card.size, "shipped": card.shipped, "folder": str(card.folder), "problem": card.problem,
    }  # fmt: skip


def _show(found: Sequence[Figure], name: str, other: str) -> None:
    beside = [other, "difference"] if other else []
    table = Table("head", "posts", f"{name}, macro-F1", *beside, box=None, pad_edge=False)
    for one in found:
        cells = [one.head, f"{one.rows:,}", f"{one.f1 * 100:.1f} ({one.low * 100:.1f} to {one.high * 100:.1f})"]
        if other and one.other is not None:
            apart = f"{(one.f1 - one.other) * 100:+.1f} ({one.gain_low * 100:+.1f} to {one.gain_high * 100:+.1f})"
            cells += [f"{one.other * 100:.1f}", apart]
        table.add_row(*cells)
    answers.print(table)


def _show_same(found: Sequence[Same]) -> None:
    table = Table("head", "posts", "the same", box=None, pad_edge=False)
    for one in found:
        table.add_row(one.head, f"{one.posts:,}", train.percent(one.share))
    answers.print(table)


def _tell_import(folder: str, brought: Any, found: models.Alike, base: Card) -> None:
    whose = "posts of this home" if found.of_home else "written posts that are shipped, for this home has none"
    answers.print(f"{folder}: {brought.runs}{f', for {brought.why}' if brought.why else ''}", highlight=False)
    alike = (
        f"{found.head}: {base.name} does not have it, there is nothing to compare with"
        if found.agreement is None
        else f"{found.head}: the label of {base.name} for {found.agreement:.0%} of {found.posts} {whose}"
    )
    answers.print(alike, highlight=False)
    answers.print(
        f"posts a second on one core: {found.rate:,.0f}, {base.name} {found.other_rate:,.0f}", highlight=False
    )
    errors.print(f"measure it by clamor model evaluate {folder}, put it in force by clamor model use {folder}")
