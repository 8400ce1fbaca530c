"""Connections of a client of Kafka: the library's own, mended where they leave something behind or say too little."""

from __future__ import annotations

from collections import deque
from typing import Any

from kafka import errors as kafka_errors
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from stream.clock import SECOND
from stream.records import Millis

DIRECT = "direct"
LAST_CAUSES = 8
LONGEST_CONNECT: Millis = 10 * SECOND
"""Login included."""


class Direct(KafkaNetSocket):
    """No proxy. What was opened for an attempt that fails is closed with it: the library leaves that to the collector
    of garbage, a socket a second for as long as a broker is away."""

    SCHEMES = (DIRECT,)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


class _LastWords:
    """An answer that comes together with the end of its connection is handed over, and the end is seen by the next
    read. The library drops both, so that on a busy machine a wrong password, after which a broker hangs up, looked as
    if no broker were there."""

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        received, fault = super()._sock_recv()  # type: ignore[misc]
        return received, None if received else fault


class PlainTransport(_LastWords, KafkaTCPTransport):
    pass


class TlsTransport(_LastWords, KafkaSSLTransport):
    pass


class Connections(KafkaConnectionManager):
    """It keeps why attempts failed, since a constructor that gives up says only that it found no broker. It tells
    questions about topics that they must make none, which the library does not, whatever its option says. And it waits
    for a broker that takes a connection and says nothing no longer than for any answer."""

    def __init__(self, net: Any, **configuration: Any) -> None:
        super().__init__(net, **configuration)
        for option in ("socket_connection_setup_timeout_ms", "socket_connection_setup_timeout_max_ms"):
            self.config[option] = min(LONGEST_CONNECT, self.config["request_timeout_ms"])
        self.cluster.config["allow_auto_create_topics"] = False
        self.causes: deque[BaseException] | None = deque(maxlen=LAST_CAUSES)
        """None: nobody asks any more."""

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        connection = super().get_connection(*arguments, **options)
        if self.causes is not None and not connection.init_future.is_done:
            connection.init_future.add_errback(self._note)
        return connection

    def _note(self, cause: BaseException) -> None:
        if self.causes is not None:
            self.causes.append(cause)

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        """As the library's, but that what it opened is closed where it raises."""
        sock = await create_connection(
            self._net, node.host, node.port, self.config["socket_options"], f"{DIRECT}://", timeout_at
        )
        transport = None
        try:
            if self.ssl_enabled:
                options = {key: value for key, value in self.config.items() if key.startswith("ssl_")}
                transport = TlsTransport(self._net, sock, host=node.host, **options)
            else:
                transport = PlainTransport(self._net, sock, host=node.host)
            await transport.handshake()
        except BaseException as error:
            if transport is None:
                sock.close()
                raise
            transport.abort()
            if not isinstance(error, Exception):
                raise
            raise kafka_errors.KafkaConnectionError(f"Handshake failed: {error}") from error
        return transport
