"""Who writes about a brand and may pass for it: read from what is decided, told once for each account."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from clamor.opening import Opened
from config.brands import Brand
from database.engine import many, read, rows, write
from ingest.cursors import Cursors
from routing.likeness import resembles
from routing.operations import open_troubles, raise_operations, resolve_operations
from stream.clock import DAY, HOUR, passed
from stream.ports import DECIDED
from stream.records import Decided, Mention, Millis, decode

KIND = "impersonation"
MOST = 1_000
"""Records that are read in one step."""
KEPT: Millis = 30 * DAY
"""How long the name of an account that was told is known; where it writes again after that, it is told again."""
FORGET_EVERY: Millis = HOUR
_FORGOTTEN = "an account passed for a brand; whose it was is forgotten, since its post is gone or 30 days have passed"
REMEMBERED = 10_000
"""Accounts that were told, or looked at, and are not looked at again before the brands change."""


class Likenesses:
    """Goes on where it stood, over restarts; in a home that it sees for the first time, from now on. Nothing is read
    while no own brand names an account and nobody was told of one."""

    def __init__(self, opened: Opened) -> None:
        self._opened, self._cursors = opened, Cursors(opened.engine)
        self._brands: tuple[Brand, ...] | None = None
        self._seen: set[tuple[str, str, str, str]] = set()
        self._forgot_at: Millis | None = None

    def step(self) -> bool:
        """True while there is more to read. Raises Transient."""
        opened = self._opened
        inforce = opened.registry.current()
        own = {brand.id: brand for brand in inforce.brands if brand.kind == "own" and brand.accounts}
        if inforce.brands != self._brands:
            self._brands = inforce.brands
            self._seen.clear()
            self._resolve(own)
        if not own and not self._told():
            self._keep(self._ends())
            return False
        stands, more = self._stands(), False
        found: dict[str, str] = {}
        gone: set[str] = set()
        for partition, (low, high) in opened.log.bounds(DECIDED).items():
            at = max(low, min(stands.get(partition, low), high))
            records = opened.log.read(DECIDED, partition, at, MOST) if at < high else []
            for record in records:
                mention = decode(Decided, record.value).mention
                if mention.post is None:
                    gone.add(mention.post_id)
                if (brand := own.get(mention.brand)) is not None:
                    found |= self._likeness(brand, mention)
            stands[partition] = records[-1].offset + 1 if records else at
            more = more or (bool(records) and stands[partition] < high)
        now = opened.clock.now()
        if found:
            with write(opened.engine) as connection:
                for key, why in found.items():
                    raise_operations(connection, key, KIND, why, now)
        self._forget(gone, now)
        self._keep(stands)
        return more

    def _forget(self, gone: Collection[str], now: Millis) -> None:
        """The names of accounts, where the post that shows one is `gone`, or was told `KEPT` ago."""
        due = self._forgot_at is None or passed(self._forgot_at, now, FORGET_EVERY)
        if not gone and not due:
            return
        self._forgot_at = now if due else self._forgot_at
        old = [(key, alert) for key, alert, why, at in self._told() if passed(at, now, KEPT) or _shown_by(why) in gone]
        if old:
            with write(self._opened.engine) as connection:
                many(connection, "UPDATE alert SET why = ? WHERE id = ?", [(_FORGOTTEN, alert) for _, alert in old])
                many(connection, "DELETE FROM operation_alert WHERE key = ?", [(key,) for key, _ in old])
            self._seen.clear()

    def _told(self) -> list[tuple[str, int, str, Millis]]:
        """(key, number of the alert, why, when) of the accounts whose names are known."""
        with read(self._opened.engine) as connection:
            return [tuple(row) for row in rows(connection, _TOLD, (f"{KIND}:%",))]

    def _likeness(self, brand: Brand, mention: Mention) -> dict[str, str]:
        """What is to be told of the author, by its key."""
        post = mention.post
        if mention.state != "live" or post is None or post.author is None:
            return {}
        author = post.author
        seen = (brand.id, mention.network, author.handle or author.id, author.name or "")
        if seen in self._seen:
            return {}
        if len(self._seen) >= REMEMBERED:
            self._seen.clear()
        self._seen.add(seen)
        why = resembles(brand, mention.network, author)
        if not why:
            return {}
        who = author.handle or author.id
        told = (
            f"{who} on {mention.network} may pass for {brand.name}: {why}. It wrote {post.id}. Report it there; where "
            f"it is yours or harmless, put {mention.network}:{who} into the brand's `accounts`, `press` or `rivals`"
        )
        return {f"{KIND}:{brand.id}:{mention.network}:{who}": told}

    def _resolve(self, own: dict[str, Brand]) -> None:
        """What the configuration speaks of by now is no trouble any more."""
        now = self._opened.clock.now()
        with write(self._opened.engine) as connection:
            for key in open_troubles(connection, (f"{KIND}:",)):
                _, id, network, who = key.split(":", 3)
                brand = own.get(id)
                named = () if brand is None else (*brand.accounts, *brand.press, *brand.rivals)
                if brand is None or f"{network}:{who}" in named:
                    resolve_operations(connection, key, now)

    def _stands(self) -> dict[int, int]:
        """Offset to go on at, by partition; of another log than it was, from its beginning."""
        kept = self._cursors.get(KIND)
        if kept is None:
            return self._ends()
        known = msgspec.json.decode(kept, type=_Stands)
        return dict(known.offsets) if known.epoch == self._opened.log.epoch() else {}

    def _ends(self) -> dict[int, int]:
        return {partition: high for partition, (_, high) in self._opened.log.bounds(DECIDED).items()}

    def _keep(self, stands: dict[int, int]) -> None:
        written = msgspec.json.encode(_Stands(self._opened.log.epoch(), stands)).decode()
        if written != self._cursors.get(KIND):
            self._cursors.put(KIND, "", written, self._opened.clock.wall())


_TOLD = (
    "SELECT o.key, o.alert, a.why, o.raised_at FROM operation_alert o JOIN alert a ON a.id = o.alert WHERE o.key LIKE ?"
)


def _shown_by(why: str) -> str:
    """Id of the post."""
    return why.partition(". It wrote ")[2].partition(". Report it there")[0]


class _Stands(msgspec.Struct, frozen=True):
    epoch: str
    offsets: dict[int, int]
