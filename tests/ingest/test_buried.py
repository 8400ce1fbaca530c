"""A page that is read again and again tells of what is wrong in it once."""

from __future__ import annotations

from ingest.buried import Buried
from ingest.collector import Malformed


def letters(*payloads: bytes) -> list[Malformed]:
    return [Malformed("a page", "it is no post", payload) for payload in payloads]


def told(buried: Buried, *payloads: bytes) -> list[Malformed]:
    found = buried.unknown(letters(*payloads))
    buried.note(found)
    return found


def test_each_is_told_of_once() -> None:
    buried = Buried()
    assert told(buried, b"a", b"b", b"a") == letters(b"a", b"b")
    assert told(buried, b"b", b"c") == letters(b"c")
    assert told(buried, b"a", b"b", b"c") == []


def test_what_nobody_took_is_told_of_again() -> None:
    buried = Buried()
    assert buried.unknown(letters(b"a")) == buried.unknown(letters(b"a")) == letters(b"a")


def test_the_memory_of_it_is_bounded_and_forgets_the_oldest() -> None:
    buried = Buried(most=2)
    told(buried, b"a", b"b", b"c")
    assert told(buried, b"b", b"c") == []
    assert told(buried, b"a") == letters(b"a")
