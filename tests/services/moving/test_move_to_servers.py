"""A home moved from its files to Kafka, Elasticsearch and PostgreSQL, on real servers."""

from __future__ import annotations

import os
import shutil
import signal
import time
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from living import CONFIGURATION, NOW, Living, gone, post, settled_home
from test_move import moved, moving, on_the_new_engines, quiet
from test_move_store import meanwhile

from clamor.moving.move import catch_up
from clamor.moving.note import MoveError, noted
from clamor.offsets import GROUPS
from config.home import Home
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import POSTS, TOPICS, Append
from stream.sqlite_file import Writer
from tests.services.moving.servers import Servers

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


@pytest.fixture
def home(places: Servers, tmp_path: Path) -> Home:
    made = settled_home(tmp_path / "home")
    engines, secrets = places.engines(tmp_path)
    (made.root / "big.yaml").write_text(CONFIGURATION + engines, encoding="utf-8")
    made.secrets_file.touch(mode=0o600)
    made.secrets_file.write_text("".join(f"{name}={value}\n" for name, value in secrets.items()))
    return made


def found(living: Living) -> set[str]:
    """Once the cluster finds what it has."""
    store = living.opened.store
    store.refresh()
    return living.found()


def truth(living: Living) -> dict[str, list[Any]]:
    """Whatever order a database gives names in."""
    return {name: sorted(rows) for name, rows in living.truth().items()}


def drain(living: Living) -> None:
    """A member joins a group on Kafka within some polls, so that a turn without records says nothing."""
    deadline = time.monotonic() + 120
    while any(living.opened.log.lag(group, topic) for group, topic in GROUPS.items()) or living.relay.pending():
        assert time.monotonic() < deadline, [stage.status() for stage in living.stages]
        living.clock.advance(1_000)
        for stage in living.stages:
            stage.step(200)
        living.relay.step()


def test_a_home_is_moved_to_three_servers_and_goes_on(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n, f"Acme Air lost my bag, number {n} \u0000 ñ 漢") for n in range(40)), gone(3))
        with moving(home) as move:
            catch_up(move, quiet)
            living.live(post(50), gone(4), post(5, "Acme Air found it", kind="edited", revision=1))
            living.take(post(60))
            told, known = truth(living), living.found()
            living.close()
            ended = move.end(quiet)
    assert (ended.twice, ended.refused, ended.mentions) == (0, 0, len(known))
    assert ended.left_out > 0
    assert all(ended.moved)
    with Living(on_the_new_engines(home)) as living:
        assert truth(living) == told
        assert found(living) == known
        drain(living)
        assert found(living) == known | {"x:60#acme"}
        living.take(post(61), gone(60))
        drain(living)
        assert found(living) == known | {"x:61#acme"}


def test_killed_at_any_write_of_its_journal_it_goes_on(home: Home) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(12)), gone(4))
        living.take(post(50))
        told, known = truth(living), living.found()
    kills = 0
    for writes in (1, 20, 40, 60):
        if not _killed_at(home, writes):
            break
        kills += 1
    assert kills
    note = noted(home)
    if note is None or note.phase != "done":
        moved(home)
    with Living(on_the_new_engines(home)) as living:
        assert truth(living) == told
        drain(living)
        assert found(living) == known | {"x:50#acme"}


def _killed_at(home: Home, writes: int) -> bool:
    """As test_move's, by the writes of the files alone: the connections to servers belong to the child."""
    pid = os.fork()
    if pid == 0:
        left, code, transaction = iter(range(writes)), 1, Writer.transaction

        def counted(writer: Writer, doing: str) -> object:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return transaction(writer, doing)

        Writer.transaction = counted
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


def test_where_another_program_writes_to_the_new_log_the_home_is_as_it_was(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
    with moving(home) as move:
        catch_up(move, quiet)
        move.target.log.append([Append(POSTS, "x:foreign", b"of another program")])
        with pytest.raises(MoveError, match="nobody copied"):
            move.end(quiet)
    with closing(EmbeddedLog(living.home.log_db, ManualClock(NOW))) as log:
        assert log.append([Append(POSTS, "x:2", b"{}")])


def test_with_the_log_alone_the_tables_and_the_index_stay(home: Home) -> None:
    settings = (home.root / "big.yaml").read_text(encoding="utf-8")
    (log,) = [line for line in settings.splitlines() if line.startswith("  log:")]
    (home.root / "big.yaml").write_text(f"{CONFIGURATION}engines:\n{log}\n", encoding="utf-8")
    with Living(home) as living:
        living.live(*(post(n) for n in range(12)))
        living.take(post(50))
        told, known = truth(living), living.found()
        bounds = {topic: living.opened.log.bounds(topic) for topic in TOPICS}
    ended = moved(home)
    assert (ended.moved.log, ended.moved.store, ended.moved.database) == (True, False, False)
    assert ended.records == sum(end - low for each in bounds.values() for low, end in each.values())
    shutil.copy(home.root / "big.yaml", home.settings_file)
    with Living(home) as living:
        assert (truth(living), living.found()) == (told, known)
        drain(living)
        assert living.found() == known | {"x:50#acme"}


def test_with_the_store_alone_nothing_is_missed_of_what_is_decided_meanwhile(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (home.root / "big.yaml").read_text(encoding="utf-8")
    (store,) = [line for line in settings.splitlines() if line.startswith("  store:")]
    (home.root / "big.yaml").write_text(f"{CONFIGURATION}engines:\n{store}\n", encoding="utf-8")
    numbers = iter(range(100, 1_000))
    with Living(home) as elsewhere:
        elsewhere.live(*(post(n) for n in range(40)))
        meanwhile(monkeypatch, "_in_sql", lambda: elsewhere.live(post(next(numbers))), after=False)
        meanwhile(monkeypatch, "_in_store", lambda: elsewhere.live(gone(next(numbers) - 100), post(50)), after=True)
        with moving(home) as move:
            catch_up(move, quiet)
            move.end(quiet)
        told, known = truth(elsewhere), elsewhere.found()
    with Living(on_the_new_engines(home)) as living:
        assert truth(living) == told
        deadline = time.monotonic() + 60
        while found(living) != known:
            # The log was told by the former index that all of it is done, so that its lag says nothing.
            assert time.monotonic() < deadline, found(living) ^ known
            living.drain()
