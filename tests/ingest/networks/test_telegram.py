"""Posts of one's own channels arrive as Telegram tells a bot of them, none is lost while Telegram keeps it, and what
others wrote is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from threading import Event
from typing import Any

import pytest
from pydantic import ValidationError

from config.sources import TelegramSource
from ingest.collector import Checkable, CheckCounted, CursorLost, Denied, Interrupted, Source, Span
from ingest.networks.telegram import Telegram
from ingest.patience import Stopped
from ingest.setting import Notes, Setting, Unshared
from stream.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from tests.ingest.case import How
from tests.ingest.conftest import NOW
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.server import Fault
from tests.standins.telegram import TOKEN, TelegramStandIn

SECRETS = {"TOKEN": TOKEN}
NEWS = -1_001_111_111_111
STAFF = -1_002_222_222_222


class At(Rounds[Telegram]):
    """A source of some channels on a clock that is moved by hand."""

    def __init__(
        self,
        telegram: TelegramStandIn,
        clock: ManualClock,
        access: str = "public",
        secrets: Any = SECRETS,
        notes: Notes | None = None,
        **more: Any,
    ) -> None:
        asked: dict[str, Any] = {"channels": ("@ana_acme",), "access": access, **more}
        settings = TelegramSource(id="source", kind="telegram", url=telegram.url, token_env="TOKEN", **asked)
        source = Source(id="source", network="telegram", brands=("acme",), access=access)
        self.notes, self.stop = notes or Unshared(), Event()
        setting = Setting(source, tuple, secrets.get, clock, stop=self.stop, notes=self.notes)
        super().__init__(Telegram, settings, setting)

    def texts(self) -> list[str]:
        return [draft.text for draft in self.brought()]


@pytest.fixture
def telegram(clock: ManualClock) -> Iterator[TelegramStandIn]:
    with TelegramStandIn(clock.now) as telegram:
        assert telegram.channel(1_111_111_111, "Acme, by Ana", "Ana_Acme") == NEWS
        assert telegram.channel(2_222_222_222, "Acme's staff") == STAFF
        yield telegram


@pytest.fixture
def at(telegram: TelegramStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, telegram, clock)) as make:
        yield make


# --- what arrives ---


def test_a_post_has_its_channel_as_its_author_and_an_answer_the_post_that_it_answers(
    telegram: TelegramStandIn, at: Any, clock: ManualClock
) -> None:
    first = telegram.post(NEWS, "Acme opens in Lugo", author_signature="Eva")
    second = telegram.post(NEWS, "at nine", answers=first)
    one, two = at().brought()
    assert (one.native_id, one.text, one.claimed_at, one.seen_at) == (first, "Acme opens in Lugo", NOW, NOW)
    assert first == "1111111111/2"
    assert one.author is not None
    assert (one.author.id, one.author.handle, one.author.name) == (str(NEWS), "Ana_Acme", "Acme, by Ana")
    assert (one.conversation, one.reply_to, one.link) == (first, None, "https://t.me/Ana_Acme/2")
    assert (two.native_id, two.conversation, two.reply_to) == (second, None, first)
    assert "Eva" not in repr(one), "who of us signed it is nobody's business"


def test_an_album_is_the_post_with_its_words_and_a_picture_without_words_is_one_too(
    telegram: TelegramStandIn, at: Any
) -> None:
    photo = [{"file_id": "x", "file_unique_id": "y", "width": 1, "height": 1}]
    words = telegram.post(NEWS, "our new shop", photo=photo, media_group_id="77")
    telegram.post(NEWS, photo=photo, media_group_id="77")
    alone = telegram.post(NEWS, photo=photo)
    poll = {"id": "1", "question": "Which?", "options": [{"text": "red"}, {"text": "blue"}], "total_voter_count": 0}
    asked = telegram.post(NEWS, poll=poll)
    telegram.post(NEWS, new_chat_title="Acme!")
    drafts = {draft.native_id: draft for draft in at().brought()}
    assert set(drafts) == {words, alone, asked}
    assert (drafts[words].text, drafts[words].media) == ("our new shop", (drafts[words].link,))
    assert (drafts[alone].text, drafts[alone].media) == ("", (drafts[alone].link,))
    assert drafts[asked].text == "Which?\nred\nblue"


def test_an_edit_is_one_and_of_two_in_one_second_the_last_counts(
    telegram: TelegramStandIn, at: Any, clock: ManualClock
) -> None:
    source = at()
    one = telegram.post(NEWS, "befor")
    source.brought()
    clock.advance(5 * SECOND)
    telegram.edit(one, "before")
    telegram.edit(one, "after")
    (edited,) = source.brought()
    assert (edited.kind, edited.text, edited.claimed_at, edited.edited_at) == (
        "edited", "after", NOW, NOW + MINUTE + 5 * SECOND
    )  # fmt: skip


def test_words_that_are_taken_from_a_picture_are_gone(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    one = telegram.post(NEWS, "wrong price", photo=[{"file_id": "x"}], media_group_id="77")
    source.brought()
    telegram.edit(one, "")
    (edited,) = source.brought()
    assert (edited.native_id, edited.kind, edited.text) == (one, "edited", "")


def test_reactions_are_reach(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    one = telegram.post(NEWS, "Acme opens in Lugo")
    source.brought()
    telegram.react(one, good=3, heart=4)
    (liked,) = source.brought()
    assert (liked.native_id, liked.kind) == (one, "metrics")
    assert liked.metrics is not None
    assert liked.metrics.likes == 7
    assert "message_reaction_count" in telegram.allowed, "Telegram tells of it only where it is asked for by name"


# --- whose words they are ---


@pytest.mark.parametrize(
    "mark",
    [{"forward_origin": {"type": "channel"}}, {"forward_date": 1}, {"suggested_post_info": {"state": "approved"}}],
)
def test_what_somebody_else_wrote_is_left_out(telegram: TelegramStandIn, at: Any, mark: dict[str, Any]) -> None:
    telegram.post(NEWS, "said elsewhere", **mark)
    ours = telegram.post(NEWS, "said here")
    assert [draft.native_id for draft in at().brought()] == [ours]


def test_chats_that_nobody_named_are_left_out_though_the_bot_is_in_them(telegram: TelegramStandIn, at: Any) -> None:
    strange = telegram.channel(3_333_333_333, "Somebody's", "somebodys")
    group = telegram.channel(4_444_444_444, "Acme's group", "acme_group", type="supergroup")
    telegram.post(strange, "not ours")
    telegram.tell("channel_post", {"chat": telegram.chats[strange], "text": "not ours, and odd"})
    telegram.tell("message", {"message_id": 7, "date": 1, "chat": telegram.chats[group], "text": "a member's"})
    source = at()
    (delivery,) = source.round()
    assert (delivery.drafts, delivery.malformed) == ([], [])


def test_a_private_channel_has_its_label_and_one_without_is_left_out_and_missed(
    telegram: TelegramStandIn, at: Any
) -> None:
    named = ("@ana_acme", str(STAFF))
    telegram.post(NEWS, "to everybody")
    one = telegram.post(STAFF, "to staff alone")
    (delivery,) = at(channels=named).round(0)
    assert [draft.text for draft in delivery.drafts] == ["to everybody"]
    assert (delivery.missed, delivery.reason) == (1, "private channel without a label")
    telegram.post(STAFF, "to staff once more")
    telegram.react(one, good=1)
    labelled = at(channels=named, private={str(STAFF): "staff"})
    drafts = labelled.brought(0)
    assert {draft.access for draft in drafts if draft.native_id.startswith("2222222222/")} == {"staff"}
    assert {draft.access for draft in drafts if draft.native_id.startswith("1111111111/")} == {None}
    telegram.post(STAFF, "within a source of its own")
    assert at(channels=named, access="staff").texts()[-1] == "within a source of its own"


def test_a_channel_that_loses_its_public_name_is_not_taken_for_public(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    telegram.post(NEWS, "to everybody")
    source.brought()
    telegram.chats[NEWS] = {name: held for name, held in telegram.chats[NEWS].items() if name != "username"}
    telegram.post(NEWS, "to few")
    (delivery,) = source.round()
    assert (delivery.drafts, delivery.missed) == ([], 1)


def test_a_channel_is_known_by_its_number_when_its_name_changes(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    source.brought()
    telegram.chats[NEWS] = telegram.chats[NEWS] | {"username": "acme_today"}
    telegram.post(NEWS, "under a new name")
    (draft,) = source.brought(2 * HOUR)
    assert (draft.native_id, draft.link) == ("1111111111/2", "https://t.me/acme_today/2")


def test_a_channel_that_was_made_anew_under_its_name_is_found_by_it(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    source.brought()
    del telegram.chats[NEWS]
    anew = telegram.channel(5_555_555_555, "Acme, by Ana", "ana_acme")
    assert source.brought(2 * HOUR) == []
    telegram.post(anew, "made anew")
    assert source.texts() == ["made anew"]


# --- nothing is lost ---


def test_nothing_counts_as_told_before_it_is_durable(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    for n in range(250):
        telegram.post(NEWS, f"post {n}")
    deliveries = source.collector.collect(None)
    first = next(deliveries)
    assert len(first.drafts) == 100
    assert telegram.untold == 250
    source.cursor = first.cursor
    next(deliveries)
    assert telegram.untold == 150
    assert source.texts()[0] == "post 100", "the second page was never durable, and comes once more"
    assert source.texts() == []
    assert telegram.untold == 0


def test_the_numbers_that_begin_anew_after_a_quiet_week_lose_nothing(
    telegram: TelegramStandIn, at: Any, clock: ManualClock
) -> None:
    source = at()
    telegram.post(NEWS, "before")
    assert source.texts() == ["before"]
    assert source.texts() == []
    for _ in range(9):
        assert source.brought(20 * HOUR) == []
    telegram.quiet_week()
    telegram.post(NEWS, "after a quiet week")
    telegram.post(NEWS, "and at once again")
    assert source.texts() == ["after a quiet week", "and at once again"]
    assert source.texts() == []
    assert telegram.untold == 0


def test_a_pause_within_a_day_brings_all_and_a_longer_one_is_a_gap(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    source.brought()
    telegram.post(NEWS, "meanwhile")
    (late,) = source.brought(23 * HOUR)
    assert late.seen_at == late.claimed_at, "it is not as new as our question"
    source.brought()
    telegram.post(NEWS, "forgotten by Telegram")
    with pytest.raises(CursorLost, match="24 hours"):
        source.brought(DAY + 2 * HOUR)
    source.cursor = None
    telegram.post(NEWS, "kept")
    assert source.texts() == ["kept"]


def test_a_fault_right_after_the_first_look_at_the_channels_loses_nothing(telegram: TelegramStandIn, at: Any) -> None:
    """What was learnt in the look went with the round: news that come to none of the channels count as told."""
    source = at()
    telegram.post(NEWS, "before the fault")
    telegram.misbehave(Fault("status", status=500, only=TelegramCase.first))
    with pytest.raises(Interrupted):
        source.brought()
    assert source.texts() == ["before the fault"]


def test_who_starts_anew_without_a_cursor_looks_at_the_channels_first(
    telegram: TelegramStandIn, at: Any, clock: ManualClock
) -> None:
    """As where the machine's clock was set ahead by two days: then no time has passed since the last look."""
    source = at()
    source.brought()
    clock.set(2 * DAY)
    with pytest.raises(CursorLost):
        source.brought()
    source.cursor = None
    telegram.post(NEWS, "afterwards")
    assert source.texts() == ["afterwards"]


