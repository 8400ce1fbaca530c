"""The real command line, as a person or a script meets it: a small home from its first command on."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_model
from living import CONFIGURATION
from typed import PLAIN, clamor

from clamor import exits
from clamor.cli import arranged
from config.home import Home
from config.lock import holder
from nlp.own.labelled import of_file
from stream.status import StatusFolder


def test_the_program_is_a_program() -> None:
    """All the rest goes through the same entry, forked."""
    done = subprocess.run([sys.executable, "-m", "clamor.cli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("clamor ")


def _row(number: int, text: str) -> str:
    return json.dumps(
        {"id": f"x:{number}", "text": text, "created_at": f"2026-03-01T10:{number:02}:00Z", "author": "ana"}
    )


POSTS = [
    *(_row(n, f"Acme Air lost my bag, that is suitcase number {n}") for n in range(6)),
    _row(6, "I love the crew of Acme Air"),
    _row(7, "tea is warm"),
    "this is no JSON",
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which one small file was replayed."""
    home = tmp_path_factory.mktemp("story") / "home"
    made = clamor(home, "init")
    assert made.code == exits.OK
    assert (home / "clamor.yaml").exists()
    (home / "clamor.yaml").write_text(CONFIGURATION)
    checked = clamor(home, "check")
    assert (checked.code, checked.err) == (exits.OK, "")
    file = home.parent / "x.jsonl"
    file.write_text("\n".join(POSTS) + "\n")
    replayed = clamor(home, "replay", str(file))
    assert replayed.code == exits.SOME_REFUSED
    assert "9 read = 8 appended + 1 refused" in replayed.out
    return home


def test_what_was_replayed_is_found_counted_and_given_as_json(story: Path) -> None:
    assert clamor(story, "search", "brand:acme", "--count").out == "7\n"
    found = [json.loads(line) for line in clamor(story, "search", "suitcase", "--json", "-n", "100").out.splitlines()]
    assert {one["post"]["id"] for one in found} == {f"x:{n}" for n in range(6)}
    table = clamor(story, "search", "crew")
    assert "I love the crew of Acme Air" in table.out
    assert "1 of 1" in table.err


def test_a_query_that_is_wrong_is_shown_where(story: Path) -> None:
    done = clamor(story, "search", "risk:>=blue")
    assert done.code == exits.FAILED
    assert "^" in done.err


def test_only_fields_that_have_values_are_counted(story: Path) -> None:
    assert "acme" in clamor(story, "search", "--facet", "brand").out
    done = clamor(story, "search", "--facet", "colour")
    assert done.code == exits.USAGE
    assert "colour" in done.err


def test_a_query_may_begin_with_a_dash(story: Path) -> None:
    assert clamor(story, "search", "-crew", "--count", "-n", "5").out == "6\n"
    assert clamor(story, "search", "-crew -suitcase", "--count").out == "0\n"
    assert clamor(story, "search", "--count", "--", "-nobody").out == "7\n"


def test_nothing_counts_as_lost_where_nothing_came(tmp_path: Path) -> None:
    clamor(tmp_path / "home", "init")
    assert clamor(tmp_path / "home", "replay", "-", feed=POSTS[0]).code == exits.OK
    done = clamor(tmp_path / "home", "offsets")
    assert done.code == exits.OK
    assert "lost" not in done.out


def test_a_brand_that_nobody_knows_takes_no_posts(story: Path) -> None:
    done = clamor(story, "replay", "-", "--brand", "acmee", feed=POSTS[0])
    assert done.code == exits.USAGE
    assert "acmee" in done.err
    assert "acme" in done.err.replace("acmee", "")


