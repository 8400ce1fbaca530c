"""`clamor backfill`: a span of the past from a network, by hand."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Annotated, NamedTuple

import numpy as np
import typer

from clamor import exits, networks
from clamor.budgets import budget_of
from clamor.collecting import BrandsInForce, setting_of
from clamor.commands.search import when
from clamor.commands.source_check import sources_of, why
from clamor.commands.source_list import ids_that_are_asked
from clamor.console import answers, errors
from clamor.estimating import NO_ROOM, paid_sample
from clamor.holding import Holding
from clamor.moments import moment
from clamor.opening import Opened, open_home
from config.sources import Collected
from database.migrate import upgrade
from ingest.backfill import Backfill, Filled
from ingest.budget import SourceBudget
from ingest.caps import caps
from ingest.collector import Collector, Estimable, Sample, Span, Unfillable
from ingest.cursors import Cursors
from ingest.forecast import Interval, interval, posts_elsewhen
from ingest.intake import Intake
from ingest.patience import Stopped
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR
from stream.records import Millis


def backfill(
    context: typer.Context,
    source: Annotated[str, typer.Option(help="A source in force, as `clamor sources list` names it.")],
    since: Annotated[str, typer.Option(help="Posts published from then on: 2026-10-01, 2026-10-01T08:30, -30d.")],
    until: Annotated[str, typer.Option(help="Posts published before then; a day counts whole.")] = "now",
    brand: Annotated[str, typer.Option(help="Only of this brand. Default: all that the source listens for.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it begins.")] = False,
) -> None:
    """Fetch a span of the past from a network. It wakes nobody, and the ledger says what came.

    What it will ask for, and where the network can be sampled how many posts that may bring and what they may cost,
    each with an interval that holds the truth nine times in ten, is shown before it begins. It runs beside the program,
    and may be stopped or killed: the same command goes on from there.

    [bold]Examples[/bold]

      clamor backfill --source acme-on-reddit --since 2026-10-01
      clamor backfill --source acme-on-x --since -7d --brand acme --yes
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        section = _section(opened, source)
        only = [brand] if brand else None
        _refuse_unknown(opened, section, brand)
        span, stop = _span(opened, since, until), Event()
        collector = _collector(opened, section, only, stop)
        try:
            purse = budget_of(opened, section, lambda: BrandsInForce(opened).wanted(section.listen_for))
            work = Backfill(
                collector,
                Intake(opened.log, collector.source, BrandsInForce(opened).prefilter(only or section.listen_for)),
                Cursors(opened.engine),
                opened.ledger,
                opened.clock,
                query=brand,
                name=f"backfill:{brand}:{since}:{until}",
                hold=Holding(opened).reason,
                budget=purse,
            )
            begun = work.begun(span)
            asked = BrandsInForce(opened).wanted(only or section.listen_for)
            _tell_plan(collector, begun, asked, _Purse(purse, section, opened.clock.wall))
            if not yes:
                typer.confirm("begin?", abort=True, err=True)
            _tell_end(_filled(work, begun, stop))
        finally:
            collector.close()


def _section(opened: Opened, id: str) -> Collected:
    (found,) = sources_of(opened, [id])
    if not isinstance(found, Collected):
        asked = ", ".join(ids_that_are_asked(opened)) or "none"
        raise typer.BadParameter(
            f"{id} is no source that Clamor asks, and has no past to be asked for; there are {asked}. History from a "
            "file is read by clamor replay",
            param_hint="--source",
        )
    return found


def _refuse_unknown(opened: Opened, section: Collected, brand: str) -> None:
    heard = [one.brand for one in BrandsInForce(opened).wanted(section.listen_for)]
    if brand and brand not in heard:
        known = ", ".join(heard) or "none"
        raise typer.BadParameter(
            f"{section.id} does not listen for {brand!r}; it does for {known}", param_hint="--brand"
        )


def _span(opened: Opened, since: str, until: str) -> Span:
    now = opened.clock.now()
    low = moment(since, now, "since").low
    high = now if until == "now" else moment(until, now, "until").high
    assert low is not None
    assert high is not None
    if low >= min(int(high), now):
        raise typer.BadParameter(f"{since!r} is not before {until!r} and now", param_hint="--since")
    return Span(int(low), min(int(high), now))


def _collector(opened: Opened, section: Collected, only: list[str] | None, stop: Event) -> Collector:
    try:
        return networks.make(section, setting_of(opened, section, BrandsInForce(opened), stop, only))
    except Exception as fault:
        errors.print(f"{section.id} cannot be asked: {why(fault)}", markup=False, highlight=False)
        raise typer.Exit(exits.FAILED) from None


