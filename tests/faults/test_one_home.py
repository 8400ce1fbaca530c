"""Two programs on one home: the second `clamor run` refuses and says why; single commands work beside the first."""

from __future__ import annotations

import json
from pathlib import Path

from program import Program, lines, row

from clamor import exits


def test_a_second_run_refuses_and_single_commands_work(program: Program) -> None:
    """Semantics 11: locks are per role; `replay` and the command line append beside a running `clamor run`."""
    run = program.start("run")
    second = program.clamor("run")
    assert second.returncode == exits.BUSY
    assert f"process {run.pid}" in second.stderr.replace("\n", " ")
    file = lines(program.root / "a.jsonl", [row(n, f"Tulip Bank word{n}") for n in range(20)])
    done = program.clamor("replay", str(file), "--drain")
    assert done.returncode == 0, done.stderr
    assert program.clamor("search", "brand:tulip", "--count").stdout.strip() == "20"
    assert json.loads(program.clamor("status", "--json").stdout)["running"] == run.pid
    assert run.poll() is None
    assert program.stop(run) == 0
    third = program.clamor("replay", str(file), "--again", "--drain")
    assert third.returncode == 0, third.stderr
    assert program.counted() == {"tulip": 20}


def test_a_command_on_no_home_makes_none(tmp_path: Path) -> None:
    """A mistyped --home is answered with a sentence, and no files."""
    nothing = Program(tmp_path / "made")
    (nothing.root / "clamor.yaml").write_text("brands: 7\n")
    found = nothing.clamor("run")
    assert found.returncode == exits.CONFIGURATION
    assert "brands" in found.stderr
    assert not (nothing.root / "data" / "app.db").exists()
