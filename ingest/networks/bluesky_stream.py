"""A connection to Jetstream, Bluesky's stream of records as JSON over a websocket, in both of its versions.

Version 1 is `/subscribe`: its cursor is a time in microseconds, good at every instance, and one from before what an
instance keeps is silently taken as the oldest that it keeps. Version 2 is `network.bsky.jetstream.subscribeEvents`:
each instance numbers its events (`seq`), refuses a number that it no longer keeps, takes a time as well, and says so
where it keeps less than was asked for. So a cursor here names its version and instance, and holds number and time: the
same instance goes on by number, any other by time, a little earlier.

Follows README and docs/README.md (5.1, 5.2) and the lexicons of github.com/bluesky-social/jetstream.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog
import websockets.exceptions as broken
import zstandard
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from ingest.collector import CursorLost, Denied, Interrupted
from ingest.networks.bluesky_posts import POSTS, Record
from ingest.unreached import unreached
from ingest.web import PASSES, Refused, Web, retry_after, user_agent, words
from stream.clock import SECOND
from stream.records import Millis

MOST_BYTES = 1_000_000
"""Of one event; larger ones, which no post is, are left out by the instance."""
MOST_DICTIONARY = 2_000_000
REWIND: Millis = 10 * SECOND
"""Instances see the same event at slightly different times."""
VERSION_2 = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"
_EVENTS = "network.bsky.jetstream.subscribeEvents#"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_log = structlog.get_logger(__name__)


class Cursor(NamedTuple):
    """Behind an event. As text: `v2 HOST SEQ TIME`, `v1 HOST 0 TIME`; TIME in microseconds since 1970."""

    version: int
    host: str
    seq: int
    time_us: int

    def __str__(self) -> str:
        return f"v{self.version} {self.host} {self.seq} {self.time_us}"

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Raises CursorLost for what no release of this program wrote."""
        try:
            version, host, seq, time_us = text.split(" ")
            return cls({"v1": 1, "v2": 2}[version], host, int(seq), int(time_us))
        except (ValueError, KeyError):
            raise CursorLost(f"the cursor {text[:60]!r} is of no known version of Jetstream") from None


def rewound(to: Millis) -> str:
    """A cursor by which any instance goes on from a time."""
    return str(Cursor(1, "any", 0, to * 1_000))


class Instance(NamedTuple):
    address: str
    version: int

    @classmethod
    def at(cls, address: str) -> Instance:
        base = address.rstrip("/")
        if base.endswith("/subscribe"):
            return cls(base, 1)
        return cls(base if base.endswith(VERSION_2) else base + VERSION_2, 2)

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def web(self) -> str:
        return self.address.removesuffix(VERSION_2).replace("ws", "http", 1)


class Event(NamedTuple):
    """What one frame says; `kind` is commit, identity, account or outdated."""

    kind: str
    did: str = ""
    time_us: int = 0
    seq: int = 0
    operation: str = ""
    rkey: str = ""
    record: Record | None = None
    active: bool = True
    status: str = ""


class Dictionary:
    """What an instance's compressed frames are read with."""

    def __init__(self, body: bytes) -> None:
        """Raises ValueError, zstandard.ZstdError for what is none."""
        held = zstandard.ZstdCompressionDict(body, dict_type=zstandard.DICT_TYPE_FULLDICT)
        self.id = held.dict_id()
        self._reader = zstandard.ZstdDecompressor(dict_data=held, max_window_size=8 * MOST_BYTES)

    def unpacked(self, frame: bytes) -> bytes:
        """Raises ValueError for what is no frame, or unpacks to too much."""
        try:
            if zstandard.frame_content_size(frame) > MOST_BYTES:
                raise ValueError("the frame unpacks to more than an event may have")
            return self._reader.decompress(frame, max_output_size=MOST_BYTES)
        except zstandard.ZstdError:
            raise ValueError("no zstd frame, or made with another dictionary") from None


def dictionary(instance: Instance, seconds: float) -> Dictionary | None:
    """The one in force at an instance of version 2; None where it gives none: then frames come as they are."""
    try:
        with Web(instance.web, timeout=seconds, max_bytes=MOST_DICTIONARY) as web:
            answer = web.get(DICTIONARY)
        return Dictionary(answer.body) if answer.status == 200 else None
    except (Interrupted, Denied, Refused, ValueError, zstandard.ZstdError) as fault:
        _log.info("ingest.uncompressed", host=instance.host, fault=type(fault).__name__)
        return None


