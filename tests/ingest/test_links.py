"""A post brings along only addresses that a reader can follow."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.links import MAX_LINK, web_address


@pytest.mark.parametrize(
    "address",
    [
        "https://x.example/1",
        "http://x.example",
        "HTTPS://X.example/A?b=c#d",
        "https://x.example:8443/a",
        "https://ñandú.example/ü?q=é",
        "https://[2001:db8::1]/a",
        "https://x.example/@ana/113",
        "https://x.example/" + "a" * (MAX_LINK - 18),
    ],
)
def test_web_addresses_stay_as_they_are(address: str) -> None:
    assert web_address(address) == address
    assert web_address(f"  {address}\n") == address


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "java\x01script:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://x.example/1",
        "mailto:ana@x.example",
        "//x.example/1",
        "www.x.example",
        "https://",
        "https:///path",
        "https:x.example",
        "https://:80/",
        "https://x.example:99999/",
        "https://user:password@x.example/",
        "https://bank.example@x.example/",
        "https://bank.example\\@x.example/",
        "https:\\x.example",
        "https://x.example/a b",
        "https://x.example/\ud83d",
        "https://x.example/\u202egpj.exe",
        "https://[broken/",
        "https://x.example/" + "a" * MAX_LINK,
        "",
    ],
)
def test_everything_else_is_none(address: str) -> None:
    assert web_address(address) is None


@given(st.text(max_size=60) | st.text(max_size=40).map("https://{}".format))
def test_whatever_stays_is_a_web_address(address: str) -> None:
    kept = web_address(address)
    if kept is not None:
        parts = urlsplit(kept)
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert parts.username is None
