"""How the cluster is reached."""

from __future__ import annotations

import gzip
import logging
import ssl
import warnings
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from elastic_transport import HttpHeaders, NodeConfig, Urllib3HttpNode
from elastic_transport.client_utils import DEFAULT
from elasticsearch import Elasticsearch, ElasticsearchWarning
from pydantic import SecretStr

from index.elastic_mapping import Names, Shape

CONNECTIONS = 10
"""Kept open to each node, for searches of several threads."""
GRACE = 5.0
"""Seconds that an answer may take beyond the time that the cluster was given for it."""
_WITHOUT_LOGINS = "Elasticsearch built-in security features are not enabled"
"""Begins what a cluster without logins says with every answer; `clamor check` tells of it once."""


class Cluster(NamedTuple):
    """Where the store is kept. Secrets are shown nowhere, neither here nor by the client's errors."""

    hosts: tuple[str, ...]
    """`https://search.example.org:9200`, of one cluster."""
    prefix: str = "clamor"
    api_key: SecretStr | None = None
    user: str | None = None
    password: SecretStr | None = None
    certificates: str | None = None
    """Path of a file with the certificates to trust, and no others; None: the usual ones."""
    shape: Shape = Shape()
    time_limit: float = 10.0
    """Seconds given to a search."""

    @property
    def names(self) -> Names:
        return Names(self.prefix)

    @property
    def where(self) -> str:
        """For error messages."""
        return f"Elasticsearch at {', '.join(_shown(host) for host in self.hosts)} ({self.prefix}-*)"


def connect(cluster: Cluster) -> Elasticsearch:
    """A client; nothing is sent yet. Belongs to the process that made it.

    It tries another node at once where one does not answer, and waits for nothing: the stage that asks backs off.
    """
    for name in ("elastic_transport", "elasticsearch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", _WITHOUT_LOGINS, ElasticsearchWarning)
    options: dict[str, Any] = {}
    if cluster.api_key is not None:
        options["api_key"] = cluster.api_key.get_secret_value()
    elif cluster.user is not None and cluster.password is not None:
        options["basic_auth"] = (cluster.user, cluster.password.get_secret_value())
    if cluster.certificates is not None:
        options["ca_certs"] = cluster.certificates
    return Elasticsearch(
        [_with_port(host) for host in cluster.hosts],
        node_class=_Connection,
        request_timeout=cluster.time_limit + GRACE,
        connections_per_node=CONNECTIONS,
        max_retries=max(1, len(cluster.hosts) - 1),
        retry_on_timeout=False,
        retry_on_status=(),
        http_compress=any(host.startswith("https://") for host in cluster.hosts),
        **options,
    )


class _Connection(Urllib3HttpNode):
    """Trusts the named file alone: left to itself the client adds it to the machine's authorities. Compresses with
    a quarter of the work that the client spends on it, to half as many bytes again."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._http_compress = False
        if config.scheme == "https" and config.ca_certs is not None:
            only = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            only.minimum_version = ssl.TLSVersion.TLSv1_2
            only.load_verify_locations(config.ca_certs)
            self.pool.conn_kw["ssl_context"] = only

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: Any = DEFAULT,
    ) -> Any:
        if body and self.config.http_compress:
            headers = HttpHeaders(headers or {})
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, 1)
        return super().perform_request(method, target, body, headers, request_timeout)


def _with_port(host: str) -> str:
    """The client wants the port that a browser would assume."""
    parts = urlsplit(host)
    if parts.port is not None:
        return host
    return f"{parts.scheme}://{parts.netloc}:{443 if parts.scheme == 'https' else 80}{parts.path}"


def _shown(host: str) -> str:
    parts = urlsplit(host)
    return parts.netloc.rpartition("@")[2]
