"""Keeps the store on Elasticsearch for the contract's tests: a prefix of its own for each place."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from index.elastic import Cluster, ElasticStore
from index.elastic_mapping import Shape
from index.port import IndexStore
from stream.clock import Clock, ManualClock
from tests.index.made import NOW


class ElasticPlace:
    def __init__(self, address: str) -> None:
        self.cluster = Cluster((address,), prefix=f"t{uuid4().hex[:10]}", shape=Shape(1, 0))
        self._fresh: ElasticPlace | None = None

    def open(self, clock: Clock | None = None, **settings: Any) -> ElasticStore:
        return ElasticStore(self.cluster, clock or ManualClock(NOW), **settings)

    def settle(self, store: IndexStore) -> None:
        assert isinstance(store, ElasticStore)
        store.refresh()

    def fresh(self) -> ElasticPlace:
        """The one before it goes: a node holds only so many indices."""
        if self._fresh is not None:
            self._fresh.remove()
        self._fresh = ElasticPlace(self.cluster.hosts[0])
        return self._fresh

    def remove(self) -> None:
        if self._fresh is not None:
            self._fresh.remove()
            self._fresh = None
        store = self.open()
        try:
            client = store._client
            for index in client.indices.get_alias(index=f"{self.cluster.prefix}-*", allow_no_indices=True):
                client.options(ignore_status=404).indices.delete(index=index)
            client.options(ignore_status=404).indices.delete_index_template(name=self.cluster.names.read)
        finally:
            store.close()
