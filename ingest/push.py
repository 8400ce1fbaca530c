"""What a network pushes: its own form and signature, and the same last steps for all.

A network's file gives a `Push`, which reads one body: whether the network signed it, and what it says. The `Receiver`
does the rest, as `ingest.webhook` does for programs: bounds, each body and each version once, durable before it
answers. `web` mounts it at `/api/webhooks/SOURCE`.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec
import structlog

from ingest.collector import Draft, Interrupted, Malformed, Source
from ingest.intake import Prefilter, Took, Unacceptable, dead_letter, draft_bytes, passes, stamped, too_late
from ingest.patience import DISK, Hold
from ingest.signature import BadSignature
from ingest.taken import Last, Taken
from ingest.versions import fresh, hashed, items
from ingest.webhook import Answer, Heard
from stream.clock import SECOND
from stream.ports import POSTS, Append, Log, Transient
from stream.records import AWAY_KINDS, Millis, Post, encode

AGAIN = 10
"""Seconds after which a push that could not be taken now is best sent again."""
MOST_UNHEARD = 1_000
"""Accounts of which it is remembered that nobody listens to them."""
MOST_NAME = 100
_ECHO = re.compile(r"[!-~]{0,500}", re.ASCII)
"""What is given back of a challenge: signs without a space, and not many."""
_NOTHING: Mapping[str, str] = {}

_log = structlog.get_logger(__name__)


class Pushed(NamedTuple):
    """What one body says. A ping says nothing."""

    drafts: Sequence[Draft] = ()
    malformed: Sequence[Malformed] = ()
    key: str = ""
    """What the headers say of it that the body does not: the event, and its number where the network counts."""


class Unsigned(Exception):
    """No secret is configured, so nobody can sign for this source."""


class Push(Protocol):
    """A network that calls, seen from one source. Several threads may ask it."""

    source: Source
    max_body: int

    def read(self, headers: Mapping[str, str], body: bytes, wall: Millis, query: Mapping[str, str]) -> Pushed:
        """`headers` have names in small letters, `query` is that of the address called. Raises BadSignature, Unsigned;
        Interrupted where it cannot be understood now. What is signed and can be no post is Malformed."""

    def close(self) -> None: ...


@runtime_checkable
class Challenged(Protocol):
    """A network that asks, before it calls, whether it is wanted (`hub.challenge`). Several threads may ask it."""

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        """What to answer, which only who asked can know; None: it is not from the network, or not wanted here."""


@runtime_checkable
class Addressed(Protocol):
    """A network that calls one address for all accounts of an app, where each of them is a source of its own."""

    account: str
    """The one that is listened to, as pushes name it."""

    def accounts(self, body: bytes) -> Collection[str]:
        """Those that a body names, which the network signed; none where it cannot be read."""


class Receiver:
    """Takes the pushes of one source; several threads may call it (see `web.services.Webhook`)."""

    def __init__(
        self,
        push: Push,
        log: Log,
        taken: Taken,
        hold: Hold | None = None,
        took: Heard | None = None,
        prefilter: Prefilter | None = None,
    ) -> None:
        """`took` hears of what came, once it is durable. `prefilter`: of a firehose, what may be about a brand."""
        self.prefilter = prefilter
        self.push, self.log, self.taken, self.hold = push, log, taken, hold or (lambda: None)
        self.took = took or (lambda took: None)
        self._one_at_a_time = threading.Lock()
        self._unheard: set[str] = set()

    @property
    def max_body(self) -> int:
        return self.push.max_body

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        """What to answer to a question before the first push; None: nothing, as where nobody listens."""
        if not isinstance(self.push, Challenged):
            return None
        said = self.push.challenge(query, wall)
        return said if said is not None and _ECHO.fullmatch(said) else None

    def handle(
        self, headers: Mapping[str, str], body: bytes, now: Millis, wall: Millis, query: Mapping[str, str] = _NOTHING
    ) -> Answer:
        """(status, JSON) for one push; never raises for what a sender, the network or the log may do. 403: it is not
        signed, or nothing can be; `web` tells that to nobody but the log, so that no source is found by guessing."""
        if len(body) > self.max_body:
            return 413, {"error": f"the body has {len(body):,} bytes, more than {self.max_body:,}"}
        try:
            pushed = self.push.read({name.lower(): value for name, value in headers.items()}, body, wall, query)
        except (BadSignature, Unsigned) as wrong:
            return 403, {"error": str(wrong)}
        except Interrupted as fault:
            wait = AGAIN if fault.retry_after is None else max(1, fault.retry_after // SECOND)
            return 503, {"error": f"not understood now: {fault.reason}", "retry_after": wait}
        waiting = self.hold()
        if waiting is not None and not (pushed.drafts and all(one.kind in AWAY_KINDS for one in pushed.drafts)):
            status = 503 if waiting == DISK else 429
            return status, {"error": f"not now ({waiting}): nothing was taken, send it again", "retry_after": AGAIN}
        with self._one_at_a_time:
            try:
                return self._taken_once(pushed, body, now)
            except Transient as fault:
                _log.warning("webhook.not_durable", source=self.push.source.id, fault=str(fault))
                return 503, {"error": "the log does not take posts now: send it again", "retry_after": AGAIN}

    def nobody_listens(self, accounts: Collection[str]) -> None:
        """To accounts that a push at this address named: said once of each."""
        new = sorted(one[:MOST_NAME] for one in accounts if one[:MOST_NAME] not in self._unheard)[:MOST_UNHEARD]
        if new and len(self._unheard) < MOST_UNHEARD:
            self._unheard.update(new)
            _log.warning("webhook.nobody_listens", source=self.push.source.id, accounts=new)

    def close(self) -> None:
        self.push.close()

    def _taken_once(self, pushed: Pushed, body: bytes, now: Millis) -> Answer:
        """The same push within a week changes nothing."""
        source, digest = self.push.source.id, hashlib.sha256(pushed.key.encode() + b"\0" + body).hexdigest()
        earlier = self.taken.answer(source, digest)
        if earlier is not None:
            return earlier[1], msgspec.json.decode(earlier[2])
        wanted = [draft for draft in pushed.drafts if passes(draft, self.push.source, self.prefilter)]
        posts, malformed = self._stamped(wanted, pushed.malformed, now)
        found = fresh(posts, self.taken.last(source, items(posts)), now)
        records = [Append(POSTS, post.id, encode(post)) for post in found.posts]
        letters = {hashed("refused", one.payload): one for one in malformed}
        known = self.taken.last(source, list(letters))
        buried = {item: one for item, one in letters.items() if item not in known}
        records += [dead_letter(one, now) for one in buried.values()]
        if records:
            self.log.append(records)
        kept, late = [post.id for post in found.posts], too_late(found.posts, now)
        self.took(Took(kept, len(pushed.drafts) - len(wanted), len(malformed), again=found.again, late=late))
        answer = {
            "accepted": len(found.posts),
            "duplicates": len(posts) - len(found.posts),
            "rejected": [{"index": n, "error": one.reason} for n, one in enumerate(malformed)],
        }
        stored = (digest, digest, 202, msgspec.json.encode(answer).decode())
        self.taken.remember(source, found.taken | dict.fromkeys(buried, Last("", now)), stored, now)
        return 202, answer

    def _stamped(
        self, wanted: Sequence[Draft], malformed: Sequence[Malformed], now: Millis
    ) -> tuple[list[Post], list[Malformed]]:
        posts: list[Post] = []
        malformed = list(malformed)
        for draft in wanted:
            try:
                posts.append(stamped(draft, self.push.source, now, "live").post)
            except Unacceptable as refusal:
                place = f"{self.push.source.id}:{draft.native_id[:100]}"
                malformed.append(Malformed(place, str(refusal), draft_bytes(draft), "Unacceptable"))
        return posts, malformed


class Together:
    """One address for all sources of an app (see `web.services.Webhook`): what reaches that of one is offered to the
    others of its network. Each takes what names its own account, if its own secret signed the body."""

    def __init__(self, receiver: Receiver, others: Sequence[Receiver]) -> None:
        """`receiver` is the one that was called, `others` are of the same network."""
        self._receiver, self._others = receiver, others

    @property
    def max_body(self) -> int:
        return self._receiver.max_body

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        return self._receiver.challenge(query, wall)

    def handle(
        self, headers: Mapping[str, str], body: bytes, now: Millis, wall: Millis, query: Mapping[str, str] = _NOTHING
    ) -> Answer:
        """202 once all of them have taken it. Where one cannot now, its answer: the network sends it again, and who had
        taken it takes nothing twice."""
        asked = self._receiver
        status, said = asked.handle(headers, body, now, wall, query)
        if status != 202 or not isinstance(asked.push, Addressed):
            return status, said
        named = set(asked.push.accounts(body))
        unheard = named - {asked.push.account}
        for other in self._others if unheard else ():
            if not isinstance(other.push, Addressed) or other.push.account not in named:
                continue
            status, more = other.handle(headers, body, now, wall, query)
            if status == 403:
                # Of another app: who signs for this address cannot write there.
                continue
            if status != 202:
                return status, more
            unheard.discard(other.push.account)
            said = {name: said[name] + more[name] for name in ("accepted", "duplicates", "rejected")}
        asked.nobody_listens(unheard)
        return 202, said
