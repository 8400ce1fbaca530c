"""The command line as a process of its own for each command, forked from one that has imported it already.

As `python -m clamor.cli` it would spend a second or two of a core on imports, each time. A line of JSON in names
arguments and files, a line out the exit code.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from clamor import cli, console


def _command(asked: dict[str, Any]) -> None:
    for number, name in enumerate(("in", "out", "err")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(asked[name], flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate(("r", "w", "w"))
    )
    if asked["columns"]:
        console.answers.width = console.errors.width = asked["columns"]
    sys.argv = ["clamor", *asked["words"]]
    cli.main()


def main() -> None:
    cli.program()  # all commands are imported before the first fork
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _command(json.loads(line))
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
