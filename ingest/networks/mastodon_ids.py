"""Which post a server means by an id of its own: ids differ from server to server, a post's address (`uri`) does not.

A stream's `delete` names the id alone, and a server is asked about a post by it. What was seen lately is held in
memory; what may be about a brand is kept for as long as the settings say, so that it is known after a restart as well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from ingest.networks.mastodon_posts import Status
from ingest.setting import Notes
from stream.clock import DAY, Clock
from stream.records import Millis

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED = 50_000
"""Posts, the latest."""
TIDY_EVERY: Millis = DAY


class Ids:
    """Several threads may ask; OrderedDict's single steps are whole, and at worst something is forgotten early."""

    def __init__(self, instances: Collection[str], keep: Millis, notes: Notes, clock: Clock) -> None:
        """`keep`: how long what is kept is kept."""
        self._hosts = {urlsplit(instance).netloc: instance for instance in instances}
        self._keep, self._notes, self._clock = keep, notes, clock
        self._uris: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._places: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._tidied: Millis | None = None

    def see(self, instance: str, status: Status) -> None:
        _remember(self._uris, (instance, status.id), status.uri)
        _remember(self._places, status.uri, (instance, status.id))

    def keep(self, uris: Iterable[str]) -> None:
        """Before these posts are taken: whoever is killed in between knows too much, never too little. Raises
        Transient."""
        values: dict[str, str] = {}
        for uri in uris:
            place = self._places.get(uri)
            if place is not None:
                host = urlsplit(place[0]).netloc
                values |= {f"id:{host}:{place[1]}": uri, f"uri:{uri}": f"{host} {place[1]}"}
        if values:
            self._notes.put_all(values)
        now = self._clock.steady()
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            self._notes.forget(self._clock.wall() - self._keep)

    def drop(self, instance: str, id: str, uri: str) -> None:
        """The post is gone: nothing needs to be known of it any more. Raises Transient."""
        self._notes.drop([f"id:{urlsplit(instance).netloc}:{id}", f"uri:{uri}"])

    def seen(self, instance: str) -> Callable[[str], str | None]:
        """The address of a post by its id, as far as it was seen lately."""
        return lambda id: self._uris.get((instance, id))

    def uris(self, instance: str, ids: Sequence[str]) -> dict[str, str]:
        """Addresses by id, of those that are known. Raises Transient."""
        found = {id: uri for id in ids if (uri := self._uris.get((instance, id))) is not None}
        missing = [id for id in ids if id not in found]
        if missing:
            host = urlsplit(instance).netloc
            names = {f"id:{host}:{id}": id for id in missing}
            found |= {names[name]: uri for name, uri in self._notes.all(list(names)).items()}
        return found

    def place(self, uri: str) -> tuple[str, str] | None:
        """The server to ask about a post, and its id there: only servers of the settings are ever asked. Raises
        Transient."""
        known = self._places.get(uri)
        if known is not None:
            return known
        for instance in self._hosts.values():
            begin, _, id = uri.rpartition("/statuses/")
            if begin.startswith(instance + "/") and id.isascii() and id.isdecimal():
                return instance, id
        host, _, id = (self._notes.get(f"uri:{uri}") or "").partition(" ")
        return (self._hosts[host], id) if host in self._hosts and id.isascii() and id.isdecimal() else None


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