def test_the_home_may_be_named_behind_the_command() -> None:
    assert arranged(["search", "risk:>5", "--home", "there"]) == ["--home", "there", "search", "risk:>5"]
    assert arranged(["check", "--home=there"]) == ["--home=there", "check"]
    assert arranged(["search", "--", "--home"]) == ["search", "--", "--home"]
    assert arranged(["demo", "--home", "there"]) == ["demo", "--home", "there"]
    for name in ("demo", "search"):
        assert arranged(["--home", name, "search", "-lang:en"]) == ["--home", name, "search", "--", "-lang:en"]
        assert arranged(["check", "--home", name]) == ["--home", name, "check"]
    assert arranged(["search", "demo", "-lang:en"]) == ["search", "demo", "--", "-lang:en"]
    assert arranged(["search", "-n5", "-h", "-n", "5"]) == ["search", "-n5", "-h", "-n", "5"]


def test_the_status_is_one_json_object(story: Path) -> None:
    found: dict[str, Any] = json.loads(clamor(story, "status", "--json").out)
    assert found["posts"] == 8
    assert found["waiting"] == {"nlp": 0, "routing": 0, "outbox": 0, "index": 0}
    assert found["running"] is None


def test_a_decision_is_explained_and_a_persons_word_stays(story: Path) -> None:
    words = clamor(story, "explain", "x:1")
    assert words.code == exits.OK
    assert "x:1#acme" in words.out
    assert "Risk" in words.out
    assert "revision" in words.out
    corrected = clamor(story, "correct", "x:1#acme", "--intent", "praise", "--queue", "sales", "--by", "bea")
    assert corrected.code == exits.OK
    again = json.loads(clamor(story, "explain", "x:1#acme", "--json").out)
    assert again["mention"]["correction"]["person"] == "bea"
    assert again["mention"]["decision"]["queue"] == "sales"
    assert len(again["earlier"]) == 1
    assert "Before:" in clamor(story, "explain", "x:1").out


def test_near_copies_are_counted_found_and_explained(story: Path) -> None:
    """The six posts about suitcases differ in a number alone. Which of them came first hangs on how partitions were
    read; the first has no copies when it comes, and says nothing of them."""
    explained = clamor(story, "explain", "x:5").out
    counted = re.search(r"When it came it was number (\d) of its near copies", explained)
    number = json.loads(clamor(story, "explain", "x:5", "--json").out)["mention"]["copies"]
    assert 1 <= number <= 6
    assert (int(counted[1]) if counted else 1) == number
    assert "One of 6 near copies by one author within 5 minutes, as it stands now." in explained
    assert clamor(story, "search", "copies:>=3", "--count").out.strip() == "4"
    cluster = json.loads(clamor(story, "explain", "x:5", "--json").out)["mention"]["cluster"]
    assert clamor(story, "search", f"cluster:{cluster}", "--count").out.strip() == "6"
    assert "near copies" not in clamor(story, "explain", "x:6").out


@pytest.mark.parametrize(
    "words", [["explain", "x:404"], ["explain", "x:7"], ["correct", "x:404#acme", "--queue", "pr"]]
)
def test_what_is_not_there_is_said(story: Path, words: list[str]) -> None:
    done = clamor(story, *words)
    assert done.code == exits.FAILED
    assert words[1] in done.err


def test_a_correction_that_says_nothing_is_wrong_usage(story: Path) -> None:
    assert clamor(story, "correct", "x:1#acme").code == exits.USAGE


def test_a_refused_row_is_listed_shown_and_has_no_topic_to_return_to(story: Path) -> None:
    listed = clamor(story, "dead-letter", "list")
    id = listed.out.splitlines()[1].split()[0]
    assert "x.jsonl:9" in listed.out
    assert "this is no JSON" in clamor(story, "dead-letter", "show", id).out
    back = clamor(story, "dead-letter", "replay", "--all")
    assert back.code == exits.SOME_REFUSED
    assert "x.jsonl:9" in back.err
    assert "replay the file" in " ".join(back.err.split())


