"""Architecture, promise 1: nothing lost, nothing twice, whichever process is killed at whatever instant."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from program import SOAK, Program, append, lines, row
from stories import doubled, history, judge

from query.parse import parse
from stream.ports import EVERYTHING
from stream.records import Post

KILLS = 300 if SOAK else 10
pytestmark = pytest.mark.timeout(4 * 3_600 if SOAK else 300)


def test_kill_any_process_while_posts_edits_and_deletes_flow(program: Program) -> None:
    """Promise 1, semantics 2, 4 and 6: final states in the index, cases and counts exactly once, each mail once."""
    dice = random.Random(KILLS)
    run = program.start("run")
    final: dict[int, str | None] = {}
    deaths: Counter[str] = Counter()
    number = 0
    with program.opened() as opened:
        for kill in range(KILLS):
            batch: list[Post] = []
            for _ in range(12):
                number += 1
                batch += history(dice, number, final)
            append(opened, batch[: len(batch) // 2])
            time.sleep(dice.uniform(0.0, 0.2))
            append(opened, batch[len(batch) // 2 :])
            time.sleep(dice.uniform(0.0, 0.15))
            if kill % 10 == 7:
                program.kill(run)
                deaths["all"] += 1
                run = program.start("run")
            elif kill % 10 == 3:
                run.kill()
                run.wait()
                deaths["supervisor"] += 1
                run = program.start_again()
            else:
                for victim in dice.sample(
                    children := program.children(run), k=min(dice.choice((1, 1, 2)), len(children))
                ):
                    victim.kill()
                    deaths["child"] += 1
    program.wait(600 if SOAK else 120)
    judge(program, final)
    twice = doubled(program)
    print(f"{KILLS} rounds ({dict(deaths)}), {number} posts, {len(program.mails())} mails, {twice} twice")
    assert twice <= KILLS // 100
    assert program.stop(run) == 0


def test_a_replay_that_is_killed_goes_on_where_it_stood(program: Program) -> None:
    """Promise 1: a file is taken up again after its replay was killed, and every row counts once."""
    total = 4_000 if not SOAK else 20_000
    file = lines(program.root / "rows.jsonl", [row(n, f"Marlin Ferries word{n} help") for n in range(total)])
    dice = random.Random(7)
    for _ in range(2 if not SOAK else 40):
        replay = program.start("replay", str(file))
        time.sleep(dice.uniform(1.5, 6.0))
        if replay.poll() is None:
            program.kill(replay)
    done = program.clamor("replay", str(file), "--drain")
    assert done.returncode == 0, done.stderr
    assert program.counted() == {"marlin": total}
    with program.opened() as opened:
        assert opened.store.count(parse("brand:marlin", now=0), EVERYTHING).value == total
