"""Telegram's Bot API on a socket: getUpdates, getChat, getChatMember, getMe, getWebhookInfo.

By https://core.telegram.org/bots/api, read in the copy that https://github.com/MarshalX/telegram-crawler keeps (of Bot
API 8.0): the way of a question (#making-requests: `ok`, `result`, `description`, `error_code`, `parameters`), what
counts as told (#getupdates), that what was not told is kept for 24 hours and that numbers begin anew anywhere after a
week without news (#update), the fields of #message, #chat, #messagereactioncountupdated. That a bot which was told up
to a high number is still told of a lower one after such a week was compared with the exchange in
https://github.com/go-telegram-bot-api/telegram-bot-api/issues/156; the words of 409 with the answers in
https://github.com/eternnoir/pyTelegramBotAPI/issues/987 and https://github.com/Steffo99/greed/issues/141. The words of
400 and 403, the members of getChatMember and that a channel has no username while it is private are our reading. A
question for news is answered at once: nothing is held open here. Persons and texts are invented.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any

from tests.standins.server import Request, Response, StandIn

TOKEN = "4242424242:a-token-that-BotFather-gave-to-us"
KEPT = 24 * 3600
MOST = 100


class TelegramStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.token, self.bot = TOKEN, int(TOKEN.partition(":")[0])
        self.chats: dict[int, dict[str, Any]] = {}
        self.status: dict[int, str] = {}
        """Of the bot in each chat."""
        self.texts: dict[str, str] = {}
        self.webhook = ""
        self.rival = False
        """Another program asks for the same bot's news."""
        self.allowed: list[str] = []
        """As the last question for news had it."""
        self._messages: dict[str, dict[str, Any]] = {}
        self._waiting: OrderedDict[int, tuple[int, dict[str, Any]]] = OrderedDict()
        """Of every update that was not told yet: when it was made, in seconds, and it."""
        self._next = 700_000_001

    # --- for tests ---

    def channel(
        self, number: int, title: str, username: str = "", *, type: str = "channel", status: str = "administrator"
    ) -> int:
        with self.lock:
            chat = {"id": -1_000_000_000_000 - number, "title": title, "type": type}
            self.chats[chat["id"]] = chat | ({"username": username} if username else {})
            self.status[chat["id"]] = status
            return chat["id"]

    def post(self, channel: int, text: str = "", *, at: int | None = None, answers: str = "", **fields: Any) -> str:
        """Its id as Clamor has it."""
        with self.lock:
            chat, number = self.chats[channel], len(self._messages) + 2
            said = {"text": text} if text and not fields else {"caption": text} if text else {}
            message = {
                "message_id": number,
                "sender_chat": chat,
                "chat": chat,
                "date": self._seconds() if at is None else at // 1_000,
                **said,
                **fields,
            }
            if answers:
                message["reply_to_message"] = self._messages[answers]
            id = f"{-channel - 1_000_000_000_000}/{number}"
            self._messages[id], self.texts[id] = message, text
            self.tell("channel_post", message)
            return id

    def edit(self, id: str, text: str, **fields: Any) -> None:
        with self.lock:
            message = self._messages[id]
            where = "text" if "text" in message else "caption"
            self._messages[id] = message | {where: text, "edit_date": self._seconds()} | fields
            self.texts[id] = text
            self.tell("edited_channel_post", self._messages[id])

    def delete(self, id: str) -> None:
        """Nobody is told."""
        with self.lock:
            del self.texts[id]

    def react(self, id: str, **counts: int) -> None:
        with self.lock:
            message = self._messages[id]
            reactions = [{"type": {"type": "emoji", "emoji": e}, "total_count": n} for e, n in counts.items()]
            told = {"chat": message["chat"], "message_id": message["message_id"], "date": self._seconds()}
            self.tell("message_reaction_count", told | {"reactions": reactions})

    def leave(self, channel: int, status: str = "left") -> None:
        with self.lock:
            self.status[channel] = status
            told = {"chat": self.chats[channel], "date": self._seconds(), "new_chat_member": {"status": status}}
            self.tell("my_chat_member", told)

    def tell(self, what: str, held: Any) -> int:
        with self.lock:
            number, self._next = self._next, self._next + 1
            self._waiting[number] = (self._seconds(), {"update_id": number, what: held})
            return number

    def quiet_week(self) -> None:
        """The next update's number is chosen anew, and is lower than all before."""
        self._next = 117_000_001

    @property
    def untold(self) -> int:
        with self.lock:
            return len(self._waiting)

    # --- the API ---

    def answer(self, request: Request) -> Response:
        _, bot, method = request.path.split("/")
        if bot != f"bot{self.token}":
            return _failed(401, "Unauthorized")
        asked = request.json() if request.body else {}
        if method == "getUpdates":
            return self._updates(asked)
        if method == "getMe":
            return _good({"id": self.bot, "is_bot": True, "first_name": "Acme listens", "username": "acme_listens_bot"})
        if method == "getWebhookInfo":
            return _good({"url": self.webhook, "pending_update_count": len(self._waiting)})
        if method not in ("getChat", "getChatMember"):
            return _failed(404, "Not Found")
        chat = self._chat(asked["chat_id"])
        if chat is None:
            return _failed(400, "Bad Request: chat not found")
        status = self.status[chat["id"]]
        if status in ("left", "kicked") and "username" not in chat:
            return _failed(403, "Forbidden: bot is not a member of the channel chat")
        if method == "getChat":
            return _good({**chat, "accent_color_id": 1, "max_reaction_count": 11})
        assert asked["user_id"] == self.bot
        return _good({"status": status, "user": {"id": self.bot, "is_bot": True, "first_name": "Acme listens"}})

    def _updates(self, asked: dict[str, Any]) -> Response:
        if self.webhook:
            words = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            return _failed(409, f"Conflict: {words}")
        if self.rival:
            words = "terminated by other getUpdates request; make sure that only one bot instance is running"
            return _failed(409, f"Conflict: {words}")
        self.allowed = asked["allowed_updates"]
        oldest = self._seconds() - KEPT
        while self._waiting:
            number, (at, _) = next(iter(self._waiting.items()))
            if number >= asked.get("offset", 0) and at >= oldest:
                break
            self._waiting.popitem(last=False)
        return _good([update for _, update in islice(self._waiting.values(), min(asked.get("limit", MOST), MOST))])

    def _chat(self, id: int | str) -> dict[str, Any] | None:
        if isinstance(id, str) and id.startswith("@"):
            found = (one for one in self.chats.values() if one.get("username", "").lower() == id[1:].lower())
            return next(found, None)
        return self.chats.get(int(id))

    def _seconds(self) -> int:
        return self.wall() // 1_000


def _good(result: Any) -> Response:
    return Response.of({"ok": True, "result": result})


def _failed(status: int, words: str, **parameters: int) -> Response:
    held = {"ok": False, "error_code": status, "description": words}
    return Response.of(held | ({"parameters": parameters} if parameters else {}), status)
