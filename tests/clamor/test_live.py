"""`clamor demo --live`: every network at once, and in the end what was published is what is held."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clamor import exits, live, town
from clamor.live import named
from clamor.town import Compared, InLog, NoCheckout, Town, checkout, compared
from config.brands import Brand
from stream.clock import DAY, WallClock
from stream.embedded import EmbeddedLog
from stream.ports import POSTS, TopicSpec
from tests.standins.inhabited import NETWORKS

NAMES = [one.name for one in NETWORKS]


def test_what_is_missing_old_or_too_many_is_told_apart() -> None:
    assert compared({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "old", "d": "4"}) == Compared(3, 3, 1, 1, 1)
    assert not compared({"a": "1"}, {}).same
    assert compared({"a": "1"}, {"a": "1"}).same


def test_texts_name_a_brand_by_its_name_and_nothing_that_it_is_not() -> None:
    texts = named([Brand(id="espiga", name="La Espiga", exclude=("espiga de trigo",))])
    assert len(texts) > 10
    assert all("La Espiga" in text and "espiga de trigo" not in text.casefold() for text in texts)


def test_an_installed_package_says_that_a_checkout_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(town, "__file__", str(tmp_path / "site-packages" / "clamor" / "town.py"))
    with pytest.raises(NoCheckout, match="checkout"):
        checkout()
    assert live.watch_live(5_000, 4) == exits.FAILED
    assert "make install" in " ".join(capsys.readouterr().err.split())


def test_the_networks_live_in_a_process_that_ends_with_who_started_it() -> None:
    with Town(checkout(), texts=["Acme is late"], rate=2_000, trouble_every=0) as at_work:
        assert [one["id"] for one in at_work.sources] == NAMES
        assert not any(at_work.truth().values())
        at_work.write()
        while min(one["published"] for one in at_work.figures().values()) < 10:
            time.sleep(0.05)
        at_work.still()
        figures, truth = at_work.figures(), at_work.truth()
        assert at_work.truth() == truth
        for name, stands in truth.items():
            assert len(stands) == figures[name]["published"] - figures[name]["deleted"]
        assert sum(" (!)" in text for stands in truth.values() for text in stands.values()) > 0
    assert at_work.process.returncode == 0


def test_an_empty_log_holds_nothing(tmp_path: Path) -> None:
    log, held = EmbeddedLog(tmp_path / "log.db", WallClock()), InLog()
    try:
        log.ensure([TopicSpec(POSTS, 1, DAY)])
        held.look(log)
    finally:
        log.close()
    assert held.beside({"x": {"x:1": "Acme"}}) == {"x": Compared(1, 0, 1, 0, 0)}


def test_interrupted_it_tells_what_it_has_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "clamor.cli", "demo", "--live", "--for", "1h"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        while line := process.stdout.readline():
            if "Everybody is listened to" in line:
                break
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0]
        assert process.returncode == exits.OK, told
        assert "stands there" in told
        assert "Traceback" not in told
    finally:
        process.kill()
        process.wait()
