"""The index beside the mentions: where the indexer stands in the log, what the texts were read by, what was measured.

Offsets advance by compare-and-set on their documents' sequence numbers, after the mentions are durable. They cannot be
one transaction with these; what lies between the two is done again, and by its version changes nothing.
"""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from elasticsearch import ApiError, BadRequestError, ConflictError, Elasticsearch, NotFoundError

from index.elastic_client import Cluster
from index.elastic_errors import EXISTS, NO_INDEX, outcomes, speaking, told, types
from index.elastic_fence import Fence, Fenced
from index.elastic_mapping import STATE_MAPPINGS
from index.files import IndexUnusable
from index.schema import reading
from index.standing import Standing
from stream.clock import MINUTE, passed
from stream.ports import Commit, OffsetConflict, OffsetOutside, Transient
from stream.records import Millis

META, LOG = "meta", "log"
SWEEP = "sweep"
SWEPT_WITHIN: Millis = 5 * MINUTE
"""Who sweeps is dead where it is not done after so long, and what it closed may be opened."""
TEMPLATE_PRIORITY = 200


class Meta(NamedTuple):
    secret: bytes
    """Signs the cursors."""
    generation: str
    """Part of the names of the indices that hold the mentions; another one after a rebuild."""


class Claim(NamedTuple):
    """A commit whose offset stands where it is expected, and the state of its document by which it may be moved."""

    commit: Commit
    seen: tuple[int, int] | None
    """(sequence number, primary term); None: there is no document yet."""


class Claims(NamedTuple):
    held: list[Claim]
    log: int | None
    """Sequence number of what is known of the log, which a rebuild writes anew; None before the first commit."""


NO_CLAIMS = Claims([], None)


