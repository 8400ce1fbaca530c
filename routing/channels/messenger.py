"""The one messenger: hands over what leaves by channels as the mailer does mails, with its own lease and journal.

A service that does not answer holds up no mail, and mails hold up no message. What is told is read from SQL at the
moment it leaves.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from database.engine import read
from routing.channels.brief import brief
from routing.channels.payload import Payload, case_of, moment, of_letter
from routing.crm import HANDED
from routing.mail.compose import Composed, MailRow, compose
from routing.mail.words import words
from routing.mailer import BATCH, Due, Mailer, StepResult
from routing.named import named
from routing.people_to_tell import Channel, Person
from stream.clock import DAY
from stream.records import Millis

LEASE = "messenger"
STALE: Millis = DAY
"""What wakes people is told no more by a channel that could not take it for so long; a case is posted as long as mails
are tried."""


class Messenger(Mailer):
    lease = LEASE
    lane = "channel <> ''"

    def _work(self, now: Millis) -> StepResult:
        """The mailer plans messages with its mails, and forgets old ones of both."""
        counts = self._hand_over_due({person.id: person for person in self._people()}, now)
        return StepResult(leader=True, more=sum(counts.values()) >= BATCH, **counts)

    def _one(self, mail: Due, person: Person | None, now: Millis) -> str:
        channel = next((one for one in self._settings.channels if one.id == mail.channel), None)
        if channel is None:
            return self._end(mail, "dropped", f"there is no channel {mail.channel} any more")
        if person is None and mail.person:
            return self._end(mail, "dropped", f"{mail.person} is no longer among the people")
        if mail.kind == HANDED and not channel.texts:
            return self._end(mail, "failed", f"channel {channel.id} is no webhook any more: no case is posted to it")
        if mail.kind != HANDED and now - mail.created_at > STALE:
            return self._end(mail, "failed", "a day went by without its being taken")
        return self._hand_over(mail, channel.id, lambda: self._said(mail, person, channel, now))

    def _said(self, mail: Due, person: Person | None, channel: Channel, now: Millis) -> tuple[Composed, bytes | None]:
        # A team has no name to answer by, and reads what its channel may.
        reader = person or Person(id="", name=channel.id, email="", language=channel.language, access=channel.access)
        with read(self._engine) as connection:
            if mail.kind == HANDED:
                return self._posted(connection, mail, channel)
            row = MailRow(mail.id, mail.kind, mail.brand, mail.queue, mail.created_at, mail.latest_at)
            composed = compose(connection, row, reader, self._settings, self._reason, now)
        letter = composed.letter
        if letter is None:
            return composed, None
        said = brief(letter, words(reader.language))
        if not channel.texts:
            return composed, msgspec.json.encode(said)
        type, incident, post = of_letter(letter)
        told = replace(self._payload(mail, type), title=said.title, text=said.body, incident=incident, post=post)
        return composed, msgspec.json.encode(told)

    def _posted(self, connection: Connection, mail: Due, channel: Channel) -> tuple[Composed, bytes | None]:
        sql = "SELECT a.case_id FROM mail_item i JOIN alert a ON a.id = i.alert WHERE i.mail = ?"
        found = named(connection, sql, (mail.id,))
        case = case_of(connection, found[0].case_id, channel.access) if found and found[0].case_id else None
        if case is None:
            return Composed(None, None, dropped="its posts were deleted before it left"), None
        return Composed(None, None, case.number), msgspec.json.encode(replace(self._payload(mail, "case"), case=case))

    def _payload(self, mail: Due, type: str) -> Payload:
        return Payload(
            type=type, id=mail.message_id.strip("<>"), timestamp=moment(mail.created_at), brand=mail.brand,
            queue=mail.queue, person=mail.person,
        )  # fmt: skip
