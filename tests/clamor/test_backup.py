"""Backup under load, and a restore that undoes no delete and tells nobody a thing twice."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tarfile
import threading
from contextlib import closing
from dataclasses import replace as replace_kept
from pathlib import Path

import msgspec
import pytest
import tiny_model
from living import CONFIGURATION, NOW, Living, gone, post, settled_home
from msgspec.structs import replace
from test_move import BIG, moving, quiet

from clamor import backed_models
from clamor.backup import BackupError, File, Source, backup
from clamor.models import next_name
from clamor.moving.move import catch_up
from clamor.moving.note import noted
from clamor.opening import open_home, unfinished
from clamor.restoring import Restored, restore
from config.home import AlreadyRunning, Home, HomeError
from config.lock import RunLock
from database.engine import read, write
from ingest.tokens import Kept, KeptTokens
from routing import held
from stream.clock import ManualClock
from stream.ports import AccessScope
from stream.records import Author
from web import tokens


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return settled_home(tmp_path / "home")


def _restored(home: Home, source: Path, *, force: bool = True) -> Restored:
    return restore(home, source, force=force, without_deletes=False)


def test_a_restore_gives_the_same_mentions_cases_and_counts(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(20)), post(20, "nothing of interest"))
        living.live(gone(3), post(5, "Acme Air found my bag, thank you all", kind="edited", revision=1))
        truth, found = living.truth(), living.found()
        place, manifest = backup(living.home, tmp_path / "b", NOW)
    assert (manifest.posts, manifest.mentions) == (21, 20)
    other = settled_home(tmp_path / "other")
    done = _restored(other, place, force=False)
    assert (done.epoch, done.mentions, done.aside) == (1, 20, None)
    with Living(other) as living:
        assert living.found() == found
        living.drain()
        assert living.truth() == truth
        assert living.found() == found


def test_a_backup_while_a_writer_runs_is_whole_and_loses_nothing_that_came_before(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(*(post(n) for n in range(30)))
        halt, written = threading.Event(), []

        def write_on() -> None:
            number = 1_000
            while not halt.is_set():
                living.take(post(number))
                written.append(number)
                number += 1

        writer = threading.Thread(target=write_on)
        writer.start()
        places = []
        try:
            for n in range(3):
                before = len(written)
                places.append((backup(living.home, tmp_path / f"b{n}", NOW)[0], before, len(written)))
        finally:
            halt.set()
            writer.join()
    for place, before, after in places:
        other = settled_home(tmp_path / f"other-{place.name}")
        _restored(other, place, force=False)
        with Living(other) as living:
            living.drain()
            found = living.found()
        assert {f"x:{n}#acme" for n in range(30)} <= found
        assert {f"x:{n}#acme" for n in written[:before]} <= found
        assert len(found) <= 30 + after + 1


def test_what_routing_had_not_done_is_done_after_the_restore(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        living.take(post(2))
        place, _ = backup(living.home, tmp_path / "b", NOW)
    other = settled_home(tmp_path / "other")
    _restored(other, place, force=False)
    with Living(other) as living:
        living.drain()
        assert living.found() == {"x:1#acme", "x:2#acme"}


@pytest.mark.parametrize("kind", ["deleted", "forgotten", "expired"])
def test_what_was_taken_away_since_the_backup_stays_away(home: Home, tmp_path: Path, kind: str) -> None:
    with Living(home) as living:
        living.live(post(1), post(2))
        place, _ = backup(living.home, tmp_path / "b", NOW)
        living.live(gone(1, kind=kind))
        assert living.found() == {"x:2#acme"}
    done = _restored(home, place)
    assert done.deletes == 1
    with Living(home) as living:
        assert living.found() == {"x:2#acme"}
        mention = living.mention("x:1#acme")
        assert mention is not None
        assert (mention.state, mention.post) == (kind, None)
        living.live(post(1))
        assert living.found() == {"x:2#acme"}
    with closing(sqlite3.connect(home.data / "app.db")) as connection:
        assert connection.execute(
            "SELECT count(*) FROM mention WHERE instr(CAST(body AS TEXT), 'lost my bag')"
        ).fetchone() == (1,)


def test_what_an_account_took_along_since_the_backup_stays_away_until_it_is_seen_again(
    home: Home, tmp_path: Path
) -> None:
    left = {"kind": "author_gone", "author": Author(id="a1"), "claimed_at": None}
    with Living(home) as living:
        living.live(post(1), post(2))
        place, _ = backup(living.home, tmp_path / "b", NOW)
        living.live(post("@a1", "", at=NOW + 1_000, **left))
        assert living.found() == {"x:2#acme"}
    assert _restored(home, place).deletes == 1
    with Living(home) as living:
        assert living.found() == {"x:2#acme"}
        living.live(post(1))
        assert living.found() == {"x:2#acme"}
        living.live(post(1, at=NOW + 2_000))
        assert living.found() == {"x:1#acme", "x:2#acme"}


def test_a_delete_that_nobody_had_routed_yet_stays_as_well(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        place, _ = backup(living.home, tmp_path / "b", NOW)
        living.take(gone(1))
    _restored(home, place)
    with Living(home) as living:
        living.drain()
        assert living.found() == set()


def test_what_came_before_a_delete_and_after_the_backup_does_not_come_back(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        place, _ = backup(living.home, tmp_path / "b", NOW)
        living.live(post(2))
        living.live(gone(2))
    _restored(home, place)
    with Living(home) as living:
        living.live(post(2))
        assert living.found() == {"x:1#acme"}


def test_every_restore_opens_a_higher_epoch_and_what_is_told_then_wins(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        place, _ = backup(living.home, tmp_path / "b", NOW)
        for n in range(1, 4):
            living.live(post(1, f"Acme Air lost my bag {n} times", kind="edited", revision=n))
    assert [_restored(home, place).epoch for _ in range(2)] == [1, 2]
    with Living(home) as living:
        living.live(post(1, "Acme Air, where is my suitcase", kind="edited", revision=9))
        assert living.found("suitcase") == {"x:1#acme"}


def test_nothing_of_before_passes_for_an_offset_of_the_restored_log(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        before = living.opened.log.epoch()
        place, _ = backup(living.home, tmp_path / "b", NOW)
    _restored(home, place)
    with Living(home) as living:
        assert living.opened.log.epoch() != before


def test_unsent_mails_wait_for_a_persons_word(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1), post(2))
        _alert(living, "x:1")
        _alert(living, "x:2")
        place, _ = backup(living.home, tmp_path / "b", NOW)
    other = settled_home(tmp_path / "other")
    assert _restored(other, place, force=False).held == 2
    with Living(other) as living:
        assert living.mail() == 0
        with read(living.opened.engine) as connection:
            first, second = held.held(connection)
        with write(living.opened.engine) as connection:
            held.release(connection, [first])
            held.drop(connection, [second], "ana", NOW)
        assert living.mail() == 1
        assert living.mail() == 0


def test_mails_that_left_after_the_backup_are_not_asked_about(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        _alert(living, "x:1")
        with write(living.opened.engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO mail (message_id, person, kind, state, created_at, latest_at) "
                "VALUES ('<1@x>', 'ana', 'alert', 'pending', 1, 1)"
            )
        place, _ = backup(living.home, tmp_path / "b", NOW)
        with write(living.opened.engine) as connection:
            connection.exec_driver_sql("UPDATE mail SET state = 'sent', ended_at = 5")
    assert _restored(home, place).held == 2
    with Living(home) as living:
        assert living.sql("SELECT state, ended_at FROM mail") == [("sent", 5)]


def test_the_id_of_an_alert_that_other_programs_know_is_not_given_again(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        place, _ = backup(living.home, tmp_path / "b", NOW)
        _alert(living, "x:1")
        _alert(living, "x:1")
    _restored(home, place)
    with Living(home) as living:
        _alert(living, "x:1")
        assert living.sql("SELECT id FROM alert") == [(3,)]


def test_a_revoked_token_does_not_live_again(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        token = tokens.issue(living.opened.engine, "agency", NOW, AccessScope())
        place, _ = backup(living.home, tmp_path / "b", NOW)
        assert tokens.revoke(living.opened.engine, "agency", NOW)
    _restored(home, place)
    with Living(home) as living:
        assert tokens.scope_of(living.opened.engine, token) is None


def test_an_archive_holds_the_same_and_no_secret(home: Home, tmp_path: Path) -> None:
    (home.root / "secrets.env").write_text("CLAMOR_X=hush\n")
    (home.root / "secrets.env").chmod(0o600)
    with Living(home) as living:
        living.live(post(1))
        place, _ = backup(living.home, tmp_path / "b.tar.gz", NOW)
    with tarfile.open(place) as archive:
        assert sorted(archive.getnames()) == ["app.db", "clamor.yaml", "log.db", "manifest.json"]
    assert place.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "home"]
    other = Home.at(tmp_path / "other")
    other.root.mkdir()
    _restored(other, place, force=False)
    assert other.settings_file.read_text() == home.settings_file.read_text()
    with Living(other) as living:
        assert living.found() == {"x:1#acme"}


def test_a_folder_that_exists_gets_a_backup_of_its_own_each_time(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        (tmp_path / "backups").mkdir()
        first, _ = backup(living.home, tmp_path / "backups", NOW)
        second, _ = backup(living.home, tmp_path / "backups", NOW + 60_000)
    assert first.parent == second.parent == tmp_path / "backups"
    assert first != second


@pytest.fixture
def made(home: Home, tmp_path: Path) -> Path:
    with Living(home) as living:
        living.live(post(1))
        return backup(living.home, tmp_path / "b", NOW)[0]


def test_a_damaged_backup_is_refused_and_nothing_changes(home: Home, made: Path) -> None:
    raw = bytearray((made / "app.db").read_bytes())
    raw[len(raw) // 2] ^= 1
    (made / "app.db").write_bytes(raw)
    before = (home.data / "app.db").read_bytes()
    with pytest.raises(BackupError, match=r"app\.db has .* another checksum"):
        _restored(home, made)
    assert (home.data / "app.db").read_bytes() == before
    assert not list(home.data.glob("replaced-*"))
    assert not list(home.data.glob(".restore-*"))


def test_a_file_longer_than_the_manifest_says_is_read_no_further(home: Home, made: Path) -> None:
    with (made / "app.db").open("r+b") as file:
        file.truncate(2**40)  # sparse: it would be a terabyte to copy
    with pytest.raises(BackupError, match=r"app\.db has .* another checksum"):
        _restored(home, made)


def test_an_archive_that_was_cut_off_is_refused_in_words(home: Home, tmp_path: Path) -> None:
    with Living(home) as living:
        living.live(post(1))
        place, _ = backup(living.home, tmp_path / "b.tar.gz", NOW)
    whole = place.read_bytes()
    for length in (100, len(whole) // 2, len(whole) * 3 // 4):
        place.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"b\.tar\.gz is (no|damaged)"):
            _restored(home, place)


def test_an_archive_is_not_written_through_a_link_that_waits_for_it(home: Home, tmp_path: Path) -> None:
    (tmp_path / "b.tar.packing").symlink_to(tmp_path / "elsewhere")
    with Living(home) as living:
        living.live(post(1))
        backup(living.home, tmp_path / "b.tar", NOW)
    assert not (tmp_path / "elsewhere").exists()


def test_a_changed_manifest_is_refused(home: Home, made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["files"][0]["sha256"] = "0" * 64
    (made / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackupError, match="its manifest has changed"):
        _restored(home, made)


@pytest.mark.parametrize("kind", ["missing", "empty folder", "a file", "another tar", "another json", "links"])
def test_what_is_no_backup_is_refused_in_words(home: Home, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "foreign"
    if kind == "empty folder":
        place.mkdir()
    elif kind == "a file":
        place.write_bytes(b"hello")
    elif kind == "another tar":
        with tarfile.open(place, "w") as archive:
            archive.add(home.settings_file, "manifest.json")
    elif kind == "links":
        with tarfile.open(place, "w") as archive:
            link = tarfile.TarInfo("manifest.json")
            link.type, link.linkname = tarfile.SYMTYPE, "manifest.json"
            archive.addfile(link)
    elif kind == "another json":
        place.mkdir()
        (place / "manifest.json").write_text('{"kind": "parcel"}')
    with pytest.raises(BackupError, match=r"no backup|not a backup|no whole backup"):
        _restored(home, place)


def test_a_home_that_holds_something_is_only_replaced_when_asked_to(home: Home, made: Path) -> None:
    with pytest.raises(BackupError, match="--force"):
        _restored(home, made, force=False)
    done = _restored(home, made)
    assert done.aside is not None
    assert {"app.db", "log.db", "index.db"} <= {path.name for path in done.aside.iterdir()}


def test_a_home_that_runs_is_left_alone(home: Home, made: Path) -> None:
    with open_home(home) as opened, RunLock(opened.home), pytest.raises(AlreadyRunning):
        _restored(home, made)


def test_a_former_database_that_cannot_be_read_is_said_and_needs_a_word(home: Home, made: Path) -> None:
    (home.data / "app.db").write_bytes(b"not a database, but something long enough to look at" * 200)
    with pytest.raises(BackupError, match="--without-deletes"):
        _restored(home, made)
    done = restore(home, made, force=True, without_deletes=True)
    assert not done.knew_former
    with Living(home) as living:
        assert living.found() == {"x:1#acme"}


def test_a_restore_that_was_cut_short_is_not_worked_on_and_can_be_given_again(
    home: Home, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Living(home) as living:
        living.live(gone(1))

    def cut(source: Path, target: Path) -> None:
        shutil.copy(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("clamor.restoring._put_in_place", cut)
        with pytest.raises(KeyboardInterrupt):
            _restored(home, made)
    assert unfinished(home).exists()
    with pytest.raises(HomeError, match="cut short"), open_home(home, ManualClock(NOW)):
        pass
    done = _restored(home, made)
    assert done.deletes == 1
    with Living(home) as living:
        assert living.found() == set()


def test_a_restored_home_is_in_no_move(home: Home, made: Path) -> None:
    (home.root / "big.yaml").write_text(BIG, encoding="utf-8")
    with Living(home) as living:
        living.live(post(2))
        truth = living.truth()
    with moving(home) as move:
        catch_up(move, quiet)
        with pytest.raises(AlreadyRunning, match="stage move"):
            _restored(home, made)
        move._enter("stopping")
        move._close_off()
    done = _restored(home, made)
    assert noted(home) is None
    assert not list(home.data.glob("move*"))
    assert done.aside is not None
    assert {"move.json", "move.db"} <= {path.name for path in done.aside.iterdir()}
    with Living(home) as living:
        assert living.found() == {"x:1#acme"}
        living.live(post(2))
        assert living.truth() == truth


@pytest.fixture
def learnt(home: Home) -> Home:
    """With two models of its own, one of them under an imported head, a draft, and one that lacks its weights."""
    tiny_model.make(home.models / "airline-2", named=("airline", 2))
    for name in ("composed-1/base", ".next-1.draft/model", "halved-1"):
        shutil.copytree(home.models / "airline-2", home.models / name)
    (home.models / "halved-1" / "model.onnx").unlink()
    whole = home.models / "composed-1"
    told = json.loads((whole / "base" / "card.json").read_text())
    (whole / "card.json").write_text(json.dumps({**told, "name": "composed", "version": 1}))
    for name in ("tokenizer.json", "imported/config.json", "imported/model-00001-of-00001.safetensors", "notes.md"):
        (whole / name).parent.mkdir(exist_ok=True)
        (whole / name).write_text(name)
    (home.models / ".numbers.json").write_text('{"airline": 5, "composed": 1}')
    home.settings_file.write_text(CONFIGURATION.replace("model: linear", "model: airline-2"))
    with Living(home) as living:
        living.live(post(1))
    return home


_LEARNT = ["airline-2", "composed-1"]


@pytest.mark.parametrize("name", ["b", "b.tar.gz"])
def test_the_homes_own_models_come_back_and_read(learnt: Home, tmp_path: Path, name: str) -> None:
    place, manifest = backup(learnt, tmp_path / name, NOW)
    assert backed_models.names_of(file.name for file in manifest.files) == _LEARNT
    other = Home.at(tmp_path / "other")
    assert _restored(other, place, force=False).models == (tuple(_LEARNT), ())
    assert sorted(path.name for path in other.models.iterdir()) == [".numbers.json", *_LEARNT]
    for model in _LEARNT:
        for path in (learnt.models / model).rglob("*.*"):
            copy = other.models / path.relative_to(learnt.models)
            assert copy.exists() == (path.name != "notes.md")
            assert not copy.exists() or copy.read_bytes() == path.read_bytes()
    assert next_name(other, "airline") == ("airline-6", 6)
    with Living(other) as living:
        living.live(post(2))
        assert living.found() == {"x:1#acme", "x:2#acme"}
        mention = living.mention("x:2#acme")
        assert mention is not None
        assert mention.decision is not None
        assert mention.decision.model.startswith("airline-2")


def test_a_model_that_is_not_complete_is_left_out_in_words(learnt: Home) -> None:
    (line,) = backed_models.held(learnt).left_out
    assert "does not hold model 'halved-1', which is not complete" in line
    (learnt.models / "composed-1" / "imported" / "config (1).json").write_text("{}")
    (learnt.models / "composed-1" / "base" / "tokenizer.json").unlink()
    assert "'composed-1', which has a base that is not complete" in backed_models.held(learnt).left_out[0]
    shutil.copy(learnt.models / "airline-2" / "tokenizer.json", learnt.models / "composed-1" / "base")
    assert "a backup does not take: models/composed-1/imported/config (1)" in backed_models.held(learnt).left_out[0]


def test_a_model_above_four_gigabytes_is_left_out_in_words(learnt: Home) -> None:
    with (learnt.models / "airline-2" / "model.onnx").open("r+b") as file:
        file.truncate(backed_models.LARGEST)  # sparse
    found = backed_models.held(learnt)
    assert "'airline-2', which has 4.0 GB: keep a copy of its folder" in found.left_out[0]
    assert backed_models.names_of(found.files) == ["composed-1"]


def test_a_restore_never_touches_a_model_that_stands_there(learnt: Home, tmp_path: Path) -> None:
    place, _ = backup(learnt, tmp_path / "b", NOW)
    assert _restored(learnt, place).models == ((), ())
    other = learnt.models / "airline-2" / "tokenizer.json"
    other.write_text("another")
    shutil.rmtree(learnt.models / "composed-1")
    (learnt.models / ".numbers.json").write_text('{"airline": 9}')
    assert _restored(learnt, place).models == (("composed-1",), ("airline-2",))
    assert other.read_text() == "another"
    assert next_name(learnt, "airline") == ("airline-10", 10)


def test_a_damaged_model_refuses_the_backup_and_nothing_changes(learnt: Home, tmp_path: Path) -> None:
    place, _ = backup(learnt, tmp_path / "b", NOW)
    (place / "models" / "airline-2" / "model.onnx").write_bytes(b"something else")
    other = Home.at(tmp_path / "other")
    with pytest.raises(BackupError, match=r"models/airline-2/model\.onnx has .* another checksum"):
        _restored(other, place)
    assert not list(other.models.iterdir())
    assert not other.app_db.exists()


@pytest.mark.parametrize(
    "name",
    [
        "models/../clamor.yaml", "models/x/../../a/card.json", "/models/x/card.json", "models/x/run.py",
        "models/card.json", "models/.x.draft/card.json", "models/x/imported/../card.json",
        "models/x/imported/.x.json", "models/x/card.json/", "models/x/imported/a/b.json", "models/x/card.json\n",
        "secrets.env",
    ],
)  # fmt: skip
def test_a_file_of_any_other_name_makes_it_no_backup(home: Home, made: Path, name: str) -> None:
    with Source(made) as source:
        manifest = source.manifest()
    more = replace(manifest, files=(*manifest.files, File(name, 2, hashlib.sha256(b"{}").hexdigest()))).signed()
    (made / "manifest.json").write_bytes(msgspec.json.encode(more))
    with pytest.raises(BackupError, match="its manifest has changed"):
        _restored(home, made)


def test_a_backup_that_states_a_larger_model_than_one_can_be_is_none(home: Home, made: Path) -> None:
    with Source(made) as source:
        manifest = source.manifest()
    large = File("models/x/card.json", backed_models.LARGEST + 1, "0" * 64)
    (made / "manifest.json").write_bytes(
        msgspec.json.encode(replace(manifest, files=(*manifest.files, large)).signed())
    )
    with pytest.raises(BackupError, match="its manifest has changed"):
        _restored(home, made)


def test_a_backup_from_before_models_were_held_is_restored(home: Home, made: Path, tmp_path: Path) -> None:
    with Source(made) as source:
        (made / "manifest.json").write_bytes(msgspec.json.encode(replace(source.manifest(), format=1).signed()))
    other = Home.at(tmp_path / "other")
    assert _restored(other, made, force=False).models == ((), ())
    assert not other.models.exists()
    with Living(other) as living:
        assert living.found() == {"x:1#acme"}


def _alert(living: Living, id: str) -> None:
    """As routing writes one for a severe mention."""
    with write(living.opened.engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO alert (kind, mention_n, case_id, brand, queue, risk, why, event_time, created_at) "
            "SELECT 'mention', m.n, NULL, 'acme', 'support', 90, 'severe', ?, ? FROM mention m "
            "JOIN post p ON p.n = m.post WHERE p.id = ?",
            (NOW, NOW, id),
        )


def test_a_backup_holds_no_token_of_a_network_and_a_restore_leaves_those_that_are_there(
    home: Home, tmp_path: Path
) -> None:
    kept = Kept(access="access-of-the-page", ends=NOW + 1, refresh="refresh-of-the-page", given_at=NOW)
    with Living(home) as living:
        tokens_of = KeptTokens(living.opened.engine, living.clock)
        assert tokens_of.put("grant", "PAGE_REFRESH", kept, None)
        place, _ = backup(living.home, tmp_path / "b", NOW)
        newer = replace_kept(kept, refresh="refresh-that-came-since")
        assert tokens_of.put("grant", "PAGE_REFRESH", newer, tokens_of.get("grant"))
    assert not [path for path in place.rglob("*") if path.is_file() and b"of-the-page" in path.read_bytes()]
    _restored(home, place)
    with Living(home) as living:
        found = KeptTokens(living.opened.engine, living.clock).get("grant")
        assert found is not None
        assert found.refresh == "refresh-that-came-since"
