"""Lists of brands name an account where they mean this one: no namesake on another network."""

from __future__ import annotations

from pathlib import Path

import pytest
from route_home import RouteHome

from config.brands import Brand
from database.engine import read
from routing.held_of import Account, held_of


@pytest.mark.parametrize(
    ("listed", "account", "named"),
    [
        ({"press": ("x:ElPais",)}, Account("x", "7", "@elpais"), ["acme: press"]),
        ({"press": ("x:elpais",)}, Account("mastodon", "7", "elpais"), []),
        ({"rivals": ("@elpais",)}, Account("mastodon", "7", "elpais"), ["acme: rivals"]),
        ({"accounts": ("did:plc:abc",)}, Account("bluesky", "did:plc:abc", "elpais.example"), ["acme: accounts"]),
        ({"customers": {"@elpais": "key"}}, Account("x", "7", "ElPais"), ["acme: customers"]),
        ({"customers": {"elpais": "key"}}, Account("x", "elpais", "other"), []),
    ],
)
def test_the_lists_that_name_it(tmp_path: Path, listed: dict[str, object], account: Account, named: list[str]) -> None:
    home = RouteHome(tmp_path, durable=False)
    brand = Brand.model_validate({"id": "acme", "name": "Acme", **listed})
    with read(home.engine) as connection:
        assert list(held_of(connection, [account], [brand]).lists) == named
    home.close()
