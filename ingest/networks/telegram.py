"""Channels of one's own on Telegram, by a bot that is an administrator of them (https://core.telegram.org/bots/api).

Telegram keeps what a bot was not told yet, for a day. A round asks until nothing is left; what was asked behind counts
there as told, so the next question is made only when what the last one brought is durable. Public channels of others
are not read: Telegram's terms forbid it, see docs/networks/telegram.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

import msgspec
import structlog

from config.sources import TelegramSource
from ingest.buried import Buried
from ingest.collector import Collector, CursorLost, Delivery, Denied, Interrupted, Span, Style, Unfillable
from ingest.cursors import closed, opened
from ingest.networks.telegram_api import HOLD, Api, Refusing
from ingest.networks.telegram_posts import TOLD, Chat, Page, Unlabelled, read
from ingest.patience import Stopped
from ingest.setting import Setting
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Millis

PAGE = 100
KEPT: Millis = DAY
"""How long Telegram keeps what a bot was not told."""
MOST_PAGES = 10_000
LOOK_AGAIN: Millis = HOUR
"""How often it is asked whether the bot is still an administrator of each channel; `DEAF_AGAIN` where it is not."""
DEAF_AGAIN: Millis = 5 * MINUTE
DEAF = "deaf"
"""Note of the channels that the bot cannot hear: what it missed of them never comes, whoever asks next."""
_READS = frozenset({"administrator", "creator"})

_log = structlog.get_logger(__name__)


def collector(settings: TelegramSource, setting: Setting) -> Collector:
    return Telegram(settings, setting)


class State(msgspec.Struct, omit_defaults=True):
    """The cursor."""

    told: int = 0
    """Number of the newest update that is durable, and of which Telegram does not know yet that it is; 0: it knows.
    Without one the oldest that waits is asked for: after a quiet week the numbers begin anew anywhere."""
    at: Millis = 0
    """Wall time, in whole minutes, at which Telegram last answered."""
    looked: Millis = 0
    """When the channels were last looked at, by the home's time."""
    numbers: dict[str, int] = {}
    """Channel as the settings name it: its number, by which it is known when its name changes."""


class Deaf(NamedTuple):
    """Of a channel that the bot cannot hear."""

    since: Millis
    why: str


class Standing(NamedTuple):
    channel: str
    number: int | None
    why: str
    """Why nothing is heard of it; empty: it is."""


