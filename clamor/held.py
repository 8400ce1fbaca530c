"""Which posts and authors of a network are here: what a firehose's deletes are held against (`ingest.known`)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine

from database.engine import read, rows_in
from routing.keys import author_key


class HeldInSQL:
    """By table `post`, which knows every post that was ever appended, or referred to, for `retention: ids`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def posts(self, ids: Collection[str]) -> set[str]:
        with read(self.engine) as connection:
            return {id for (id,) in rows_in(connection, "SELECT id FROM post WHERE id IN (??)", list(ids))}

    def authors(self, network: str, ids: Collection[str]) -> set[str]:
        keys = {author_key(network, id): id for id in ids}
        with read(self.engine) as connection:
            found = rows_in(connection, "SELECT author FROM post WHERE author IN (??) GROUP BY author", list(keys))
        return {keys[author] for (author,) in found}
