"""Drafts of what Telegram tells a bot of a channel (https://core.telegram.org/bots/api#update, #message)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from ingest.collector import Draft, Malformed
from stream.clock import SECOND
from stream.records import Author, Metrics, PostKind

TOLD = ("channel_post", "edited_channel_post", "message_reaction_count", "my_chat_member")
"""What the bot asks to be told of."""
_PICTURES = ("photo", "video", "animation", "document", "audio", "voice", "video_note")
_OTHERS = ("forward_origin", "forward_date", "forward_from_chat", "suggested_post_info")
"""Where one of these stands, somebody else wrote it."""

Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Chat(msgspec.Struct, frozen=True):
    id: Annotated[int, msgspec.Meta(gt=-(2**53), lt=2**53)]
    type: str = ""
    title: str | None = None
    username: str | None = None


class InChat(msgspec.Struct, frozen=True):
    """All that is read of what stands in a chat that nobody listens to."""

    chat: Chat


class Option(msgspec.Struct, frozen=True):
    text: str = ""


class Poll(msgspec.Struct, frozen=True):
    question: str = ""
    options: tuple[Option, ...] = ()


class Message(msgspec.Struct, frozen=True):
    message_id: Number
    date: Number
    text: str | None = None
    caption: str | None = None
    poll: Poll | None = None
    edit_date: Number | None = None
    media_group_id: str | None = None


class Answered(msgspec.Struct, frozen=True):
    message_id: Number


class ReactionCount(msgspec.Struct, frozen=True):
    total_count: Number


class Reactions(msgspec.Struct, frozen=True):
    message_id: Number
    reactions: tuple[ReactionCount, ...] = ()


class Page(NamedTuple):
    """What one answer of getUpdates tells."""

    drafts: Sequence[Draft]
    malformed: Sequence[Malformed]
    last: int | None
    """The highest number of an update; None: none has one."""
    unlabelled: int
    """Posts of private channels of which nobody said who may read them."""
    membership: bool
    """Whether the bot came into one of the channels, left it, or has other rights there."""


Label = Callable[[Chat], str | None]
"""Who may read what stands in a chat; None: it is none of the channels that are listened to. Raises Unlabelled."""


class Unlabelled(Exception):
    """A private channel, and nobody said who may read its posts."""


def read(updates: Iterable[Any], label: Label, place: str) -> Page:
    """The drafts of a page, of each post the newest word alone: times are told in whole seconds, and two edits within
    one could not be told apart."""
    drafts: dict[tuple[str, bool], Draft] = {}
    malformed: list[Malformed] = []
    numbers: list[int] = []
    unlabelled, membership = 0, False
    for update in updates:
        number = update.get("update_id") if isinstance(update, dict) else None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
            malformed.append(_malformed(f"{place}:getUpdates", update, "it is no update with a number"))
            continue
        numbers.append(number)
        try:
            membership = membership or _concerns_us(update, label)
            draft = _draft(update, label)
        except Unlabelled:
            unlabelled += "message_reaction_count" not in update
        except msgspec.ValidationError as fault:
            malformed.append(_malformed(f"{place}:update {number}", update, str(fault)))
        else:
            if draft is not None:
                key = (draft.native_id, draft.kind == "metrics")
                drafts.pop(key, None)
                drafts[key] = draft
    return Page(list(drafts.values()), malformed, max(numbers, default=None), unlabelled, membership)


def native_id(chat: Chat, message: int) -> str:
    """As in the addresses of private channels (t.me/c/…): a channel's number stays when its name does not."""
    return f"{_bare(chat)}/{message}"


def _draft(update: dict[str, Any], label: Label) -> Draft | None:
    """None: it tells nothing of a post. Raises msgspec.ValidationError, Unlabelled."""
    if "channel_post" in update:
        return _post(update["channel_post"], label, "created")
    if "edited_channel_post" in update:
        return _post(update["edited_channel_post"], label, "edited")
    if "message_reaction_count" in update:
        return _reach(update["message_reaction_count"], label)
    return None


def _concerns_us(update: dict[str, Any], label: Label) -> bool:
    """Anybody may take a bot into a chat: that is no reason to ask anything."""
    if "my_chat_member" not in update:
        return False
    try:
        return label(msgspec.convert(update["my_chat_member"], InChat).chat) is not None
    except Unlabelled:
        return True


def _post(held: Any, label: Label, kind: PostKind) -> Draft | None:
    chat = msgspec.convert(held, InChat).chat
    access = label(chat)
    if access is None or any(held.get(name) is not None for name in _OTHERS):
        return None
    message = msgspec.convert(held, Message)
    if not message.message_id:
        # It waits on Telegram's side to be sent, and is told of again then.
        return None
    text, link = _text(message), _link(chat, message.message_id)
    pictured = any(held.get(name) for name in _PICTURES)
    if not text and (not pictured or (kind == "created" and message.media_group_id is not None)):
        # Of an album one picture has the words; the others say nothing by themselves. Nor does what Telegram tells of a
        # channel itself, such as a new title.
        return None
    native, answers = native_id(chat, message.message_id), _answers(held, chat)
    return Draft(
        native_id=native,
        kind=kind,
        text=text,
        author=Author(id=str(chat.id), handle=chat.username, name=chat.title),
        claimed_at=message.date * SECOND,
        # Telegram's own clock: what waited there while nobody asked is no newer for it.
        seen_at=message.date * SECOND if kind == "created" else None,
        edited_at=message.edit_date * SECOND if kind == "edited" and message.edit_date else None,
        conversation=native if answers is None else None,
        reply_to=answers,
        link=link,
        # Pictures have no address but that of the post that shows them.
        media=(link,) if pictured else (),
        access=access or None,
    )


def _reach(held: Any, label: Label) -> Draft | None:
    chat = msgspec.convert(held, InChat).chat
    access = label(chat)
    if access is None:
        return None
    told = msgspec.convert(held, Reactions)
    likes = sum(one.total_count for one in told.reactions)
    return Draft(
        native_id=native_id(chat, told.message_id),
        kind="metrics",
        metrics=Metrics(likes=likes),
        access=access or None,
    )


def _text(message: Message) -> str:
    said = message.text or message.caption or ""
    if message.poll is None:
        return said
    return "\n".join([*([said] if said else []), message.poll.question, *(one.text for one in message.poll.options)])


def _answers(held: dict[str, Any], chat: Chat) -> str | None:
    try:
        return native_id(chat, msgspec.convert(held.get("reply_to_message"), Answered).message_id)
    except msgspec.ValidationError:
        return None


def _link(chat: Chat, message: int) -> str:
    return f"https://t.me/{chat.username or f'c/{_bare(chat)}'}/{message}"


def _bare(chat: Chat) -> str:
    return str(chat.id).removeprefix("-100")


def _malformed(place: str, held: object, why: str) -> Malformed:
    return Malformed(place, why, msgspec.json.encode(held))