class State:
    """For several threads."""

    def __init__(self, client: Elasticsearch, cluster: Cluster) -> None:
        self._client, self._cluster = client, cluster
        self._index = cluster.names.state
        self._lock = threading.Lock()
        self._meta: Meta | None = None
        self._log: int | None = None
        """As of `Claims.log`, when this process first read where to go on, or did after it was said to be rebuilt."""

    def opened(self) -> Meta:
        """Made where there is none yet. Raises IndexUnusable where it was written by a version that differs."""
        with self._lock, speaking(self._cluster.where, "open"):
            if self._meta is None:
                self._ensure_index()
                self._meta = self._checked(self._get(META) or self._made())
            return self._meta

    def ready(self) -> None:
        """There is an index, whichever version wrote it: for what mends or moves it."""
        if self._meta is None:
            with self._lock, speaking(self._cluster.where, "open"):
                self._ensure_index()

    def forget(self) -> None:
        """What it says of itself is read anew: another process may have rebuilt the store."""
        with self._lock:
            self._meta = None

    def offsets(self, topic: str, partitions: Iterable[int], epoch: str) -> Mapping[int, int]:
        """Stored offsets; a partition without one is left out. Raises OffsetOutside: another log's."""
        self.opened()
        with speaking(self._cluster.where, "read offsets"):
            wanted = sorted(partitions)
            log, *found = self._found([LOG, *(_offset(topic, partition) for partition in wanted)])
            self._same_log(log, epoch)
            if self._log is None and log is not None:
                self._log = log["_seq_no"]
            return {partition: doc["_source"]["next"] for partition, doc in zip(wanted, found, strict=True) if doc}

    def claims(self, commits: Sequence[Commit], epoch: str) -> Claims:
        """Before anything is written. Raises OffsetConflict where somebody else moved one, OffsetOutside, and Fenced
        while rebuilt indices are put in place."""
        if not commits:
            return NO_CLAIMS
        self.opened()
        with speaking(self._cluster.where, "read offsets"):
            log, *found = self._found([LOG, *(_offset(commit.topic, commit.partition) for commit in commits)])
            self._same_log(log, epoch, moving=True)
        claims = []
        for commit, doc in zip(commits, found, strict=True):
            if doc is None:
                claims.append(Claim(commit, None))
            elif doc["_source"]["next"] != commit.expected:
                raise _moved(commit)
            else:
                claims.append(Claim(commit, (doc["_seq_no"], doc["_primary_term"])))
        return Claims(claims, log["_seq_no"] if log else None)

    def commit(self, claims: Sequence[Claim], epoch: str) -> None:
        """After the mentions are durable. Raises OffsetConflict where somebody else was quicker, and as `claims`."""
        if not claims:
            return
        with speaking(self._cluster.where, "store offsets"):
            self._claim_log(epoch)
            lines: list[dict[str, Any]] = []
            for commit, seen in claims:
                where: dict[str, Any] = {"_id": _offset(commit.topic, commit.partition)}
                if seen is None:
                    lines.append({"create": where})
                else:
                    lines.append({"index": {**where, "if_seq_no": seen[0], "if_primary_term": seen[1]}})
                lines.append(_offset_document(commit.topic, commit.partition, commit.next))
            answered = outcomes(self._client.bulk(index=self._index, operations=lines), len(claims))
        for claim, done in zip(claims, answered, strict=True):
            if done["status"] == 409:
                raise _moved(claim.commit)
            if done["status"] >= 300:
                raise told(self._cluster.where, "store offsets", done["status"], done.get("error"))

    def was_rebuilt(self) -> bool:
        """Whether somebody else moved the offsets since they were read here; said once, until they are read again."""
        if self._log is None:
            return False
        with speaking(self._cluster.where, "look for a rebuild"):
            found = self._get(LOG)
            moved = found is not None and found["_seq_no"] != self._log
        if moved:
            self._log = None
        return moved

    def standing(self) -> Standing:
        """As stored, whatever log it is of."""
        self.ready()
        with speaking(self._cluster.where, "read offsets"):
            self._client.indices.refresh(index=self._index)
            found = self._client.search(index=self._index, query={"term": {"kind": "offset"}}, size=10_000)
            log = self._get(LOG)
        rows = [hit["_source"] for hit in found["hits"]["hits"]]
        offsets = {(row["value"]["topic"], row["value"]["partition"]): row["next"] for row in rows}
        return Standing(log["_source"]["value"]["epoch"] if log else None, offsets)

    def adopt(self, epoch: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Let the store go on at `offsets` of the log `epoch`, whatever stood there. The log comes last, and with it
        the end of a fence: who is cut short here leaves nothing that an indexer could go on from."""
        before = self.standing().offsets
        with speaking(self._cluster.where, "move offsets"):
            lines: list[dict[str, Any]] = [{"delete": {"_id": _offset(*at)}} for at in before.keys() - offsets.keys()]
            for (topic, partition), following in offsets.items():
                lines.append({"index": {"_id": _offset(topic, partition)}})
                lines.append(_offset_document(topic, partition, following))
            sent = len(before.keys() - offsets.keys()) + len(offsets)
            done_so: Any = {"items": []}
            if lines:
                done_so = self._client.bulk(index=self._index, operations=lines, refresh=True)
            answered = outcomes(done_so, sent)
        for done in answered:
            if done["status"] >= 300 and done["status"] != 404:
                raise told(self._cluster.where, "move offsets", done["status"], done.get("error"))
        with speaking(self._cluster.where, "move offsets"):
            self._client.index(index=self._index, id=LOG, document={"kind": LOG, "value": {"epoch": epoch}})

    def fence(self, fence: Fence) -> None:
        """Nobody moves an offset until `adopt`: while the aliases move, what was written may be in the old indices or
        in the new ones. The log that the offsets are of stays what it was."""
        self.ready()
        with speaking(self._cluster.where, "put the rebuilt indices in place"):
            found = self._get(LOG)
            kept: str = found["_source"]["value"]["epoch"] if found else fence.epoch
            value = {"epoch": kept, "fence": fence.plain()}
            self._client.index(index=self._index, id=LOG, document={"kind": LOG, "value": value})

    def fenced(self) -> Fence | None:
        """What was begun to be put in place, and is not."""
        self.ready()
        with speaking(self._cluster.where, "look for a rebuild"):
            found = self._get(LOG)
            return Fence.read(found["_source"]["value"]) if found else None

    def unfence(self, fence: Fence) -> None:
        """What there was goes on, where the fence is still this one."""
        with speaking(self._cluster.where, "give up a rebuild"):
            found = self._get(LOG)
            if found is not None and Fence.read(found["_source"]["value"]) == fence:
                value = {"epoch": found["_source"]["value"]["epoch"]}
                self._client.index(
                    index=self._index, id=LOG, document={"kind": LOG, "value": value}, if_seq_no=found["_seq_no"],
                    if_primary_term=found["_primary_term"],
                )  # fmt: skip

    def rebuilt(self, generation: str) -> None:
        """From now on new indices bear this generation, and texts count as read by this version. Cursors go on."""
        with speaking(self._cluster.where, "note the rebuild"):
            found = self._get(META)
            secret = base64.b64decode(found["_source"]["value"]["secret"]) if found else secrets.token_bytes(16)
            document = _meta_document(secret, generation, self._cluster.shape.layout())
            self._client.index(index=self._index, id=META, document=document)
            self._put_template()
        self.forget()

    def due(self, chore: str, now: Millis, every: Millis) -> bool:
        """Whether `chore` was last begun `every` ago or longer; then it counts as begun now, by this process alone."""
        self.ready()
        with speaking(self._cluster.where, f"look when {chore} was due"):
            found = self._get(_chore(chore))
            if found is not None and not passed(found["_source"]["at"], now, every):
                return False
            guard: dict[str, Any] = (
                {"op_type": "create"}
                if found is None
                else {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
            )
            try:
                self._client.index(index=self._index, id=_chore(chore), document={"kind": "chore", "at": now}, **guard)
            except ConflictError:
                return False
            return True

    def begun(self, chore: str, at: Millis) -> None:
        """As if it was last begun at `at`: later, it is still under way; long ago, it is over."""
        with speaking(self._cluster.where, f"note when {chore} was done"):
            self._client.index(index=self._index, id=_chore(chore), document={"kind": "chore", "at": at})

    def last(self, chore: str) -> Millis | None:
        """When it was last begun."""
        self.ready()
        with speaking(self._cluster.where, f"look when {chore} was due"):
            found = self._get(_chore(chore))
        return found["_source"]["at"] if found is not None else None

    # --- below: inside `speaking` ---

    def _ensure_index(self) -> None:
        if self._client.indices.exists(index=self._index):
            return
        self._put_template()
        make(self._client, self._index, STATE_MAPPINGS, self._cluster.shape.state_settings(), {})

    def _put_template(self) -> None:
        """So that an index that somebody else makes under our names is as strict as ours; ours need no template, since
        to put one is a right on the cluster that few keys have."""
        names = self._cluster.names
        try:
            self._client.indices.put_index_template(
                name=names.read,
                index_patterns=[f"{names.read}-*"],
                priority=TEMPLATE_PRIORITY,
                template={"settings": self._cluster.shape.settings(), "mappings": self._cluster.shape.mappings()},
            )
        except ApiError as error:
            if error.meta.status not in (400, 401, 403, 405, 410):
                raise

    def _made(self) -> dict[str, Any]:
        layout = self._cluster.shape.layout()
        document = _meta_document(secrets.token_bytes(16), secrets.token_hex(3), layout)
        try:
            self._client.create(index=self._index, id=META, document=document)
        except ConflictError:
            found = self._get(META)
            if found is None:
                raise Transient(f"{self._cluster.where}: it is being made by another process; tried again") from None
            return found
        return {"_source": document}

    def _checked(self, found: dict[str, Any]) -> Meta:
        value, layout = found["_source"]["value"], self._cluster.shape.layout()
        if value["layout"] != layout or value["reading"] != reading():
            texts = "alike" if value["reading"] == reading() else "differently now"
            raise IndexUnusable(
                f"{self._cluster.where} was written by another version of Clamor, or with another setting of `engines: "
                f"store: analysers` (layout {value['layout']}, this one writes {layout}; texts are read {texts}): "
                "build it anew with `clamor reindex`"
            )
        return Meta(base64.b64decode(value["secret"]), value["generation"])

    def _same_log(self, found: dict[str, Any] | None, epoch: str, *, moving: bool = False) -> None:
        """`moving`: offsets are about to be moved."""
        if found is None:
            return
        value = found["_source"]["value"]
        if moving and (fence := Fence.read(value)) is not None:
            raise Fenced(self._cluster.where, fence)
        if value["epoch"] != epoch:
            raise OffsetOutside(
                f"{self._cluster.where} holds offsets of another log ({value['epoch']}, not {epoch}): build it anew "
                "with `clamor reindex`"
            )

    def _claim_log(self, epoch: str) -> None:
        found = self._get(LOG)
        if found is None:
            with suppress(ConflictError):
                self._client.create(index=self._index, id=LOG, document={"kind": LOG, "value": {"epoch": epoch}})
            found = self._get(LOG)
        self._same_log(found, epoch, moving=True)
        if self._log is None and found is not None:
            self._log = found["_seq_no"]

    def _get(self, id: str) -> dict[str, Any] | None:
        return self._found([id])[0]

    def _found(self, ids: Sequence[str]) -> list[dict[str, Any] | None]:
        """As they are at this moment, whether searchable or not."""
        if not ids:
            return []
        try:
            docs = self._client.mget(index=self._index, ids=list(ids))["docs"]
        except NotFoundError as error:
            raise told(self._cluster.where, "read", error.meta.status, error.body) from None
        for doc in docs:
            if "error" in doc:
                status = 404 if NO_INDEX in types(doc["error"]) else 503
                raise told(self._cluster.where, "read", status, doc["error"])
        return [doc if doc.get("found") else None for doc in docs]


def make(
    client: Elasticsearch,
    index: str,
    mappings: Mapping[str, Any],
    settings: Mapping[str, Any],
    aliases: Mapping[str, Any],
) -> bool:
    """Whether it was made; false where it was there already."""
    try:
        client.indices.create(index=index, mappings=mappings, settings=settings, aliases=aliases)
    except BadRequestError as error:
        if EXISTS not in types(error.body):
            raise
        return False
    return True


def _meta_document(secret: bytes, generation: str, layout: str) -> dict[str, Any]:
    value = {
        "layout": layout,
        "reading": reading(),
        "secret": base64.b64encode(secret).decode(),
        "generation": generation,
    }
    return {"kind": META, "value": value}


def _chore(name: str) -> str:
    """These stand in addresses, where proxies take slashes for what they are not."""
    return f"chore:{name}"


def _offset(topic: str, partition: int) -> str:
    return f"offset/{topic}/{partition}"


def _offset_document(topic: str, partition: int, following: int) -> dict[str, Any]:
    return {"kind": "offset", "next": following, "value": {"topic": topic, "partition": partition}}


def _moved(commit: Commit) -> OffsetConflict:
    return OffsetConflict(
        f"the index no longer stands at {commit.expected} in {commit.topic}/{commit.partition}: "
        "somebody else advanced it"
    )
