"""The loop that works through a topic. It knows nothing of the work; the work knows nothing of it.

poll -> run -> append what it returned -> commit. Nothing is committed before its effects are durable; what cannot be
processed becomes a dead letter and stops nobody; what fails for now is tried again until it passes.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from stream.clock import SECOND, Clock
from stream.dead_letters import dead_letter
from stream.faults import of_the_surroundings, place_of, without_text
from stream.ports import (
    ALERTS,
    Append,
    Commit,
    Consumer,
    Log,
    LogRecord,
    OffsetConflict,
    OffsetOutside,
    Refused,
    Transient,
    Unusable,
    Work,
)
from stream.process import here, this_process
from stream.records import Alert, Millis, UnknownMajor, encode
from stream.status import Pressure, Publish, StageState, StageStatus
from stream.timing import Timer, Timing

logger = structlog.get_logger(__name__)

_SIGNALS = (Transient, OffsetConflict, OffsetOutside, UnknownMajor, Unusable)


@dataclass(frozen=True)
class StageOptions:
    max_batch: int = 500
    """Most records at a time."""
    first_batch: int = 100
    batch_time: Millis = 250
    """A batch that takes longer is followed by smaller ones."""
    pace: Millis = 40
    """Batches that are not full begin at least so far apart, so that a trickle does not cost a commit a record; the
    first record after a quiet while does not wait."""
    poll: Millis = 200
    """How long to wait for records before `idle` is called: also how soon `stop` is heard."""
    retry_first: Millis = 100
    retry_longest: Millis = 30 * SECOND
    suspicion: int = 20
    """When so many records in a row broke the work, it seems to be the work's fault: each further one waits as long as
    a retry does before it becomes a dead letter."""
    report: Millis = SECOND
    """How often the status is published, and the log told of offsets that are kept in SQL."""


class Stage:
    """One Work on one topic. `run` in a thread of its own; `stop` and `status` from any."""

    def __init__(
        self,
        log: Log,
        work: Work,
        clock: Clock,
        *,
        options: StageOptions | None = None,
        pressure: Pressure | None = None,
        publish: Publish | None = None,
        spare: Callable[[], bool] | None = None,
        overloaded: Callable[[], bool] = lambda: False,
        model_time: Callable[[], Timing] = Timing,
    ) -> None:
        """`pressure` is asked before each batch: while it gives a state to be in, the stage takes nothing.

        `spare` is other work for a time when no record waits: it does a little, and returns whether there is more.
        `overloaded` and `model_time` are told in the status."""
        self._log, self._work, self._clock = log, work, clock
        self._options = options or StageOptions()
        self._pressure, self._publish = pressure, publish
        self._spare, self._overloaded, self._model_time = spare, overloaded, model_time
        self._more_to_spare = False
        self._stopping = threading.Event()
        self._consumer: Consumer | None = None
        self._chunks: deque[list[LogRecord]] = deque()
        self._dead: set[tuple[int, int]] = set()
        self._broken_in_a_row = 0
        self._suspect: LogRecord | None = None
        self._done: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._batch = min(self._options.first_batch, self._options.max_batch)
        self._not_before: Millis = 0
        self._attempts = 0
        self._report_at: Millis = 0
        self._pid, self._started = this_process()
        self._state: StageState = "starting"
        self._began = self._since = self._progress_at = clock.steady()
        self._records = self._dead_letters = self._retries = self._rebalances = self._lag = 0
        self._batch_time = Timer()
        self._error = ""

    def run(self) -> None:
        """Until `stop`: then the batch at hand is finished, committed, and the group left."""
        try:
            while not self._stopping.is_set():
                self.step()
        finally:
            self.close()

    def stop(self) -> None:
        """May be called from a signal handler."""
        self._stopping.set()

    def step(self, timeout: Millis | None = None) -> int:
        """One turn: a batch, or a wait of at most `timeout` (by default the option `poll`). Records finished in it."""
        before = self._records
        wait = (self._options.poll if timeout is None else timeout) / SECOND
        try:
            self._turn(wait)
        except Transient as error:
            self._retry_later(error)
        except OffsetConflict as error:
            self._rejoin(error)
        except (UnknownMajor, OffsetOutside, Unusable) as error:
            self._pause(error)
        except Exception as error:
            logger.error("stage_failed", stage=self._work.name, error=type(error).__name__, place=place_of(error))
            self._retry_later(Transient(without_text(error)))
        self._report()
        return self._records - before

    def status(self) -> StageStatus:
        """Its times are by the present wall clock, so that a clock that was set in between does not age them."""
        set_by = self._clock.wall() - self._clock.steady()
        return StageStatus(
            stage=self._work.name,
            topic=self._work.topic,
            group=self._work.group,
            pid=self._pid,
            started=self._started,
            place=here(),
            state=self._state,
            at=self._clock.wall(),
            began=self._began + set_by,
            since=self._since + set_by,
            progress_at=self._progress_at + set_by,
            records=self._records,
            dead_letters=self._dead_letters,
            retries=self._retries,
            lag=self._lag,
            partitions=tuple(sorted(self._done.copy())),
            rebalances=self._rebalances,
            batch_time=self._batch_time.timing(),
            model_time=self._model_time(),
            overloaded=self._overloaded(),
            batch=self._batch,
            error=self._error,
        )

    def close(self) -> None:
        """Leave the group and close the work. What was not committed is done again by the next one."""
        try:
            self._leave()
        finally:
            self._work.close()
            if self._state != "paused":
                self._become("stopped")
            self._report(at_once=True)

    # --- a turn ------------------------------------------------------------------------------------------------

    def _turn(self, wait: float) -> None:
        if self._state == "paused":
            self._stopping.wait(wait)
            return
        left = self._not_before - self._clock.steady()
        if left > 0:
            self._wait(min(left / SECOND, wait))
            return
        if self._chunks and self._consumer is not None and not self._consumer.stay(0.0):
            return
        if not self._chunks:
            standing = self._pressure() if self._pressure is not None else None
            if standing is not None:
                self._become(standing)
                self._idle()
                self._stay(min(wait, 0.05))
                return
            records = self._poll(0.0 if self._more_to_spare else wait)
            if records:
                self._chunks.append(records)
        if self._chunks:
            self._become("working")
            self._work_off()
        else:
            self._become("idle")
            self._use_spare_time()
        self._attempts = 0
        self._error = ""
        self._idle()

    def _wait(self, seconds: float) -> None:
        """Until a batch may be begun, or tried again."""
        if self._state != "retrying":
            self._stopping.wait(seconds)
            return
        try:
            self._stay(seconds)
        except (OffsetConflict, OffsetOutside, UnknownMajor, Unusable):
            raise
        except Exception:
            # It is met, and told, when the batch is tried again.
            self._stopping.wait(seconds)

    def _stay(self, seconds: float) -> None:
        """Others must not have to wait for this stage to take over what is theirs, or what a dead one held."""
        if self._consumer is None:
            self._stopping.wait(seconds)
        else:
            self._consumer.stay(seconds)

    def _poll(self, wait: float) -> list[LogRecord]:
        if self._consumer is None:
            self._consumer = self._log.consumer(
                self._work.group, self._work.topic, on_assigned=self._assigned, on_revoked=self._revoked
            )
        records = self._consumer.poll(self._batch, wait)
        if records and len(records) < self._batch:
            self._not_before = self._clock.steady() + self._options.pace
        return records

    def _work_off(self) -> None:
        """Chunk by chunk; a chunk with an unexpected error is halved until the record is found that causes it."""
        began, full = self._clock.steady(), sum(map(len, self._chunks)) >= self._batch
        while self._chunks:
            chunk = self._chunks[0]
            try:
                self._process(chunk)
            except _SIGNALS:
                raise
            except Exception as error:
                self._narrow(chunk, error)
                continue
            self._chunks.popleft()
        self._dead.clear()
        took = self._clock.steady() - began
        self._batch_time.note(took / SECOND)
        self._adapt(took, full)

    def _process(self, chunk: list[LogRecord]) -> None:
        commits = self._commits(chunk)
        outputs = self._run(chunk, commits)
        if outputs:
            self._log.append(outputs)
        if self._consumer is not None and not self._work.owns_offsets:
            self._consumer.commit(commits)
        self._done |= {commit.partition: commit.next for commit in commits}
        self._records += len(chunk)
        self._progress_at = self._clock.steady()
        logger.debug("batch_done", stage=self._work.name, records=len(chunk), keys=[record.key for record in chunk])

    def _run(self, chunk: list[LogRecord], commits: list[Commit]) -> Sequence[Append]:
        """What the work returns for the records that it does not refuse; those are dead letters before any commit."""
        while True:
            good = [record for record in chunk if (record.partition, record.offset) not in self._dead]
            try:
                outputs = self._work.run(good, commits, self._clock.now())
            except _SIGNALS:
                raise
            except Refused as refused:
                if not self._bury(refused.records):
                    raise Transient(f"stage {self._work.name} refuses a batch without naming a record of it") from None
            except Exception as error:
                # Without a record in it, or with disk and database gone, no record is to blame.
                if good and not of_the_surroundings(error):
                    raise
                raise Transient(without_text(error)) from error
            else:
                self._broken_in_a_row = 0 if good else self._broken_in_a_row
                return outputs

    def _narrow(self, chunk: list[LogRecord], error: Exception) -> None:
        if len(chunk) == 1:
            record = chunk[0]
            if self._broken_in_a_row >= self._options.suspicion and self._suspect != record:
                self._suspect = record
                raise Transient(f"{self._broken_in_a_row} records in a row failed, {without_text(error)}") from error
            self._broken_in_a_row += 1
            logger.error("record_failed", stage=self._work.name, key=record.key, error=without_text(error))
            self._bury([(record, without_text(error), type(error).__name__)])
            return
        middle = len(chunk) // 2
        self._chunks.popleft()
        self._chunks.extendleft((chunk[middle:], chunk[:middle]))

    def _bury(self, records: Sequence[tuple[LogRecord, str, str]]) -> int:
        """How many are dead letters now that were none before."""
        fresh = [entry for entry in records if (entry[0].partition, entry[0].offset) not in self._dead]
        now = self._clock.now()
        self._log.append([dead_letter(self._work.name, record, why, error, now) for record, why, error in fresh])
        for record, _, error in fresh:
            place = f"{record.topic}/{record.partition}:{record.offset}"
            logger.warning("dead_letter", stage=self._work.name, key=record.key, place=place, error=error)
        self._dead |= {(record.partition, record.offset) for record, _, _ in fresh}
        self._dead_letters += len(fresh)
        return len(fresh)

    def _commits(self, chunk: Sequence[LogRecord]) -> list[Commit]:
        following = {record.partition: record.offset + 1 for record in chunk}
        return [Commit(self._work.topic, p, self._done[p], offset) for p, offset in sorted(following.items())]

    def _adapt(self, took: Millis, full: bool) -> None:
        if took > self._options.batch_time:
            self._batch = max(1, self._batch // 2)
        elif full and took * 2 < self._options.batch_time:
            self._batch = min(self._options.max_batch, self._batch * 2)

    def _use_spare_time(self) -> None:
        self._more_to_spare = False
        if self._spare is None:
            return
        try:
            self._more_to_spare = self._spare()
        except _SIGNALS:
            raise
        except Exception as error:
            raise Transient(f"in spare time: {without_text(error)}") from error

    def _idle(self) -> None:
        if self._work.owns_offsets and self._clock.steady() >= self._report_at:
            with self._untold_for_now():
                self._tell()
        try:
            self._work.idle(self._clock.now())
        except _SIGNALS:
            raise
        except Exception as error:
            raise Transient(f"between batches: {without_text(error)}") from error

    # --- partitions and offsets ---------------------------------------------------------------------------------

    def _assigned(self, partitions: frozenset[int]) -> Mapping[int, int] | None:
        if not self._work.owns_offsets:
            stored = self._log.committed(self._work.group, self._work.topic)
            self._done |= {p: stored.get(p, 0) for p in partitions}
            self._rebalances += 1
            return None
        kept = self._work.offsets(partitions, self._log.epoch())
        start = {p: kept.get(p, 0) for p in partitions}
        self._done |= start
        self._told |= start
        self._rebalances += 1
        return start

    def _revoked(self, partitions: frozenset[int]) -> None:
        self._rebalances += not self._stopping.is_set()
        with contextlib.suppress(OffsetConflict), self._untold_for_now():
            self._tell()
        for partition in partitions:
            self._done.pop(partition, None)
            self._told.pop(partition, None)
        left = ([record for record in chunk if record.partition not in partitions] for chunk in self._chunks)
        self._chunks = deque(chunk for chunk in left if chunk)
        self._dead = {(partition, offset) for partition, offset in self._dead if partition not in partitions}

    @contextlib.contextmanager
    def _untold_for_now(self) -> Iterator[None]:
        """A log that takes no offset now, such as while its group is divided anew, is told later."""
        try:
            yield
        except Transient as error:
            logger.info("offsets_not_told", stage=self._work.name, error=str(error))

    def _tell(self) -> None:
        """Note in the log what SQL holds, for lag and retention: the truth stays in SQL."""
        if not self._work.owns_offsets or self._consumer is None:
            return
        news = [
            Commit(self._work.topic, p, self._told[p], done)
            for p, done in self._done.items()
            if p in self._told and self._told[p] != done
        ]
        if news:
            self._consumer.commit(news)
            self._told |= {commit.partition: commit.next for commit in news}

    def _leave(self) -> None:
        self._chunks.clear()
        self._dead.clear()
        try:
            if self._consumer is not None:
                self._consumer.close()
        finally:
            self._consumer = None
            self._done.clear()
            self._told.clear()

    # --- when it does not go on ---------------------------------------------------------------------------------

    def _retry_later(self, error: Exception) -> None:
        longest = min(self._options.retry_longest, self._options.retry_first * 2 ** min(self._attempts, 20))
        self._not_before = self._clock.steady() + int(longest * random.uniform(0.5, 1.0))
        self._attempts += 1
        self._retries += 1
        self._error = f"{type(error).__name__}: {error}"
        self._become("retrying")
        first = self._chunks[0][0].key if self._chunks else ""
        logger.warning("retrying", stage=self._work.name, attempt=self._attempts, error=self._error, first=first)

    def _rejoin(self, error: OffsetConflict) -> None:
        """Somebody else holds, or moved, a partition: drop all, and start from what is stored now."""
        logger.warning("partition_dropped", stage=self._work.name, error=str(error))
        with contextlib.suppress(OffsetConflict):
            self._leave()
        self._retry_later(error)

    def _pause(self, error: Exception) -> None:
        """Leave the partitions to a program that can read on, tell people once, keep the process alive."""
        self._error = f"{type(error).__name__}: {error}"
        self._become("paused")
        logger.error("stage_paused", stage=self._work.name, error=self._error)
        try:
            self._leave()
            alert = Alert(id=0, kind="stage", why=f"stage {self._work.name} pauses: {error}", at=self._clock.now())
            self._log.append([Append(ALERTS, f"stage:{self._work.name}", encode(alert))])
        except (Transient, OffsetConflict, Unusable) as failed:
            logger.error("pause_not_told", stage=self._work.name, error=type(failed).__name__)

    def _become(self, state: StageState) -> None:
        if state != self._state:
            self._state, self._since = state, self._clock.steady()

    def _report(self, *, at_once: bool = False) -> None:
        steady = self._clock.steady()
        if not at_once and steady < self._report_at:
            return
        self._report_at = steady + self._options.report
        if not (at_once and self._error):
            # While the log is away people look at the status: then the last lag stands in it. Who ends does not ask
            # a log again that may be away.
            try:
                self._lag = self._log.lag(self._work.group, self._work.topic)
            except Exception as error:
                logger.warning("lag_not_known", stage=self._work.name, error=type(error).__name__)
        try:
            if self._publish is not None:
                self._publish(self.status())
        except OSError as error:
            logger.warning("status_not_written", stage=self._work.name, error=type(error).__name__)
