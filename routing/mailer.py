"""The one mailer: turns waiting alerts into mails and hands them over, each at least once, in the order of their turn.

A mail is claimed in SQL, handed over, then marked sent. A process killed in between leaves it claimed; the next mailer
asks the journal whether the server had taken it, and hands it over again where the journal does not know. So a mail is
doubled only by a crash between the server's taking it and the journal's line (the answer's way back and some
microseconds), by a power cut or a mailer on another machine (which has another journal) before SQL knows of it, or by a
server that takes a mail and never answers; the double has the same Message-ID.

A mailer that was overtaken while SQL was away tells what its journal knows as soon as it can; its follower waits a
while for that before it hands over what it found claimed.

The lease is short and renewed while a hand-over lasts; where that fails, the hand-over ends before the lease does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import Engine

from database.engine import many, read, rows, write
from database.tenure import LeaseLost, Tenure
from routing import chain_test
from routing.digests import open_due
from routing.incidents import book
from routing.incidents.members import Members
from routing.mail.compose import Composed, MailRow, Reason, as_decided, compose
from routing.mail.journal import Journal
from routing.mail.render import message
from routing.mail.transport import Delivery, Outgoing, Transport, one_line
from routing.mail_status import MailStatus, mail_status
from routing.named import named
from routing.people_to_tell import MailSettings, Person, valid_address
from routing.planner import forget_old, plan_pending
from stream.clock import HOUR, MINUTE, SECOND, Clock, passed
from stream.ports import Transient
from stream.records import Millis

log = structlog.get_logger(__name__)

LEASE = "mailer"
POLL = 0.25
"""Seconds between two looks at the alerts; `nudge` shortens them."""
BATCH = 25
"""Mails a step."""
MOST_STEP: Millis = 10 * SECOND
"""A step starts no further mail after this long."""
DOWN_LONGEST: Millis = MINUTE
"""Longest pause before a server that did not answer is tried again; an unwelcoming one: `retry_longest`."""
FORMER_TELLS: Millis = MINUTE
"""So long a mail that another machine's mailer had claimed waits for that one's word, which looks again within half a
minute after the database is back."""
NAMED_IN_LOG = 20
"""Mentions of a mail that its line in the log names."""
FAULTS_IN_A_ROW = 3
"""Mails that fail one after the other in the middle of a session: the server is at fault, not the mails."""


class StepResult(msgspec.Struct, frozen=True):
    """What one step did."""

    leader: bool
    """False: another process is the mailer."""
    planned: int = 0
    """Alerts dealt with."""
    sent: int = 0
    failed: int = 0
    later: int = 0
    dropped: int = 0
    more: bool = False
    """There is more to do at once."""

    @property
    def idle(self) -> bool:
        return not (self.planned or self.sent or self.failed or self.later or self.dropped)


class Mailer:
    """Hands over what leaves by mail; what leaves by channels, `routing.channels.messenger` hands over in the same way.

    Make it in the process and thread that steps it. `people` is asked in every step.

    `journal`: a file on a local disk that only mailers of this database use; None leaves the window of a double at some
    milliseconds. `elsewhere`: mailers of other machines, with journals of their own, may work on this database.
    `reason` says why a mention was routed as it was, in the reader's language.
    """

    lease = LEASE
    lane = "channel = ''"
    """Which rows of table `mail` it hands over."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        transport: Transport,
        people: Callable[[], Sequence[Person]],
        settings: MailSettings,
        *,
        reason: Reason = as_decided,
        journal: Path | None = None,
        elsewhere: bool = False,
        owner: str | None = None,
    ) -> None:
        self._engine, self._clock, self._transport = engine, clock, transport
        self._people, self._settings, self._reason = people, settings, reason
        self._journal, self._elsewhere = Journal(journal), elsewhere
        self._told = frozenset[str]()
        """Of the journal: what this one has told since it gave way."""
        self._longest: Millis = MOST_STEP + int(transport.deadline * SECOND) + 5 * SECOND
        """A round of hand-overs, the last of which may begin at the end of MOST_STEP."""
        self._tenure = Tenure(engine, self.lease, clock, owner)
        self._recovered: int | None = None
        self._mine = set[int]()
        """Fences under which this one has mailed."""
        self._rest_until: Millis = 0
        """By the steady clock, as all pauses of this process."""
        self._rests = 0
        self._faults = 0
        self._forgot_at: Millis = 0
        self._digests_at: Millis = 0
        self._members = Members()
        self._awake = threading.Event()

    def nudge(self) -> None:
        """Look at the alerts now; may be called from any thread."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Step until `stop`; a fault of the database is waited out, anything else ends the thread that runs it."""
        try:
            while not stop.is_set():
                try:
                    more = self.step(self._clock.now()).more
                except Transient as fault:
                    log.warning("mailer_waits", why=one_line(fault))
                    more = False
                if not more:
                    self._awake.wait(POLL)
                self._awake.clear()
        finally:
            self.close()

    def step(self, now: Millis) -> StepResult:
        """One pass: plan what waits, hand over what is due. Bounded by MOST_STEP and one mail's deadline."""
        try:
            if not self._tenure.hold():
                self._tell_taken()
                return StepResult(leader=False)
            if self._recovered != self._tenure.fence:
                self._recover()
            return self._work(now)
        except LeaseLost as lost:
            log.warning("mailer_gave_way", why=str(lost))
            return StepResult(leader=False)
        except Exception:
            # A mail may be left claimed: the next step looks, as after a crash.
            self._recovered = None
            raise

    def close(self) -> None:
        """End the session with the server and let another process take over at once."""
        self._transport.close()
        # A database that is away keeps the lease until it runs out; nothing else hangs on it.
        with suppress(Transient):
            self._tell_taken()
            self._tenure.leave()
        self._journal.close()

    def status(self) -> MailStatus:
        """How the mails stand now."""
        return mail_status(self._engine, self._clock.now())

    def _work(self, now: Millis) -> StepResult:
        people = list(self._people())
        if passed(self._digests_at, now, MINUTE):
            self._digests_at = now
            open_due(self._engine, people, self._settings, now, self._tenure.guard)
            chain_test.step(self._engine, people, self._settings, now, self._tenure.guard)
        planned, _ = plan_pending(self._engine, people, self._settings, now, self._tenure.guard, self._members)
        counts = self._hand_over_due({p.id: p for p in people}, now)
        if passed(self._forgot_at, now, HOUR):
            self._forgot_at = now
            forget_old(self._engine, self._settings, now, self._tenure.guard)
            with suppress(OSError):
                self._transport.forget_older(now - self._settings.keep)
        return StepResult(
            leader=True,
            planned=planned,
            sent=counts["sent"],
            failed=counts["failed"],
            later=counts["later"],
            dropped=counts["dropped"],
            more=bool(planned) or sum(counts.values()) >= BATCH,
        )

    def _recover(self) -> None:
        """What a mailer before this one had claimed: sent, where the journal knows it; else to be handed over again."""
        taken = self._journal.taken()
        now = self._clock.now()
        with write(self._engine) as connection:
            self._tenure.guard(connection)
            claimed = named(
                connection, f"SELECT id, message_id, fence, next_try FROM mail WHERE state = 'sending' AND {self.lane}"
            )
            done = [(now, r.id) for r in claimed if r.message_id in taken]
            many(connection, "UPDATE mail SET state = 'sent', reason = '', ended_at = ? WHERE id = ?", done)
            unknown = [
                (True, self._clock.wall() + FORMER_TELLS if self._may_be_told(r.fence) else r.next_try, r.id)
                for r in claimed
                if r.message_id not in taken
            ]
            many(connection, "UPDATE mail SET state = 'pending', repeated = ?, next_try = ? WHERE id = ?", unknown)
            fence = self._tenure.fence
        self._journal.forget()
        self._recovered = fence
        if fence is not None:
            self._mine.add(fence)
        if claimed:
            log.info("mails_found_claimed", known_sent=len(done), sent_again=len(unknown))

    def _may_be_told(self, fence: int) -> bool:
        """Whether who claimed a mail under `fence` may live, with a journal that this one does not see."""
        return self._elsewhere and fence not in self._mine and fence != self._tenure.outlived

    def _tell_taken(self) -> None:
        """What SQL does not know of what the journal does. For that nobody has to be the mailer: it is a fact."""
        taken = self._journal.taken()
        if taken <= self._told:
            return
        now = self._clock.now()
        with write(self._engine) as connection:
            many(connection, _TAKEN, [(now, message_id) for message_id in sorted(taken)])
        self._told = taken

    def _hand_over_due(self, people: dict[str, Person], now: Millis) -> dict[str, int]:
        counts = {"sent": 0, "failed": 0, "later": 0, "dropped": 0}
        started = self._clock.steady()
        if started < self._rest_until:
            return counts
        found = _due_mails(self._engine, self.lane, self._clock.wall(), self._settings.retry_longest)
        if not found:
            return counts
        with self._tenure.kept(self._longest):
            for mail in found:
                if self._clock.steady() - started > MOST_STEP or not self._is_still_the_one():
                    break
                outcome = self._one(mail, people.get(mail.person), now)
                if outcome in counts:
                    counts[outcome] += 1
                if self._rest_until > started:
                    break
            self._transport.hang_up()
        return counts

    def _is_still_the_one(self) -> bool:
        """Without a break: where another one mailed meanwhile, what was found due may be sent by now."""
        return self._tenure.hold() and self._tenure.fence == self._recovered

    def _one(self, mail: Due, person: Person | None, now: Millis) -> str:
        if person is None:
            return self._end(mail, "dropped", f"{mail.person} is no longer among the people")
        if not valid_address(person.email):
            return self._end(mail, "failed", f"the address of {person.id} is not one: correct it in the people")
        return self._hand_over(mail, person.email, lambda: self._written(mail, person, now))

    def _hand_over(self, mail: Due, recipient: str, write: Callable[[], tuple[Composed, bytes | None]]) -> str:
        """`write`: what is to be told as of now; None where nothing is left."""
        try:
            composed, content = write()
        except Transient:
            raise
        except Exception as error:
            # One mail that cannot be written must not keep back the others.
            log.exception("mail_not_written", mail=mail.id)
            return self._end(mail, "failed", f"could not be written ({type(error).__name__})")
        if content is None:
            return self._end(mail, "dropped", composed.dropped, untell=not mail.channel)
        if not self._claim(mail, content, composed.arrived_at):
            return "told by another one"
        sender, repeated = self._settings.from_address, bool(mail.repeated)
        return self._settle(
            mail,
            self._transport.send(Outgoing(mail.message_id, sender, recipient, content, repeated, self._allowed)),
        )

    def _allowed(self) -> float:
        """Seconds: whoever takes over as mailer knows that a hand-over of this one has ended before."""
        return self._tenure.left() / SECOND

    def _written(self, mail: Due, person: Person, now: Millis) -> tuple[Composed, bytes | None]:
        """The mail as of now; None where nothing is left to tell."""
        row = MailRow(mail.id, mail.kind, mail.brand, mail.queue, mail.created_at, mail.latest_at)
        with read(self._engine) as connection:
            composed = compose(connection, row, person, self._settings, self._reason, now)
        if composed.letter is None:
            return composed, None
        content = message(composed.letter, person, self._settings, mail.message_id, now, composed.case_id)
        return composed, content

    def _claim(self, mail: Due, content: bytes, arrived_at: Millis | None) -> bool:
        """False where a former mailer has told meanwhile that it was taken."""
        wall = self._clock.wall()
        with write(self._engine) as connection:
            self._tenure.guard(connection)
            claimed = many(
                connection,
                "UPDATE mail SET state = 'sending', claimed_at = ?, fence = ?, content_hash = ?, arrived_at = ?,"
                " attempts = attempts + 1, first_try = COALESCE(first_try, ?)"
                " WHERE id = ? AND state = 'pending'",
                [(wall, self._tenure.fence, sha256(content).hexdigest(), arrived_at, wall, mail.id)],
            )
        return claimed > 0

    def _settle(self, mail: Due, delivery: Delivery) -> str:
        """Write down how a hand-over went. Whoever lost the lease meanwhile writes to the journal only."""
        if delivery.outcome == "sent":
            self._journal.write(mail.message_id)
            self._rests = self._faults = 0
            ended = self._end(mail, "sent", "")
            self._journal.forget()
            return ended
        if delivery.outcome == "refused":
            self._rests = self._faults = 0
            ended = self._end(mail, "failed", delivery.reason)
            self._tell_next(mail)
            return ended
        if delivery.outcome == "later":
            self._faults = self._faults + 1 if delivery.broke_off else 0
            return self._try_later(mail, delivery)
        self._rest(delivery)
        self._back(mail, delivery.reason, attempts=mail.attempts, next_try=0, repeated=bool(mail.repeated))
        return "down"

    def _tell_next(self, mail: Due) -> None:
        """Whom a mail about an incident cannot reach answers nobody: the next one of the chain is told at once. Who is
        told by a channel has the mail as well, so one that is refused (a wrong address, say) wakes nobody else."""
        if mail.kind != "incident" or mail.channel:
            return
        with write(self._engine) as connection:
            self._tenure.guard(connection)
            book.tell_next(connection, mail.id, mail.person, len(self._settings.chain), self._clock.now())

    def _try_later(self, mail: Due, delivery: Delivery) -> str:
        wall = self._clock.wall()
        first = mail.first_try if mail.first_try is not None else wall
        if wall - first >= self._settings.give_up_after:
            return self._end(mail, "failed", f"given up after {mail.attempts + 1} tries: {delivery.reason}")
        pause = back_off(mail.attempts, self._settings.retry_first, self._settings.retry_longest, mail.message_id)
        repeated = bool(mail.repeated) or delivery.unsure
        self._back(mail, delivery.reason, attempts=mail.attempts + 1, next_try=wall + pause, repeated=repeated)
        log.warning("mail_later", mail=mail.id, seconds=pause // 1000, why=delivery.reason)
        if self._faults >= FAULTS_IN_A_ROW:
            self._rest(delivery)
        return "later"

    def _rest(self, delivery: Delivery) -> None:
        """No mail for a while: the server, not a mail, is at fault."""
        longest = self._settings.retry_longest if delivery.outcome == "unwelcome" else DOWN_LONGEST
        pause = back_off(self._rests, self._settings.retry_first, longest, self._tenure.owner)
        self._rest_until = self._clock.steady() + pause
        self._rests += 1
        self._faults = 0
        log.warning("mail_server_rests", seconds=pause // 1000, why=delivery.reason)

    def _back(self, mail: Due, reason: str, *, attempts: int, next_try: Millis, repeated: bool) -> None:
        with write(self._engine) as connection:
            self._tenure.guard(connection)
            many(
                connection,
                "UPDATE mail SET state = 'pending', reason = ?, attempts = ?, next_try = ?, repeated = ?"
                " WHERE id = ? AND state = 'sending'",
                [(reason, attempts, next_try, repeated, mail.id)],
            )

    def _end(self, mail: Due, state: str, reason: str, untell: bool = False) -> str:
        with write(self._engine) as connection:
            self._tenure.guard(connection)
            many(
                connection,
                "UPDATE mail SET state = ?, reason = ?, ended_at = ? WHERE id = ? AND state <> 'sent'",
                [(state, reason, self._clock.now(), mail.id)],
            )
            if untell:
                # Nobody was told after all: the next alert of the same case is news again.
                many(connection, _UNTELL, [(mail.person, mail.id)])
            told = [f"{post}#{brand}" for post, brand in rows(connection, _TOLD, (mail.id, NAMED_IN_LOG))]
        log.info("mail_ended", mail=mail.id, state=state, why=reason, keys=told)
        return state


class Due(msgspec.Struct, frozen=True):
    """A row of table `mail` whose turn has come."""

    id: int
    message_id: str
    person: str
    kind: str
    channel: str
    brand: str
    queue: str
    created_at: Millis
    latest_at: Millis
    attempts: int
    first_try: Millis | None
    repeated: int
    """Whether an earlier try may have reached the server; SQLite has no booleans."""


_TAKEN = (
    "UPDATE mail SET state = 'sent', reason = '', ended_at = ? WHERE message_id = ? AND state IN ('sending', 'pending')"
)
_TOLD = (
    "SELECT p.id, a.brand FROM mail_item i JOIN alert a ON a.id = i.alert JOIN mention m ON m.n = a.mention_n"
    " JOIN post p ON p.n = m.post WHERE i.mail = ? ORDER BY a.id LIMIT ?"
)
_UNTELL = (
    "DELETE FROM told WHERE person = ? AND subject IN (SELECT COALESCE(a.case_id, -a.mention_n) FROM mail_item i"
    " JOIN alert a ON a.id = i.alert WHERE i.mail = ?)"
)


def back_off(tries: int, first: Millis, longest: Millis, who: str) -> Millis:
    """The pause after `tries` earlier ones: doubled each time up to `longest`, less up to a quarter (by `who`, so that
    mails do not all come back at once and a simulation repeats itself)."""
    pause = min(longest, first * 2 ** min(tries, 30))
    share = int.from_bytes(sha256(f"{who}\0{tries}".encode()).digest()[:4]) / 2**32
    return int(pause * (1 - share / 4))


def _due_mails(engine: Engine, lane: str, wall: Millis, longest: Millis) -> list[Due]:
    """Mails whose turn has come: single alerts first, then what counts many.

    No pause is longer than `longest`: a turn that lies further ahead was reckoned before the clock was set back.
    """
    with read(engine) as connection:
        found = named(
            connection,
            "SELECT id, message_id, person, kind, channel, brand, queue, created_at, latest_at, attempts, first_try,"
            f" repeated FROM mail WHERE state IN ('gathering', 'pending', 'sending') AND state = 'pending' AND {lane}"
            " AND (next_try <= ? OR next_try > ?)"
            " ORDER BY CASE WHEN kind IN ('summary', 'found_late') THEN 1 ELSE 0 END, next_try, id LIMIT ?",
            (wall, wall + longest, BATCH),
        )
    return [Due(*row) for row in found]