class Connection:
    """Open from the beginning; use with `closing`."""

    def __init__(self, instance: Instance, at: Cursor | None, unpacking: Dictionary | None, seconds: float) -> None:
        """`at`: where to go on, None: from now. `seconds`: that it may take to open. Raises Interrupted,
        Denied, CursorLost."""
        self.instance, self._unpacking, self._open = instance, unpacking, ExitStack()
        self._read = _read_2 if instance.version == 2 else _read_1
        try:
            self._socket = self._open.enter_context(
                connect(
                    _address(instance, at, unpacking),
                    subprotocols=[Subprotocol("xrpc.v1.json")] if instance.version == 2 else None,
                    compression=None,
                    user_agent_header=user_agent(),
                    open_timeout=seconds,
                    close_timeout=1,
                    max_size=2 * MOST_BYTES,
                    max_queue=256,
                )
            )
        except broken.InvalidStatus as refusal:
            raise _refused(instance.host, refusal) from None
        except broken.InvalidURI:
            raise Denied(f"{instance.host} is no address of a websocket: see the source's `hosts`") from None
        except (OSError, broken.WebSocketException) as fault:
            raise Interrupted(f"no connection to {instance.host}: {unreached(fault)}") from None

    def next(self, seconds: float) -> bytes | None:
        """The next event's JSON; None where none came in time. Raises Interrupted, ValueError for a bad frame."""
        try:
            frame = self._socket.recv(seconds, decode=False)
        except TimeoutError:
            return None
        except broken.ConnectionClosed as closed:
            said = closed.rcvd.reason if closed.rcvd is not None else ""
            raise Interrupted(f"{self.instance.host} cut the stream{f': {said[:100]}' if said else ''}") from None
        if self._unpacking is not None and frame[:4] == zstandard.FRAME_HEADER:
            return self._unpacking.unpacked(frame)
        return frame

    def read(self, frame: bytes) -> Event | None:
        """None for an event of a kind that is not asked for. Raises MsgspecError, UnicodeDecodeError for what is no
        event, Interrupted where the instance says why it ends the stream."""
        return self._read(frame)

    def answers(self, seconds: float) -> bool:
        """Whether the other side still does: a silence may be that of a connection which is gone."""
        try:
            return self._socket.ping().wait(seconds)
        except broken.ConnectionClosed:
            return False

    def close(self) -> None:
        self._open.close()


def _address(instance: Instance, at: Cursor | None, unpacking: Dictionary | None) -> str:
    if instance.version == 1:
        asked = [("wantedCollections", POSTS), ("maxMessageSizeBytes", str(MOST_BYTES))]
    else:
        asked = [("collections", POSTS), ("kinds", "commit"), ("kinds", "identity"), ("kinds", "account")]
        asked.append(("maxMessageSizeBytes", str(MOST_BYTES)))
        if unpacking is not None:
            asked.append(("zstdDictionary", str(unpacking.id)))
    if at is not None:
        same = instance.version == 2 and at.version == 2 and at.host == instance.host and at.seq > 0
        asked.append(("cursor", str(at.seq if same else max(at.time_us - REWIND * 1_000, 0))))
    return f"{instance.address}?{urlencode(asked)}"


def _refused(host: str, refusal: broken.InvalidStatus) -> Exception:
    answer = refusal.response
    status, body = answer.status_code, bytes(answer.body or b"")
    if status == 400 and b"CursorTooOld" in body:
        return CursorLost(f"{host} does not reach back to the cursor any more")
    if status in (401, 403):
        return Denied(f"{host} answered {status}: {words(body)}")
    if status in PASSES:
        headers = {name.lower(): value for name, value in answer.headers.raw_items()}
        return Interrupted(f"{host} answered {status}", retry_after=retry_after(headers))
    return Interrupted(f"{host} answered {status}: {words(body)}")


# --- version 2 ---


class _Account(msgspec.Struct, frozen=True, gc=False):
    active: bool = True
    status: str | None = None


class _Payload(msgspec.Struct, frozen=True, gc=False):
    type: str = msgspec.field(default="", name="$type")
    seq: int = 0
    did: str = ""
    time: datetime | None = None
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: Record | None = None
    account: _Account | None = None
    name: str = ""


class _Frame(msgspec.Struct, frozen=True, gc=False):
    type: str = msgspec.field(default="", name="$type")
    payload: _Payload | None = None
    error: str = ""


_frames = msgspec.json.Decoder(_Frame)


def _read_2(frame: bytes) -> Event | None:
    whole = _frames.decode(frame)
    if whole.type == "error":
        raise Interrupted(f"the instance ended the stream: {whole.error[:100]}")
    said = whole.payload
    if said is None or not said.type.startswith(_EVENTS):
        return None
    kind = said.type[len(_EVENTS) :]
    if kind == "info":
        return Event("outdated") if said.name == "OutdatedCursor" else None
    time_us = 0 if said.time is None else (said.time - _EPOCH) // _MICROSECOND
    if kind == "commit":
        if said.collection != POSTS:
            return None
        return Event(kind, said.did, time_us, said.seq, said.operation, said.rkey, said.record)
    if kind == "account" and said.account is not None:
        account = said.account
        return Event(kind, said.did, time_us, said.seq, active=account.active, status=account.status or "")
    return Event(kind, said.did, time_us, said.seq) if kind == "identity" else None


# --- version 1 ---


class _Commit(msgspec.Struct, frozen=True, gc=False):
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: Record | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    did: str = ""
    time_us: int = 0
    kind: str = ""
    commit: _Commit | None = None
    account: _Account | None = None


_events = msgspec.json.Decoder(_Event)


def _read_1(frame: bytes) -> Event | None:
    said = _events.decode(frame)
    if said.kind == "commit" and said.commit is not None and said.commit.collection == POSTS:
        commit = said.commit
        return Event("commit", said.did, said.time_us, 0, commit.operation, commit.rkey, commit.record)
    if said.kind == "account" and said.account is not None:
        account = said.account
        return Event("account", said.did, said.time_us, active=account.active, status=account.status or "")
    return Event("identity", said.did, said.time_us) if said.kind == "identity" else None
