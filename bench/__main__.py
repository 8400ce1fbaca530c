"""`python -m bench` (or `make bench`): every figure of docs/performance.md, measured here, one after another."""

from __future__ import annotations

import subprocess
import sys
import time

RUNS: tuple[tuple[str, ...], ...] = (
    ("bench.ingest", "--rows", "50000"),
    ("bench.log",),
    ("bench.nlp",),
    ("bench.nlp", "--memory"),
    ("bench.classify",),
    ("bench.decide",),
    ("bench.explain",),
    ("bench.backtest", "--mentions", "100000"),
    ("bench.routing", "--rows", "10000", "100000"),
    ("bench.search", "--rows", "100000"),
    ("bench.pipeline", "--posts", "10000", "50000"),
    ("bench.pipeline", "--rate", "1500", "--seconds", "30"),
    ("bench.deletes",),
)


def main() -> int:
    """Exit code 1 when one of them failed."""
    failed = []
    for module, *options in RUNS:
        print(f"\n== python -m {' '.join((module, *options))}", flush=True)
        started = time.monotonic()
        if subprocess.run([sys.executable, "-m", module, *options], check=False).returncode:
            failed.append(module)
        print(f"   ({time.monotonic() - started:.0f} s)", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