def test_tokens_are_listed_without_themselves(story: Path) -> None:
    token = clamor(story, "token", "new", "desk", "--brand", "acme", "--queue", "pr").out.strip()
    plain, lines = clamor(story, "token", "list"), clamor(story, "token", "list", "--json")
    assert plain.code == lines.code == exits.OK
    assert "brand acme; queue pr; access public" in plain.out
    found = {one["name"]: one for one in map(json.loads, lines.out.splitlines())}
    assert found["desk"]["scope"]["brands"] == ["acme"]
    assert found["desk"]["revoked_at"] is None
    assert clamor(story, "token", "revoke", "desk").code == exits.OK
    again = clamor(story, "token", "list", "--json").out
    assert any(one["name"] == "desk" and one["revoked_at"] for one in map(json.loads, again.splitlines()))
    for said in (plain.out, lines.out, again):
        assert token not in said
        assert "clamor_" not in said


def test_the_status_of_a_home_that_was_never_started_is_told(tmp_path: Path) -> None:
    (tmp_path / "clamor.yaml").write_text(CONFIGURATION)
    done = clamor(tmp_path, "status")
    assert done.code == exits.OK
    assert done.out.startswith("not running")


@pytest.mark.parametrize("written", ["", "brands: []\n", "api: {port: 8801}\n"])
def test_a_configuration_without_a_brand_is_told_with_the_way_out(tmp_path: Path, written: str) -> None:
    (tmp_path / "clamor.yaml").write_text(written)
    done = clamor(tmp_path, "check")
    assert done.code == exits.OK
    assert "no brand is named" in done.err
    assert "`brands:`" in done.err
    assert "nothing wrong" not in done.out


def test_a_case_is_shown_and_what_is_no_merge_is_refused_in_words(story: Path) -> None:
    case = json.loads(clamor(story, "search", "queue:support", "--json").out.splitlines()[0])["case_id"]
    shown = clamor(story, "case", "show", str(case))
    assert shown.code == exits.OK
    assert re.match(rf"case {case} \(ACM-\d{{4}}-\d{{6}}\): acme, queue support", shown.out)
    assert " opened x:" in shown.out
    told = json.loads(clamor(story, "case", "show", str(case), "--json").out)
    assert told["history"][0]["change"] == "opened"
    refused = clamor(story, "case", "undo", str(case), "--by", "ana")
    assert refused.code == exits.FAILED
    assert "was not merged into another" in refused.err
    assert clamor(story, "case", "show", "9999").code == exits.FAILED


def test_tokens_are_made_once_and_revoked(story: Path) -> None:
    made = clamor(story, "token", "new", "agency", "--brand", "acme")
    assert made.out.startswith("clamor_")
    assert clamor(story, "token", "revoke", "agency").code == exits.OK
    assert clamor(story, "token", "revoke", "agency").code == exits.FAILED


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (["--brand", "acme", "--brand", "acmee"], "did you mean 'acme'?"),
        (["--queue", "suport"], "did you mean 'support'?"),
        (["--access", "insiders"], "known here: public"),
    ],
)
def test_a_token_for_what_there_is_not_is_refused(story: Path, words: list[str], way_out: str) -> None:
    done = clamor(story, "token", "new", "blind", *words)
    assert (done.code, done.out) == (exits.USAGE, "")
    told = " ".join(done.err.replace("│", " ").split())
    assert f"{words[-1]!r} is not known" in told
    assert way_out in told
    assert clamor(story, "token", "revoke", "blind").code == exits.FAILED


def test_a_foreign_file_with_columns_of_its_own(story: Path) -> None:
    (story.parent / "survey.csv").write_text("comment;day\nAcme Air was late;03/04/2026\n")
    unknown = clamor(story, "replay", str(story.parent / "survey.csv"), "--map", "text=remark")
    assert unknown.code == exits.FAILED
    assert "comment" in unknown.err
    missing = clamor(story, "replay", str(story.parent / "nothing.csv"))
    assert (missing.code, "nothing.csv" in missing.err) == (exits.FAILED, True)