def test_a_stop_while_the_channels_are_looked_at_takes_no_news(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    telegram.post(NEWS, "for whoever is started next")
    source.stop.set()
    with pytest.raises(Stopped):
        source.brought()
    after = at()
    after.cursor = source.cursor
    assert after.texts() == ["for whoever is started next"]


def test_an_update_without_a_number_holds_nobody_up(telegram: TelegramStandIn, at: Any) -> None:
    telegram.tell("channel_post", {"chat": telegram.chats[NEWS], "message_id": "seven", "date": 1})
    telegram._waiting[1] = (NOW // SECOND, 17)  # type: ignore[assignment]
    telegram.post(NEWS, "behind")
    source = at()
    not_taken = next(source.collector.collect(None))
    assert len(not_taken.malformed) == 2
    (delivery,) = source.round()
    assert [draft.text for draft in delivery.drafts] == ["behind"]
    assert len(delivery.malformed) == 2
    assert all(not one.malformed for one in source.round())


# --- a person has to act ---


def test_a_channel_that_the_bot_was_taken_from_stands_in_the_ledger(telegram: TelegramStandIn, at: Any) -> None:
    source = at(channels=("@ana_acme", str(STAFF)), private={str(STAFF): "staff"})
    source.brought()
    looked = source.clock.now()
    telegram.leave(STAFF)
    source.brought()
    telegram.post(NEWS, "still heard")
    missing, news = source.round()
    assert [draft.text for draft in news.drafts] == ["still heard"]
    assert missing.span is not None
    assert (missing.query, missing.missed, missing.span.since) == (str(STAFF), None, looked)
    assert "not a member of the channel" in missing.reason
    assert len(source.round()) == 1
    (longer, _) = source.round(6 * MINUTE)
    assert longer.page == missing.page, "the same hole, longer"
    telegram.status[STAFF] = "administrator"
    (last, _) = source.round(6 * MINUTE)
    assert (last.page, last.missed, last.reason) == (missing.page, None, missing.reason)
    assert last.span is not None
    assert last.span.until == source.clock.now(), "what was said since the last look did not come either"
    assert len(source.round(6 * MINUTE)) == 1


def test_the_time_in_which_the_bot_heard_no_channel_stays_missed_when_it_hears_again(
    telegram: TelegramStandIn, at: Any
) -> None:
    """That the source was refused is a gap, which counts as filled by what comes next: of this nothing comes."""
    source = at()
    source.brought()
    heard_until = source.clock.now()
    telegram.leave(NEWS)
    source.brought()
    with pytest.raises(Denied, match="no administrator of @ana_acme"):
        source.brought()
    telegram.status[NEWS] = "administrator"
    restarted = at(notes=source.notes)
    restarted.cursor = source.cursor
    row, _ = restarted.round(3 * HOUR)
    assert (row.query, row.missed, row.span) == ("@ana_acme", None, Span(heard_until, source.clock.now()))
    assert len(restarted.round()) == 1


def test_a_bot_that_strangers_take_into_their_chats_asks_nothing(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    source.brought()
    asked = len(telegram.requests)
    for n in range(5):
        telegram.leave(telegram.channel(6_666_666_660 + n, "Somebody's"), "administrator")
        source.brought()
    assert {one.path.rpartition("/")[2] for one in telegram.requests[asked:]} == {"getUpdates"}


def test_a_bot_that_hears_no_channel_is_refused_in_words(telegram: TelegramStandIn, at: Any) -> None:
    telegram.status[NEWS] = "member"
    with pytest.raises(Denied, match="no administrator of @ana_acme: make it one"):
        at().brought()
    telegram.channel(4_444_444_444, "Acme's group", "acme_group", type="supergroup")
    with pytest.raises(Denied, match="@acme_group is a supergroup, no channel"):
        at(channels=("@acme_group",)).brought()
    with pytest.raises(Denied, match="no such channel: Bad Request: chat not found"):
        at(channels=("@acme_nowhere",)).brought()


def test_check_says_who_hears_what_and_else_what_is_missing(telegram: TelegramStandIn, at: Any) -> None:
    collector = at(channels=("@ana_acme", str(STAFF))).collector
    assert isinstance(collector, Checkable)
    assert isinstance(collector, CheckCounted)
    assert collector.check() == f"@acme_listens_bot hears @ana_acme, {STAFF}"
    assert collector.check_used == (6, 0)
    telegram.status[STAFF] = "kicked"
    with pytest.raises(Denied, match=f"no administrator of {STAFF}"):
        collector.check()
    telegram.webhook = "https://elsewhere.example/hook"
    with pytest.raises(Denied, match="deleteWebhook"):
        collector.check()
    with pytest.raises(Denied, match="@BotFather"):
        at(secrets={}).collector.check()
    with pytest.raises(Denied, match="holds no token"):
        at(secrets={"TOKEN": "../getMe?x=secretsecretsecret"}).collector.check()


def test_a_bot_that_others_ask_as_well_is_not_shared(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    source.brought()
    telegram.rival = True
    with pytest.raises(Interrupted, match="a bot of its own"):
        source.brought()
    telegram.rival, telegram.webhook = False, "https://elsewhere.example/hook"
    with pytest.raises(Denied, match="deleteWebhook"):
        source.brought()


@pytest.mark.parametrize(
    ("headers", "parameters", "wait"), [({}, {"retry_after": 34}, 34_000), ({"Retry-After": "7"}, {}, 7_000)]
)
def test_the_wait_that_telegram_asks_for_is_kept(
    telegram: TelegramStandIn, at: Any, headers: dict[str, str], parameters: dict[str, int], wait: int
) -> None:
    source = at()
    source.brought()
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": parameters}
    telegram.misbehave(Fault("status", status=429, headers=headers, body=json.dumps(body).encode()))
    with pytest.raises(Interrupted) as waits:
        source.brought()
    assert waits.value.retry_after == wait


def test_the_token_is_in_no_error_though_it_stands_in_every_address(telegram: TelegramStandIn, at: Any) -> None:
    source = at()
    source.brought()
    echo = json.dumps({"ok": False, "description": f"Bad Request: {TOKEN} cannot"}).encode()
    for fault in (
        Fault("status", status=400, body=echo),
        Fault("status", status=500, body=echo),
        Fault("status", status=302, headers={"Location": f"/bot{TOKEN}/x"}),
        Fault("status", status=999),
        Fault("cut"),
        Fault("garbage"),
        Fault("status", status=404, body=echo),
    ):
        telegram.misbehave(fault)
        with pytest.raises((Interrupted, Denied)) as raised:
            source.brought()
        assert TOKEN not in f"{raised.value} {raised.value.__cause__} {raised.value.__context__!r}"


def test_a_foreign_cursor_is_lost(at: Any) -> None:
    source = at()
    source.cursor = "{]"
    with pytest.raises(CursorLost):
        source.brought()


@pytest.mark.parametrize("channel", ["acme", "@ab", "1234567890", "https://t.me/acme", "-1001", "@acme-news"])
def test_what_is_no_channel_is_refused_in_the_settings(channel: str) -> None:
    with pytest.raises(ValidationError, match="not a channel"):
        TelegramSource(id="source", kind="telegram", token_env="TOKEN", channels=(channel,))


class TelegramCase:
    edits: How = "poll"
    deletes: How = ""
    fills = False
    first = f"/bot{TOKEN}/getUpdates"

    def __init__(self, telegram: TelegramStandIn) -> None:
        self.standin = self._telegram = telegram
        self._channel = telegram.channel(1_111_111_111, "Acme, by Ana", "ana_acme")

    def settings(self) -> TelegramSource:
        return TelegramSource(
            id="source",
            kind="telegram",
            url=self._telegram.url,
            token_env="TOKEN",
            channels=("@ana_acme",),
            interval="50ms",
        )

    def secrets(self) -> Mapping[str, str]:
        return SECRETS

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self._telegram.post(self._channel, text, at=at)

    def publish_malformed(self) -> None:
        self._telegram.tell("channel_post", 17)

    def edit(self, native_id: str, text: str) -> None:
        self._telegram.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self._telegram.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        with self._telegram.lock:
            return dict(self._telegram.texts)


class TestContract(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[TelegramCase]:
        with TelegramStandIn() as telegram:
            yield TelegramCase(telegram)
