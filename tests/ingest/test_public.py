"""Addresses that strangers named lead only to where anybody could go, whatever their names resolve to."""

from __future__ import annotations

import errno
import socket
from typing import Any

import httpcore
import httpx
import pytest

from ingest.collector import Interrupted
from ingest.unreached import unreached
from ingest.web import Refused, Web
from stream.public import is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::1", False),
        ("::10.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("fec0::1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b:1::10.0.0.1", False),
        ("64:ff9b::93.184.216.34", True),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("found", [["10.0.0.7"], ["93.184.216.34", "10.0.0.7"]])
def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (one, 80)) for one in found])
    with Web(public_only=True) as web, pytest.raises(Refused, match="private network"):
        web.get("http://news.example.org/rss")


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise a moment later changes nothing."""
    went: list[str] = []

    def connect(self: Any, host: str, *_: Any, **__: Any) -> Any:
        went.append(host)
        raise httpcore.ConnectError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 80))])
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with Web(public_only=True) as web, pytest.raises(Exception, match="no answer from news"):
        web.get("http://news.example.org/rss")
    assert went == ["93.184.216.34"]


@pytest.mark.parametrize("address", ["http://xn--a/", "http://\ud800/", "http://[v1.x]/"])
def test_an_address_that_only_looks_like_one_is_refused_and_nothing_breaks(address: str) -> None:
    with Web(public_only=True) as web, pytest.raises(Refused, match="this is no address"):
        web.get(address)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its name is not found"),
        (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        (TimeoutError("slow"), "did not answer in time"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no way leads there"),
        (ValueError("https://key@host"), "ConnectError"),
    ],
)
def test_why_a_network_was_not_reached_is_told_in_words_that_people_can_act_on(fault: Exception, told: str) -> None:
    try:
        raise httpx.ConnectError("secret") from fault
    except httpx.ConnectError as raised:
        said = unreached(raised)
    assert told in said
    assert "secret" not in said
    assert "key" not in said


def test_a_name_that_is_not_known_is_told_so_whoever_asks() -> None:
    for public_only in (False, True):
        with Web(public_only=public_only) as web, pytest.raises(Interrupted, match=r"nowhere\.invalid: its name"):
            web.get("http://nowhere.invalid/rss")
