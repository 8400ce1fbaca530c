from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from config import home as home_module
from config import load as load_module
from config.disk import DiskFree, disk_free, network_file_system
from config.home import AlreadyRunning, Home, HomeError, prepare, write_example
from config.lock import START, RunLock, holder

ROOT = Path(__file__).parents[2]

HOLD = """
import os, sys, time
from config.home import Home
from config.lock import RunLock
lock = RunLock(Home.at(sys.argv[1]), "start" if sys.argv[2:] == ["start"] else "run")
lock.acquire()
child = os.fork() if sys.argv[2:] == ["fork"] else 1
print(child, flush=True) if child else None
sys.stdin.read() if child else time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "home")
    prepare(home)
    return home


def hold(home: Home, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.root), *options],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def test_a_second_run_is_refused_with_the_process_and_the_way_out_and_kill_9_frees_it(home: Home) -> None:
    process = hold(home)
    try:
        assert first_line(process)
        with pytest.raises(AlreadyRunning) as caught:
            RunLock(home).acquire()
        assert f"process {process.pid}" in str(caught.value)
        assert f"kill {process.pid}" in str(caught.value)
        assert str(home.data) in str(caught.value)
        found = holder(home)
        assert found is not None
        assert found.pid == process.pid
    finally:
        end(process)
    assert holder(home) is None
    with RunLock(home):
        found = holder(home)
        assert found is not None
        assert found.pid == os.getpid()


def test_children_that_outlive_a_killed_run_keep_its_data_folder(home: Home) -> None:
    process = hold(home, "fork")
    child = int(first_line(process))
    try:
        end(process)
        with pytest.raises(AlreadyRunning, match="which is gone, but processes that it started"):
            RunLock(home).acquire()
    finally:
        os.kill(child, signal.SIGKILL)
    RunLock(home).acquire()


def test_a_fork_that_lets_go_leaves_the_lock_with_its_parent(home: Home) -> None:
    with RunLock(home) as lock:
        child = os.fork()
        if child == 0:
            lock.release()
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(AlreadyRunning):
            RunLock(home).acquire()


def test_who_is_patient_waits_for_the_one_that_makes_the_home_ready(home: Home) -> None:
    process = hold(home, "start")
    assert first_line(process)
    threading.Timer(0.6, process.kill).start()
    with RunLock(home, START, patience=60):
        found = holder(home, START)
    assert found is not None
    assert found.pid == os.getpid()
    end(process)


def test_a_home_that_is_being_made_ready_is_no_reason_to_kill_anybody(home: Home) -> None:
    with RunLock(home, START), pytest.raises(AlreadyRunning, match="try again in a moment") as caught:
        RunLock(home, START, patience=0).acquire()
    assert "kill" not in str(caught.value)


def test_roles_do_not_hinder_one_another(home: Home) -> None:
    with RunLock(home), RunLock(home, "nlp"), pytest.raises(AlreadyRunning, match="stage nlp"):
        RunLock(home, "nlp").acquire()


def test_a_lock_without_a_folder_says_so(tmp_path: Path) -> None:
    blocked = Home.at(tmp_path / "home")
    blocked.root.mkdir()
    blocked.data.write_text("a file where the folder should be")
    with pytest.raises(HomeError, match="cannot write the lock"):
        RunLock(blocked).acquire()


# --- the folder ---------------------------------------------------------------------------------------------------


def test_the_home_is_found_by_option_then_environment_then_here() -> None:
    assert Home.find("/a", {"CLAMOR_HOME": "/b"}).root == Path("/a")
    assert Home.find(None, {"CLAMOR_HOME": "/b"}).root == Path("/b")
    assert Home.find(None, {}).root == Path.cwd() / "clamor-home"


def test_data_may_lie_elsewhere() -> None:
    assert Home.at("/a", "/mnt/fast").log_db == Path("/mnt/fast/log.db")
    assert Home.at("/a").with_data("x").index_db == Path("/a/x/index.db")


def test_only_the_owner_may_look_into_the_data(home: Home) -> None:
    assert home.data.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match=r"cannot make .*file.*choose another --home"):
        prepare(Home.at(tmp_path / "file" / "home"))


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "network_file_system", lambda path: "nfs4")
    with pytest.raises(HomeError, match=r"network file system \(nfs4\).*local disk"):
        prepare(Home.at(tmp_path))


@pytest.mark.parametrize(
    ("free", "words"),
    [(4_900_000_000, "4.9% free (4.9 GB); below 5% nothing but deletes"), (9 * 10**9, "below 10% streams pause")],
)
def test_a_disk_that_fills_up_is_a_warning_and_never_keeps_deletes_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, words: str
) -> None:
    home = Home.at(tmp_path)
    home.settings_file.write_text("")
    monkeypatch.setattr(load_module, "disk_free", lambda path: DiskFree(free, 100 * 10**9))
    (problem,) = load_module.check(home, use="run")
    assert (problem.severity, words in problem.message) == ("warning", True)
    assert "make space" in problem.advice


@pytest.mark.parametrize(("free", "pause", "stop"), [(100, False, False), (99, True, False), (49, True, True)])
def test_streams_pause_below_a_tenth_and_writes_stop_below_a_twentieth(free: int, pause: bool, stop: bool) -> None:
    found = DiskFree(free, 1000)
    assert (found.pause, found.stop) == (pause, stop)


def test_the_disk_under_a_folder_that_is_not_there_yet_is_known(tmp_path: Path) -> None:
    found = disk_free(tmp_path / "not" / "yet")
    assert 0 <= found.free <= found.total
    assert network_file_system(tmp_path / "not" / "yet") is None


def test_init_never_writes_over_anything(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "new")
    home.root.mkdir()
    home.secrets_file.write_text("A=mine\n")
    written = write_example(home, "{}")
    assert {path.name for path in written} == {"clamor.yaml", "clamor.schema.json"}
    assert home.secrets_file.read_text() == "A=mine\n"
    home.settings_file.write_text("brands: []\n")
    with pytest.raises(HomeError, match="exists already"):
        write_example(home, "{}")
    assert home.settings_file.read_text() == "brands: []\n"


def test_the_secrets_that_init_writes_are_the_owners_only(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "new")
    write_example(home, "{}")
    assert home.secrets_file.stat().st_mode & 0o777 == 0o600
    assert load_module.check(home) == []


def test_a_stage_beside_a_run_is_told_that_it_is_part_of_it(home: Home) -> None:
    with RunLock(home), RunLock(home, "routing"), pytest.raises(AlreadyRunning) as caught:
        RunLock(home, "routing").acquire()
    assert f"part of `clamor run`, which is running on {home.data} as process {os.getpid()}" in str(caught.value)
    assert "kill" not in str(caught.value)
