"""Who may see a mention: the same answer that the expression of a scope gives (see index.sql.visible)."""

from __future__ import annotations

from query.document import Document
from stream.ports import AccessScope
from stream.records import Mention


def sees(scope: AccessScope, mention: Mention) -> bool:
    """Whether `scope` covers the mention and it still stands."""
    if mention.state != "live":
        return False
    if scope.brands is not None and mention.brand not in scope.brands:
        return False
    if scope.access is not None and mention.access not in scope.access:
        return False
    return scope.queues is None or any(queue in scope.queues for queue in _queues(mention))


def _queues(mention: Mention) -> tuple[str, ...]:
    found = Document(mention).value("queue")
    return found if isinstance(found, tuple) else ()
