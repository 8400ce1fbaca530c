"""What `--drain` waits for: nothing that is on its way is missed because it moves while it is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from living import Living, post, settled_home

from clamor import backlog as backlog_module
from clamor.backlog import backlog


def test_what_moves_on_while_it_is_counted_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay, which had waited for its lease, sends everything just before the outbox is counted."""
    with Living(settled_home(tmp_path / "home")) as living:
        living.take(post(1), post(2))
        nlp, routing, _ = living.stages
        while nlp.step(0) + routing.step(0):
            pass
        asked = backlog_module.rows

        def relayed_first(connection: Any, sql: str, values: Any = ()) -> list[Any]:
            if "outbox" in sql:
                assert living.relay.step() > 0
            return asked(connection, sql, values)

        monkeypatch.setattr(backlog_module, "rows", relayed_first)
        found = backlog(living.opened)
        assert (found.outbox, found.index) == (0, 2)
        assert not found.drained
