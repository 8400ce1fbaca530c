"""A home moved to other engines: nothing lost, nothing twice, nothing deleted brought back, whatever cuts it short.

Here both sides are files, in two data folders; the same on real servers stands in tests/services/moving.
"""

from __future__ import annotations

import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from living import CONFIGURATION, NOW, Living, gone, post, settled_home

from clamor.moving import beginning
from clamor.moving.beginning import begun, give_up
from clamor.moving.move import Ended, Move, carry_out, catch_up
from clamor.moving.note import MoveError, noted
from clamor.opening import open_home
from clamor.starting import make_ready
from config.home import AlreadyRunning, Home
from config.lock import RunLock
from database import copying
from database.engine import many, open_database, rows, write
from database.migrate import NotWhole
from database.sequences import last_given
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import DECIDED, MENTIONS, POSTS, TOPICS, Append, LogUnusable
from stream.sqlite_file import Writer

BIG = CONFIGURATION + "data: moved\nengines: {log: {partitions: 6}}\n"
SERVER = "{kind: postgres, host: db.example.org, name: clamor, user: clamor, password_env: CLAMOR_TEST_DATABASE}"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = settled_home(tmp_path / "home")
    (made.root / "big.yaml").write_text(BIG, encoding="utf-8")
    return made


def quiet(what: str, done: int, total: int) -> None: ...


@contextmanager
def moving(home: Home) -> Iterator[Move]:
    with begun(home, "big.yaml") as found:
        yield Move(found)


def moved(home: Home) -> Ended:
    with moving(home) as move:
        return carry_out(move, lambda words: None, quiet)


def test_what_left_a_moment_ago_by_mail_or_channel_is_known_at_the_new_place(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    for name in ("mails.journal", "channels.journal"):
        (home.data / name).write_text(f"<{name}@example.net>\n", encoding="ascii")
    moved(home)
    for name in ("mails.journal", "channels.journal"):
        there = home.root / "moved" / name
        assert there.read_text(encoding="ascii") == f"<{name}@example.net>\n"


def on_the_new_engines(home: Home) -> Home:
    shutil.copy(home.root / "big.yaml", home.settings_file)
    return home


def records(folder: Path) -> list[bytes]:
    with closing(EmbeddedLog(folder / "log.db", ManualClock(NOW))) as log:
        return [
            record.value
            for topic in TOPICS
            for part, (low, end) in log.bounds(topic).items()
            for record in log.read(topic, part, low, end - low)
        ]


def test_what_was_there_is_there_and_goes_on(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(20)), post(20, "nothing of interest"))
        living.live(gone(3), post(5, "Acme Air found my bag, thank you all", kind="edited", revision=1))
        truth, found = living.truth(), living.found()
        mails = living.sql("SELECT message_id, state FROM mail ORDER BY id")
    ended = moved(home)
    assert (ended.twice, ended.refused, ended.mentions) == (0, 0, len(found))
    assert ended.rows > 0
    with Living(on_the_new_engines(home)) as living:
        assert living.home.data == home.root / "moved"
        assert (living.truth(), living.found()) == (truth, found)
        living.drain()
        assert (living.truth(), living.found()) == (truth, found)
        assert living.sql("SELECT message_id, state FROM mail ORDER BY id") == mails
        living.live(post(30), gone(7))
        assert living.found() == (found | {"x:30#acme"}) - {"x:7#acme"}


