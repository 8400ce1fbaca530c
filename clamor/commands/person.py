"""`clamor person export`: what is held about somebody, for who asks for it by right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from clamor import exits
from clamor.console import errors
from clamor.opening import Opened, open_home
from database.engine import read
from database.migrate import upgrade
from query.fields import canonical
from query.fields import find as field
from query.tree import And, Equals, Has, Not, Or
from routing.held_of import Account, Held, held_of
from stream.ports import EVERYTHING
from stream.records import Author

app = typer.Typer(help="People who post: what is held about them.", no_args_is_help=True)

PAGE = 200
MOST_MENTIONS = 20_000
"""That are looked through for the accounts of a handle."""


@app.callback()
def people() -> None:
    """What is held about people who post."""


@app.command("export")
def export(
    context: typer.Context,
    handle: Annotated[str, typer.Argument(help="Handle, with or without @, or the network's id.", metavar="HANDLE")],
    network: Annotated[
        str,
        typer.Option(
            help="Only there. Needed for an account none of whose texts is held any more: then HANDLE is its id."
        ),
    ] = "",
) -> None:
    """Write all that is held about an account, as JSON: posts, texts, what was read and decided of them, kinds of
    behaviour by the policy with their reason and end, cases with their exceptions, counts, and the lists of brands
    that name it.

    Accounts of one handle on several networks may be several people: name the network. Texts that are gone are not
    held.

    [bold]Examples[/bold]

      clamor person export @ana_viaja --network x > ana.json
      clamor person export ana_viaja | jq .kinds
    """
    network = network.casefold()
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        accounts = list(_accounts(opened, handle, network))
        if not accounts and network:
            accounts = [Account(network, handle.lstrip("@"))]
        with read(opened.engine) as connection:
            held = held_of(connection, accounts, opened.registry.current().brands)
    if not _anything(held):
        where = f" on {network}" if network else ""
        errors.print(
            f"nothing is held about {handle}{where}: where its texts are gone, name its id and --network",
            markup=False, highlight=False,
        )  # fmt: skip
        raise typer.Exit(exits.FAILED)
    networks = sorted({account.network for account in held.accounts})
    if len(held.accounts) > 1:
        errors.print(
            f"{len(held.accounts)} accounts, on {', '.join(networks)}: they may be several people, and --network names "
            "one network", style="yellow", markup=False, highlight=False,
        )  # fmt: skip
    print(msgspec.json.format(msgspec.json.encode(held), indent=2).decode())


def _accounts(opened: Opened, handle: str, network: str) -> Iterator[Account]:
    """Accounts of exactly this handle or id, whose texts are held."""
    known = field("author")
    assert known is not None
    wanted = canonical(known, handle)
    parts = (Equals("author", wanted), Or((Has("about"), Not(Has("about")))))
    query = And((*parts, Equals("network", network.casefold()))) if network else And(parts)
    seen: set[tuple[str, str]] = set()
    cursor, looked = None, 0
    while looked < MOST_MENTIONS:
        page = opened.store.search(query, EVERYTHING, limit=PAGE, cursor=cursor)
        looked += len(page.hits)
        for mention in (hit.mention for hit in page.hits):
            author = mention.post.author if mention.post is not None else None
            if author is None or (mention.network, author.id) in seen:
                continue
            if wanted in (canonical(known, author.handle or ""), canonical(known, author.id)):
                seen.add((mention.network, author.id))
                yield _account(mention.network, author)
        cursor = page.cursor
        if cursor is None:
            return


def _account(network: str, author: Author) -> Account:
    return Account(network, author.id, author.handle or "", author.name or "")


def _anything(held: Held) -> bool:
    return bool(held.posts or held.mentions or held.kinds or held.cases or held.counts or held.lists)
