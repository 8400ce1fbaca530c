from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from config.aspects import Aspect
from config.content import Kind
from config.problems import ConfigurationError
from database import filters, revisions
from database.engine import open_database, read, write
from database.registry import LOOK_EVERY, SqlRegistry
from database.revisions import NoSuchRevision
from database.tables.revisions import revision
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.work import UnderstandWork
from stream.clock import ManualClock
from stream.ports import InForce, LogRecord, Registry
from stream.records import Post, Understood, decode, encode
from tests.places import only_sqlite

ACME = '[{"id":"acme","name":"Acme"}]'
MILES = '[{"en":["frequent flyer"],"id":"miles"}]'
GLOBEX = '[{"id":"globex","name":"Globex"}]'
BOTH = '[{"id":"acme","name":"Acme"},{"id":"globex","name":"Globex"}]'
WITH_SHARES = '[{"id":"acme","name":"Acme","prior":{"reputation":{"negative":0.6,"neutral":0.3,"positive":0.1}}}]'
NEVER_MEANT = '{"version":1,"places":[],"weights":[],"bias":-9.0}'
"""A filter that leaves out every text."""


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def adopt(engine: Engine, kind: Kind, body: str, now: int = 0) -> int:
    with write(engine) as conn:
        return revisions.adopt(conn, kind, body, "ana", now).number


def test_each_kind_is_numbered_by_itself_and_the_highest_is_in_force(engine: Engine) -> None:
    assert [adopt(engine, "brands", ACME), adopt(engine, "rules", "rules: []"), adopt(engine, "brands", GLOBEX)] == [
        1,
        1,
        2,
    ]
    with read(engine) as conn:
        assert revisions.numbers(conn) == {"brands": 2, "rules": 1}
        found = revisions.current(conn, "brands")
        assert found is not None
        assert (found.number, found.body, found.created_by) == (2, GLOBEX, "ana")
        assert revisions.current(conn, "people") is None


def test_the_same_content_again_is_no_new_revision_and_no_new_generation(engine: Engine) -> None:
    assert [adopt(engine, "brands", ACME, now) for now in (1, 2)] == [1, 1]
    with read(engine) as conn:
        assert [found.number for found in revisions.generations(conn)] == [1]


def test_going_back_adds_a_revision_and_leaves_the_old_ones_as_they_were(engine: Engine) -> None:
    adopt(engine, "brands", ACME, 1)
    adopt(engine, "brands", GLOBEX, 2)
    with read(engine) as conn:
        before = conn.execute(select(revision).order_by(revision.c.number)).all()
    with write(engine) as conn:
        back = revisions.go_back(conn, "brands", 1, "luis", 3)
    assert (back.number, back.body, back.note) == (3, ACME, "back to revision 1")
    with read(engine) as conn:
        assert conn.execute(select(revision).order_by(revision.c.number)).all()[:2] == before
        assert [found.number for found in revisions.history(conn, "brands")] == [3, 2, 1]


def test_a_number_that_is_not_there_names_those_that_are(engine: Engine) -> None:
    adopt(engine, "brands", ACME)
    with write(engine) as conn, pytest.raises(NoSuchRevision, match="no revision 7 of brands: there are 1 to 1"):
        revisions.go_back(conn, "brands", 7, "ana", 0)
    with read(engine) as conn, pytest.raises(NoSuchRevision, match="there is none yet"):
        revisions.get(conn, "people", 1)


def test_a_difference_reads_as_people_write_it(engine: Engine) -> None:
    adopt(engine, "brands", ACME)
    adopt(engine, "brands", GLOBEX)
    with read(engine) as conn:
        lines = revisions.diff(conn, "brands", 1, 2).splitlines()
    assert "-- id: acme" in lines
    assert "+  name: Globex" in lines


def test_an_unknown_kind_is_refused(engine: Engine) -> None:
    with write(engine) as conn, pytest.raises(ValueError, match="no such kind"):
        revisions.adopt(conn, "plans", "x", "ana", 0)  # type: ignore[arg-type]


