"""What the pages say exists: commands, links, tests, rules, terms, tables, settings, make targets."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import database.tables  # noqa: F401 (fills the metadata)
from clamor.cli import program
from config import load
from config.home import Home
from config.problems import errors
from config.sources import WebhookSource
from config.units import format_duration
from database.base import metadata
from index.schema import create
from nlp.severity import SHIPPED, Cues, terms
from routing.check import check_rules
from routing.checkers import CHECKERS
from routing.policy import Policy, default_policy
from routing.policy_check import check_policy
from routing.risk import ADDED, History, added_terms
from routing.rules import RuleSet, default_rules
from stream.ports import TOPICS
from stream.records import DETRACTOR_LEVELS, INTENTS, Metrics
from stream.spam import REASONS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
AT_THE_TOP = [ROOT / name for name in ("README.md", "README.es.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
EVERY = AT_THE_TOP + PAGES

COMMANDS: Any = typer.main.get_command(program())


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- the shape of the pages ----------------------------------------------------------------------------------------


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    assert sorted(_leaves(nav)) == sorted(path.relative_to(DOCS).as_posix() for path in PAGES)


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target, anchor in _links(page):
        path = (page.parent / target) if target else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(f"{target}#{anchor}" if anchor else target)
    assert not broken


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    if any(importlib.util.find_spec(name) is None for name in ("mkdocs", "material")):
        pytest.skip("mkdocs-material is not installed: `make install-dev` brings it")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_no_page_names_this_machine(page: Path) -> None:
    assert not re.findall(r"(?<![\w/.])/(?:work|root|tmp)/[\w/]+", page.read_text("utf-8"))


# --- what they name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_command_line_can_be_typed(page: Path) -> None:
    wrong = {}
    for line in _command_lines(page):
        try:
            _parse(COMMANDS, shlex.split(line)[1:])
        except Exception as error:
            wrong[line] = f"{type(error).__name__}: {getattr(error, 'message', error)}"
    assert not wrong


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_command_named_in_a_sentence_exists(page: Path) -> None:
    unknown = []
    for words in re.findall(r"`clamor ([a-z][^`]*)`", _without_fences(page)):
        command = COMMANDS
        for word in shlex.split(words.replace("|", " ")):
            if word.startswith("--"):
                if word.partition("=")[0] not in _options(command):
                    unknown.append(words)
            elif hasattr(command, "commands") and command.commands.get(word) is not None:
                command = command.commands[word]
            elif command is COMMANDS:
                unknown.append(words)
    assert not unknown


def test_make_test_own_runs_the_files_that_are_skipped_without_torch() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (named,) = re.findall(r"^OWN_TESTS := (.+)$", makefile, re.MULTILINE)
    needs_torch = re.compile(r"""importorskip\(\s*["']torch["']""")
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    assert named.split() == [name_of(path) for path in tests if needs_torch.search(path.read_text("utf-8"))]
    assert re.search(r"^test-own: .*## ", makefile, re.MULTILINE)
    assert "`make test-own`" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_make_target_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text("utf-8")
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^\$ make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) <= known


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    rooms = "bench|clamor|config|database|docs|index|ingest|nlp|query|routing|stream|tests|training|web"
    named = re.findall(rf"`((?:{rooms})/[\w./-]*\w)`", page.read_text("utf-8"))
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = set(re.findall(r"^\| `([a-z_.]+)` \|", (DOCS / "configuration.md").read_text("utf-8"), re.MULTILINE))
    sections = {setting.partition(".")[0] for setting in known if "." in setting} - known
    unknown = []
    for written in re.findall(r"`([a-z_]+: [a-z_]+(?:: [a-z_]+)?)`", _without_fences(page)):
        path = written.split(": ")
        if path[0] in sections and not any(".".join(path[:end]) in known for end in range(2, len(path) + 1)):
            unknown.append(written)
    assert not unknown


def test_the_readmes_begin_with_the_two_commands_that_matter() -> None:
    for readme in (ROOT / "README.md", ROOT / "README.es.md"):
        text = readme.read_text("utf-8")
        assert "make demo" in text
        assert "make test" in text
        assert text.index("make demo") < text.index("make install")


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_example_of_configuration_is_valid(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(_blocks(page, "yaml")):
        if re.match(r"# (?!clamor|rules|detractors)\w+\.ya?ml", block):
            continue  # of another program, as its first line says
        held = yaml.safe_load(block)
        if isinstance(held, dict) and isinstance(held.get("rules"), list):
            found = check_rules(block, page.name)
        elif isinstance(held, dict) and isinstance(held.get("kinds"), list):
            found = check_policy(block, page.name)
        else:
            home = Home.at(tmp_path / str(number))
            home.root.mkdir()
            home.settings_file.write_text(block, "utf-8")
            home.secrets_file.touch(0o600)
            found = load.check(home, CHECKERS)
        assert not errors(found), block


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_python_example_can_be_read(page: Path) -> None:
    for block in _blocks(page, "python"):
        compile(block, page.name, "exec")


# --- what must not be left out ---------------------------------------------------------------------------------------


def test_every_shipped_rule_is_explained_in_its_order() -> None:
    rows = _rows(DOCS / "rules.md", "## The shipped rules")
    for rule in RuleSet.read(default_rules()).rules:
        row = rows[rule.name]
        assert rule.queue in row[1]
        assert rule.alert == ("alert" in row[1]), rule.name
        assert rule.priority == "normal" or rule.priority in row[1], rule.name
        assert all(f"`{tag}`" in row[1] for tag in rule.tags), rule.name
    assert list(rows) == [rule.name for rule in RuleSet.read(default_rules()).rules]


def test_every_shipped_kind_of_the_policy_is_explained_in_its_order() -> None:
    rows = _rows(DOCS / "detractors.md", "## The shipped policy, and why it is so")
    kinds = Policy.read(default_policy()).kinds
    for kind in kinds:
        answer, said = kind.behaviour.answer, rows[kind.name][0]
        assert (said == "nobody") == (answer.queue == "none"), kind.name
        if answer.within is not None:
            expected = (answer.queue, answer.where.replace("_", " "), format_duration(answer.within))
            assert said == ", ".join(expected), kind.name
    assert list(rows) == [kind.name for kind in kinds]


def test_every_term_of_the_text_stands_with_its_points() -> None:
    rows = _rows(DOCS / "rules.md", "### Terms of the text")
    for cue, held in yaml.safe_load(SHIPPED.read_text("utf-8")).items():
        assert f"up to {held['points']}" in rows[cue][0]
    surest = [float(level == DETRACTOR_LEVELS[-1]) for level in DETRACTOR_LEVELS]
    found = terms(surest, [1.0] * len(INTENTS), 1.0, Cues().found(["danger"]))
    assert {term.name for term in found} <= rows.keys()
    for level, points in (("1", 8), ("2", 22), ("3", 36)):
        (one,) = terms([float(level == other) for other in DETRACTOR_LEVELS], [0.0] * len(INTENTS), 0.0)
        assert one.points == points
        assert str(points) in rows["severity"][0]


def test_every_reason_of_spam_stands_on_its_page() -> None:
    assert _rows(DOCS / "spam.md", "## Reasons").keys() == REASONS.keys()


def test_every_term_that_routing_adds_stands_with_its_points() -> None:
    rows = _rows(DOCS / "rules.md", "### Terms that routing adds")
    assert rows.keys() >= ADDED
    steps = (10**power for power in range(8))
    given = [(step, Metrics(likes=step), History(step, step, value)) for step in steps for value in ("valued", "key")]
    given += [(0, Metrics(), History(heat, count)) for heat, count in ((3.0, 2), (10.0, 5), (30.0, 5))]
    for followers, metrics, history in given:
        for term in added_terms(followers, metrics, history):
            assert re.search(rf"\b{term.points:g}\b", rows[term.name][0]), term


def test_every_place_that_can_hold_a_text_is_in_the_table_of_places(tmp_path: Path) -> None:
    page = (DOCS / "erasure.md").read_text("utf-8")
    with closing(sqlite3.connect(tmp_path / "index.db", isolation_level=None)) as connection:
        create(connection)
        of_the_index = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    ours = {name for name in of_the_index if not name.startswith(("hits_", "sqlite_"))}
    missing = [name for name in {*metadata.tables, *ours, *TOPICS} if f"`{name}`" not in page]
    assert not missing


# --- reading pages ---------------------------------------------------------------------------------------------------


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(part)


_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def _without_fences(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def _links(page: Path) -> Iterator[tuple[str, str]]:
    text = re.sub(r"`[^`\n]*`", "", _without_fences(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def _anchors(page: Path) -> set[str]:
    """As Python-Markdown makes them of headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", _without_fences(page), re.MULTILINE):
        plain = unicodedata.normalize("NFKD", heading.replace("`", "")).encode("ascii", "ignore").decode()
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
        found.add(slug if slug not in found else f"{slug}_{sum(one.startswith(slug) for one in found)}")
    return found


def _command_lines(page: Path) -> Iterator[str]:
    """`clamor …` of every console block and unit file, without what is piped, redirected or said beside it."""
    text = page.read_text("utf-8")
    lines = re.findall(r"^(?:\$ |ExecStart=)(.+)$", text, re.MULTILINE)
    lines += "\n".join(_blocks(page, "sh")).splitlines()
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        command: list[str] = []
        for token in [*lexer, "|"]:
            if set(token) <= set("|>&;"):
                while command and re.match(r"[A-Z_]+=", command[0]):
                    command.pop(0)
                if command and command[0].rpartition("/")[2] == "clamor":
                    yield shlex.join(command)
                command = []
            else:
                command.append(token)


def _parse(command: Any, arguments: list[str], parent: Any = None) -> None:
    """Raises what the command line itself would."""
    if "--version" in arguments:
        return
    context = command.make_context(command.name, arguments, parent=parent)
    if hasattr(command, "commands"):
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        name, found, left = command.resolve_command(context, rest)
        assert found is not None, name
        _parse(found, left, context)


def _options(command: Any) -> set[str]:
    return {"--help", *(name for parameter in command.params for name in parameter.opts + parameter.secondary_opts)}


def _rows(page: Path, heading: str) -> dict[str, list[str]]:
    """Of the tables under a heading: first cell, without backticks → the other cells."""
    level = heading.partition(" ")[0]
    part = re.split(
        rf"^#{{1,{len(level)}}} ", page.read_text("utf-8").partition(f"\n{heading}\n")[2], flags=re.MULTILINE
    )[0]
    return {
        name: [cell.strip() for cell in cells.split(" | ")]
        for name, cells in re.findall(r"^\| `([^`]+)` \|(.+)\|$", part, re.MULTILINE)
    }


def test_the_limits_of_a_webhook_are_named_with_the_settings_that_move_them() -> None:
    page = (DOCS / "collectors.md").read_text("utf-8")
    refusals = [line for line in page.splitlines() if line.startswith(("| 413 ", "| 429 "))]
    for name in ("max_body", "max_posts", "posts_per_minute"):
        assert name in WebhookSource.model_fields
        assert any(f"`{name}`" in line for line in refusals), name