def _filled(work: Backfill, begun: Filled, stop: Event) -> Filled:
    with _stopping(stop), errors.status("asking …") as status:
        try:
            return work.run(begun, stop, lambda far, why: status.update(_line(far, why)))
        except Unfillable as none:
            errors.print(f"{work.collector.source.id} has no history for this time: {none}", markup=False)
        except Stopped:
            errors.print("stopped before the end; the same command goes on from there", style="yellow")
        except Exception as fault:
            errors.print(f"{work.collector.source.id}: {why(fault)}", markup=False, highlight=False)
            errors.print("what came is kept; the same command goes on from there", style="yellow")
    raise typer.Exit(exits.FAILED)


@contextmanager
def _stopping(stop: Event) -> Iterator[None]:
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


# --- what is shown ----------------------------------------------------------------------------------------------------


class _Purse(NamedTuple):
    """What samples are paid from."""

    budget: SourceBudget | None
    section: Collected
    wall: Callable[[], Millis]

    def sample(self, collector: Estimable, one: Wanted) -> Sample | None:
        """None: the budget leaves no room for it now. Raises what the collector raises."""
        try:
            return paid_sample(self.budget, self.section.id, self.wall, collector, one)
        finally:
            if self.budget is not None:
                self.budget.leave()

    def bill(self, posts: Interval) -> str:
        """What so many posts cost where the network bills them one by one: `, 12.34 USD (9.00 USD to 15.00 USD)`."""
        costs = self.section.documented()
        cap = next(iter(caps(self.section.budget, costs)), None)
        if cap is None or not costs.per_post:
            return ""
        low, middle, high = (None if one is None else cap.words(round(one * cap.of(costs.per_post))) for one in posts)
        return f", at least {low}" if high is None else f", {middle} ({low} to {high})"


def _tell_plan(collector: Collector, begun: Filled, asked: tuple[Wanted, ...], purse: _Purse) -> None:
    names = ", ".join(one.brand for one in asked) or "no brand: nothing is listened for"
    errors.print(
        f"{collector.source.id}: {when(begun.since)} to {when(begun.until)} UTC ({_long(begun.until - begun.since)}), "
        f"for {names}",
        markup=False,
        highlight=False,
    )
    if begun.sums.asked:
        errors.print(f"begun before, it goes on: {_line(begun, '')}", markup=False, highlight=False)
    if not isinstance(collector, Estimable):
        errors.print("what it will bring and cost is not known: this network cannot be sampled", style="dim")
        return
    try:
        said = _forecast(collector, begun.until - begun.since, asked, purse)
    except Exception as fault:
        said = f"what it will bring and cost is not known: {why(fault)}"
    errors.print(said, markup=False, highlight=False)


def _forecast(collector: Estimable, long: Millis, asked: tuple[Wanted, ...], purse: _Purse) -> str:
    """From one sample a brand; the time asked for is taken to be as the sample's, as far as any two are alike."""
    samples: list[Sample] = []
    for one in asked:
        sample = purse.sample(collector, one)
        if sample is None:
            return f"what it will bring and cost is not known: {NO_ROOM}"
        samples.append(sample)
    draws = [posts_elsewhen(one.posts_by_hour, long / HOUR, seed=number) for number, one in enumerate(samples)]
    posts = interval(np.sum(draws, axis=0), capped=any(one.capped for one in samples))
    said = f"about {posts.middle:,.0f} posts ({posts.low:,.0f} to {posts.high or 0:,.0f})"
    many = f"at least {posts.low:,.0f} posts" if posts.high is None else said
    return f"{many}{purse.bill(posts)}, as a sample of now goes, nine times in ten"


def _line(far: Filled, waits: str) -> str:
    reached = f", {when(far.oldest)} to {when(far.newest)}" if far.oldest is not None and far.newest is not None else ""
    cost = f", {far.cost:,} units" if far.cost else ""
    return (
        f"{far.sums.received:,} posts, {far.sums.asked:,} requests{cost}{reached}{f'; waits: {waits}' if waits else ''}"
    )


def _tell_end(far: Filled) -> None:
    sums = far.sums
    missed = "an unknown number is" if sums.missed is None else f"{sums.missed:,} are"
    missing = "" if sums.missed == 0 else f"; {missed} known to be missing ({', '.join(sums.reasons)})"
    refused = f", {sums.refused:,} rows refused (clamor dead-letter list)" if sums.refused else ""
    answers.print(f"{_line(far, '')}{refused}{missing}", markup=False, highlight=False)


def _long(time: Millis) -> str:
    return f"{time / DAY:,.1f} days" if time >= DAY else f"{time / HOUR:,.1f} hours"