def test_what_each_stage_had_not_done_it_does_in_the_new_log(home: Home, tmp_path: Path) -> None:
    def live(living: Living, stages: int) -> None:
        living.live(*(post(n) for n in range(15)))
        living.take(*(post(n) for n in range(15, 30)))
        for stage in living.stages[:stages]:
            stage.step(0)
        living.take(*(post(n) for n in range(30, 45)), gone(20))

    def settled(living: Living) -> dict[str, Any]:
        """What does not rest on the order in which partitions are worked through."""
        return {
            "mentions": living.sql("SELECT p.id, m.state FROM mention m JOIN post p ON p.n = m.post ORDER BY p.id"),
            "cases": living.sql("SELECT count(*) FROM cases WHERE live = 1"),
            "counts": living.sql(
                "SELECT (SELECT coalesce(sum(mentions), 0) FROM count_minute) "
                "+ (SELECT coalesce(sum(mentions), 0) FROM count_delta)"
            ),
            "found": living.found(),
        }

    with Living(settled_home(tmp_path / "twin")) as twin:
        live(twin, 0)
        twin.drain()
        wanted = settled(twin)
    for stages in range(4):
        here = settled_home(tmp_path / f"home-{stages}")
        (here.root / "big.yaml").write_text(BIG, encoding="utf-8")
        with Living(here) as living:
            live(living, stages)
        moved(here)
        with Living(on_the_new_engines(here)) as living:
            living.drain()
            assert settled(living) == wanted, stages


def test_what_comes_and_goes_during_the_copy_is_copied(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(10)))
        with moving(home) as move:
            catch_up(move, quiet)
            living.live(*(post(n) for n in range(10, 20)), gone(2))
            catch_up(move, quiet)
            living.live(post(1, "Acme Air paid, all is well", kind="edited", revision=1), gone(11))
            living.take(post(40))
            truth, found = living.truth(), living.found()
            living.close()
            move.end(quiet)
    with Living(on_the_new_engines(home)) as moved_to:
        assert (moved_to.truth(), moved_to.found()) == (truth, found)
        moved_to.drain()
        assert moved_to.found() == found | {"x:40#acme"}


def test_a_deleted_text_is_not_brought_back(home: Home) -> None:
    before, later = "Acme Air lost Xanthippe", "Acme Air lost Zenobia"
    with Living(home) as living:
        living.live(post(1, before), post(2, later), post(3))
        living.live(gone(1))
        with moving(home) as move:
            catch_up(move, quiet)
            living.live(gone(2))
            living.close()
            ended = move.end(quiet)
    assert ended.left_out > 0
    assert not any(b"Xanthippe" in value for value in records(home.root / "moved"))
    with Living(on_the_new_engines(home)) as moved_to:
        assert moved_to.found() == {"x:3#acme"}
        for name in (b"Xanthippe", b"Zenobia"):
            assert moved_to.sql("SELECT count(*) FROM mention WHERE instr(body, ?) > 0", name) == [(0,)]
        moved_to.live(post(1, before), post(2, later))
        assert moved_to.found() == {"x:3#acme"}


def test_numbers_go_on_behind_those_that_were_ever_given(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(5)))
        with write(living.opened.engine) as connection:
            many(connection, "DELETE FROM outbox", [()])
            many(connection, "DELETE FROM alert", [()])
        given = last_given(living.opened.engine)
    moved(home)
    with Living(on_the_new_engines(home)) as living:
        assert last_given(living.opened.engine) == given
        living.live(post(9))
        (first,) = living.sql("SELECT min(n) FROM case_event WHERE n > ?", given["case_event"])
        assert first[0] == given["case_event"] + 1


def test_killed_at_any_write_it_goes_on_and_nothing_is_lost(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(12)), gone(4))
        living.take(post(50))
        truth, found = living.truth(), living.found()
    kills = 0
    for writes in (0, 1, 3, 8, 20, 40, 60, 80, 100, 120, 140):
        if not killed_at(home, writes):
            break
        kills += 1
    assert kills >= 4
    note = noted(home)
    if note is None or note.phase != "done":
        moved(home)
    with Living(on_the_new_engines(home)) as living:
        assert (living.truth(), living.found()) == (truth, found)
        living.drain()
        assert living.found() == found | {"x:50#acme"}


def killed_at(home: Home, writes: int) -> bool:
    """Whether a move was killed before that many writes and one were done; false where it came to its end."""
    pid = os.fork()
    if pid == 0:
        left, code = iter(range(writes)), 1
        Writer.transaction = _until(left, Writer.transaction)
        copying.write = _until(left, copying.write)
        try:
            moved(home)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.waitstatus_to_exitcode(status) != 0


