from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from config.apply import SHIPPED_NOTES, Change, Moved, apply, apply_first, export, plan
from config.content import Kind
from config.home import HomeError
from config.known import Standing
from config.load import Content, load_content
from config.problems import ConfigurationError
from config.reference import full_example
from database import revisions
from database.engine import read, write

SHIPPED = "rules:\n  - name: shipped\n"
POLICY = "kinds: []\n"

FILE = """\
brands:
  - id: acme
    name: Acme
    aliases: [Acmé]
sources:
  - {id: survey, kind: file, max_lateness: 3m}
people:
  - {id: ana, name: Ana, email: ana@example.org}
"""


def content(folder: Path, text: str, rules: str | None = None, policy: str | None = None) -> Content:
    folder.mkdir(exist_ok=True)
    (folder / "clamor.yaml").write_text(text, encoding="utf-8")
    for name, written in (("rules.yaml", rules), ("detractors.yaml", policy)):
        (folder / name).unlink(missing_ok=True)
        if written is not None:
            (folder / name).write_text(written, encoding="utf-8")
    return load_content(folder, standing=Standing(("acme",)))[0]


def changes(engine: Engine, wanted: Content, rules: str = SHIPPED, policy: str = POLICY) -> list[Change]:
    with read(engine) as conn:
        return plan(conn, wanted, {"rules": rules, "policy": policy})


def take(engine: Engine, wanted: Content, rules: str = SHIPPED, policy: str = POLICY) -> dict[str, int]:
    planned = changes(engine, wanted, rules, policy)
    with write(engine) as conn:
        return {made.kind: made.number for made in apply(conn, planned, "ana", 1)}


def in_force(engine: Engine, kind: Kind) -> revisions.Revision:
    with read(engine) as conn:
        found = revisions.current(conn, kind)
    assert found is not None
    return found


def test_an_empty_home_takes_the_files_over_once(engine: Engine, tmp_path: Path) -> None:
    wanted = content(tmp_path / "d", FILE)
    with write(engine) as conn:
        made = apply_first(conn, wanted, {"rules": SHIPPED, "policy": POLICY}, "clamor run", 5)
    assert {(found.kind, found.number) for found in made} == {
        ("brands", 1),
        ("sources", 1),
        ("people", 1),
        ("rules", 1),
        ("policy", 1),
    }
    assert (in_force(engine, "rules").body, in_force(engine, "rules").note) == (SHIPPED, SHIPPED_NOTES["rules"])
    edited = content(tmp_path / "d", FILE.replace("Acmé", "Acme Air"))
    with write(engine) as conn:
        assert apply_first(conn, edited, {"rules": SHIPPED, "policy": POLICY}, "clamor run", 6) == []
    (drift,) = changes(engine, edited)
    assert (drift.kind, drift.base, drift.changed) == ("brands", 1, ("acme",))


def test_comments_and_the_order_of_keys_are_no_change(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE))
    again = FILE.replace(
        "  - id: acme\n    name: Acme\n", "  # a word\n  - name: 'Acme'\n    id: acme\n    kind: own\n"
    )
    assert changes(engine, content(tmp_path / "d", again)) == []


def test_a_change_says_what_is_added_removed_and_changed(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", "brands: [{id: a, name: A}, {id: b, name: B}]\n"))
    (change,) = changes(engine, content(tmp_path / "d", "brands: [{id: b, name: Bee}, {id: c, name: C}]\n"))
    assert (change.added, change.removed, change.changed) == (("c",), ("a",), ("b",))
    assert change.summary == "brands: added c; removed a; changed b"
    assert "-  name: B\n+  name: Bee" in change.diff


def test_a_section_that_is_not_stated_is_left_alone_and_an_empty_one_empties(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE))
    assert changes(engine, content(tmp_path / "d", "logging: {level: debug}\n")) == []
    (change,) = changes(engine, content(tmp_path / "d", "people: []\n"))
    assert (change.kind, change.removed) == ("people", ("ana",))


