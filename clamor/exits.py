"""Exit codes of every command, as docs/commands.md lists them."""

from __future__ import annotations

OK = 0
FAILED = 1
"""It could not do what it was asked to; the message says what to do."""
USAGE = 2
"""The command line itself is wrong (Typer's own code)."""
SOME_REFUSED = 3
"""It went through, but some of the input was refused; the rest is done."""
CONFIGURATION = 4
"""The configuration has errors; all of them were listed."""
BUSY = 5
"""Another process holds what this command needs."""
