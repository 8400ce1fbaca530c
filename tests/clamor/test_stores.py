"""The store that the settings name is opened, and what is missing for it is told in a sentence."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import closing
from pathlib import Path

import pytest

from clamor.backlog import stored_in_index
from clamor.clocks import set_pace
from clamor.opening import Opened
from clamor.status import status
from clamor.stores import index_file, open_store
from config.home import Home, HomeError, prepare
from config.load import Configuration, load
from database.migrate import upgrade
from index.embedded import EmbeddedStore
from stream.clock import WallClock
from stream.ports import DECIDED, Append, Commit

CLUSTER = "engines: {store: {kind: elasticsearch, hosts: ['http://127.0.0.1:1'], api_key_env: A_KEY%s}}\n"

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("elasticsearch") is None, reason="Elasticsearch's client is not installed"
)


def configuration(folder: Path, text: str, secrets: str = "") -> Configuration:
    home = Home.at(folder)
    home.settings_file.write_text(text, encoding="utf-8")
    home.secrets_file.write_text(secrets, encoding="utf-8")
    home.secrets_file.chmod(0o600)
    return load(home, use="check")


def test_the_embedded_store_is_what_nobody_need_name(tmp_path: Path) -> None:
    with closing(open_store(configuration(tmp_path, ""), WallClock())) as store:
        assert isinstance(store, EmbeddedStore)


@needs_client
def test_a_cluster_is_opened_without_being_asked_and_shows_no_key(tmp_path: Path) -> None:
    asked = configuration(tmp_path, CLUSTER % ", prefix: c7, shards: 3, timeout: 2s", "A_KEY=hunter2\n")
    with closing(open_store(asked, WallClock())) as store:
        assert repr(store) == "ElasticStore(Elasticsearch at 127.0.0.1:1 (c7-*))"
        assert store.cluster.shape == (3, 1, "clamor")  # type: ignore[attr-defined]
        assert store.cluster.time_limit == 2.0  # type: ignore[attr-defined]
        assert "hunter2" not in repr(store.cluster)  # type: ignore[attr-defined]


@needs_client
def test_a_key_or_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"A_KEY.*secrets\.env"):
        open_store(configuration(tmp_path, CLUSTER % ""), WallClock())
    text = (CLUSTER % ", certificates: no-such-file.pem").replace("http://", "https://")
    with pytest.raises(HomeError, match=r"no-such-file\.pem"):
        open_store(configuration(tmp_path, text, "A_KEY=x\n"), WallClock())


def test_a_client_that_is_not_installed_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("index.elastic", "elasticsearch"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elasticsearch", None)
    with pytest.raises(HomeError, match=r"pip install 'clamor\[elastic\]'"):
        open_store(configuration(tmp_path, CLUSTER % "", "A_KEY=x\n"), WallClock())


def test_a_home_of_simulated_time_writes_nothing_into_the_cluster_of_its_settings(tmp_path: Path) -> None:
    asked = configuration(tmp_path, CLUSTER % "", "A_KEY=hunter2\n")
    assert index_file(asked) is None
    prepare(asked.home)
    set_pace(asked.home, 1_790_000_000_000, 60.0, replayed=True)
    assert index_file(asked) == asked.home.index_db
    with closing(open_store(asked, WallClock())) as store:
        assert isinstance(store, EmbeddedStore)


@needs_client
def test_a_home_whose_cluster_is_away_tells_how_it_does_all_the_same(tmp_path: Path) -> None:
    asked = configuration(tmp_path, CLUSTER % "", "A_KEY=hunter2\n")
    prepare(asked.home)
    opened = Opened(asked)
    with closing(opened):
        upgrade(opened.engine)
        opened.log.append([Append(DECIDED, f"x:{n}#acme", b"{}") for n in range(40)])
        ends = {partition: end for partition, (_, end) in opened.log.bounds(DECIDED).items()}
        consumer = opened.log.consumer("index", DECIDED)
        with closing(consumer):
            while not consumer.assignment():
                consumer.poll(1, 0.05)
            done = min(consumer.assignment())
            consumer.commit([Commit(DECIDED, done, opened.log.committed("index", DECIDED).get(done, 0), ends[done])])
        assert stored_in_index(opened)[done] == ends[done]
        found = status(opened)
        waiting = found["waiting"]["index"]
        assert 0 < waiting < 40
        assert "elasticsearch" not in found["disk"]["bytes"]
        assert "index.db" not in found["disk"]["bytes"]
        assert "hunter2" not in str(found)
