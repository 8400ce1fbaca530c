"""A flood is read by the linear model and marked; when there is room all of it is read anew, and nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import tiny_model
from living import CONFIGURATION, NOW, Living, gone, post, settled_home

from clamor import rescoring
from clamor.commands.status import _overload
from clamor.metrics import metrics
from clamor.processes import nlp_stage, understand
from clamor.rescoring import LEASE, LOOK, Rescoring, as_reread, count_marked
from clamor.status import status
from config.home import Home
from database.engine import read
from database.tenure import Tenure
from routing import corrections
from routing.desk import Desk
from stream.clock import MINUTE
from stream.ports import POSTS
from stream.records import Correction, Post
from stream.stage import StageOptions

TEXTS = (
    "Acme Air lost my bag again, I want my money back",
    "I love Acme Air, thank you all",
    "Acme Air is a scam, they stole my money, I will sue them",
    "How much is a flight to Lima with Acme Air?",
    "nothing about anybody",
)


class Spared(Living):
    """Its stage nlp uses spare time, as that of `clamor run` does."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.rescoring = Rescoring(self.opened, understand(self.opened))
        self._closing.enter_context(self.rescoring)
        self.stages[0].close()
        self.stages[0] = nlp_stage(self.opened, self.rescoring, StageOptions(pace=0, report=0))
        self._closing.callback(self.stages[0].close)

    def flood(self, *posts: Post, waited: int = MINUTE) -> None:
        """They lie in the log for so long before they are read; all of it is decided, and no time is left to spare."""
        self.take(*posts)
        self.clock.advance(waited)
        while self.opened.log.lag("nlp", POSTS):
            self.stages[0].step(0)
        nlp, *self.stages = self.stages
        self.drain()
        self.stages = [nlp, *self.stages]

    def have_room(self) -> None:
        """Until nothing is left to be read anew."""
        for _ in range(50):
            self.clock.advance(LOOK)
            self.drain()
            if not count_marked(self.opened):
                return
        raise AssertionError("still marked")

    def understood(self) -> dict[str, Any]:
        """What counts of each live mention, times aside."""
        found = {}
        for (id,) in self.sql("SELECT id FROM post ORDER BY id"):
            mention = self.mention(f"{id}#acme")
            if mention is not None and mention.state == "live":
                assert mention.decision is not None
                found[id] = (
                    mention.understanding, mention.decision.model, mention.decision.tier, mention.decision.generation,
                    mention.decision.provisional, mention.decision.rule, mention.decision.queue, mention.decision.risk,
                    mention.appended_at, mention.post and mention.post.origin,
                )  # fmt: skip
        return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


def home_with(tiny: Path, root: Path, auto: str = "yes") -> Home:
    home = settled_home(root, CONFIGURATION.replace("model: linear", f"model: tiny, overload: {{auto: {auto}}}"))
    shutil.copytree(tiny, home.models / "tiny")
    return home


@pytest.fixture
def home(tiny: Path, tmp_path: Path) -> Home:
    return home_with(tiny, tmp_path / "home")


@pytest.fixture
def living(home: Home) -> Iterator[Spared]:
    with Spared(home) as living:
        yield living


def many(count: int = 40) -> list[Post]:
    return [post(n, TEXTS[n % len(TEXTS)]) for n in range(count)]


def test_a_flood_ends_as_if_there_had_been_no_valve(tiny: Path, tmp_path: Path, home: Home) -> None:
    answers = [post(100, "me too, still waiting", reply_to="x:2"), post(101, "and me", reply_to="x:200")]
    late = post(200, "Acme Air keeps me waiting")
    found = []
    for place in (home, home_with(tiny, tmp_path / "without", auto="no")):
        with Spared(place) as living:
            living.flood(*many(), *answers, waited=20 * MINUTE)
            hurried = place is home
            assert status(living.opened)["understanding"]["overloaded"] == int(hurried)
            assert living.found("provisional:yes") == (living.found() if hurried else set())
            assert living.found("tier:linear") == (living.found() if hurried else set())
            assert len(living.found()) == 33
            living.live(late)
            assert status(living.opened)["understanding"]["overloaded"] == 0
            living.have_room()
            assert living.found("provisional:yes") == set()
            assert living.found("tier:fast") == living.found() == living.found("provisional:no")
            found.append((living.understood(), living.truth()["mentions"], living.truth()["counts"]))
            assert living.sql("SELECT count(*) FROM waiting") == [(0,)]
    assert found[0] == found[1]


