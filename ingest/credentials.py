"""Credentials that are traded for an access token (OAuth 2.0): got, kept, renewed ahead of their end, by one process
for all.

A collector makes one `Grant` of what a person gave (`ingest.oauth`, `ingest.service_account`),
keeps it as `grant`, so that people are told ahead of its end, and hands its `headers` to its `Web`:

    self.grant = Grant(setting, refreshing(
        f"{settings.url}/oauth/v2/accessToken",
        client_id=settings.client_id_env, client_secret=settings.client_secret_env,
        refresh_token=settings.refresh_token_env, where="docs/networks/linkedin.md says how to get one"))
    web = Web(settings.url, self.grant.headers)
    answer = self.grant.through(lambda: web.get("/posts"))

A network that gives a newer refresh token with each renewal is followed: the newest is kept in SQL (`ingest.tokens`)
and goes before the one in the environment, until a person puts another one there.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from threading import Lock
from typing import Protocol, TypeVar, runtime_checkable

import httpx
import structlog

from ingest.collector import NEVER, Denied, Expiring, Interrupted
from ingest.oauth import Given, Question, Refusal, Terms, Traded
from ingest.patience import Backoff, Stopped, insist
from ingest.setting import Setting
from ingest.tokens import Kept
from ingest.web import Refused, Unauthorized, Web
from stream.clock import HOUR, MINUTE, SECOND, passed
from stream.records import Millis

T = TypeVar("T")

AGAIN: Millis = 5 * MINUTE
"""Between two tries to renew a token that still counts."""
REFUSED: Millis = HOUR
"""The same where the network has refused to."""
NEW: Millis = MINUTE
"""A token that is refused so soon after it was given is not renewed once more."""
LOOK = 0.25
"""Seconds between two looks whether the process that renews is done."""
PATIENCE: Millis = MINUTE
TELLING: Millis = 10 * MINUTE
"""Of two renewals that are nearer to each other nobody can tell whether the second one put anything off."""

_log = structlog.get_logger(__name__)


class Grant:
    """The access token of one source, always one that counts. Several threads may ask."""

    def __init__(self, setting: Setting, terms: Terms, timeout: Millis = 30 * SECOND) -> None:
        self._setting, self._terms, self._timeout = setting, terms, timeout
        self._lock = Lock()
        self._held: Kept | None = None
        self._again_at: Millis = 0
        """By the steady clock; a token that counts is not renewed before."""
        self._refused: str | None = None
        """The access token that the network refused before its end."""
        self._denied = False
        """The latest renewal was."""

    def headers(self) -> dict[str, str]:
        """Raises what `token` raises."""
        return {"Authorization": f"Bearer {self.token()}"}

    def token(self) -> str:
        """Raises Denied where a secret is missing or is refused, Interrupted where the network does not answer or
        another process takes long to renew it, stream.ports.Transient."""
        held = self._held
        if held is not None and self._will_do(held):
            return held.access
        alone = self._lock.acquire(blocking=held is None or not held.counts(self._wall()))
        if not alone and held is not None:
            return held.access
        try:
            self._held = self._current()
            return self._held.access
        finally:
            self._lock.release()

    def through(self, ask: Callable[[], T]) -> T:
        """What `ask` brings; asked once more, with a new token, where the network no longer takes the one that it was
        asked with (raised as `ingest.web.Unauthorized`)."""
        before = self._held
        try:
            return ask()
        except Unauthorized:
            if not self._let_go_of(before or self._held):
                raise
        return ask()

    def ends(self) -> Millis | None:
        """As `ingest.collector.Expiring`: what is known since the token was got the last time."""
        held = self._held
        if held is None:
            return None
        if self._denied:
            return held.ends
        return NEVER if held.extends or held.refresh_ends is None else held.refresh_ends

    # --- one renewal ---

    def _current(self) -> Kept:
        if self._held is not None and self._will_do(self._held):
            return self._held  # another thread renewed it
        given = self._given()
        id = self._id(given)
        found = self._unrefused(self._setting.tokens.get(id))
        if found is not None and found.fresh(self._wall()):
            self._denied = False
            return found
        usable = found if found is not None and found.counts(self._wall()) else None
        try:
            renewed = self._renewed(id, given, usable)
        except (Denied, Interrupted) as fault:
            self._denied = isinstance(fault, Denied)
            self._again_at = self._setting.clock.steady() + (REFUSED if self._denied else AGAIN)
            if usable is None:
                raise
            _log.warning("ingest.token_not_renewed", source=self._setting.source.id, why=str(fault))
            return usable
        self._denied = False
        return renewed

    def _renewed(self, id: str, given: Given, usable: Kept | None) -> Kept:
        """By this process or, meanwhile, by another one; `usable` as long as that one is at it."""
        tokens, until = self._setting.tokens, self._setting.clock.steady() + PATIENCE
        while True:
            with tokens.turn(id) as mine:
                before = tokens.get(id)
                found = self._unrefused(before)
                if found is not None and found.fresh(self._wall()):
                    return found
                if mine:
                    return self._traded(id, given, before)
            if usable is not None:
                return usable
            if self._setting.clock.steady() >= until:
                raise Interrupted(f"another process has been at renewing the token of {self._terms.name} for a minute")
            if self._setting.stop.wait(LOOK):
                raise Interrupted("told to stop")

    def _traded(self, id: str, given: Given, before: Kept | None) -> Kept:
        wall = self._wall()
        brought = self._ask(self._terms.ask(given, before.refresh if before else None, wall), wall)
        newer = brought.refresh or (before.refresh if before else None)
        ends = None if brought.refresh_life is None else wall + brought.refresh_life
        kept = Kept(
            access=brought.access,
            ends=None if brought.life is None else wall + brought.life,
            refresh=None if newer in given.values() else newer,
            refresh_ends=ends if ends is not None or before is None else before.refresh_ends,
            extends=_put_off(before, ends, wall),
            given_at=wall,
        )
        tokens, name = self._setting.tokens, self._terms.name
        try:
            # The network may take the former refresh token no more: this one must not be lost.
            mine = insist(lambda: tokens.put(id, name, kept, before), self._setting.stop, Backoff(100, SECOND))
        except Stopped:
            raise Interrupted("told to stop") from None
        _log.info("ingest.token_renewed", source=self._setting.source.id, ends=kept.ends)
        return kept if mine else tokens.get(id) or kept

    def _ask(self, question: Question, wall: Millis) -> Traded:
        terms, place = self._terms, _place(self._terms.url)
        with Web(timeout=self._timeout / SECOND, max_bytes=1_000_000, longest=self._timeout / SECOND) as web:
            try:
                answer = web.ask(
                    "POST",
                    terms.url,
                    headers={"Accept": "application/json", **question.headers},
                    form=None if question.as_json else question.form,
                    json=dict(question.form) if question.as_json else None,
                    good=(400, 401, 403),
                )
                return terms.read(answer, wall)
            except Refused as refused:
                if refused.status >= 500:
                    raise Interrupted(f"{place} answered {refused.status}") from None
                raise Denied(f"{place} gives no token, it answered {refused.status}: is that its address?") from None
            except Refusal as refusal:
                raise self._refusal(refusal, place) from None

    def _refusal(self, refusal: Refusal, place: str) -> Exception:
        terms, code = self._terms, refusal.code
        if refusal.passes:
            return Interrupted(f"{place} gives no token now ({code})")
        if code == "invalid_grant":
            return Denied(f"{place} does not take what {terms.name} holds, or no more ({code}): {terms.where}")
        return Denied(f"{place} gives no token for what {_listed(terms.blamed(code))} hold ({code}): {terms.where}")

    # --- what it rests on ---

    def _given(self) -> Given:
        found = {what: self._setting.secret(name) or "" for what, name in self._terms.secrets.items()}
        missing = [self._terms.secrets[what] for what, value in found.items() if not value.strip()]
        if missing:
            raise Denied(f"{_listed(missing)} not set: {self._terms.where}")
        return {what: value.strip() for what, value in found.items()}

    def _id(self, given: Given) -> str:
        """Another one as soon as a person gives another grant; who only replaces the secret of its app goes on with the
        newest refresh token. Nobody can tell the secrets by it: they are long."""
        digest = blake2b(self._terms.url.encode(), digest_size=20)
        for what, value in sorted(given.items()):
            if what != "client_secret" or what == self._terms.rests_on:
                digest.update(b"\0" + what.encode() + b"\0" + value.encode())
        return digest.hexdigest()

    def _unrefused(self, found: Kept | None) -> Kept | None:
        return None if found is None or found.access == self._refused else found

    def _let_go_of(self, held: Kept | None) -> bool:
        """Whether there may be a better one. One that was given a moment ago is as good as the next."""
        with self._lock:
            if held is None or not passed(held.given_at, self._wall(), NEW):
                return False
            if self._held is held:
                self._held, self._refused = None, held.access
            return True

    def _will_do(self, held: Kept) -> bool:
        wall = self._wall()
        return held.fresh(wall) or (held.counts(wall) and self._setting.clock.steady() < self._again_at)

    def _wall(self) -> Millis:
        return self._setting.clock.wall()


@runtime_checkable
class Granted(Protocol):
    """A collector whose access is a grant; None: as its settings are, it asks by something else."""

    grant: Grant | None


def ends_of(collector: object) -> Millis | None:
    """As `ingest.collector.Expiring` has it, of any collector. NEVER where nobody can know, too: another kind of
    credential, which did end, may have been there before."""
    if isinstance(collector, Expiring):
        return collector.ends()
    grant = collector.grant if isinstance(collector, Granted) else None
    return NEVER if grant is None else grant.ends()


def _put_off(before: Kept | None, ends: Millis | None, wall: Millis) -> bool:
    """Whether the network gives the refresh token a longer life with each renewal."""
    if before is None:
        return False
    passed = wall - before.given_at
    if before.refresh_ends is None or ends is None or passed < TELLING:
        return before.extends
    return ends - before.refresh_ends > passed // 2


def _place(url: str) -> str:
    return str(httpx.URL(url).copy_with(query=None, userinfo=b"", fragment=None))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
