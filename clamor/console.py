"""Two consoles: answers go to standard output, everything else to standard error."""

from __future__ import annotations

from rich.console import Console

answers = Console()
errors = Console(stderr=True)
