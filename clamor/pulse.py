"""Whether a stage of this machine or container is well: `python -m clamor.pulse nlp`, for health checks.

It reads the stage's own word in the data folder and nothing else, so that it costs a tenth of a second and asks no
engine. Exit code 0: it said something lately; 1: it did not. A stage that tries again, or waits for a person, is well:
to start it anew would not help, and `/readyz` and the metrics tell of it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from stream.process import here
from stream.records import Millis
from stream.status import FRESH, StatusFolder

DATA_VARIABLE = "CLAMOR_DATA"


def well(data: Path, stage: str, now: Millis) -> bool:
    """Whether a process of `stage` that runs here spoke within FRESH. `now` is wall time."""
    said = StatusFolder(data / "status").read()
    return any(
        one.stage == stage and one.place == here() and one.state != "stopped" and now - one.at <= FRESH for one in said
    )


def main() -> int:
    data = os.environ.get(DATA_VARIABLE, "")
    if len(sys.argv) != 2 or not data:
        print(f"usage: {DATA_VARIABLE}=FOLDER python -m clamor.pulse STAGE", file=sys.stderr)
        return 2
    stage = sys.argv[1]
    if well(Path(data), stage, time.time_ns() // 1_000_000):
        return 0
    print(f"stage {stage} has said nothing here within {FRESH // 1_000} s", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
