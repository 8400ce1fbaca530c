"""Keeps the store on Elasticsearch for the contract's tests: a prefix of its own for each place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import SecretStr

from index.elastic import Cluster, ElasticStore
from index.elastic_mapping import Shape
from index.port import IndexStore
from stream.clock import Clock, ManualClock
from tests.index.made import NOW

if TYPE_CHECKING:
    from tests.services.elastic_secured import SecuredNode


class ElasticPlace:
    def __init__(self, address: str, *, analysers: Literal["clamor", "builtin"] = "clamor", **login: Any) -> None:
        login.setdefault("prefix", f"t{uuid4().hex[:10]}")
        self.cluster = Cluster((address,), shape=Shape(1, 0, analysers), **login)
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
        self._fresh = self._another()
        return self._fresh

    def indices(self) -> list[str]:
        """All that stand in the cluster for it."""
        store = self.open()
        try:
            return sorted(store._client.indices.get_alias(index=f"{self.cluster.prefix}-*", allow_no_indices=True))
        finally:
            store.close()

    def remove(self) -> None:
        if self._fresh is not None:
            self._fresh.remove()
            self._fresh = None
        indices, store = self.indices(), self.open()
        try:
            for index in indices:
                store._client.options(ignore_status=404).indices.delete(index=index)
            # No key with rights on its own indices alone can have left one.
            template = store._client.options(ignore_status=[403, 404]).indices
            template.delete_index_template(name=self.cluster.names.read)
        finally:
            store.close()

    def _another(self) -> ElasticPlace:
        return ElasticPlace(self.cluster.hosts[0])


RIGHTS = ("read", "write", "create_index", "manage")
"""What docs/elasticsearch.md lists, on the prefix's indices and nothing else."""


class SecuredPlace(ElasticPlace):
    """Reached by an API key that has RIGHTS."""

    def __init__(self, node: SecuredNode) -> None:
        self._node = node
        prefix = f"t{uuid4().hex[:10]}"
        super().__init__(
            node.address, prefix=prefix, certificates=str(node.certificate), api_key=new_key(node, f"{prefix}-*")
        )

    def _another(self) -> ElasticPlace:
        return SecuredPlace(self._node)


def new_key(node: SecuredNode, indices: str, rights: tuple[str, ...] = RIGHTS) -> SecretStr:
    """An API key, as a cluster encodes it."""
    client = node.admin()
    try:
        role = {"cluster": [], "indices": [{"names": [indices], "privileges": list(rights)}]}
        made = client.security.create_api_key(name=uuid4().hex, role_descriptors={"clamor": role})
    finally:
        client.close()
    return SecretStr(made["encoded"])
