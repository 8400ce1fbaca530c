"""The examples of docs/api.md that send posts work as they stand."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from web_home import SECRET, WebHome

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def run(home: WebHome, language: str, *command: str) -> dict[str, object]:
    """Answer of the page's example of a signed push."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "X-Clamor-Signature" in block]
    environment = {**os.environ, "CLAMOR": home.url, "SECRET": SECRET}
    done = subprocess.run(
        [*command, example.replace("webhooks/shop", "webhooks/bakery").replace("42", language)],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found: dict[str, object] = ast.literal_eval(done.stdout)
    assert f"forum:{language}" in {post.id for post in home.durable()}
    return found


def test_a_push_signed_in_python(home: WebHome) -> None:
    assert run(home, "python", sys.executable, "-c")["accepted"] == 1


@pytest.mark.skipif(
    not all(shutil.which(name) for name in ("bash", "curl", "openssl")), reason="wants bash, curl and openssl"
)
def test_a_push_signed_in_a_shell(home: WebHome) -> None:
    assert run(home, "bash", "bash", "-c")["rejected"] == []
