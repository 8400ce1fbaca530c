"""What a cluster refuses is told in words that say what to do, and never with a post's text or a secret."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from index.files import IndexUnusable, QueryTooSlow
from stream.ports import EVERYTHING, Transient
from tests.index.cluster_answers import Answer, answering
from tests.index.made import NOW, asked, mention
from tests.smtp_server import make_certificate

if TYPE_CHECKING:
    from index.elastic import ElasticStore

pytest.importorskip("elasticsearch", reason="Elasticsearch's client is not installed: pip install 'clamor[elastic]'")

TEXT = "zanahorindigo"


def store_at(address: str, **settings: Any) -> ElasticStore:
    from index.elastic import Cluster, ElasticStore

    return ElasticStore(Cluster((address,), **settings))


def made(search: Answer) -> Callable[[str, str], Answer]:
    """A store that is there, and answers a search so."""
    from index.elastic_mapping import Shape
    from index.elastic_state import _meta_document

    def reply(method: str, path: str) -> Answer:
        if "_mget" in path:
            found = {"_id": "meta", "found": True, "_seq_no": 1, "_primary_term": 1}
            return Answer(200, {"docs": [{**found, "_source": _meta_document(b"s" * 16, "abc", Shape().layout())}]})
        return search if "_search" in path else Answer()

    return reply


def refused(kind: str, reason: str = f"it says {TEXT}") -> dict[str, Any]:
    cause = {"type": kind, "reason": reason}
    failed = [{"shard": 0, "reason": cause}]
    return {"error": {"root_cause": [cause], "type": "search_phase_execution_exception", "failed_shards": failed}}


DEEP = "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_…]"
EXPENSIVE = "[prefix] queries cannot be executed when 'search.allow_expensive_queries' is set to false."
ANALYSER = "Failed to parse mapping: analyzer [english] has not been configured in mappings"
FLOOD = (
    "index [clamor-mentions] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has "
    "read-only-allow-delete block];"
)
STARTING = "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"
BLOCK = "index [clamor-mentions] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)]"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(429, refused("es_rejected_execution_exception")), Transient, "429"),
        (Answer(503, refused("no_shard_available_action_exception")), Transient, "503"),
        (Answer(503, f"<html>{TEXT}</html>"), Transient, "503"),
        (Answer(429, refused("cluster_block_exception", BLOCK)), Transient, "read-only"),
        (Answer(429, refused("cluster_block_exception", FLOOD)), Transient, "disk of the cluster is full"),
        (Answer(503, refused("cluster_block_exception", STARTING)), Transient, "answers 503"),
        (Answer(403, refused("cluster_block_exception", "[FORBIDDEN/9/index metadata (api)]")), Transient, "blocked"),
        (Answer(400, refused("mapper_parsing_exception", ANALYSER)), IndexUnusable, "analysers: clamor"),
        (Answer(504, refused("search_timeout_exception")), QueryTooSlow, "shorter time"),
        (Answer(200, {"timed_out": True, "hits": {"total": {"value": 3}}}), QueryTooSlow, "shorter time"),
        (Answer(400, refused("illegal_argument_exception", DEEP)), ValueError, "too deeply"),
        (Answer(400, refused("exception", EXPENSIVE)), ValueError, "beginnings of words"),
        (Answer(400, refused("parsing_exception")), IndexUnusable, "400"),
        (Answer(401, refused("security_exception")), IndexUnusable, "API key or the user"),
        (Answer(403, refused("security_exception")), IndexUnusable, "rights that"),
        (Answer(404, refused("index_not_found_exception")), IndexUnusable, "clamor reindex"),
        (Answer(200, f"<html>{TEXT}</html>"), Transient, "does not answer as Elasticsearch"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else None,
)
def test_every_refusal_has_its_words_and_none_repeats_what_was_said(
    answer: Answer, kind: type[Exception], words: str
) -> None:
    with answering(made(answer)) as server, closing(store_at(f"http://127.0.0.1:{server.port}")) as store:
        with pytest.raises(kind, match=words) as told:
            store.count(asked("flight"), EVERYTHING)
        shown = "".join(traceback.format_exception(told.value))
        assert TEXT not in shown


def test_what_is_no_elasticsearch_is_told() -> None:
    page = Answer(200, "<html>a page</html>")
    with (
        answering(lambda method, path: page) as server,
        closing(store_at(f"http://127.0.0.1:{server.port}")) as store,
        pytest.raises(IndexUnusable, match="no Elasticsearch"),
    ):
        store.count(asked("flight"), EVERYTHING)


@pytest.mark.parametrize(
    "odd",
    [{"items": []}, {"items": [{"index": {"status": 201}}] * 2}, {"took": 1}, [1], {"items": [7]}],
    ids=["none", "one more", "no items", "a list", "a number"],
)
def test_an_answer_that_says_nothing_of_a_mention_is_no_mention_s_fault(odd: Any) -> None:
    """A dead letter is only what the cluster refused by name."""
    from stream.records import Decided

    shop = made(FOUND)

    def reply(method: str, path: str) -> Answer:
        return Answer(200, odd) if "_bulk" in path else shop(method, path)

    batch = [Decided(mention=mention(1, TEXT))]
    with (
        answering(reply) as server,
        closing(store_at(f"http://127.0.0.1:{server.port}")) as store,
        pytest.raises(Transient, match="does not answer as Elasticsearch") as told,
    ):
        store.apply(batch, (), "log", NOW)
    assert TEXT not in str(told.value)


def test_a_search_that_finds_nothing_made_yet_is_empty_and_one_that_is_forbidden_is_not() -> None:
    missing = refused("index_not_found_exception")
    for alias, kind in ((404, None), (403, IndexUnusable)):
        shop = made(Answer(404, missing))

        def reply(method: str, path: str, alias: int = alias, shop: Callable[[str, str], Answer] = shop) -> Answer:
            return Answer(alias) if method == "HEAD" and "_alias" in path else shop(method, path)

        with answering(reply) as server, closing(store_at(f"http://127.0.0.1:{server.port}")) as store:
            if kind is None:
                assert store.count(asked("flight"), EVERYTHING).value == 0
                assert store.search(asked("flight"), EVERYTHING).hits == ()
            else:
                with pytest.raises(kind, match="403"):
                    store.count(asked("flight"), EVERYTHING)


FOUND = Answer(200, {"timed_out": False, "hits": {"total": {"value": 3}}})


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ({"api_key": SecretStr("aWQ6a2V5")}, "ApiKey aWQ6a2V5"),
        ({"user": "eva", "password": SecretStr("hunter2")}, "Basic ZXZhOmh1bnRlcjI="),
        ({}, None),
    ],
    ids=["key", "login", "nobody"],
)
def test_a_login_goes_with_every_request_over_tls(tmp_path: Path, login: dict[str, Any], sent: str | None) -> None:
    files = make_certificate(tmp_path)
    with answering(made(FOUND), files) as server:
        address = f"https://127.0.0.1:{server.port}"
        with closing(store_at(address, certificates=str(files[0]), **login)) as store:
            assert store.count(asked("flight"), EVERYTHING).value == 3
        assert len(server.asked) >= 3
        assert {each.authorization for each in server.asked} == {sent}


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with answering(made(FOUND), make_certificate(tmp_path)) as server:
        store = store_at(f"https://127.0.0.1:{server.port}", api_key=SecretStr("aWQ6a2V5"))
        with closing(store), pytest.raises(IndexUnusable, match="engines: store: certificates"):
            store.count(asked("flight"), EVERYTHING)
        assert server.asked == []


def test_only_the_named_certificates_are_trusted(tmp_path: Path) -> None:
    certificate, _ = make_certificate(tmp_path)
    with closing(store_at("https://127.0.0.1:1", certificates=str(certificate))) as store:
        (node,) = store._client.transport.node_pool.all()
        context = node.pool.conn_kw["ssl_context"]  # type: ignore[attr-defined]
        assert context.cert_store_stats()["x509"] == 1
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname


def test_a_server_without_tls_is_told_from_a_connection_that_broke() -> None:
    from index.elastic_errors import _tls

    plain = _tls("here", "count", "TLS error caused by: SSLError([SSL: WRONG_VERSION_NUMBER] wrong version number)")
    assert isinstance(plain, IndexUnusable)
    assert "http:// instead of https://" in str(plain)
    broken = _tls("here", "count", "TLS error caused by: SSLEOFError(EOF occurred in violation of protocol)")
    assert isinstance(broken, Transient)


def test_a_cluster_that_is_away_is_waited_for() -> None:
    with answering(made(FOUND)) as server:
        pass
    with closing(store_at(f"http://127.0.0.1:{server.port}")) as store, pytest.raises(Transient, match="be reached"):
        store.count(asked("flight"), EVERYTHING)
