"""What a broker says last is heard."""

from __future__ import annotations

import socket

from tests.services.needs import library

library("kafka", "kafka")

from kafka.net.selector import NetworkSelector  # noqa: E402

from stream.kafka_connections import PlainTransport  # noqa: E402


def test_an_answer_that_comes_with_the_end_of_its_connection_is_read_first() -> None:
    ours, brokers = socket.socketpair()
    ours.setblocking(False)
    net = NetworkSelector()
    transport = PlainTransport(net, ours)
    brokers.sendall(b"wrong password")
    brokers.close()
    assert transport._sock_recv() == (b"wrong password", None)
    nothing, fault = transport._sock_recv()
    assert nothing == b""
    assert fault is not None
    ours.close()
    net.close()
