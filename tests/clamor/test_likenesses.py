"""An account that may pass for a brand is told once, with the post that shows it, and no more once it is named."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living, gone, post, settled_home

from clamor.cli import program
from clamor.likenesses import Likenesses
from stream.clock import DAY
from stream.records import Author

CONFIGURATION = """\
brands:
  - {id: acme, name: Acme Air, accounts: ['x:acmeair']}
people:
  - {id: ana, name: Ana Example, email: ana@example.org, operations: true}
understanding: {model: linear}
"""


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path, CONFIGURATION)) as living:
        yield living


def troubles(living: Living) -> dict[str, str]:
    sql = (
        "SELECT o.key, a.why FROM operation_alert o JOIN alert a ON a.id = o.alert "
        "WHERE o.resolved_at IS NULL AND o.key LIKE 'impersonation:%'"
    )
    return dict(living.sql(sql))


def by(handle: str, name: str = "") -> Author:
    return Author(id=f"id-{handle}", handle=handle, name=name or None)


def test_who_may_pass_for_the_brand_is_told_once_with_a_post_of_it(living: Living) -> None:
    likenesses = Likenesses(living.opened)
    likenesses.step()
    said = "Acme Air gives refunds, write to us"
    living.live(
        post(1, said, author=by("acmealr")), post(2, said, author=by("acmeair")), post(3, said, author=by("ana"))
    )
    likenesses.step()
    (key,) = troubles(living)
    assert key == "impersonation:acme:x:acmealr"
    assert "x:1" in troubles(living)[key]
    living.live(post(4, said, author=by("acmealr")))
    Likenesses(living.opened).step()
    assert living.sql("SELECT count(*) FROM operation_alert WHERE key LIKE 'impersonation:%'") == [(1,)]


def test_it_goes_on_where_it_stood(living: Living) -> None:
    Likenesses(living.opened).step()
    living.live(post(1, "Acme Air is here", author=by("acme_air_help")))
    Likenesses(living.opened).step()
    assert list(troubles(living)) == ["impersonation:acme:x:acme_air_help"]


def test_what_was_there_before_wakes_nobody(living: Living) -> None:
    living.live(post(1, "Acme Air is here", author=by("acmealr")))
    likenesses = Likenesses(living.opened)
    likenesses.step()
    likenesses.step()
    assert troubles(living) == {}


def test_an_account_that_is_named_is_no_trouble_any_more(living: Living) -> None:
    from typer.testing import CliRunner

    likenesses = Likenesses(living.opened)
    likenesses.step()
    living.live(post(1, "Acme Air is here", author=by("acmealr")))
    likenesses.step()
    assert troubles(living)
    file = living.home.settings_file
    file.write_text(file.read_text("utf-8").replace("['x:acmeair']", "['x:acmeair', 'x:acmealr']"), "utf-8")
    assert CliRunner().invoke(program(), ["--home", str(living.home.root), "apply"]).exit_code == 0
    ends = time.monotonic() + 10
    while troubles(living) and time.monotonic() < ends:
        likenesses.step()
        time.sleep(0.1)
    assert troubles(living) == {}


@pytest.mark.parametrize("how", ["its post is deleted", "30 days have passed"])
def test_whose_account_it_was_is_forgotten(living: Living, how: str) -> None:
    likenesses = Likenesses(living.opened)
    likenesses.step()
    living.live(post(1, "Acme Air gives refunds", author=by("acmealr")))
    likenesses.step()
    assert len(troubles(living)) == 1
    if how == "its post is deleted":
        living.live(gone(1))
    else:
        living.clock.advance(31 * DAY)
    likenesses.step()
    assert living.sql("SELECT count(*) FROM operation_alert WHERE key LIKE 'impersonation:%'") == [(0,)]
    ((why,),) = living.sql("SELECT why FROM alert WHERE kind = 'impersonation'")
    assert "acmealr" not in why


def test_from_the_account_on_that_a_brand_names_as_its_first_it_is_looked_for(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    unnamed = CONFIGURATION.replace(", accounts: ['x:acmeair']", "")
    with Living(settled_home(tmp_path, unnamed)) as living:
        likenesses = Likenesses(living.opened)
        likenesses.step()
        living.live(post(1, "Acme Air is here", author=by("acmealr")))
        assert likenesses.step() is False
        living.home.settings_file.write_text(CONFIGURATION, "utf-8")
        assert CliRunner().invoke(program(), ["--home", str(living.home.root), "apply"]).exit_code == 0
        Likenesses(living.opened).step()
        assert troubles(living) == {}
        ends, number = time.monotonic() + 10, 1
        while not troubles(living) and time.monotonic() < ends:
            number += 1
            living.live(post(number, "Acme Air is here", author=by("acmealr")))
            likenesses.step()
            time.sleep(0.1)
        ((key, why),) = troubles(living).items()
        assert key == "impersonation:acme:x:acmealr"
        assert "x:1." not in why
