"""The built-in week that `clamor demo` plays: its configuration and its posts, all of it invented for this purpose."""

from __future__ import annotations

from pathlib import Path

CONFIGURATION: Path = Path(__file__).parent / "clamor.yaml"
WEEK: Path = Path(__file__).parent / "week.jsonl"