class Telegram:
    """Keeps `Collector`, `Checkable`, `CheckCounted`."""

    style: Style = "poll"
    resumes = True

    def __init__(self, settings: TelegramSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self.check_used = (0, 0)
        self.unforeseeable = (
            "Telegram shows a bot nothing of what was said before: let it listen for some days, and look at `clamor "
            f"coverage --source {self.source.id}`; it costs nothing"
        )
        self._settings, self._setting = settings, setting
        self._api = Api(settings, setting)
        self._buried = Buried()
        self._look_at: Millis = 0
        """By `clock.steady()`; 0: at once."""
        self._looked_at: Millis = 0
        """`State.looked` of the latest look: another state does not hold what was learnt then."""
        self._told: set[tuple[str, str]] = set()

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        state = opened(cursor, State, "Telegram's")
        wall = self._setting.clock.wall()
        if state.at and wall - state.at > KEPT:
            raise CursorLost(
                "Telegram keeps what a bot was not told for 24 hours, and nobody asked for longer than that"
            )
        yield from self._looked(state)
        for _ in range(MOST_PAGES):
            page, found = self._news(state)
            state.at = self._setting.clock.wall() // MINUTE * MINUTE
            state.told = page.last or 0
            if page.membership:
                self._look_at = 0
            wrong = self._buried.unknown(page.malformed)
            yield Delivery(
                drafts=page.drafts,
                malformed=wrong,
                cursor=closed(state),
                asked=self._api.used(),
                missed=page.unlabelled,
                reason="private channel without a label" if page.unlabelled else "",
            )
            self._buried.note(wrong)
            if found < PAGE or page.last is None:
                return

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        raise Unfillable("Telegram shows a bot no history: what it kept for it, it has told")

    def check(self) -> str:
        """Who the bot is, whether its news come here, and whether it is an administrator of every channel."""
        with closing(Api(self._settings, self._setting)) as api:
            try:
                return self._checked(api)
            finally:
                self.check_used = (api.used(), 0)

    def close(self) -> None:
        self._api.close()

    def _checked(self, api: Api) -> str:
        try:
            bot, hook = api.ask("getMe"), api.ask("getWebhookInfo")
        except Refusing as refused:
            raise Interrupted(f"Telegram does not say who the bot is: {refused}") from None
        if isinstance(hook, dict) and hook.get("url"):
            raise Denied(
                f"the bot of source {self.source.id} has a webhook, and Telegram tells of news in one way only: give "
                "Clamor a bot of its own, or call deleteWebhook for this one"
            )
        standings = [self._standing(api, channel, {}) for channel in self._settings.channels]
        if whys := [one.why for one in standings if one.why]:
            raise Denied(f"{'; '.join(whys[:5])} (source {self.source.id})")
        name = bot.get("username") if isinstance(bot, dict) else None
        return f"@{name} hears {', '.join(self._settings.channels)}"

    # --- news ---

    def _news(self, state: State) -> tuple[Page, int]:
        """(what it tells, how many updates it has). Asking behind `told` tells Telegram that those are done."""
        behind = {"offset": state.told + 1} if state.told else {}
        try:
            updates = self._api.ask("getUpdates", limit=PAGE, timeout=HOLD, allowed_updates=TOLD, **behind)
        except Refusing as refused:
            raise Interrupted(f"Telegram tells of no news: {refused}") from None
        if not isinstance(updates, list):
            raise Interrupted("Telegram's answer is no list of updates")
        numbers = frozenset(state.numbers[one] for one in self._settings.channels if one in state.numbers)
        return read(updates, lambda chat: self._label(chat, numbers), self.source.id), len(updates)

    def _label(self, chat: Chat, numbers: frozenset[int]) -> str | None:
        """Empty: as the source says. What is not known to be public is never taken for it."""
        if chat.id not in numbers:
            return None
        labelled = self._settings.private.get(str(chat.id))
        if labelled is None and not chat.username and self.source.access == "public":
            self._tell(
                str(chat.id), f"channel {chat.id} has no public name: say under `private` who may read its posts"
            )
            raise Unlabelled
        return labelled or ""

    # --- channels ---

    def _looked(self, state: State) -> Iterator[Delivery]:
        """Looks at the channels where it is time to, and says which cannot be heard, or could not up to now. Raises
        Denied where none can, and Stopped: whoever does not know the channels' numbers must not ask for news."""
        clock = self._setting.clock
        if state.looked and state.looked == self._looked_at and clock.steady() < self._look_at:
            return
        standings: list[Standing] = []
        for channel in self._settings.channels:
            if self._setting.stop.is_set():
                raise Stopped
            standings.append(self._standing(self._api, channel, state.numbers))
        now, before = clock.now(), self._deaf()
        since = min(state.looked or now - self.interval, now - 1)
        deaf = {one.channel: Deaf(min(before[one.channel].since if one.channel in before else since, now - 1), one.why)
                for one in standings if one.why}  # fmt: skip
        heard = {one: before[one] for one in self._settings.channels if one in before and one not in deaf}
        self._note(before, {**heard, **deaf})
        if len(deaf) == len(standings):
            raise Denied(f"{standings[0].why} (source {self.source.id})")
        state.numbers = {one.channel: one.number for one in standings if one.number is not None}
        state.looked = self._looked_at = now
        self._look_at = clock.steady() + (DEAF_AGAIN if deaf else LOOK_AGAIN)
        for channel, one in deaf.items():
            self._tell(channel, one.why)
        for channel, one in {**heard, **deaf}.items():
            yield Delivery(
                query=channel,
                span=Span(min(one.since, now - 1), now),
                page=f"channel:{one.since}",
                asked=self._api.used(),
                missed=None,
                reason=one.why[:300],
            )
        self._note({**heard, **deaf}, deaf)

    def _deaf(self) -> dict[str, Deaf]:
        try:
            return msgspec.json.decode(self._setting.notes.get(DEAF) or "{}", type=dict[str, Deaf])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}

    def _note(self, before: Mapping[str, Deaf], deaf: Mapping[str, Deaf]) -> None:
        if deaf != before:
            self._setting.notes.put(DEAF, msgspec.json.encode(deaf).decode())

    def _standing(self, api: Api, channel: str, numbers: dict[str, int]) -> Standing:
        known = numbers.get(channel)
        try:
            chat = self._chat(api, channel, known)
            member = api.ask("getChatMember", chat_id=chat.id, user_id=api.bot_number())
        except Refusing as refused:
            why = f"the bot is no administrator of {channel}, or there is no such channel: {refused}"
            return Standing(channel, known, why)
        except msgspec.ValidationError:
            raise Interrupted("Telegram's answer is no chat") from None
        if chat.type != "channel":
            return Standing(channel, None, f"{channel} is a {chat.type or 'chat'}, no channel")
        if not isinstance(member, dict) or member.get("status") not in _READS:
            return Standing(channel, chat.id, f"the bot is no administrator of {channel}: make it one there")
        return Standing(channel, chat.id, "")

    def _chat(self, api: Api, channel: str, known: int | None) -> Chat:
        """By its number, or else by its name, under which there may be a new one. Raises what `Api.ask` raises, and
        msgspec.ValidationError."""
        if known is not None:
            try:
                return msgspec.convert(api.ask("getChat", chat_id=known), Chat)
            except Refusing:
                if not channel.startswith("@"):
                    raise
        return msgspec.convert(api.ask("getChat", chat_id=channel), Chat)

    def _tell(self, what: str, words: str) -> None:
        """Once for as long as the process lives."""
        if (what, words) not in self._told:
            self._told.add((what, words))
            _log.warning("telegram.needs_somebody", source=self.source.id, why=words)
