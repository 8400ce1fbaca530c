"""A real Elasticsearch node: one for the whole run, and others that a test may kill."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.services.elastic_node import GIVEN, Missing, Node
from tests.services.needs import missing

if TYPE_CHECKING:
    from tests.services.elastic_place import ElasticPlace
    from tests.services.elastic_secured import SecuredNode


TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "clamor"), str(TESTS)]

N = TypeVar("N", bound=Node)


@pytest.fixture(scope="session")
def elastic() -> Iterator[str]:
    """Address of an Elasticsearch node."""
    _client()
    given = os.environ.get(GIVEN)
    if given:
        yield given
        return
    with _started(Node()) as node:
        yield node.address


@pytest.fixture
def mortal() -> Iterator[Node]:
    """An Elasticsearch node of this test alone, which it may kill."""
    _client()
    with _started(Node()) as node:
        yield node


@pytest.fixture(scope="session")
def secured() -> Iterator[SecuredNode]:
    """An Elasticsearch node with TLS and logins, and with the analysers that other clusters have."""
    _client()
    from tests.services.elastic_secured import SecuredNode

    with _started(SecuredNode()) as node:
        yield node


@pytest.fixture
def place(elastic: str) -> Iterator[ElasticPlace]:
    # Not above: without the client there is nothing to import.
    from tests.services.elastic_place import ElasticPlace

    place = ElasticPlace(elastic)
    yield place
    place.remove()


def _client() -> None:
    if importlib.util.find_spec("elasticsearch") is None:
        missing("Elasticsearch's client is not installed: pip install 'clamor[elastic]'")


def _started(node: N) -> N:
    try:
        node.start()
    except Missing as why:
        node.close()
        missing(str(why))
    except BaseException:
        node.close()
        raise
    return node
