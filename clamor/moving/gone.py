"""Which records of the log must not be copied: texts of posts that are gone.

In the log that they stand in they go with its retention; copied, they would stand for as long once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Engine

from database.engine import read, rows_in
from stream.away import decided_goes, post_goes, understood_goes
from stream.ports import DEAD_LETTER, DECIDED, ESCALATIONS, MENTIONS, POSTS, LogRecord

_GOES: Mapping[str, Callable[[bytes], bool]] = {
    POSTS: post_goes,
    MENTIONS: understood_goes,
    DECIDED: decided_goes,
    **dict.fromkeys(ESCALATIONS.values(), decided_goes),
}
"""Records that take a text away hold none."""
_GONE = "SELECT id FROM post WHERE state IN ('deleted', 'forgotten', 'expired') AND id IN (??)"


class _Mentioned(msgspec.Struct):
    id: str = ""


class _Escalation(msgspec.Struct):
    mention: _Mentioned


class _Letter(msgspec.Struct):
    topic: str = ""
    key: str = ""


_escalation = msgspec.json.Decoder(_Escalation)
_letter = msgspec.json.Decoder(_Letter)


def without_gone(engine: Engine, topic: str, records: Sequence[LogRecord], through: int) -> list[LogRecord]:
    """Those of one partition that may be copied.

    Below `through` everything was done, so that SQL knows what became of a post; what comes behind is
    copied as it is, since a restore or a delete may be on its way there.
    """
    posts = {record.offset: post for record in records if record.offset < through and (post := _post_of(topic, record))}
    if not posts:
        return list(records)
    with read(engine) as connection:
        gone = {row[0] for row in rows_in(connection, _GONE, sorted(set(posts.values())))}
    goes = _GOES.get(topic, _never)
    return [record for record in records if posts.get(record.offset) not in gone or goes(record.value)]


def _post_of(topic: str, record: LogRecord) -> str:
    """Id of the post whose text the record may hold; empty where it holds none, or nobody can say."""
    if topic in (POSTS, MENTIONS):
        return record.key
    if topic == DECIDED:
        return record.key.rpartition("#")[0]
    try:
        if topic == DEAD_LETTER:
            letter = _letter.decode(record.value)
            return letter.key.rpartition("#")[0] if letter.topic == DECIDED else letter.key
        if topic in _GOES:
            return _escalation.decode(record.value).mention.id.rpartition("#")[0]
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return ""


def _never(_: bytes) -> bool:
    return False
