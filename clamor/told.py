"""How an error reaches a person: what people can mend is told in a sentence, never as a traceback."""

from __future__ import annotations

from clamor import exits
from clamor.console import errors
from config.home import AlreadyRunning, HomeError
from config.problems import ConfigurationError
from database.engine import DatabaseUnusable
from database.migrate import NotWhole, TooNew
from index.embedded import IndexUnusable, QueryTooSlow
from ingest.files import Unmapped, Unreadable
from nlp.shelf import ModelError
from query.parse import QueryError
from stream.ports import LogUnusable, OffsetOutside, Transient

_SENTENCES = (
    HomeError,
    Unmapped,
    Unreadable,
    LogUnusable,
    IndexUnusable,
    DatabaseUnusable,
    OffsetOutside,
    Transient,
    QueryTooSlow,
    TooNew,
    NotWhole,
    ModelError,
)
"""Errors whose words say what to do."""


def told(error: BaseException) -> int | None:
    """Tell the error on standard error; the exit code that it means. None, and nothing said, for one without words."""
    match error:
        case ConfigurationError():
            for problem in error.problems:
                style = "red" if problem.severity == "error" else "yellow"
                errors.print(str(problem), style=style, markup=False, soft_wrap=True)
            return exits.CONFIGURATION
        case QueryError():
            errors.print(error.render(), markup=False, highlight=False)
            return exits.FAILED
        case AlreadyRunning():
            errors.print(str(error), markup=False)
            return exits.BUSY
        case _ if isinstance(error, _SENTENCES):
            errors.print(str(error), markup=False)
            return exits.FAILED
    return None
