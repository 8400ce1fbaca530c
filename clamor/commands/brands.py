"""`clamor brand`: how right a brand's mentions are, and filters learnt from what people say of them."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from clamor import exits
from clamor.brand_filters import Learnt, Words, forget, words
from clamor.brand_filters import learn as learn_filter
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from config.brands import Brand
from database import filters
from database.engine import read
from database.migrate import upgrade
from nlp.about import FEWEST, MOST_LOST, Measured
from nlp.shares import Share

app = typer.Typer(
    help="Brands: how right their mentions are, and filters learnt from corrections.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(help="Id of the brand.", metavar="BRAND")]
By = Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")]


@app.command("list")
def list_brands(context: typer.Context) -> None:
    """Every brand with the precision and recall of its mentions, as far as people said what they mean.

    [bold]Examples[/bold]

      clamor brand list
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            for brand in opened.registry.current().brands:
                said, last = words(connection, brand.id), filters.newest(connection, brand.id)
                learnt = f", filter {last.version}" if last is not None and last.body else ""
                _say(f"{brand.id} ({brand.name}){learnt}: precision {said.precision}, recall {said.recall}")


@app.command("show")
def show(context: typer.Context, brand: Id) -> None:
    """How right a brand's mentions are by what people said, with counts, and what its filter does.

    [bold]Examples[/bold]

      clamor brand show apple
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        chosen = _brand(opened, brand)
        with read(opened.engine) as connection:
            said, last = words(connection, brand), filters.newest(connection, brand)
            since = words(connection, brand, last.version) if last is not None else said
    _say(f"{chosen.id} ({chosen.name}): people said of {said.about + said.other} mentions what they mean")
    _counted("  what was shown to them", said)
    if last is None or not last.body:
        _say("  filter: none in force")
    else:
        _say(f"  filter: version {last.version} since {when(last.created_at)} UTC, learnt by {last.created_by}")
        _counted("  since it is in force", since)
    _say("  People correct what catches their eye: no random sample, so take it for a hint. Posts that no name of the")
    _say("  brand finds are not in it.")


@app.command("learn")
def learn(
    context: typer.Context,
    brand: Annotated[str, typer.Argument(help="Id of the brand. Default: every brand.", metavar="BRAND")] = "",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only measure: nothing comes into force.")] = False,
    by: By = "",
) -> None:
    """Learn from `clamor correct --about` and `--not-about` which posts mean a brand.

    A filter comes into force only where cross-validation says, at 95 %, that it makes precision rise, and that it
    leaves out no more than a twentieth of what means the brand. It works on what comes from then on; history is read
    anew by `clamor reprocess --brand`.

    [bold]Examples[/bold]

      clamor brand learn apple
      clamor brand learn --dry-run
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        chosen = [_brand(opened, brand)] if brand else list(opened.registry.current().brands)
        for one in chosen:
            _told(
                one, learn_filter(opened.engine, one, by or getpass.getuser(), opened.clock.now(), adopt=not dry), dry
            )


@app.command("unlearn")
def unlearn(context: typer.Context, brand: Id, by: By = "") -> None:
    """Put no filter in force for a brand. What people said stays; `clamor brand learn` begins anew.

    [bold]Examples[/bold]

      clamor brand unlearn apple
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        _brand(opened, brand)
        version = forget(opened.engine, brand, by or getpass.getuser(), opened.clock.now())
    if version is None:
        _say(f"{brand} has no filter")
    else:
        _say(f"{brand}: no filter is in force any more (version {version}); history: clamor reprocess --brand {brand}")


def _brand(opened: Opened, id: str) -> Brand:
    brands = {brand.id: brand for brand in opened.registry.current().brands}
    if id not in brands:
        errors.print(f"no brand in force is called {id!r}; there are {', '.join(brands) or 'none'}", markup=False)
        raise typer.Exit(exits.FAILED)
    return brands[id]


def _told(brand: Brand, done: Learnt, dry: bool) -> None:
    if done.measured is None:
        _say(f"{brand.id}: {done.about} corrected mentions mean it and {done.other} do not; it takes {FEWEST} of each")
        return
    _measured(brand, done.measured)
    if done.version is not None:
        _say(f"  filter {done.version} is in force; history: clamor reprocess --brand {brand.id}")
    elif dry and done.measured.worth_it:
        _say("  it would come into force")
    else:
        why = (
            "precision does not rise at 95 %" if done.measured.rise <= 0 else f"more than {MOST_LOST:.0%} would be lost"
        )
        _say(f"  nothing comes into force: {why}")


def _measured(brand: Brand, found: Measured) -> None:
    _say(f"{brand.id}: cross-validated on {found.about + found.other} corrected mentions")
    _say(f"  without the filter: precision {found.before}, recall {Share(found.about, found.about)}")
    _say(f"  with it: precision {found.precision}, recall {found.recall}; rises by {found.rise:+.1%} or more (95 %)")


def _counted(what: str, said: Words) -> None:
    _say(f"{what}: precision {said.precision}, recall {said.recall}")


def _say(line: str) -> None:
    answers.print(line, markup=False, highlight=False, soft_wrap=True)
