"""What Clamor writes is for the user who runs it, whatever the folder and the umask say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFIGURATION = "brands:\n  - {id: acme, name: Acme Air}\n"
ROW = '{"id": "1", "network": "forum", "text": "Acme Air again", "created_at": "2026-11-24T10:00:00Z"}\n'
COMMANDS = """
import os, sys
os.umask(0o022)
from clamor import cli
sys.argv = ["clamor", *sys.argv[1:]]
cli.main()
"""


def test_others_can_read_nothing_in_a_home_that_they_may_look_into(tmp_path: Path) -> None:
    home, posts = tmp_path / "home", tmp_path / "posts.jsonl"
    (home / "data").mkdir(parents=True)
    for folder in (home, home / "data"):
        folder.chmod(0o755)
    (home / "clamor.yaml").write_text(CONFIGURATION)
    posts.write_text(ROW)
    command = [sys.executable, "-c", COMMANDS, "--home", str(home), "replay", str(posts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    written = [path for path in (home / "data").rglob("*") if path.is_file()]
    assert {"app.db", "log.db", "index.db"} <= {path.name for path in written}
    assert [path for path in written if path.stat().st_mode & 0o077] == []
