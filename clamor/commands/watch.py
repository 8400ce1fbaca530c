"""`clamor watch`: a link, who shares it, and how the post behind it does."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from clamor import exits, networks, watching
from clamor.budgets import count_besides
from clamor.collecting import BrandsInForce, setting_of
from clamor.commands.source_check import why
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from clamor.sources import kind_of
from clamor.watching import Link
from config import apply as configuration
from config import content
from config.brands import Brand
from config.home import HomeError
from config.sources import BlueskySource, Collected
from database import revisions
from database.engine import read, write
from database.migrate import upgrade
from ingest.collector import Collector, Denied, Draft, Found, Interrupted, Showable, Sweepable
from ingest.intake import Intake
from ingest.web import Refused, Web
from query.parse import parse
from stream.ports import EVERYTHING, Transient
from stream.records import Metrics

NO_NUMBERS = (
    "numbers of its own are not followed: they are of single posts on Bluesky, Hacker News, Mastodon, Reddit, X and "
    "YouTube"
)
MOST_LOOKED_AT = 200
"""Posts of a watched link among which the post itself is looked for."""


def watch(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Any link; empty lists what is watched.")] = "",
    stop: Annotated[bool, typer.Option("--stop", help="Watch it no more; what came stays.")] = False,
) -> None:
    """Listen for every post that shares a link, and follow the numbers of the post behind it.

    The link is a brand of kind category from then on, so that search, rules and alerts know it. How somebody came
    there (utm_…, fbclid …) does not matter. Running stages adopt it within seconds, `clamor apply` leaves it alone.

    [bold]Examples[/bold]

      clamor watch https://news.example.org/2026/bridge
      clamor watch
      clamor watch https://news.example.org/2026/bridge --stop
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        if not url:
            if stop:
                raise typer.BadParameter("name the link", param_hint="URL")
            _list(opened)
            return
        try:
            link = watching.link(url)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="URL") from error
        if stop:
            _stop(opened, link)
            return
        _begin(opened, link)


def _begin(opened: Opened, link: Link) -> None:
    brands = _in_force(opened)
    known = any(brand.id == link.brand for brand in brands)
    others: list[str] = []
    if link.network == "bluesky":
        try:
            link = watching.with_account(link, _account(opened, link))
            others = [one for one in (watching.by_account(link),) if one != link.address]
        except (Interrupted, Denied, Refused) as fault:
            errors.print(f"Bluesky does not say whose post it is: {fault}", style="yellow", highlight=False)
    _say(f"{link.address} is watched already" if known else f"watched: {link.address}")
    one = watching.brand_of(link, others)
    if not known or (others and one not in brands):
        left = [brand for brand in brands if brand.id != link.brand]
        _put(opened, [*left, one], f"clamor watch {link.address}"[:200])
    _say(f"  its id is {link.brand}: clamor search 'brand:{link.brand}'")
    listening = [one.id for one in opened.registry.sources() if isinstance(one, Collected) and not one.listen_for]
    if listening:
        _say(f"  posts that link to it are listened for by {', '.join(listening)}")
    else:
        errors.print("no source listens for it: one without `listen_for` does, such as kind bluesky", style="yellow")
    _say(f"  {_itself(opened, link) if link.network else NO_NUMBERS}")


def _account(opened: Opened, link: Link) -> str:
    """The lasting name of the account in a link to Bluesky. Raises Interrupted, Denied, Refused."""
    name = link.native_id.split("/")[2]
    if name.startswith("did:"):
        return name
    found = [one for one in opened.registry.sources() if isinstance(one, BlueskySource)]
    source = found[0] if found else BlueskySource(id="bluesky", kind="bluesky")
    with Web(source.api, timeout=source.timeout / 1_000) as web:
        body = web.get("/xrpc/app.bsky.actor.getProfiles", {"actors": name}).body
    try:
        profiles = msgspec.json.decode(body, type=_Profiles).profiles
    except msgspec.MsgspecError:
        raise Interrupted("its answer is none, or only half of it") from None
    if not profiles or not profiles[0].did.startswith("did:"):
        raise Interrupted(f"nobody is called {name}")
    return profiles[0].did


class _Profile(msgspec.Struct, frozen=True):
    did: str