def test_an_empty_file_is_said_to_be_empty_and_a_table_without_rows_is_none(story: Path) -> None:
    (story.parent / "empty.jsonl").touch()
    (story.parent / "header.csv").write_text("id,text,date\n")
    empty = clamor(story, "replay", str(story.parent / "empty.jsonl"))
    assert (empty.code, "empty.jsonl: jsonl" in empty.out) == (exits.FAILED, True)
    assert "it is empty: is it the right file" in empty.err
    header = clamor(story, "replay", str(story.parent / "header.csv"))
    assert (header.code, "it holds no row" in header.err) == (exits.OK, True)


def test_a_secret_that_is_missing_does_not_keep_anybody_from_asking(story: Path) -> None:
    text = CONFIGURATION.replace("{host: null}", "{host: mail.example, user: me, password_env: CLAMOR_SMTP}")
    before = (story / "clamor.yaml").read_text()
    (story / "clamor.yaml").write_text(text)
    try:
        assert clamor(story, "search", "--count").out == "7\n"
        assert clamor(story, "run").code == exits.CONFIGURATION
    finally:
        (story / "clamor.yaml").write_text(before)


def test_backup_and_restore_by_command(story: Path, tmp_path: Path) -> None:
    tiny_model.make(story / "models" / "own-1", named=("own", 1))
    made = clamor(story, "backup", str(tmp_path / "b.tar"))
    assert made.code == exits.OK, made.err
    assert "models own-1, " in made.out
    other = tmp_path / "other"
    back = clamor(other, "restore", str(tmp_path / "b.tar"))
    assert back.code == exits.OK
    assert "your own models, in the home again: own-1" in back.out
    (other / "models" / "own-1" / "card.json").write_text("{}")
    again = clamor(other, "restore", str(tmp_path / "b.tar"), "--force")
    assert again.code == exits.OK
    assert "model 'own-1' of the backup is another than the one in" in again.err
    assert clamor(other, "search", "brand:acme", "--count").out == "7\n"
    assert clamor(other, "restore", str(tmp_path / "b.tar")).code == exits.FAILED
    assert clamor(other, "mails", "list").code == exits.OK
    assert clamor(other, "mails", "drop", "7").code == exits.FAILED
    assert clamor(other, "reindex").code == exits.OK
    assert clamor(other, "search", "brand:acme", "--count").out == "7\n"


def test_a_log_made_anew_is_noticed_and_decided(story: Path, tmp_path: Path) -> None:
    assert clamor(story, "offsets").code == exits.OK
    clamor(story, "backup", str(tmp_path / "b"))
    other = tmp_path / "other"
    clamor(other, "restore", str(tmp_path / "b"))
    for path in (other / "data").glob("log.db*"):
        path.unlink()
    astray = clamor(other, "offsets")
    assert astray.code == exits.FAILED
    assert "index and routing" in astray.err
    assert clamor(other, "status").code == exits.FAILED
    decided = clamor(other, "offsets", "--adopt", "latest")
    assert decided.code == exits.OK, decided.err
    assert "left unread" in decided.err
    assert clamor(other, "status").code == exits.OK
    assert clamor(other, "search", "brand:acme", "--count").out == "7\n"


def test_bad_configuration_lists_all_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "clamor.yaml").write_text("brands:\n  - {id: Acme Air, name: x}\napi: {port: 99999999}\nmial: {}\n")
    done = clamor(tmp_path, "check")
    assert done.code == exits.CONFIGURATION
    for wrong in ("Acme Air", "99999999", "mial"):
        assert wrong in done.err
    assert clamor(tmp_path, "search").code == exits.CONFIGURATION


@pytest.mark.parametrize(
    "words",
    [["mails", "list"], ["mails", "release", "1"], ["mails", "drop", "--all"], ["token", "revoke", "first"]],
)
def test_a_home_that_was_never_started_says_so(tmp_path: Path, words: list[str]) -> None:
    clamor(tmp_path / "home", "init")
    done = clamor(tmp_path / "home", *words)
    assert done.code == exits.FAILED
    assert "has no tables yet" in done.err.replace("\n", " ")
    assert "`clamor run`" in done.err


