"""The network of docs/extend/network.md works as it stands there, in so few lines as the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extend" / "network.md"
COPIED = ("clamor", "config", "ingest", "tests")
SHORT = "arrive or twice or fields or dead_letters or budget or adds_up or words or nowhere or outage"
"""Of the contract, what takes no more than a moment."""

_CODE = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)


def code() -> dict[str, str]:
    return {found["path"]: found["code"] for found in _CODE.finditer(PAGE.read_text("utf-8"))}


def test_the_network_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    tree(tmp_path)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not soak", "-k", SHORT,
         f"--basetemp={tmp_path / 'inner'}", "tests/ingest/networks/test_board.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-4_000:] + result.stderr[-1_000:]
    assert "passed" in result.stdout


def test_a_network_takes_no_more_than_150_lines_with_its_settings_its_stand_in_and_its_test() -> None:
    lines = [line for text in code().values() for line in text.splitlines() if line.strip()]
    assert len(lines) <= 150


def tree(place: Path) -> None:
    """The repository with the page's files in it, and their line in the registry."""
    for one in ROOT.iterdir():
        if one.name in COPIED:
            shutil.copytree(one, place / one.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"), symlinks=True)
        elif not one.name.startswith("."):
            (place / one.name).symlink_to(one)
    for path, text in code().items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text, "utf-8")
    registry = place / "clamor" / "networks.py"
    line = re.search(r'`("board": Network\(.*\)),`', PAGE.read_text("utf-8"))
    assert line is not None
    with registry.open("a", encoding="utf-8") as file:
        file.write(f"\nNETWORKS.update({{{line[1]}}})\n")
