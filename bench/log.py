"""What the log costs a record: `python bench/log.py [--records N] [--size BYTES] [--batch N] [--fsync always|normal]`.

Prints CPU and elapsed time in microseconds a record for append, for poll and commit, and for a stage that copies
records from one topic to another; the latency from append to poll between two processes at a steady rate; and what a
group that waits costs. The budget for append and poll together is 30 us of CPU a record of 1 KB in batches of 500.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stream.clock import HOUR, WallClock
from stream.embedded import EmbeddedLog, LogSettings
from stream.ports import ALERTS, DEAD_LETTER, Append, Commit, LogRecord, TopicSpec
from stream.retention import sweep
from stream.sqlite_file import Fsync
from stream.stage import Stage, StageOptions

BUDGET_US = 30.0
PARTITIONS = 8
TOPICS = ("posts", "mentions", "probe", ALERTS, DEAD_LETTER)


class Copy:
    """The least work a stage can do."""

    name, topic, group, owns_offsets = "copy", "posts", "copy", False

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: int) -> Sequence[Append]:
        return [Append("mentions", record.key, record.value) for record in records]

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        return {}

    def idle(self, now: int) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "log.db"
        log = open_log(path, options.fsync)
        value = os.urandom(options.size)
        records = [Append("posts", f"bluesky:{n}", value) for n in range(options.records)]
        print(f"{options.records} records of {options.size} bytes, batches of {options.batch}, fsync {options.fsync}")
        append = measured("append", len(records), lambda: append_all(log, records, options.batch))
        poll = measured("poll and commit", len(records), lambda: poll_all(log, options.batch))
        print(f"{'append + poll':<18}{append + poll:8.1f} us CPU   budget {BUDGET_US:.0f}")
        measured("stage, copying", len(records), lambda: copy_all(log, options.batch))
        size = path.stat().st_size / sum(high - low for t in TOPICS for low, high in log.bounds(t).values())
        print(f"{'on disk':<18}{size:8.0f} bytes a record")
        print(f"{'a group waiting':<18}{waiting(log):8.2f} % of a core")
        latency(log, path, options.fsync)
        longest = retention(log)
        print(f"{'retention':<18}{longest:8.1f} ms longest that it kept an append waiting")
        log.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--fsync", choices=("always", "normal"), default="always")
    parser.add_argument("--folder", help="where the log is made; the system's temporary folder by default")
    parser.add_argument("--echo", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo:
        echo(Path(options.echo), options.fsync)
        raise SystemExit
    return options


def open_log(path: Path, fsync: Fsync) -> EmbeddedLog:
    log = EmbeddedLog(path, WallClock(), LogSettings(fsync=fsync))
    log.ensure([TopicSpec(topic, PARTITIONS, HOUR) for topic in TOPICS])
    return log


def measured(what: str, records: int, work: Callable[[], None]) -> float:
    """CPU microseconds a record."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{what:<18}{cpu / records * 1e6:8.1f} us CPU {wall / records * 1e6:8.1f} us elapsed")
    return cpu / records * 1e6


def append_all(log: EmbeddedLog, records: Sequence[Append], batch: int) -> None:
    for start in range(0, len(records), batch):
        log.append(records[start : start + batch])


def poll_all(log: EmbeddedLog, batch: int) -> None:
    consumer = log.consumer("bench", "posts")
    done: dict[int, int] = {}
    while records := consumer.poll(batch, 0):
        ends = {record.partition: record.offset + 1 for record in records}
        consumer.commit([Commit("posts", p, done.get(p, 0), end) for p, end in ends.items()])
        done |= ends
    consumer.close()


def copy_all(log: EmbeddedLog, batch: int) -> None:
    stage = Stage(log, Copy(), WallClock(), options=StageOptions(max_batch=batch, first_batch=batch))
    while stage.step(timeout=0):
        pass
    stage.close()


def waiting(log: EmbeddedLog) -> float:
    consumer = log.consumer("bench", "posts")
    consumer.poll(1, 0.1)
    cpu = time.process_time()
    consumer.poll(1, 3.0)
    used = (time.process_time() - cpu) / 3.0 * 100
    consumer.close()
    return used


def latency(log: EmbeddedLog, path: Path, fsync: Fsync) -> None:
    """2,000 records a second in calls of 20, from here to another process."""
    reader = subprocess.Popen(
        [sys.executable, __file__, "--echo", str(path), "--fsync", fsync], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    begin = time.monotonic()
    for call in range(400):
        now = str(time.time_ns()).encode()
        log.append([Append("probe", f"x:{call * 20 + n}", now) for n in range(20)])
        time.sleep(max(0.0, begin + call * 0.01 - time.monotonic()))
    took = sorted(json.loads(reader.communicate()[0]))
    p50, p99 = statistics.median(took), took[len(took) * 99 // 100]
    print(f"{'append to poll':<18}{p50:8.1f} ms p50 {p99:8.1f} ms p99, another process, 2,000 records/s")


def echo(path: Path, fsync: Fsync) -> None:
    log = open_log(path, fsync)
    consumer = log.consumer("echo", "probe")
    consumer.poll(1, 0)
    print("ready", flush=True)
    took: list[float] = []
    while len(took) < 8_000:
        records = consumer.poll(500, 1.0)
        took += [(time.time_ns() - int(record.value)) / 1e6 for record in records]
    print(json.dumps(took))
    log.close()


def retention(log: EmbeddedLog) -> float:
    """Longest time in ms that an append of another process waits while everything is removed."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from stream.clock import WallClock; from stream.embedded import EmbeddedLog; from stream.ports import Append\n"
        "log = EmbeddedLog(Path(sys.argv[1]), WallClock())\n"
        "print('ready', flush=True)\n"
        "longest, end = 0.0, time.monotonic() + 3\n"
        "while time.monotonic() < end:\n"
        "    began = time.perf_counter(); log.append([Append('alerts', 'k', b'')])\n"
        "    longest = max(longest, time.perf_counter() - began); time.sleep(0.005)\n"
        "print(longest * 1e3); log.close()\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(log.path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    sweep(log, log.clock.now() + 2 * HOUR)
    return float(writer.communicate()[0])


if __name__ == "__main__":
    main()
