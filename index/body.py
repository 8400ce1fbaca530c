"""A mention as the bytes that the index keeps of it: MessagePack, a sixth smaller than JSON and quicker to read."""

from __future__ import annotations

import msgspec

from stream.records import Mention

packed = msgspec.msgpack.Encoder().encode
unpacked = msgspec.msgpack.Decoder(Mention).decode
