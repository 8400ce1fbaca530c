"""Several processes understand the posts of one home, and leave what one alone would."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import pytest
import tiny_model
from living import CONFIGURATION, settled_home
from msgspec.structs import replace
from typed import clamor

from config.home import Home
from config.schema import Settings
from stream.records import Mention, decode
from stream.status import StatusFolder

POSTS = 600


def replayed(root: Path, file: Path, workers: int) -> Home:
    processes = f"processes: {{nlp_workers: {workers}}}\n"
    home = settled_home(root, CONFIGURATION.replace("model: linear", "model: tiny") + processes)
    tiny_model.make(home.models / "tiny")
    done = clamor(home.root, "replay", str(file), "--drain")
    assert done.code == 0, done.err
    return home


def understood(home: Home) -> list[Mention]:
    connection = sqlite3.connect(home.app_db)
    bodies = connection.execute("SELECT body FROM mention").fetchall()
    connection.close()
    found = []
    for (body,) in bodies:
        mention = decode(Mention, body)
        assert mention.decision is not None
        assert mention.post is not None
        found.append(
            replace(
                mention,
                revision=0, case_id=None, appended_at=0, understood_at=0, decided_at=0, cluster=None, copies=0,
                post=replace(mention.post, seen_at=0), decision=replace(mention.decision, decided_at=0),
            )
        )  # fmt: skip
    return sorted(found, key=lambda mention: mention.id)


def test_three_processes_leave_what_one_does(tmp_path: Path) -> None:
    draw, file = random.Random(7), tmp_path / "x.jsonl"
    rows = [
        {"id": f"x:{n}", "author": f"a{n}", "created_at": f"2026-03-01T{n // 60:02}:{n % 60:02}:00Z",
         "text": " ".join(["Acme Air", *draw.choices(tiny_model.SYLLABLES, k=draw.choice([2, 9, 30]))])}
        for n in range(POSTS)
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    alone, shared = (replayed(tmp_path / str(workers), file, workers) for workers in (1, 3))
    assert len(understood(alone)) == POSTS
    assert understood(alone) == understood(shared)
    for home, workers in ((alone, 1), (shared, 3)):
        told = [one for one in StatusFolder(home.data / "status").read() if one.stage == "nlp"]
        assert len(told) == workers
        assert sum(one.records for one in told) == POSTS


@pytest.mark.parametrize(("cores", "partitions", "expected"), [(1, 4, 1), (2, 4, 2), (16, 4, 4), (16, 8, 8)])
def test_by_itself_there_is_one_for_each_core_that_can_have_work(
    monkeypatch: pytest.MonkeyPatch, cores: int, partitions: int, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    settings = Settings.model_validate({"engines": {"log": {"partitions": partitions}}})
    assert settings.nlp_workers == expected
    assert Settings.model_validate({"processes": {"nlp_workers": 7}}).nlp_workers == 7