def test_two_who_adopt_at_once_get_two_numbers(engine: Engine, address: str) -> None:
    barrier = threading.Barrier(4)
    numbers: list[int] = []

    def one(name: str) -> None:
        mine = open_database(address)
        barrier.wait()
        numbers.append(adopt(mine, "brands", f'[{{"id":"{name}","name":"{name}"}}]'))
        mine.dispose()

    threads = [threading.Thread(target=one, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4]
    with read(engine) as conn:
        assert [found.number for found in revisions.generations(conn)] == [4, 3, 2, 1]


# --- generations --------------------------------------------------------------------------------------------------


def test_the_generation_grows_with_every_change_of_brands_aspects_or_model_going_back_included(engine: Engine) -> None:
    seen = []
    for step in (
        lambda conn: revisions.adopt(conn, "brands", ACME, "ana", 0),
        lambda conn: revisions.adopt_model(conn, "linear@1", 0),
        lambda conn: revisions.adopt_model(conn, "linear@1", 0),
        lambda conn: revisions.adopt(conn, "rules", "rules: []", "ana", 0),
        lambda conn: revisions.adopt(conn, "brands", GLOBEX, "ana", 0),
        lambda conn: revisions.go_back(conn, "brands", 1, "ana", 0),
        lambda conn: revisions.adopt_model(conn, "fast@1", 0),
        lambda conn: revisions.adopt_model(conn, "linear@1", 0),
        lambda conn: revisions.adopt(conn, "aspects", MILES, "ana", 0),
        lambda conn: revisions.adopt(conn, "aspects", MILES, "ana", 0),
        lambda conn: revisions.adopt(conn, "aspects", "[]", "ana", 0),
        lambda conn: revisions.go_back(conn, "aspects", 1, "ana", 0),
    ):
        with write(engine) as conn:
            step(conn)
            last = revisions.last_generation(conn)
            assert last is not None
            seen.append((last.number, last.brands, last.model))
    assert seen == [
        (1, 1, ""),
        (2, 1, "linear@1"),
        (2, 1, "linear@1"),
        (2, 1, "linear@1"),
        (3, 2, "linear@1"),
        (4, 3, "linear@1"),
        (5, 3, "fast@1"),
        (6, 3, "linear@1"),
        (7, 3, "linear@1"),
        (7, 3, "linear@1"),
        (8, 3, "linear@1"),
        (9, 3, "linear@1"),
    ]


def test_aspects_alone_open_a_generation_without_brands_and_processes_take_them_up(engine: Engine) -> None:
    seconds = Seconds()
    registry = SqlRegistry(engine, "linear@1", clock=ManualClock(5), monotonic=seconds)
    assert registry.current().aspects == ()
    adopt(engine, "aspects", MILES)
    seconds.now = 60
    assert registry.current().aspects == (Aspect(id="miles", en=("frequent flyer",)),)
    assert registry.current().generation == 2


def test_a_process_with_an_older_model_never_stamps_the_newer_ones_generation(engine: Engine) -> None:
    seconds = Seconds()
    old = SqlRegistry(engine, "linear@1", clock=ManualClock(5), monotonic=seconds)
    assert old.current().generation == 1
    new = SqlRegistry(engine, "fast@1", clock=ManualClock(6), monotonic=seconds)
    assert new.current().generation == 2
    adopt(engine, "brands", ACME)
    seconds.now = 60
    assert [registry.current().generation for registry in (old, new, SqlRegistry(engine, None))] == [1, 3, 3]


def test_a_worker_with_an_older_model_reads_by_what_is_in_force_under_its_own_generation(engine: Engine) -> None:
    seconds, model = Seconds(), LinearClassifier()
    adopt(engine, "brands", ACME)
    registry = SqlRegistry(engine, model.model, clock=ManualClock(5), monotonic=seconds)
    work = UnderstandWork(model, Languages(), registry)
    own, newer = work.generation, SqlRegistry(engine, "own-1", clock=ManualClock(6)).current().generation

    def read_now() -> tuple[int, list[tuple[str, bool, str]]]:
        seconds.now += LOOK_EVERY
        work.idle(0)
        post = Post(id="x:1", network="x", text="Acme or Globex, who is a frequent flyer?", seen_at=1, event_time=1)
        found = decode(Understood, work.run([LogRecord("posts", 0, 0, post.id, encode(post), 1)], (), 1)[0].value)
        mentions = found.mentions or ()
        return found.generation, [(m.brand, "miles" in m.aspects, m.about.label if m.about else "") for m in mentions]

    assert read_now() == (own, [("acme", False, "")])
    adopt(engine, "brands", BOTH)
    assert read_now() == (own, [("acme", False, ""), ("globex", False, "")])
    adopt(engine, "aspects", MILES)
    assert read_now() == (own, [("acme", True, ""), ("globex", True, "")])
    with write(engine) as conn:
        filters.adopt(conn, "acme", NEVER_MEANT, "", "ana", 7)
    assert read_now() == (own, [("acme", True, "no"), ("globex", True, "")])
    with read(engine) as conn:
        assert own < newer < revisions.generation_of(conn, "own-1")


def test_rules_alone_leave_a_worker_as_it_is(engine: Engine) -> None:
    """It warns of shares that have no effect whenever it adopts."""
    seconds, model = Seconds(), LinearClassifier()
    model.priors = {}
    adopt(engine, "brands", WITH_SHARES)
    registry = SqlRegistry(engine, model.model, clock=ManualClock(5), monotonic=seconds)
    with capture_logs() as logged:
        work = UnderstandWork(model, Languages(), registry)
        before = registry.current()
        adopt(engine, "rules", "rules: []\n")
        seconds.now = LOOK_EVERY
        work.idle(0)
        assert registry.current().rules_revision > before.rules_revision
    assert [one["event"] for one in logged].count("prior_has_no_effect") == 1


# --- what processes see -------------------------------------------------------------------------------------------


def test_the_registry_keeps_the_port(engine: Engine) -> None:
    registry: Registry = SqlRegistry(engine, "linear@1")
    assert registry.current() == InForce(1, (), 0, "")


def test_a_new_revision_is_adopted_within_a_second_and_not_asked_for_more_often(engine: Engine) -> None:
    seconds = Seconds()
    registry = SqlRegistry(engine, None, monotonic=seconds)
    first = registry.current()
    adopt(engine, "brands", ACME)
    adopt(engine, "rules", "rules: []\n")
    adopt(engine, "people", '[{"email":"p@x.org","id":"p","name":"P"}]')
    adopt(engine, "sources", '[{"id":"s","kind":"file"}]')
    seconds.now = LOOK_EVERY / 2
    assert registry.current() is first
    seconds.now = LOOK_EVERY
    found = registry.current()
    assert [brand.id for brand in found.brands] == ["acme"]
    assert (found.generation, found.rules_revision, found.rules_yaml) == (1, 1, "rules: []\n")
    assert [person.email for person in registry.people()] == ["p@x.org"]
    assert [source.id for source in registry.sources()] == ["s"]


def test_of_several_threads_one_looks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = Seconds()
    registry = SqlRegistry(engine, None, monotonic=seconds)
    registry.current()
    adopt(engine, "brands", ACME)
    looking, go_on = threading.Event(), threading.Event()
    looks: list[object] = []
    asked = revisions.standing

    def slowly(*values: object) -> object:
        looks.append(values)
        looking.set()
        assert go_on.wait(10)
        return asked(*values)  # type: ignore[arg-type]

    monkeypatch.setattr("database.registry.revisions.standing", slowly)
    seconds.now = LOOK_EVERY
    found: list[InForce] = []
    threads = [threading.Thread(target=lambda: found.append(registry.current())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert looking.wait(10)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(looks) == 1
    assert [[brand.id for brand in one.brands] for one in found] == [["acme"]] * 4


def test_what_has_not_changed_stays_the_same_object(engine: Engine) -> None:
    seconds = Seconds()
    adopt(engine, "brands", ACME)
    registry = SqlRegistry(engine, None, monotonic=seconds)
    before = registry.current()
    seconds.now = 10
    assert registry.current() is before
    adopt(engine, "rules", "rules: []\n")
    seconds.now = 20
    assert registry.current().brands is before.brands


@only_sqlite
def test_a_database_that_is_away_for_a_moment_leaves_in_force_what_was(tmp_path: Path, engine: Engine) -> None:
    adopt(engine, "brands", ACME)
    seconds = Seconds()
    registry = SqlRegistry(engine, None, monotonic=seconds)
    before = registry.current()
    engine.dispose()
    file = tmp_path / "app.db"
    hidden = [(path, path.rename(tmp_path / f"away-{path.name}")) for path in tmp_path.glob("app.db*")]
    file.mkdir()
    seconds.now = 5
    assert registry.current() is before
    file.rmdir()
    for path, away in hidden:
        away.rename(path)
    adopt(engine, "brands", GLOBEX)
    seconds.now = 10
    assert [brand.id for brand in registry.current().brands] == ["globex"]


NEWER = '[{"id":"acme","name":"Acme","moods":["calm"]}]'


def test_a_revision_of_a_newer_version_is_refused_at_the_start_and_not_taken_up_later(engine: Engine) -> None:
    adopt(engine, "brands", ACME)
    seconds = Seconds()
    running = SqlRegistry(engine, None, monotonic=seconds)
    before = running.current()
    adopt(engine, "brands", NEWER)
    seconds.now = 5
    assert running.current() is before
    with pytest.raises(ConfigurationError, match=r"revision 2 of brands: error: brands\[0\]\.moods.*upgrade"):
        SqlRegistry(engine, None).current()
    adopt(engine, "brands", GLOBEX)
    seconds.now = 10
    assert [brand.id for brand in running.current().brands] == ["globex"]
