"""The store on Elasticsearch keeps the contract, and its reading of a query means what the others mean."""

from __future__ import annotations

import pytest

from tests.index.reading_contract import ReadingContract
from tests.index.store_contract import StoreContract

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


class TestElasticStore(StoreContract):
    pass


class TestElasticReading(ReadingContract):
    pass
