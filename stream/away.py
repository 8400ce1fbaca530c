"""Which records take a text away, told without reading them whole."""

from __future__ import annotations

import msgspec

from stream.records import AWAY_KINDS


class _Post(msgspec.Struct):
    kind: str = "created"


class _Understood(msgspec.Struct):
    post: _Post


class _Mention(msgspec.Struct):
    state: str = "live"


class _Decided(msgspec.Struct):
    mention: _Mention


_post = msgspec.json.Decoder(_Post)
_understood = msgspec.json.Decoder(_Understood)
_decided = msgspec.json.Decoder(_Decided)


def post_goes(value: bytes) -> bool:
    """Whether a record of topic `posts` is of a kind that takes away. False for what is no post."""
    try:
        return _post.decode(value).kind in AWAY_KINDS
    except msgspec.MsgspecError:
        return False


def understood_goes(value: bytes) -> bool:
    """The same of a record of topic `mentions`."""
    try:
        return _understood.decode(value).post.kind in AWAY_KINDS
    except msgspec.MsgspecError:
        return False


def decided_goes(value: bytes) -> bool:
    """Whether a record of topic `decided` is of a mention without text: deleted, forgotten, expired, retracted."""
    try:
        return _decided.decode(value).mention.state != "live"
    except msgspec.MsgspecError:
        return False
