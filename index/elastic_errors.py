"""What the cluster's refusals mean: it passes, a person decides, or the query asks for too much.

What a server says of an error may repeat a post's text, so nothing of it is passed on but the names of error types,
which are its program's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch import ApiError

from index.files import IndexUnusable, QueryTooSlow
from stream.faults import place_of
from stream.ports import Transient

PASSING = frozenset({408, 429, 500, 502, 503, 504})
TOO_LARGE = 413
BLOCKED = "cluster_block_exception"
NO_INDEX = "index_not_found_exception"
EXISTS = "resource_already_exists_exception"
CLOSED = "index write (api)"
"""How Elasticsearch words the block that stands on an index while it is looked at to be deleted."""
TWO_HOMES = "more than one write index"
"""How Elasticsearch refuses an alias a second index to be written to: that of a month, while a rebuild moves it."""

_TOO_DEEP = frozenset({"too_many_clauses", "too_many_nested_clauses"})
_TIMED_OUT = frozenset({"search_timeout_exception", "timeout_exception", "time_exceeded_exception"})
_NAME = re.compile(r"[a-z][a-z0-9_$]{1,80}")
_NO_ANALYSER = "] has not been configured in mappings"
_FIELD = re.compile(r"failed to parse field \[([a-z_.]{1,60})\]")


@contextmanager
def speaking(where: str, doing: str) -> Iterator[None]:
    """Turns the client's errors into Transient, IndexUnusable, QueryTooSlow or ValueError, with the way out.

    `where` names the cluster and the prefix of the indices.
    """
    try:
        yield
    except ApiError as error:
        raise told(where, doing, error.meta.status, error.body) from None
    except ConnectionTimeout:
        raise Transient(f"{where}: cannot {doing}: it does not answer in time; it is tried again") from None
    except TlsError as error:
        raise _tls(where, doing, str(error)) from None
    except TransportError as error:
        raise Transient(
            f"{where}: cannot {doing}: {type(error).__name__}: it cannot be reached, or does not answer as "
            "Elasticsearch; it is tried again"
        ) from None
    except (LookupError, TypeError, AttributeError) as error:
        # What was answered could not be taken apart: a proxy's page. No mention is to blame for it.
        raise Transient(
            f"{where}: cannot {doing}: it does not answer as Elasticsearch ({type(error).__name__} at "
            f"{place_of(error)}); it is tried again"
        ) from None


def outcomes(answer: Any, sent: int) -> list[dict[str, Any]]:
    """What became of each of the `sent` operations of a bulk request. Inside `speaking`: raises TypeError or
    LookupError for what is no such answer."""
    found = [next(iter(item.values())) for item in answer["items"]]
    if len(found) != sent or not all(isinstance(done["status"], int) for done in found):
        raise IndexError(len(found))
    return found


def too_slow(doing: str, time_limit: float) -> QueryTooSlow:
    return QueryTooSlow(
        f"cannot {doing} within {time_limit:g} s: ask for a shorter time (since:-7d), add a word or a field, make a "
        "prefix longer, or take the estimate instead of the exact number"
    )


def told(where: str, doing: str, status: int, body: object) -> Exception:
    """The error that an answer of this status means."""
    kinds = set(types(body))
    said = f"{status}{f' ({min(kinds)})' if kinds else ''}"
    if kinds & _TOO_DEEP or "nested depth of the query" in _words(body):
        return ValueError(f"cannot {doing}: the query nests too deeply: make two of it")
    if "allow_expensive_queries" in _words(body):
        return ValueError(
            f"cannot {doing}: the cluster does not allow beginnings of words and values (its setting "
            "search.allow_expensive_queries): write whole ones, without *"
        )
    if kinds & _TIMED_OUT or "Time exceeded" in _words(body):
        return QueryTooSlow(f"cannot {doing} in time: ask for a shorter time (since:-7d), or add a word or a field")
    if TWO_HOMES in _words(body):
        return Transient(f"{where}: cannot {doing}: another process makes or moves the same index; it is tried again")
    if BLOCKED in kinds and (blocked := _blocked(status, _words(body))):
        return Transient(f"{where}: cannot {doing}: {blocked}; it is tried again and nothing is lost")
    if status in PASSING:
        return Transient(f"{where}: cannot {doing}: it answers {said}; it is tried again")
    if status in (401, 403):
        return IndexUnusable(
            f"{where}: cannot {doing}: it answers {said}: look at the API key or the user that `engines: store` names; "
            "it needs the rights that docs/elasticsearch.md lists"
        )
    if _NO_ANALYSER in _words(body):
        return IndexUnusable(
            f"{where}: cannot {doing}: it lacks the analysers `english` and `spanish`: write `analysers: clamor` into "
            "`engines: store`"
        )
    if NO_INDEX in kinds:
        return IndexUnusable(
            f"{where}: cannot {doing}: an index of ours is not there any more: build it anew with `clamor reindex`"
        )
    if status == 200:
        return IndexUnusable(f"{where}: cannot {doing}: what answers there is no Elasticsearch")
    return IndexUnusable(f"{where}: cannot {doing}: it answers {said}")


def closed(error: object) -> bool:
    """Whether an index does not take this only because it is looked at to be deleted."""
    return BLOCKED in types(error) and CLOSED in _words(error)


def _blocked(status: int, words: str) -> str:
    """Why nothing can be written; empty where no index is blocked, but the cluster as a whole is not there yet."""
    if "flood-stage" in words or "read-only" in words:
        return (
            "its indices are read-only, most often because a disk of the cluster is full: free space there, and it "
            "goes on by itself (where the cluster does not lift the block, set index.blocks.read_only_allow_delete "
            "to null)"
        )
    if CLOSED in words:
        return "an index that holds nothing any more is about to be deleted"
    return "" if status == 503 else "somebody has blocked its indices: look at their settings index.blocks"


def types(body: object, depth: int = 0) -> Iterator[str]:
    """Names of the error types anywhere in an answer."""
    if depth > 8:
        return
    if isinstance(body, dict):
        found = body.get("type")
        if isinstance(found, str) and _NAME.fullmatch(found):
            yield found
        for name in ("error", "root_cause", "caused_by", "failed_shards", "reason"):
            yield from types(body.get(name), depth + 1)
    elif isinstance(body, list):
        for each in body[:5]:
            yield from types(each, depth + 1)


def field_of(error: dict[str, Any]) -> str:
    """The field of our mapping that a document was refused for; empty where that is not said."""
    found = _FIELD.search(str(error.get("reason", "")))
    return found[1] if found else ""


def _words(body: object, depth: int = 0) -> str:
    """What an answer says, to be searched and never shown."""
    if isinstance(body, dict) and depth <= 8:
        return " ".join(_words(value, depth + 1) for value in body.values())
    if isinstance(body, list) and depth <= 8:
        return " ".join(_words(each, depth + 1) for each in body[:5])
    return body[:2_000] if isinstance(body, str) else ""


def _tls(where: str, doing: str, said: str) -> Exception:
    if "CERTIFICATE_VERIFY_FAILED" in said or "doesn't match" in said or "Hostname mismatch" in said:
        return IndexUnusable(
            f"{where}: cannot {doing}: its certificate is not trusted: name the file of the authority that "
            "signed it in `engines: store: certificates`, and reach it by a name that the certificate holds"
        )
    if "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER_FAILURE" in said:
        return IndexUnusable(f"{where}: cannot {doing}: it does not speak TLS: write http:// instead of https://")
    return Transient(f"{where}: cannot {doing}: the TLS connection broke; it is tried again")
