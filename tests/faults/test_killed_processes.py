"""Architecture, promise 1: nothing lost, nothing twice, whichever process is killed at whatever instant."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from program import SOAK, Program, append, gone, lines, row, said

from query.parse import parse
from stream.ports import EVERYTHING
from stream.records import Post

KILLS = 300 if SOAK else 10
pytestmark = pytest.mark.timeout(4 * 3_600 if SOAK else 300)
BRANDS = ("Marlin Ferries", "Tulip Bank")
IDS = {"Marlin Ferries": "marlin", "Tulip Bank": "tulip"}


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
                batch += _history(dice, number, final)
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
                run = _again(program)
            else:
                for victim in dice.sample(
                    children := program.children(run), k=min(dice.choice((1, 1, 2)), len(children))
                ):
                    victim.kill()
                    deaths["child"] += 1
    program.wait(600 if SOAK else 120)
    _judge(program, final)
    mails = Counter(str(mail["Message-ID"]) for mail in program.mails())
    twice = sum(times - 1 for times in mails.values())
    print(f"{KILLS} rounds ({dict(deaths)}), {number} posts, {len(mails)} mails, {twice} twice")
    assert twice <= KILLS // 100
    assert program.stop(run) == 0


def _again(program: Program):  # type: ignore[no-untyped-def]
    """After the supervisor's death its children end by themselves, then a new run may start."""
    end = time.monotonic() + 60
    while True:
        run = program.start("run", ready=False)
        while run.poll() is None and len(program.children(run)) < 5:
            time.sleep(0.05)
        if run.poll() is None:
            return run
        assert run.returncode == 5, program.words()
        assert time.monotonic() < end


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


def _history(dice: random.Random, number: int, final: dict[int, str | None]) -> list[Post]:
    brand = dice.choice(BRANDS)
    loud = " mayday" if dice.random() < 0.15 else ""
    text = f"{brand} word{number}v0{loud} please answer"
    posts, final[number] = [said(number, text)], text
    fate = dice.random()
    if fate < 0.3:
        brand = dice.choice(BRANDS)
        final[number] = f"{brand} word{number}v1{loud} please answer"
        posts.append(said(number, str(final[number]), "edited", posts[0].seen_at + 1, edited_at=posts[0].seen_at + 1))
    if fate > 0.8:
        posts.append(gone(number))
        final[number] = None
        dice.shuffle(posts)
    return posts


def _judge(program: Program, final: dict[int, str | None]) -> None:
    expected = {
        f"x:{number}#{IDS[brand]}": text
        for number, text in final.items() if text is not None
        for brand in BRANDS if text.startswith(brand)
    }  # fmt: skip
    held = program.mentions()
    live = {id: m.post.text for id, m in held.items() if m.state == "live" and m.post is not None}
    assert live == expected
    with program.opened() as opened:
        for id, mention in held.items():
            assert opened.store.get(id, EVERYTHING) == (mention if id in live else None), id
    assert program.counted() == Counter(id.partition("#")[2] for id in live)
    cases = program.sql("SELECT id, mentions FROM cases WHERE live = 1")
    members = Counter(m.case_id for m in held.values() if m.state == "live")
    assert dict(cases) == dict(members)
    told = {str(mail["Message-ID"]) for mail in program.mails()}
    sent = {id for (id,) in program.sql("SELECT message_id FROM mail WHERE state = 'sent'")}
    assert sent == told
    loud = {id for id, text in live.items() if "mayday" in text}
    alerted = {
        f"{post}#{brand}"
        for post, brand in program.sql(
            "SELECT p.id, a.brand FROM mail JOIN mail_item i ON i.mail = mail.id JOIN alert a ON a.id = i.alert"
            " JOIN mention m ON m.n = a.mention_n JOIN post p ON p.n = m.post WHERE mail.state = 'sent'"
        )
    }
    assert loud <= alerted
