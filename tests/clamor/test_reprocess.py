"""History once more: new brands find old posts, rules decide anew, corrections stay, nobody is told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import typer
from living import CONFIGURATION, NOW, ZEPHYR, Living, gone, post, settled_home
from msgspec.structs import replace

from clamor import cli
from clamor.commands.reprocess import reprocess as command
from clamor.opening import Opened
from clamor.reindexing import reindex
from clamor.reprocessing import Ask, Reached, begin, forget, reprocess
from config import apply as configuration
from config.disk import DiskFree
from config.home import Home, HomeError
from config.load import load_content
from database.engine import read, write
from index.embedded import EmbeddedStore
from routing import corrections
from routing.checkers import CHECKERS, shipped
from routing.desk import Desk
from stream.clock import DAY, ManualClock
from stream.records import Correction

WIDE = (NOW - 30 * DAY, NOW + DAY)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return settled_home(tmp_path / "home")


def _apply(home: Home, *, brands: str = "", rules: str = "") -> None:
    """As `clamor apply` does, by another process."""
    home.settings_file.write_text(CONFIGURATION.replace("people:", f"{brands}people:"), encoding="utf-8")
    if rules:
        home.rules_file.write_text(rules, encoding="utf-8")
    wanted, _ = load_content(home.root, CHECKERS)
    with Living(home) as other, write(other.opened.engine) as connection:
        changes = configuration.plan(connection, wanted, shipped())
        configuration.apply(connection, changes, "test", NOW)


def _again(living: Living, stage: str = "nlp", brand: str = "", *, stop_after: int = 1_000) -> Reached:
    halt, rounds = threading.Event(), 0

    def show(reached: Reached) -> None:
        nonlocal rounds
        rounds += 1
        if rounds >= stop_after:
            halt.set()

    ask = Ask("key", stage, *WIDE, brand)  # type: ignore[arg-type]
    reached = reprocess(living.opened, begin(living.opened, ask), halt, show, beside=False)
    if reached.done:
        forget(living.opened, ask)
    living.drain()
    return reached


def test_a_new_brand_finds_old_posts_and_nobody_is_told(home: Home) -> None:
    angry = "Zephyr is a scam, they stole my money, never fly Zephyr, I will sue them"
    with Living(home) as living:
        living.live(*(post(n, angry) for n in range(5)), post(9, "Zephyr and Acme Air are both late"), post(10, "tea"))
        assert living.found() == {"x:9#acme"}
    _apply(home, brands=ZEPHYR)
    with Living(home) as living:
        reached = _again(living)
        assert living.found("brand:zephyr") == {f"x:{n}#zephyr" for n in (*range(5), 9)}
        assert living.found("brand:acme") == {"x:9#acme"}
        assert reached.done
        assert reached.log_since == NOW
        assert living.sql("SELECT count(*) FROM alert") == [(0,)]
        assert living.mail() == 0
        mention = living.mention("x:1#zephyr")
        assert mention is not None
        assert mention.decision is not None
        assert not mention.decision.may_wake


def test_a_brand_that_is_no_more_loses_its_mentions(home: Home) -> None:
    _apply(home, brands=ZEPHYR)
    with Living(home) as living:
        living.live(post(1, "Zephyr lost my bag"), post(2))
        assert living.found() == {"x:1#zephyr", "x:2#acme"}
    _apply(home)
    with Living(home) as living:
        _again(living)
        assert living.found() == {"x:2#acme"}


def test_only_one_brand_where_only_one_is_asked_for(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1, "Zephyr lost my bag"), post(2))
    _apply(home, brands=ZEPHYR)
    with Living(home) as living:
        before = living.mention("x:2#acme")
        assert _again(living, brand="zephyr").changed == 1
        assert living.found("brand:zephyr") == {"x:1#zephyr"}
        assert living.mention("x:2#acme") == before


def test_what_was_deleted_is_not_read_again(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1, "Zephyr lost my bag"), post(2, "Zephyr lost my bag"))
        living.live(gone(1))
    _apply(home, brands=ZEPHYR)
    with Living(home) as living:
        assert _again(living).read == 1
        assert living.found() == {"x:2#zephyr"}


@pytest.mark.parametrize("stage", ["nlp", "routing"])
def test_a_persons_correction_stays(home: Home, stage: str) -> None:
    with Living(home) as living:
        living.live(post(1))
        held = living.mention("x:1#acme")
        assert held is not None
        said = Correction(person="ana", at=NOW, content_hash=held.content_hash, intent="praise", queue="sales")
        corrections.correct(living.opened.engine, Desk(living.opened.registry.current()), held.id, said, NOW)
        assert _again(living, stage).read == 1
        mention = living.mention("x:1#acme")
        assert mention is not None
        assert mention.correction == said
        assert mention.decision is not None
        assert mention.decision.queue == "sales"


def test_new_rules_decide_old_mentions(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1), post(2, "Acme Air is lovely"))
        before = living.mention("x:1#acme")
    _apply(home, rules="rules:\n  - {name: bags, when: bag, queue: pr, why: {en: about bags, es: de maletas}}\n")
    with Living(home) as living:
        assert _again(living, "routing").changed >= 1
        mention = living.mention("x:1#acme")
        assert before is not None
        assert before.decision is not None
        assert mention is not None
        assert mention.decision is not None
        assert (mention.decision.rule, mention.decision.queue) == ("bags", "pr")
        assert before.decision.queue != "pr"
        assert living.found("queue:pr") == {"x:1#acme"}
        assert living.mail() == 0


def test_one_that_was_stopped_goes_on_where_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clamor.reprocessing.CHUNK", 5)
    with Living(home) as living:
        living.live(*(post(n, "Zephyr lost my bag") for n in range(40)))
    _apply(home, brands=ZEPHYR)
    with Living(home) as living:
        first = _again(living, stop_after=3)
        assert not first.done
        rest = _again(living)
        assert rest.done
        assert rest.read == 40
        assert len(living.found("brand:zephyr")) == 40


def test_a_reindex_finds_all_that_sql_holds_and_goes_on_from_there(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(10)))
        living.live(gone(3))
        found = living.found()
    for path in home.data.glob("index*"):
        path.unlink()
    with Living(home) as living:
        assert living.found() == set()
        living.take(post(20))
        assert reindex(living.opened.engine, living.opened.log, living.opened.store) == 10
        assert living.found() == found
        living.drain()
        assert living.found() == found | {"x:20#acme"}


def test_a_change_while_the_index_is_built_is_in_it_at_the_end(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(10)))
        store = EmbeddedStore(home.index_db, ManualClock(NOW))
        told = []

        def change(read: int, total: int) -> None:
            if not told:
                told.append(read)
                living.live(gone(3), post(20))

        reindex(living.opened.engine, living.opened.log, store, change)
        store.close()
        living.drain()
        assert living.found() == {f"x:{n}#acme" for n in (*range(10), 20)} - {"x:3#acme"}


def test_a_stored_ask_survives_a_round_through_sql(home: Home) -> None:
    with Living(home) as living:
        ask = Ask("key", "nlp", *WIDE)
        assert begin(living.opened, ask) == Reached(ask=ask)
        with read(living.opened.engine):
            assert replace(Reached(ask=ask), done=True).share == 1.0


def test_it_does_not_begin_on_a_disk_that_takes_nothing_but_deletes(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Living(home) as living:
        living.live(post(1))
    monkeypatch.setattr(Opened, "disk", lambda opened: DiskFree(4, 100))
    context = typer.Context(typer.main.get_command(cli.program()), obj=home)
    with pytest.raises(HomeError, match="below 5% nothing but deletes is written"):
        command(context, since="-30d")