class _Profiles(msgspec.Struct, frozen=True):
    profiles: list[_Profile] = []


def _itself(opened: Opened, link: Link) -> str:
    """The post that the link shows becomes a mention, so that the sweep follows its numbers; what came of it."""
    sources = [one for one in opened.registry.sources() if isinstance(one, Collected) and kind_of(one) == link.network]
    if not sources:
        return f"its own numbers are not followed: no source of kind {link.network} is in force"
    try:
        collector = networks.make(sources[0], setting_of(opened, sources[0], BrandsInForce(opened), Event()))
        try:
            found = _shown(collector, link.native_id)
            with suppress(Transient):
                count_besides(opened, sources[0], (found.asked, found.cost))
            said = [draft for draft in found.drafts if draft.text or draft.title]
            if said:
                _take(opened, Intake(opened.log, collector.source), said[0], link)
        finally:
            collector.close()
    except Exception as fault:
        return f"its own numbers are not followed: {why(fault)}; clamor watch once more asks once more"
    if not said and found.existence.get(link.native_id) != "there":
        return f"its own numbers are not followed: {sources[0].id} is not shown this post"
    if not said:
        return f"its own numbers are followed once {sources[0].id} has brought the post itself"
    return f"its own numbers are followed by {sources[0].id}"


def _shown(collector: Collector, native_id: str) -> Found:
    if isinstance(collector, Showable):
        return collector.show(native_id)
    if isinstance(collector, Sweepable):
        return collector.look_up([native_id])
    return Found(existence={}, asked=0)


def _take(opened: Opened, intake: Intake, draft: Draft, link: Link) -> None:
    itself = msgspec.structs.replace(draft, kind="created", brands=(link.brand,))
    intake.take([itself], opened.clock.now(), "backfill")


def _stop(opened: Opened, link: Link) -> None:
    brands = _in_force(opened)
    left = [brand for brand in brands if brand.id != link.brand]
    if len(left) == len(brands):
        errors.print(f"{link.address} is not watched; clamor watch lists what is", highlight=False)
        raise typer.Exit(exits.FAILED)
    _put(opened, left, f"clamor watch --stop {link.address}"[:200])
    _say(f"watched no more: {link.address}; what came stays")


def _in_force(opened: Opened) -> list[Brand]:
    """Raises HomeError where nothing is in force yet: what would be then is the files', not this alone."""
    with read(opened.engine) as connection:
        standing = revisions.current(connection, "brands")
    if standing is None:
        raise HomeError("no brands are in force in this home yet: clamor apply takes its files over")
    return list(content.brands(standing.body))


def _put(opened: Opened, brands: Sequence[Brand], note: str) -> None:
    with write(opened.engine) as connection:
        changes = configuration.adjusted(connection, "brands", brands, note)
        configuration.apply(connection, changes, getpass.getuser(), opened.clock.now())


def _list(opened: Opened) -> None:
    found = watching.watched(_in_force(opened))
    if not found:
        errors.print("no link is watched: clamor watch URL", style="dim")
        return
    table = Table("link", "posts", "its own numbers", box=None, pad_edge=False, header_style="bold")
    for brand in found:
        node = parse(f"brand:{brand.id}", now=opened.clock.now(), context="search")
        count = opened.store.count(node, EVERYTHING).value
        table.add_row(brand.name, f"{count:,}", _numbers(opened, brand))
    answers.print(table)


def _numbers(opened: Opened, brand: Brand) -> str:
    """Of the post itself, as they were seen last."""
    own = {watching.link(name).native_id for name in (brand.name, *brand.aliases)} - {""}
    node = parse(f"brand:{brand.id}", now=opened.clock.now(), context="search")
    for hit in opened.store.search(node, EVERYTHING, limit=MOST_LOOKED_AT, order="oldest").hits:
        post = hit.mention.post
        if post is not None and post.id.partition(":")[2] in own and post.metrics is not None:
            return _in_words(post.metrics)
    return ""


def _in_words(metrics: Metrics) -> str:
    counts = (
        (metrics.likes, "likes"),
        (metrics.reposts, "reposts"),
        (metrics.replies, "replies"),
        (metrics.views, "views"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count is not None)


def _say(line: str) -> None:
    answers.print(line, highlight=False, soft_wrap=True)