def test_files_that_hold_something_else_name_the_command_that_mends_them(story: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(story, home)
    (home / "clamor.yaml").write_text(CONFIGURATION + f"api: {{port: {_free_port()}}}\n")
    (home / "data" / "index.db").unlink()
    (home / "data" / "index.db").touch()
    for words in (["search", "crew"], ["run"]):
        done = clamor(home, *words)
        assert (done.code, "clamor reindex" in done.err.replace("\n", " ")) == (exits.FAILED, True), done
    assert clamor(home, "reindex").code == exits.OK
    assert clamor(home, "search", "--count").out == "7\n"
    for path in (home / "data").glob("app.db*"):
        path.unlink()
    (home / "data" / "app.db").write_bytes(b"noise" * 4_000)
    for words in (["search", "crew"], ["status"], ["run"]):
        done = clamor(home, *words)
        assert (done.code, "clamor restore" in done.err.replace("\n", " ")) == (exits.FAILED, True), done


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "clamor.yaml").write_text(CONFIGURATION + f"api: {{port: {port}}}\n")
        done = clamor(tmp_path, "run")
    assert done.code == exits.FAILED
    assert f"the API cannot listen on 127.0.0.1:{port}" in done.err
    assert not (tmp_path / "data" / "index.db").exists()


def test_stages_that_are_started_together_wait_for_one_another(tmp_path: Path) -> None:
    (tmp_path / "clamor.yaml").write_text(CONFIGURATION + f"api: {{port: {_free_port()}}}\n")
    command = [sys.executable, "-m", "clamor.cli", "--home", str(tmp_path), "stage"]
    stages = [
        subprocess.Popen([*command, name], env=PLAIN, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for name in ("nlp", "routing", "index", "web")
    ]
    try:
        folder = StatusFolder(tmp_path / "data" / "status")
        _until(lambda: len({one.stage for one in folder.read() if one.alive()}) == 4 or any(s.poll() for s in stages))
    finally:
        for stage in stages:
            stage.send_signal(signal.SIGTERM)
        said = [stage.communicate(timeout=60)[1] for stage in stages]
    assert [stage.returncode for stage in stages] == [0, 0, 0, 0], said


def test_a_second_run_is_refused_and_single_commands_work_beside_the_first(tmp_path: Path) -> None:
    (tmp_path / "clamor.yaml").write_text(
        CONFIGURATION + f"api: {{port: {_free_port()}}}\nprocesses: {{nlp_workers: 1}}\n"
    )
    command = [sys.executable, "-m", "clamor.cli", "--home", str(tmp_path), "run"]
    first = subprocess.Popen(command, env=PLAIN, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _until(lambda: holder(Home.at(tmp_path)) is not None and (tmp_path / "data" / "index.db").exists())
        second = clamor(tmp_path, "run")
        assert second.code == exits.BUSY
        assert str(first.pid) in second.err
        assert clamor(tmp_path, "restore", str(tmp_path)).code == exits.FAILED
        fed = clamor(tmp_path, "replay", "-", "--drain", "--network", "x", feed="\n".join(POSTS[:3]) + "\n")
        assert fed.code == exits.OK, fed.err
        assert clamor(tmp_path, "search", "--count").out == "3\n"
        again = clamor(tmp_path, "reprocess", "--since", "2026-03-01", "--stage", "routing")
        assert again.code == exits.OK, again.err
        assert "3 mentions read" in again.out
    finally:
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert "token, shown" not in said, "what is no terminal may be a log, where no token belongs"
    assert "clamor token new" in said
    assert clamor(tmp_path, "token", "new", "mine").out.startswith("clamor_")
    third = subprocess.Popen(command, env=PLAIN, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _until(lambda: holder(Home.at(tmp_path)) is not None)
    finally:
        third.send_signal(signal.SIGTERM)
        _, said = third.communicate(timeout=60)
    assert "clamor token new" not in said, "there is one, so nobody is told at each start"


def test_a_completion_script_is_made() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clamor.cli", "--show-completion", "bash"],
        capture_output=True, text=True, check=False, env={**PLAIN, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip
    assert "complete " in done.stdout


def test_wrong_usage_ends_with_two(tmp_path: Path) -> None:
    assert clamor(tmp_path, "serach").code == exits.USAGE
    assert clamor(tmp_path, "dead-letter", "replay").code == exits.USAGE


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _until(true: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_decisions_follow_once_more_from_what_is_stored(story: Path) -> None:
    one = clamor(story, "replay-decision", "x:1")
    assert one.code == exits.OK
    lines = one.out.splitlines()
    assert "(in force): queue sales by person, rules 1: the same" in lines[0]
    assert lines[1].endswith("rules 1: the same")
    first = json.loads(clamor(story, "replay-decision", "x:1#acme", "--revision", "1", "--json").out)
    assert (first["revision"], first["in_force"], first["outcome"]) == (1, False, "same")
    everything = json.loads(clamor(story, "replay-decision", "--all", "--since", "2026-01-01", "--json").out)
    assert everything["decisions"] == everything["same"] == everything["mentions"] + 1
    assert "0 differ, 0 cannot be replayed" in clamor(story, "replay-decision", "--all", "--since", "2026-01-01").out
    assert clamor(story, "replay-decision", "x:1", "--revision", "9").code == exits.FAILED
    for words in ([], ["x:1", "--all"]):
        assert clamor(story, "replay-decision", *words).code == exits.USAGE
    told = clamor(story, "explain", "x:1").out
    assert "Then queue support -> sales" in told or "Then rule" in told
    assert "Then Behind it: bea stated intent praise, queue sales." in told


NEW_RULES = """
rules:
  - {name: bags, when: 'suitcase', queue: sales, alert: true, why: "{brand} and a bag"}
  - {name: rest, when: '', queue: none}
"""


def test_other_rules_are_tried_on_what_is_stored_and_nothing_changes(story: Path) -> None:
    (story / "new.yaml").write_text(NEW_RULES)
    options = ("backtest", "--rules", str(story / "new.yaml"), "--since", "2026-01-01")
    before = clamor(story, "search", "brand:acme", "--json").out
    told = json.loads(clamor(story, *options, "--capacity", "sales=2", "--json").out)
    assert (told["mentions"], told["persons"], told["share"]) == (7, 1, 1.0)
    assert next(rule for rule in told["rules"] if rule["rule"] == "bags")["new"] == 5
    assert told["moved"] == sum(move["mentions"] for move in told["moves"]) == len(told["sample"])
    sales = next(queue for queue in told["queues"] if queue["queue"] == "sales")
    assert (sales["new"]["busiest"], sales["new"]["above"]) == (6, 1), "the one that bea put there as well"
    assert told["alerts_new"] == {"asked": 5, "woke": 0, "quiet": 0, "nobody": 0}, "they were imported"
    assert "suitcase number" not in json.dumps(told)
    words = clamor(story, *options)
    assert words.code == exits.OK
    assert "would be in another queue" in words.out
    assert "would be bags: Acme Air and a bag" in words.out
    assert "suitcase number" not in words.out, "texts are for a terminal"
    assert clamor(story, "search", "brand:acme", "--json").out == before


def test_other_limits_of_alerts_are_tried(story: Path) -> None:
    (story / "alerts.yaml").write_text("alerts: {max_mails_per_hour: 2}\n")
    told = clamor(story, "backtest", "--alerts", str(story / "alerts.yaml"), "--since", "2026-01-01")
    assert (told.code, told.err) == (exits.OK, "")
    assert "0 would be in another queue" in told.out
    (story / "alerts.yaml").write_text("worse_at: [80, 20]\n")
    refused = clamor(story, "backtest", "--alerts", str(story / "alerts.yaml"))
    assert refused.code == exits.CONFIGURATION
    assert "alerts.worse_at" in refused.err


def test_rules_that_cannot_be_used_are_not_tried(story: Path) -> None:
    (story / "wrong.yaml").write_text("rules:\n  - {name: a, when: 'intent:joy', queue: sales}\n")
    refused = clamor(story, "backtest", "--rules", str(story / "wrong.yaml"))
    assert refused.code == exits.CONFIGURATION
    assert "wrong.yaml:2" in refused.err
    for words in ([], ["--rules", "nowhere.yaml"], ["--rules", str(story / "new.yaml"), "--capacity", "none=3"]):
        assert clamor(story, "backtest", *words).code == exits.USAGE


def test_corrections_leave_as_labels_that_can_be_measured_on(story: Path, tmp_path: Path) -> None:
    line = json.loads(clamor(story, "corrections", "export").out)
    assert {head: line[head] for head in ("id", "intent", "queue")} == {
        "id": "x:1#acme", "intent": "praise", "queue": "sales",
    }  # fmt: skip
    assert {"text", "person"}.isdisjoint(line), "neither the post nor who stated it"
    assert (line["rule"], line["read"].keys() >= {"reputation", "detractor"}) == ("help", True)
    assert json.loads(clamor(story, "corrections", "export", "--people").out)["person"] == "bea"
    written = clamor(story, "corrections", "export", str(tmp_path / "labelled.jsonl"), "--text")
    assert written.code == exits.OK
    (row,) = of_file(tmp_path / "labelled.jsonl")
    assert (row.labels["intent"], "suitcase number 1" in row.passage.text) == ("praise", True)
    assert clamor(story, "corrections", "export", str(tmp_path / "labelled.jsonl")).code == exits.FAILED
    assert clamor(story, "corrections", "export", "--text", "--stale").code == exits.USAGE
    assert "no correction stands" in clamor(story, "corrections", "export", "--until", "2020-01-01").err


def test_rules_tell_who_changed_what_and_how_they_fare_and_go_back(story: Path) -> None:
    (story / "rules.yaml").write_text(NEW_RULES)
    assert clamor(story, "apply").code == exits.OK
    entries = json.loads(clamor(story, "rules", "history", "--json").out)
    assert [(one["number"], one["in_force"]) for one in entries] == [(2, True), (1, False)]
    assert entries[0]["by"]
    assert entries[0]["removed"] > entries[0]["added"] > 0
    assert "shipped rules" in clamor(story, "rules", "history").out
    assert clamor(story, "rules", "show").out == NEW_RULES
    assert "-  - name: boycott" in clamor(story, "rules", "diff", "1").out
    assert clamor(story, "rules", "diff", "2", "2").out == "revisions 2 and 2 are the same\n"
    told = json.loads(clamor(story, "rules", "stats", "--since", "2026-01-01", "--json").out)
    of_rule = {one["rule"]: one for one in told["rules"]}
    assert (told["decided"], told["by_people"]) == (7, 1)
    assert (of_rule["bags"]["hits"], of_rule["bags"]["in_force"]) == (0, True)
    assert (of_rule["help"]["overruled"], of_rule["help"]["in_force"]) == (1, False)
    assert "help (no more)" in clamor(story, "rules", "stats", "--since", "2026-01-01").out
    dry = clamor(story, "rules", "back", "1", "--dry-run")
    assert (dry.code, json.loads(clamor(story, "rules", "history", "--json").out)) == (exits.OK, entries)
    gone_back = clamor(story, "rules", "back", "1")
    assert "revision 3 in force, with the text of revision 1" in gone_back.out
    assert "rules.yaml says otherwise" in gone_back.err
    assert "back to revision 1" in clamor(story, "rules", "history").out
    assert "in force already" in clamor(story, "rules", "back", "1").out
    for words in (["show", "9"], ["diff", "1", "9"], ["back", "9"]):
        refused = clamor(story, "rules", *words)
        assert (refused.code, "there are 1 to 3" in refused.err) == (exits.FAILED, True)