def test_a_plan_that_others_overtook_is_not_carried_out(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE))
    stale = changes(engine, content(tmp_path / "d", FILE.replace("Acmé", "One")))
    take(engine, content(tmp_path / "d", FILE.replace("Acmé", "Two")))
    with pytest.raises(Moved, match="brands went from revision 1 to 2"), write(engine) as conn:
        apply(conn, stale, "ana", 9)
    assert "Two" in in_force(engine, "brands").body


# --- rules --------------------------------------------------------------------------------------------------------


def test_shipped_rules_follow_the_program_until_people_bring_their_own(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE))
    assert take(engine, content(tmp_path / "d", FILE), "rules: newer\n") == {"rules": 2}
    assert take(engine, content(tmp_path / "d", FILE, rules="rules: own\n")) == {"rules": 3}
    assert changes(engine, content(tmp_path / "e", FILE), "rules: newest\n") == []
    assert take(engine, content(tmp_path / "d", FILE + "rules: default\n"), "rules: newest\n") == {"rules": 4}
    assert in_force(engine, "rules").body == "rules: newest\n"


def test_a_change_of_rules_says_how_many_lines(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE, rules="a\nb\n"))
    (change,) = changes(engine, content(tmp_path / "d", FILE, rules="a\nc\nd\n"))
    assert change.summary == "rules: 2 lines added, 1 removed"


# --- the policy ---------------------------------------------------------------------------------------------------


def test_the_shipped_policy_follows_the_program_until_people_bring_their_own(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE))
    assert in_force(engine, "policy").note == SHIPPED_NOTES["policy"]
    assert take(engine, content(tmp_path / "d", FILE), policy="kinds: newer\n") == {"policy": 2}
    assert take(engine, content(tmp_path / "d", FILE, policy="kinds: own\n")) == {"policy": 3}
    assert changes(engine, content(tmp_path / "e", FILE), policy="kinds: newest\n") == []
    assert take(engine, content(tmp_path / "d", FILE + "policy: default\n"), policy="kinds: newest\n") == {"policy": 4}


def test_a_home_from_before_the_policy_gets_the_shipped_one(engine: Engine, tmp_path: Path) -> None:
    wanted = content(tmp_path / "d", FILE)
    with write(engine) as conn:
        planned = [
            change for change in plan(conn, wanted, {"rules": SHIPPED, "policy": POLICY}) if change.kind != "policy"
        ]
        apply(conn, planned, "ana", 1)
    assert take(engine, wanted) == {"policy": 1}


# --- out again ----------------------------------------------------------------------------------------------------


def test_what_is_exported_is_what_is_in_force(
    engine: Engine, tmp_path: Path, signing: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAMOR_SMTP_PASSWORD", "x")
    for name, secret in signing.items():
        monkeypatch.setenv(name, secret)
    take(engine, content(tmp_path / "d", _with_files(full_example()), "rules:\n  - ñ\n", "kinds: [ñ]\n"))
    with read(engine) as conn:
        written = export(conn, tmp_path / "out")
    assert [path.name for path in written] == ["clamor.yaml", "rules.yaml", "detractors.yaml"]
    back, warnings = load_content(tmp_path / "out")
    assert warnings == ()
    assert changes(engine, back) == []


def _with_files(text: str) -> str:
    return text.replace("rules: default", "").replace("policy: default", "")


def test_an_export_writes_over_nothing(engine: Engine, tmp_path: Path) -> None:
    take(engine, content(tmp_path / "d", FILE))
    with read(engine) as conn, pytest.raises(HomeError, match=r"clamor\.yaml exists already"):
        export(conn, tmp_path / "d")


def test_content_names_the_channels_of_the_home_that_it_is_applied_to(tmp_path: Path) -> None:
    """Channels are engine: no export has them, and what is applied from another folder cannot state them."""
    (tmp_path / "clamor.yaml").write_text(
        "brands: [{id: acme, name: Acme}]\n"
        "people: [{id: ana, name: Ana, email: ana@example.org, channels: [desk-chat]}]\n"
    )
    load_content(tmp_path)
    load_content(tmp_path, standing=Standing(channels=frozenset({"desk-chat"})))
    with pytest.raises(ConfigurationError, match="no channel has this id"):
        load_content(tmp_path, standing=Standing(channels=frozenset({"night-chat"})))
