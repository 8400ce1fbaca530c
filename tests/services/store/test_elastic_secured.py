"""A cluster with TLS and logins, as managed ones are: what is allowed is enough, and what is not is told."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydantic import SecretStr

from clamor.stores import open_store
from config.home import Home
from config.load import load
from index.files import IndexUnusable
from stream.clock import DAY, ManualClock, WallClock
from stream.ports import EVERYTHING, Commit
from stream.records import Decided
from tests.index.made import NOW, asked, gone, ids, mention
from tests.index.store_contract import StoreContract, opened, put

if TYPE_CHECKING:
    from index.elastic import ElasticStore
    from tests.services.elastic_place import SecuredPlace
    from tests.services.elastic_secured import SecuredNode

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


@pytest.fixture
def place(secured: SecuredNode) -> Iterator[SecuredPlace]:
    from tests.services.elastic_place import SecuredPlace

    place = SecuredPlace(secured)
    yield place
    place.remove()


class TestUnderAKeyOfItsOwnIndices(StoreContract):
    """The rights that docs/elasticsearch.md lists are all that the store needs."""


def reached(place: SecuredPlace, **login: Any) -> ElasticStore:
    """The same store under another login."""
    from index.elastic import ElasticStore

    nobody: dict[str, Any] = {"api_key": None, "user": None, "password": None}
    return ElasticStore(place.cluster._replace(**{**nobody, **login}), ManualClock(NOW))


def told(store: ElasticStore, *, writing: bool = False) -> str:
    """What is said of the refusal, which shows no secret anywhere."""

    def ask() -> None:
        if writing:
            store.apply([Decided(mention=mention(9, "flight"))], [Commit("decided", 0, 0, 1)], "log", NOW)
        else:
            store.count(asked("flight"), EVERYTHING)

    with pytest.raises(IndexUnusable) as refused:
        ask()
    cluster = store.cluster
    shown = "".join(traceback.format_exception(refused.value)) + repr(store) + repr(cluster)
    for secret in (cluster.api_key, cluster.password):
        assert secret is None or secret.get_secret_value() not in shown
    return str(refused.value)


def test_every_chore_is_done_under_that_key(place: SecuredPlace) -> None:
    clock = ManualClock(NOW)
    with closing(place.open(clock)) as store:
        long_ago = mention(1, "flight", at=NOW - 365 * DAY)
        put(place, store, long_ago, mention(2, "flight"))
        put(place, store, msgspec.structs.replace(gone(1), event_time=long_ago.event_time))
        for _ in range(3):
            clock.advance(20 * DAY)
            store.idle(clock.at)
        assert store.erasing().waiting >= 0
        assert store.size() > 0
        assert [each.post_id for each in store.everything(asked(""), EVERYTHING)] == ["x:2"]
        assert store.rebuild([Decided(mention=mention(3, "flight"))], "log", {("decided", 0): 1}) == 1
        assert ids(store, "flight") == ["x:3"]


def test_a_login_with_a_role_does_as_well(place: SecuredPlace, secured: SecuredNode) -> None:
    from tests.services.elastic_place import RIGHTS

    name, password = f"u-{place.cluster.prefix}", SecretStr("hunter2-hunter2")
    with closing(secured.admin()) as admin:
        indices = [{"names": [f"{place.cluster.prefix}-*"], "privileges": list(RIGHTS)}]
        admin.security.put_role(name=name, cluster=[], indices=indices)
        admin.security.put_user(username=name, password=password.get_secret_value(), roles=[name])
    with closing(reached(place, user=name, password=password)) as store:
        put(place, store, mention(1, "flight"))
        assert ids(store, "flight") == ["x:1"]
    with closing(reached(place, user=name, password=SecretStr("hunter3-hunter3"))) as store:
        assert "401" in told(store)


def test_a_key_that_the_cluster_does_not_know_is_told(place: SecuredPlace) -> None:
    with closing(reached(place, api_key=SecretStr("bm9ib2R5Om5vdGhpbmctYXQtYWxs"))) as store:
        for writing in (False, True):
            said = told(store, writing=writing)
            assert "401" in said
            assert "engines: store" in said
    with closing(reached(place)) as store:
        assert "401" in told(store)


def test_a_key_that_is_taken_back_while_it_is_used_stops_the_stage(place: SecuredPlace, secured: SecuredNode) -> None:
    from tests.services.elastic_place import RIGHTS, new_key

    key = new_key(secured, f"{place.cluster.prefix}-*", RIGHTS)
    with closing(reached(place, api_key=key)) as store, closing(secured.admin()) as admin:
        put(place, store, mention(1, "flight"))
        id, _, _ = base64.b64decode(key.get_secret_value()).decode().partition(":")
        admin.security.invalidate_api_key(ids=[id])
        assert "401" in told(store, writing=True)
        assert "401" in told(store)


def test_a_key_that_may_only_read_searches_and_writes_nothing(place: SecuredPlace, secured: SecuredNode) -> None:
    from tests.services.elastic_place import new_key

    with opened(place) as store:
        put(place, store, mention(1, "flight"))
    key = new_key(secured, f"{place.cluster.prefix}-*", ("read", "view_index_metadata"))
    with closing(reached(place, api_key=key)) as reader:
        assert ids(reader, "flight") == ["x:1"]
        said = told(reader, writing=True)
        assert "403" in said
        assert "docs/elasticsearch.md" in said
        assert reader.offsets("decided", frozenset({0}), "log") == {}
    with opened(place) as store:
        assert store.count(asked("flight"), EVERYTHING).value == 1


def test_what_a_key_may_not_see_is_refused_and_never_an_empty_answer(place: SecuredPlace, secured: SecuredNode) -> None:
    from tests.services.elastic_place import new_key

    with opened(place) as store:
        put(place, store, mention(1, "flight"))
    for indices in ("another-*", f"{place.cluster.prefix}-state"):
        key = new_key(secured, indices, ("read", "view_index_metadata"))
        with closing(reached(place, api_key=key)) as store:
            assert "403" in told(store)


def test_a_certificate_that_nobody_vouches_for_is_refused(place: SecuredPlace) -> None:
    with closing(reached(place, certificates=None, api_key=place.cluster.api_key)) as store:
        assert "engines: store: certificates" in told(store)


def test_the_settings_reach_the_cluster(place: SecuredPlace, tmp_path: Path) -> None:
    cluster = place.cluster
    assert cluster.api_key is not None
    assert cluster.certificates is not None
    home = Home.at(tmp_path)
    (tmp_path / "ca.pem").write_bytes(Path(cluster.certificates).read_bytes())
    home.settings_file.write_text(
        "engines: {store: {kind: elasticsearch, api_key_env: A_KEY, certificates: ca.pem, replicas: 0, "
        f"hosts: ['{cluster.hosts[0]}'], prefix: {cluster.prefix}}}}}\n",
        encoding="utf-8",
    )
    home.secrets_file.write_text(f"A_KEY={cluster.api_key.get_secret_value()}\n", encoding="utf-8")
    home.secrets_file.chmod(0o600)
    with closing(open_store(load(home, use="check"), WallClock())) as store:
        store.apply([Decided(mention=mention(1, "flight"))], [Commit("decided", 0, 0, 1)], "log", NOW)
        place.settle(store)
        assert ids(store, "flight") == ["x:1"]


# --- the cluster's own analysers, which this node has and the bare one lacks ---


def test_the_cluster_s_own_analysers_find_what_the_shared_stems_do_not(secured: SecuredNode) -> None:
    """The light stemmer for Spanish gives `luces` the stem `luz`; Snowball's does not."""
    from tests.services.elastic_place import ElasticPlace, new_key

    for analysers, found in (("clamor", []), ("builtin", ["x:1"])):
        prefix = f"words-{analysers}"
        place = ElasticPlace(
            secured.address,
            analysers=analysers,  # type: ignore[arg-type]
            prefix=prefix,
            certificates=str(secured.certificate),
            api_key=new_key(secured, f"{prefix}-*"),
        )
        try:
            with opened(place) as store:
                put(place, store, mention(1, "Se fueron las luces"), mention(2, "nada de eso"))
                assert ids(store, "luz") == found
                assert ids(store, "luces") == ["x:1"]
                assert ids(store, "-luz") == [each for each in ("x:2", "x:1") if each not in found]
                assert ids(store, "tren OR luz") == found
        finally:
            place.remove()


def test_a_change_of_analysers_asks_for_a_rebuild(place: SecuredPlace) -> None:
    from index.elastic import ElasticStore

    with opened(place) as store:
        put(place, store, mention(1, "Se fueron las luces"))
    shape = place.cluster.shape._replace(analysers="builtin")
    with closing(ElasticStore(place.cluster._replace(shape=shape), ManualClock(NOW))) as store:
        with pytest.raises(IndexUnusable, match=r"analysers.*clamor reindex"):
            ids(store, "luz")
        assert store.rebuild([Decided(mention=mention(1, "Se fueron las luces"))], "log") == 1
        assert ids(store, "luz") == ["x:1"]


def test_a_cluster_without_these_analysers_is_told(elastic: str) -> None:
    from tests.services.elastic_place import ElasticPlace

    place = ElasticPlace(elastic, analysers="builtin")
    try:
        with opened(place) as store, pytest.raises(IndexUnusable, match="analysers: clamor"):
            store.apply([Decided(mention=mention(1, "flight"))], (), "log", NOW)
    finally:
        place.remove()