def _until(left: Iterator[int], transaction: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def dying(*arguments: Any, **named: Any) -> Iterator[Any]:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        with transaction(*arguments, **named) as connection:
            yield connection

    return dying


def test_a_batch_that_was_appended_and_not_noted_stands_there_twice_and_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(6)))
        truth, found = living.truth(), living.found()
    with moving(home) as move:
        original = move.journal.note

        def forgetful(batch: Any, tried: Any = ()) -> None:
            if batch.copied:
                raise KeyboardInterrupt
            original(batch, tried)

        monkeypatch.setattr(move.journal, "note", forgetful)
        with pytest.raises(KeyboardInterrupt):
            carry_out(move, lambda words: None, quiet)
    assert moved(home).twice > 0
    with Living(on_the_new_engines(home)) as living:
        living.drain()
        assert (living.truth(), living.found()) == (truth, found)


def test_nothing_is_switched_while_a_stage_works(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with RunLock(living.home, "run"), moving(home) as move:
        assert move.working()
        catch_up(move, quiet)
        with pytest.raises(AlreadyRunning):
            move.end(quiet)
        with Living(home) as living:
            living.live(post(2))
            assert living.found() == {"x:1#acme", "x:2#acme"}


def test_where_the_copy_is_not_equal_the_home_is_as_it_was(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with moving(home) as move:
        catch_up(move, quiet)
        move.target.log.append([Append(POSTS, "x:foreign", b"of another program")])
        with pytest.raises(MoveError, match="nobody copied"):
            move.end(quiet)
    note = noted(living.home)
    assert note is not None
    assert note.phase == "copying"
    with Living(home) as living:
        living.live(post(2))
        assert living.found() == {"x:1#acme", "x:2#acme"}


def test_who_still_has_the_old_engines_open_is_told(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with (
        closing(EmbeddedLog(living.home.log_db, ManualClock(NOW))) as log,
        closing(_Engine(living.home.app_db)) as database,
    ):
        moved(home)
        with pytest.raises(LogUnusable, match=r"is moved to the engines of big\.yaml"):
            log.append([Append(POSTS, "x:9", b"{}")])
        with pytest.raises(Exception, match=r"is moved to the engines of big\.yaml"), write(database.engine) as sql:
            many(sql, "UPDATE cases SET assignee = ?", [("ana",)])
        assert log.lag("nlp", POSTS) == 0
    with pytest.raises(MoveError, match="still names those"):
        open_home(home, use="check")
    with pytest.raises(MoveError, match="already"), moving(home):
        pass


class _Engine:
    def __init__(self, path: Path) -> None:
        self.engine = open_database(path)

    def close(self) -> None:
        self.engine.dispose()


def test_what_is_not_whole_is_used_by_nobody(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with moving(home) as move:
        catch_up(move, quiet)
    other = settled_home(home.root.parent / "other", BIG)
    (other.root / "moved").symlink_to(home.root / "moved")
    with open_home(other, use="check") as opened, pytest.raises(NotWhole, match="clamor move"):
        make_ready(opened)
    on_the_new_engines(home)
    with pytest.raises(MoveError, match="nothing is to be moved"), moving(home):
        pass


def test_a_move_that_is_given_up_leaves_the_home_as_it_is(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with moving(home) as move:
        catch_up(move, quiet)
    assert give_up(home).settings == "big.yaml"
    assert noted(living.home) is None
    with pytest.raises(MoveError, match="has tables of Clamor already"), moving(home):
        pass
    shutil.rmtree(home.root / "moved")
    with Living(home) as living:
        living.live(post(2))
    moved(home)
    with Living(on_the_new_engines(home)) as living:
        assert living.found() == {"x:1#acme", "x:2#acme"}


def cut_short(home: Home) -> None:
    """With one post in it, in the middle of what closes the old engines."""
    with Living(home) as living:
        living.live(post(1))
    with moving(home) as move:
        catch_up(move, quiet)
        move._enter("stopping")
        move._close_off()


def test_where_the_end_was_cut_short_the_home_waits_for_one_of_two_words(home: Home) -> None:
    cut_short(home)
    with pytest.raises(MoveError, match=r"since .* UTC \(phase stopping\).*clamor move --to big\.yaml.*--give-up"):
        open_home(home, use="check")
    give_up(home)
    with Living(home) as living:
        living.live(post(2))
        assert living.found() == {"x:1#acme", "x:2#acme"}


def test_a_move_is_given_up_with_the_engines_that_it_moves_from(home: Home) -> None:
    cut_short(home)
    settings = home.settings_file.read_text(encoding="utf-8")
    home.settings_file.write_text(f"{settings}engines: {{database: {SERVER}}}\n", encoding="utf-8")
    with pytest.raises(MoveError, match=r"names other engines .*: put them back"):
        give_up(home)
    home.settings_file.write_text(settings, encoding="utf-8")
    give_up(home)
    with Living(home) as living:
        living.live(post(2))
        assert living.found() == {"x:1#acme", "x:2#acme"}


@pytest.mark.parametrize("engine", ["log", "store"])
def test_a_log_or_a_store_that_holds_something_is_refused(home: Home, engine: str) -> None:
    with Living(home) as living:
        living.live(post(1))
    filled = settled_home(home.root.parent / "filled", BIG)
    with Living(filled) as living:
        living.live(post(2))
    (home.root / "moved").mkdir()
    name = {"log": "log.db", "store": "index.db"}[engine]
    for path in (filled.root / "moved").glob(f"{name}*"):
        shutil.copy(path, home.root / "moved" / path.name)
    with pytest.raises(MoveError, match=f"the {engine} of big.yaml"), moving(home):
        pass
    assert noted(home) is None


def test_a_database_of_another_release_is_refused(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
        with write(living.opened.engine) as connection:
            many(connection, "UPDATE alembic_version SET version_num = ?", [("0001",)])
    with pytest.raises(MoveError, match="revision 0001"), moving(home):
        pass


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (CONFIGURATION, "names the same log"),
        (CONFIGURATION + "engines: {log: {retention: 5d}}\n", "names the same log"),
    ],
)
def test_a_file_with_the_same_engines_is_refused(home: Home, settings: str, words: str) -> None:
    with Living(home) as living:
        living.live(post(1))
    (home.root / "big.yaml").write_text(settings, encoding="utf-8")
    with pytest.raises(MoveError, match=words), moving(home):
        pass


def test_another_move_than_the_one_that_was_begun_is_refused(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with moving(home):
        pass
    (home.root / "big.yaml").write_text(BIG.replace("moved", "elsewhere"), encoding="utf-8")
    with pytest.raises(MoveError, match="between other places"), moving(home):
        pass


def test_a_new_log_that_was_made_anew_is_refused(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with moving(home) as move:
        catch_up(move, quiet)
    for path in (home.root / "moved").glob("log.db*"):
        path.unlink()
    with pytest.raises(MoveError, match="made anew"), moving(home):
        pass


def test_a_home_in_simulated_time_is_not_moved(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with Living(home) as living:
        living.live(post(1))
    monkeypatch.setattr(beginning, "pace_of", lambda home: object())
    with pytest.raises(MoveError, match="simulated time"), moving(home):
        pass


def test_the_offsets_of_every_stage_belong_to_the_new_log(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(8)))
    moved(home)
    with open_home(on_the_new_engines(home), use="check") as opened:
        log, epoch = opened.log, opened.log.epoch()
        assert log.lag("nlp", POSTS) == 0
        standing = opened.store.standing()
        assert standing.log == epoch
        assert standing.offsets == {(DECIDED, part): end for part, (_, end) in log.bounds(DECIDED).items()}
        with closing(_Engine(opened.home.app_db)) as database, write(database.engine) as connection:
            found = rows(connection, "SELECT topic, part, epoch, next FROM stored_offset ORDER BY part")
        assert found == [(MENTIONS, part, epoch, end) for part, (_, end) in sorted(log.bounds(MENTIONS).items())]
