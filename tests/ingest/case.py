"""One network as the contract drives it: what a test file says of it (`Case`), and what is done with it.

with collecting(case, home) as at_work:
    case.publish("Acme")
    agree(case, at_work)
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from config.sources import Collected
from ingest.collector import Draft, Existence, Sweepable
from ingest.intake import Intake, post_id
from stream.clock import Clock
from stream.records import Millis
from tests.ingest.collecting import Child, Collecting, until
from tests.standins.server import Fault, StandIn

How = Literal["", "stream", "poll", "sweep", "webhook"]
"""By what a collector learns of it; empty: never."""


class Case(Protocol):
    """One network, to be driven by the contract. Brand `acme` (name Acme, handle @acme, hashtag #acme) is listened for;
    a published text that holds `Acme` has to arrive here, a text without need not.

    Optional, looked for with `getattr`: `network`, the first part of its posts' ids where that is not the settings'
    kind; `firehose = True` where the source brings posts that nobody asked for; `silence = True` where it is a stream
    that is never silent for long, so that its settings say how long it may be (`silence`), and its stand-in can be
    `frozen`; `newest_only = True` where a list tells of the edits and deletes of its newest posts alone, and the
    network's page says that sweeps find the others; `uncounted`, how the paths of those requests begin that the
    ledger does not count (docs/collectors.md says which).
    """

    standin: StandIn
    edits: How
    deletes: How
    fills: bool
    """Whether the network has a history that a missed span can be asked of."""
    first: str
    """Path that the collector's first questions begin with: where faults hit it."""

    def settings(self) -> Collected:
        """The source's section, `id="source"`, pointing at the stand-in, with short intervals (0.1 s at most). The
        contract sets its `timeout` to half a second."""

    def secrets(self) -> Mapping[str, str]:
        """By NAME, as the environment would have them. Each at least 12 characters and found nowhere else."""

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        """A new post by `author`, public at once, claimed at `at` (milliseconds; None: now). Its native id. Called
        10,000 times in a row, and from several threads: be quick, and take the stand-in's lock."""

    def publish_malformed(self) -> None:
        """Something among the new posts, where Acme's posts are shown, that is no post: without its id, or a number
        where an object should be."""

    def edit(self, native_id: str, text: str) -> None:
        """Called only where `edits` says how it is learnt of."""

    def delete(self, native_id: str) -> None:
        """Called only where `deletes` says how it is learnt of."""

    def truth(self) -> Mapping[str, str]:
        """What stands on the network now: native id → text."""


def collecting(
    case: Case, place: Path, *, clock: Clock | None = None, silence: Millis | None = None, **more: Any
) -> Collecting:
    """The case's collector at work in this process: `with` it. `silence`: another one than the case's settings say."""
    settings = _settings(case)
    if silence is not None:
        settings = settings.model_copy(update={"silence": silence})
    return Collecting(place, settings, case.secrets(), clock=clock, **_named(case), **more)


def child(case: Case, place: Path) -> Child:
    """The same in a process of its own, connected."""
    return Child(place, _settings(case), case.secrets(), **_named(case))


def keeps(case: Case, at_work: Collecting) -> bool:
    """Whether a post that was published while the collector was cut off comes later."""
    return case.fills or at_work.collector.resumes


def found_by_sweeps(case: Case, how: How, resumes: bool) -> bool:
    """Whether the network may never tell of one that it tells of in that way: a stream tells nothing twice, some lists
    show only their newest posts."""
    if how == "poll":
        return bool(getattr(case, "newest_only", False))
    return how == "sweep" or (how == "stream" and not resumes)


def agree(
    case: Case,
    at_work: Collecting,
    seconds: float = 15,
    *,
    may_miss: bool = False,
    may_be_old: Collection[str] = (),
) -> None:
    """Wait until what we hold is what stands on the network. Where it has no history, or `may_miss`, all but the newest
    may be missing, if a hole in the ledger says so. `may_be_old`: native ids of which an edit or a delete need not be
    known; they have to be here."""
    unasked = {id_here(at_work, native) for native in may_be_old}

    def missing() -> list[str]:
        held = at_work.held.texts()
        return [id for id in wanted(case, at_work) if id not in held]

    def old() -> list[str]:
        held = at_work.held.texts()
        texts = {id: text for id, text in wanted(case, at_work).items() if id not in unasked}
        return [id for id, text in texts.items() if held.get(id, text) != text]

    def undeleted() -> set[str]:
        known = {id_here(at_work, native) for native in case.truth()}
        return set(at_work.held.texts()) - known - unasked

    def settled() -> bool:
        lost = [*missing(), *old()]
        if not lost:
            return True
        newest = next(reversed(wanted(case, at_work)))
        return (may_miss or not keeps(case, at_work)) and newest not in lost and bool(at_work.ledger.gaps(["source"]))

    def why() -> str:
        return (
            f"of {len(wanted(case, at_work))} posts {len(missing())} are missing, such as {missing()[:3]}, and "
            f"{len(old())} have an old text, such as {old()[:3]}; "
            f"trouble: {at_work.runner.trouble!r}; gaps: {at_work.ledger.gaps(['source'])[:3]}; "
            f"not whole: {[row for row in at_work.ledger.rows() if row.missed is None][:3]}"
        )

    until(settled, why, seconds)
    if case.deletes in ("stream", "poll"):
        until(lambda: not undeleted(), lambda: f"still held: {undeleted()}", seconds)
    elif not case.deletes:
        assert not undeleted(), "posts that were never on the network"


def wanted(case: Case, at_work: Collecting) -> dict[str, str]:
    """Post id → text of all that stands on the network about Acme, oldest first."""
    return {id_here(at_work, native): text for native, text in case.truth().items() if "Acme" in text}


def id_here(at_work: Collecting, native: str) -> str:
    """What the post is called in the log."""
    return post_id(at_work.collector.source.network, native)


def outage(case: Case, at_work: Collecting, texts: Sequence[str]) -> None:
    """The network is down while these are published, and then there again."""
    case.standin.misbehave(Fault("status", status=503, times=1_000_000))
    case.standin.cut_streams()
    until(lambda: at_work.runner.trouble, lambda: "no word of the outage in `trouble`")
    for text in texts:
        case.publish(text)
    until(lambda: at_work.ledger.gaps(["source"]), lambda: "the outage does not stand in the ledger while it lasts")
    threading.Event().wait(0.1)
    case.standin.recover()
    until(lambda: at_work.connected, lambda: f"it did not come back: {at_work.runner.trouble}")


def went_wrong(case: Case) -> None:
    """Wait until all that was to go wrong has."""
    until(lambda: not case.standin.to_go_wrong, lambda: "the collector never asked there again: is `first` right?")


def sweep(at_work: Collecting, native_ids: Sequence[str]) -> dict[str, Existence]:
    """Look these up as the sweep does, and take what comes; what is not there any more is deleted."""
    collector = at_work.collector
    assert isinstance(collector, Sweepable), "learnt of by sweep, and there is no look_up"
    intake, existence = Intake(at_work.log, at_work.collector.source), dict[str, Existence]()
    for begin in range(0, len(native_ids), collector.most_looked_up):
        asked = native_ids[begin : begin + collector.most_looked_up]
        found = collector.look_up(asked)
        assert set(found.existence) == set(asked)
        existence.update(found.existence)
        gone = [Draft(native_id=id, kind="deleted") for id in asked if found.existence[id] in ("gone", "absent")]
        intake.take([*found.drafts, *gone], at_work.clock.now(), "live")
    return existence


def _settings(case: Case) -> Collected:
    return case.settings().model_copy(update={"timeout": 500})


def _named(case: Case) -> dict[str, Any]:
    return {"network": getattr(case, "network", ""), "firehose": getattr(case, "firehose", False)}
