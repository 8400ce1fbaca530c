"""A home for one command, of which nothing stays."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.home import HOME_VARIABLE, Home
from config.schema import ENV_PREFIX


@contextmanager
def passing_home(prefix: str) -> Iterator[Home]:
    """A temporary one, which nothing in the environment leads elsewhere."""
    root = Path(tempfile.mkdtemp(prefix=prefix))
    set_apart = {name: os.environ.pop(name) for name in list(os.environ) if _leads_elsewhere(name)}
    try:
        yield Home.at(root)
    finally:
        os.environ.update(set_apart)
        shutil.rmtree(root, ignore_errors=True)


def _leads_elsewhere(name: str) -> bool:
    return name.upper().startswith(ENV_PREFIX.upper()) and name != HOME_VARIABLE
