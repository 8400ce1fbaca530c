"""A home whose index is on a cluster: how it does, and how it is restored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from living import CONFIGURATION, NOW, Living, gone, post, settled_home

from clamor import restoring
from clamor.backup import BackupError, backup
from clamor.opening import open_home
from clamor.reindexing import reindex
from clamor.restoring import Restored, restore
from clamor.starting import make_ready
from clamor.status import status
from config.home import Home
from stream.ports import OffsetOutside, Transient

if TYPE_CHECKING:
    from tests.services.elastic_place import ElasticPlace

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ENGINE = "engines: {{store: {{kind: elasticsearch, hosts: ['{host}'], prefix: {prefix}, replicas: 0}}}}\n"


@pytest.fixture
def home(place: ElasticPlace, tmp_path: Path) -> Home:
    engine = ENGINE.format(host=place.cluster.hosts[0], prefix=place.cluster.prefix)
    return settled_home(tmp_path / "home", CONFIGURATION + engine)


def found(living: Living, place: ElasticPlace) -> set[str]:
    place.settle(living.opened.store)
    return living.found()


def of(*numbers: int) -> set[str]:
    return {f"x:{number}#acme" for number in numbers}


def restored(home: Home, kept: Path) -> Restored:
    return restore(home, kept, force=True, without_deletes=False)


def kept_of(home: Home, place: ElasticPlace, folder: Path) -> Path:
    """A backup of five posts; four more come after it, and one of the five is deleted."""
    with Living(home) as living:
        living.live(*(post(n) for n in range(5)))
        assert found(living, place) == of(0, 1, 2, 3, 4)
        kept, _ = backup(living.home, folder, NOW)
        living.live(*(post(n) for n in range(5, 9)), gone(1))
        assert found(living, place) == of(0, 2, 3, 4, 5, 6, 7, 8)
    return kept


def test_its_status_tells_the_bytes_of_the_cluster_and_no_file_of_the_index(home: Home, place: ElasticPlace) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(5)))
        sizes = status(living.opened)["disk"]["bytes"]
    assert sizes["elasticsearch"] > 0
    assert sizes.keys() == {"log.db", "app.db", "elasticsearch"}
    assert not (home.data / "index.db").exists()


def test_a_restore_fills_the_cluster_from_the_backup(home: Home, place: ElasticPlace, tmp_path: Path) -> None:
    kept = kept_of(home, place, tmp_path / "kept")
    done = restored(home, kept)
    assert (done.mentions, done.index_left) == (5, "")
    assert not (home.data / "index.db").exists()
    with Living(home) as living:
        assert found(living, place) == of(0, 2, 3, 4)
        living.live(post(20))
        assert found(living, place) == of(0, 2, 3, 4, 20)


def test_a_restore_whose_cluster_is_away_changes_nothing(
    home: Home, place: ElasticPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_of(home, place, tmp_path / "kept")
    before = {path.name: path.read_bytes() for path in home.data.glob("*.db")}
    with monkeypatch.context() as away:
        away.setenv("CLAMOR_ENGINES__STORE__HOSTS", '["http://127.0.0.1:1"]')
        with pytest.raises(BackupError, match="nothing was changed"):
            restored(home, kept)
    assert {path.name: path.read_bytes() for path in home.data.glob("*.db")} == before
    with Living(home) as living:
        assert found(living, place) == of(0, 2, 3, 4, 5, 6, 7, 8)


def test_a_restore_that_cannot_fill_the_cluster_says_so_and_no_stage_goes_on_from_the_old_index(
    home: Home, place: ElasticPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_of(home, place, tmp_path / "kept")

    def away(*_: object) -> int:
        raise Transient("the cluster went away")

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "reindex", away)
        done = restored(home, kept)
    assert (done.mentions, done.index_left) == (0, "the cluster went away")
    with open_home(home) as opened, pytest.raises(OffsetOutside, match="clamor reindex"):
        make_ready(opened)
    with open_home(home) as opened:
        assert reindex(opened.engine, opened.log, opened.store) == 5
    with Living(home) as living:
        assert found(living, place) == of(0, 2, 3, 4)