def test_what_is_read_in_haste_is_told_and_counted(living: Spared, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = structlog.testing.CapturingLogger()
    monkeypatch.setattr("nlp.valve.logger", logger)
    living.flood(*many())
    told = status(living.opened)["understanding"]
    assert (told["overloaded"], told["provisional"]) == (1, 32)
    assert _overload(told) == "overload: the linear model reads what is new; 32 posts will be read anew"
    text = metrics(living.opened).decode()
    assert "clamor_overloaded_processes 1.0" in text
    assert "clamor_posts_provisional 32.0" in text
    assert [(call.method_name, call.args) for call in logger.calls] == [
        ("warning", ("overload: the linear model reads what is new",))
    ]
    living.have_room()
    told = status(living.opened)["understanding"]
    assert (told["overloaded"], told["provisional"], _overload(told)) == (0, 0, "")


def test_without_the_valve_they_wait(tiny: Path, tmp_path: Path) -> None:
    with Spared(home_with(tiny, tmp_path / "home", auto="no")) as living:
        living.flood(*many())
        assert living.found("tier:linear") == set()


def test_re_scoring_wakes_nobody_for_what_is_old_and_leaves_corrections(living: Spared) -> None:
    living.flood(*many(), waited=20 * MINUTE)
    living.mail()
    held = living.mention("x:0#acme")
    assert held is not None
    said = Correction(person="ana", at=NOW, content_hash=held.content_hash, intent="praise", queue="sales")
    corrections.correct(living.opened.engine, Desk(living.opened.registry.current()), held.id, said, NOW)
    told = living.sql("SELECT count(*) FROM alert")
    living.have_room()
    assert living.sql("SELECT count(*) FROM alert") == told
    assert living.mail() == 0
    mention = living.mention("x:0#acme")
    assert mention is not None
    assert mention.decision is not None
    assert mention.correction == said
    assert (mention.decision.queue, mention.decision.tier) == ("sales", "fast")


def test_only_what_is_young_enough_to_wake_stays_news() -> None:
    fresh = post(1)
    assert as_reread(fresh, NOW + MINUTE) == fresh
    assert as_reread(fresh, NOW + 16 * MINUTE).origin == "reprocess"
    assert as_reread(post(1, origin="import"), NOW).origin == "reprocess"


def test_what_was_deleted_meanwhile_is_not_read_again(living: Spared) -> None:
    living.flood(*many(10))
    living.take(gone(0, at=living.clock.now()))
    living.have_room()
    assert "x:0#acme" not in living.found()
    mention = living.mention("x:0#acme")
    assert mention is not None
    assert mention.state == "deleted"


@pytest.mark.parametrize("steps", range(6))
def test_a_process_that_dies_anywhere_loses_no_mark(home: Home, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr(rescoring, "CHUNK", 7)
    with Spared(home) as living:
        living.flood(*many())
        living.clock.advance(LOOK)
        for _ in range(steps):
            living.rescoring.step()
            if steps % 2:
                living.stages[1].step(0)
        left = count_marked(living.opened)
        assert left == 32 or (steps % 2 and left < 32)
    with Spared(home) as living:
        assert count_marked(living.opened) == left
        living.have_room()
        assert living.found("tier:fast") == living.found()
        assert len(living.found()) == 32


def test_nothing_is_sent_twice_where_routing_takes_its_time(living: Spared) -> None:
    living.flood(*many())
    before = living.opened.log.bounds("mentions")
    for _ in range(20):
        living.clock.advance(LOOK)
        living.rescoring.step()
    after = living.opened.log.bounds("mentions")
    assert sum(after[p][1] - before[p][1] for p in after) == 32
    living.have_room()


def test_one_process_at_a_time_does_it(living: Spared) -> None:
    living.flood(*many())
    living.clock.advance(LOOK)
    other = Tenure(living.opened.engine, LEASE, living.clock, "on another machine")
    assert other.hold()
    assert not living.rescoring.step()
    other.leave()
    living.clock.advance(LOOK)
    assert living.rescoring.step()
    assert not other.hold()


def test_there_is_no_room_while_others_wait(living: Spared, monkeypatch: pytest.MonkeyPatch) -> None:
    living.flood(*many())
    living.clock.advance(LOOK)
    monkeypatch.setattr(rescoring, "ROOM_NLP", 3)
    living.take(*many(4))
    assert not living.rescoring.step()
    living.have_room()


def test_the_marked_are_found_without_looking_at_all_posts(living: Spared) -> None:
    with read(living.opened.engine) as connection:
        for sql in (rescoring._MENTIONS, rescoring._REPLIES):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (0, 9, 50)).all()
            assert any("ix_post_provisional" in str(step) for step in plan), plan


def test_a_model_of_a_later_generation_is_left_its_own(living: Spared) -> None:
    living.flood(*many())
    assert rescoring.marked(living.opened, 0, 1, 50) == []
    lowest = living.sql("SELECT n FROM post WHERE provisional = 1 ORDER BY n LIMIT 5")
    found = rescoring.marked(living.opened, 0, 2, 5)
    assert [(one.n,) for one in found] == lowest
