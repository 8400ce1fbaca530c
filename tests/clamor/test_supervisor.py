"""The supervisor keeps what it was given running, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from clamor.supervisor import ProcessSpec, Supervisor
from clamor.upkeep import FAILING, Kept, failing
from config.home import HomeError


def until_stopped(stop: Callable[[], bool]) -> None:
    while not stop():
        time.sleep(0.01)


def test_a_killed_process_is_started_again_and_told_about() -> None:
    seen: list[int] = []
    told: list[tuple[str, int]] = []
    supervisor = Supervisor(
        [ProcessSpec("worker", until_stopped)], on_restart=lambda name, code: told.append((name, code))
    )

    def round_() -> bool:
        pid = supervisor.alive().get("worker")
        if pid and pid not in seen:
            seen.append(pid)
            if len(seen) == 1:
                os.kill(pid, signal.SIGKILL)
        return len(seen) < 2

    supervisor.run(round_, interval=0.02)
    assert told == [("worker", -signal.SIGKILL)]
    assert supervisor.alive() == {}


def test_stop_waits_for_a_process_to_drain(tmp_path: Path) -> None:
    mark = tmp_path / "drained"

    def drains(stop: Callable[[], bool]) -> None:
        until_stopped(stop)
        mark.write_text("yes")

    Supervisor([ProcessSpec("slow", drains)]).run(_rounds(3), interval=0.02)
    assert mark.read_text() == "yes"


def test_where_all_are_told_to_end_at_once_nothing_is_started_again() -> None:
    """As systemd and a terminal do it: the signal goes to the supervisor and to its processes."""
    told: list[tuple[str, int]] = []
    supervisor = Supervisor(
        [ProcessSpec("worker", until_stopped)], on_restart=lambda name, code: told.append((name, code))
    )

    def round_() -> bool:
        pid = supervisor.alive()["worker"]
        os.kill(pid, signal.SIGTERM)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    supervisor.run(round_, interval=0.02)
    assert told == []
    assert supervisor.children[0].exits == [0]


def test_a_process_that_ignores_the_request_is_killed_after_the_grace_time() -> None:
    def deaf(stop: Callable[[], bool]) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.05)

    supervisor = Supervisor([ProcessSpec("deaf", deaf)], grace=0.3)
    supervisor.run(_rounds(10), interval=0.02)
    assert supervisor.children[0].exits == [-signal.SIGKILL]


def test_one_that_is_through_is_not_started_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def once(stop: Callable[[], bool]) -> None:
        with runs.open("a") as f:
            f.write("x")

    Supervisor([ProcessSpec("once", once, essential=False)]).run(_rounds(8), interval=0.02)
    assert runs.read_text() == "x"


def test_what_people_can_mend_is_told_in_a_sentence_and_what_cannot_stay_up_is_noted(tmp_path: Path) -> None:
    """Ends as soon as the third restart is noted."""
    noted: list[tuple[Kept, ...]] = []

    def refused(stop: Callable[[], bool]) -> None:
        raise HomeError("the port is taken: set another")

    def broken(stop: Callable[[], bool]) -> None:
        raise ZeroDivisionError

    specs = [ProcessSpec("web", refused), ProcessSpec("nlp-1", broken), ProcessSpec("index", until_stopped)]
    supervisor = Supervisor(specs, note=noted.append, messages=tmp_path / "said")
    supervisor.run(lambda: not any(one.name == "web" and one.restarts >= FAILING for one in noted[-1]), interval=0.02)
    web, nlp, index = noted[-1]
    assert (web.exit_code, nlp.exit_code, index.exit_code, index.restarts) == (1, 1, None, 0)
    assert [one.stage for one in failing((web, index))] == ["web"]
    said = (tmp_path / "said").read_text()
    assert said.count("the port is taken: set another\n") >= FAILING
    assert "HomeError" not in said
    assert "ZeroDivisionError" in said, "what nobody can mend keeps its traceback"


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "child"

    def child(stop: Callable[[], bool]) -> None:
        note.write_text(str(os.getpid()))
        until_stopped(stop)

    parent = os.fork()
    if parent == 0:
        Supervisor([ProcessSpec("child", child)]).run()
        os._exit(0)
    while not (note.exists() and note.read_text()):
        time.sleep(0.01)
    pid = int(note.read_text())
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.02)
    assert not _runs(pid)


def _rounds(n: int) -> Callable[[], bool]:
    left = iter(range(n))
    return lambda: next(left, None) is not None


def _runs(pid: int) -> bool:
    """Whether it still executes: an orphan waiting to be reaped does not count."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
