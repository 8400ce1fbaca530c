"""Of several places of a source one that fails keeps no other from being asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest.collector import Delivery, Denied, Interrupted
from ingest.several import Several, filled
from ingest.web import Unauthorized

NAMES = [f"p{number}" for number in range(9)]


def rounds(several: Several, failing: dict[str, Exception], names: list[str] = NAMES) -> list[str]:
    """Who was asked in one round, in which order; the last one ended it, where not all were."""
    asked = []
    for name in several.in_turn(names):
        asked.append(name)
        fault = failing.get(name)
        if fault is None:
            several.answers(name, 7)
        elif not several.passes_over(name, fault):  # type: ignore[arg-type]
            break
    return asked


def test_a_few_that_always_fail_are_asked_after_the_others() -> None:
    several, failing = Several(), {name: Interrupted("down") for name in NAMES[:4]}
    assert rounds(several, failing) == NAMES[:3], "it may be the network"
    assert rounds(several, failing) == [*NAMES[3:], *NAMES[:3]]
    assert rounds(several, failing) == [*NAMES[4:], *NAMES[:4]]
    assert rounds(several, {}) == [*NAMES[4:], *NAMES[:4]]
    assert rounds(several, {}) == NAMES


@pytest.mark.parametrize("fault", [Interrupted("limit", retry_after=1_000), Unauthorized("the key")])
def test_a_limit_or_a_refused_key_ends_the_round(fault: Exception) -> None:
    several = Several()
    assert rounds(several, {"p1": fault}) == ["p0", "p1"]
    assert rounds(several, {"p0": fault}, ["p0"]) == ["p0"]


def test_a_fault_knows_since_when() -> None:
    several, fault = Several(), Denied("no")
    rounds(several, {})
    rounds(several, {"p3": fault})
    assert fault.since == 7


def asked(refused: set[str], cursor: str | None = None) -> list[tuple[str | None, str]]:
    def ask(place: str) -> Iterator[Delivery]:
        if place in refused:
            raise Denied(f"no {place}")
        yield Delivery()

    return [(one.cursor, one.reason) for one in filled(NAMES[:3], cursor, ask)]


def test_of_a_span_what_is_refused_is_missing_and_the_others_are_asked() -> None:
    assert asked(set()) == [(None, ""), ("p0", ""), (None, ""), ("p1", ""), (None, ""), ("p2", "")]
    assert asked({"p0"}) == [(None, ""), (None, "no p0"), ("p1", ""), (None, ""), ("p2", "")]
    assert asked({"p2"}, cursor="p1") == [(None, "no p2"), ("p2", "")]
    with pytest.raises(Denied, match="no p0"):
        asked({"p0", "p1", "p2"})
