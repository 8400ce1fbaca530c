"""Ways beside mail: who is told by them, what they are told, how it is signed, and that nothing of theirs is shown."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Event

import msgspec
import pytest
from mail_home import ANA, BEN, SETTINGS, START, MailHome, settle
from msgspec.structs import replace
from structlog.testing import capture_logs

from database.engine import many, read, write
from routing.channels.apprise_way import AppriseWay
from routing.channels.brief import Brief, brief
from routing.channels.messenger import Messenger
from routing.channels.signature import key_of
from routing.channels.ways import Way, Ways
from routing.channels.webhook import WebhookWay
from routing.incidents import book
from routing.incidents.book import Evidence, Word
from routing.incidents.levels import Signal, Standing
from routing.mail.journal import Journal
from routing.mail.letter import AlertLetter, NoticeLetter, PostSeen
from routing.mail.mailbox import MailboxTransport
from routing.mail.transport import Delivery, Outgoing
from routing.mail.words import words
from routing.mail_status import ChannelStatus, mail_status
from routing.named import named
from routing.people_to_tell import Channel, Person, Tells
from stream.clock import DAY, HOUR, MINUTE
from tests.standins.server import Fault, Request, Response, StandIn

KEY = "a long random signing key, so they say"
SECRET = "hunter2-in-the-path"
LOUD = Evidence(START, (Signal("negative@reddit", 60, 412, 3.25, 9.0, 4.2, 0.998),))
EVERYTHING: frozenset[Tells] = frozenset({"crisis", "warning", "alert", "trouble"})


class Receiver(StandIn):
    """Somebody's program, or a chat service: takes what is posted."""

    def __init__(self, response: Response | None = None) -> None:
        super().__init__()
        self.response = response or Response(200, b"{}")

    def answer(self, request: Request) -> Response:
        return self.response

    def told(self) -> list[dict[str, object]]:
        return [request.json() for request in self.requests]


class Story:
    def __init__(
        self,
        folder: Path,
        people: list[Person],
        channels: list[Channel],
        ways: dict[str, Way],
        chain: tuple[str, ...] = (),
    ) -> None:
        settings = replace(SETTINGS, url="https://clamor.example", channels=tuple(channels), chain=chain)
        self.home = MailHome(folder, people, settings)
        self.folder, self.ways = folder, ways
        self.mailer = self.home.mailer(MailboxTransport(folder / "mail" / "alerts.mbox"))
        self.messenger = self.another()

    def another(self) -> Messenger:
        made = Messenger(
            self.home.engine, self.home.clock, Ways(self.ways, self.home.clock), lambda: self.home.people,
            self.home.settings, journal=self.folder / "channels.journal",
        )  # fmt: skip
        self.home.mailers.append(made)
        return made

    def incident(self, state: str = "crisis") -> int:
        with write(self.home.engine) as connection:
            return book.open_incident(connection, "acme", Standing(state, START - HOUR, START, START), LOUD, START)

    def tell(self, id: int, word: Word = "crisis", step: int = 0) -> None:
        with write(self.home.engine) as connection:
            book.tell(connection, id, "acme", word, step, self.home.clock.at)
        self.leave()

    def leave(self, later: int = 0) -> None:
        self.home.clock.advance(later)
        settle(self.mailer, self.home)
        for _ in range(10):
            if not self.messenger.step(self.home.clock.now()).more:
                return

    def messages(self) -> list[tuple[str, str, str, str]]:
        """(channel, person, state, reason), oldest first."""
        with read(self.home.engine) as connection:
            sql = "SELECT channel, person, state, reason FROM mail WHERE channel <> '' ORDER BY id"
            return [tuple(row) for row in named(connection, sql)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def webhook(receiver: StandIn, story_clock: object, **settings: object) -> WebhookWay:
    chosen = {"anywhere": True, "timeout": 5.0} | settings
    return WebhookWay(f"{receiver.url}/{SECRET}", [KEY], story_clock, **chosen)  # type: ignore[arg-type]


@pytest.fixture
def story(tmp_path: Path, receiver: Receiver) -> Iterator[Story]:
    """Ana has a channel of her own, she and Ben one as a team."""
    people = [replace(ANA, channels=("hers",), shared=("ours",)), replace(BEN, shared=("ours",))]
    channels = [Channel(id="hers", texts=True), Channel(id="ours", texts=True), Channel(id="desk", texts=True)]
    made = Story(tmp_path, people, channels, {})
    made.ways.update({one.id: webhook(receiver, made.home.clock) for one in channels})
    yield made
    made.home.close()


def test_a_crisis_is_posted_to_a_person_and_to_a_team_once(story: Story, receiver: Receiver) -> None:
    story.home.mention("palm oil burns the forest")
    id = story.incident()
    story.tell(id)
    hers, ours = receiver.told()
    assert (hers["type"], hers["person"], ours["type"], ours.get("person")) == (
        "incident.crisis", "ana", "incident.crisis", None,
    )  # fmt: skip
    assert str(hers["title"]).startswith("CRISIS · Acme Air · 412 publicaciones negativas"), "in her language"
    assert str(ours["title"]) == "CRISIS · Acme Air · 412 negative posts on Reddit"
    incident = ours["incident"]
    assert isinstance(incident, dict)
    assert (incident["number"], incident["observed"], incident["complete"]) == (id, 412, True)
    assert incident["top"][0]["text"] == "palm oil burns the forest"
    assert "/act/" in str(hers["text"]), "she can say that she looks after it"
    assert "/act/" not in str(ours["text"]), "a link is somebody's"
    story.leave(MINUTE)
    assert len(receiver.requests) == 2


def test_a_channel_that_somebody_names_twice_is_told_once(tmp_path: Path, receiver: Receiver) -> None:
    """Two messages with one id would keep back every mail of the home."""
    people = [replace(ANA, channels=("hers", "hers"))]
    story = Story(tmp_path, people, [Channel(id="hers", texts=True)], {})
    story.ways["hers"] = webhook(receiver, story.home.clock)
    story.tell(story.incident())
    assert [state for _, _, state, _ in story.messages()] == ["sent"]
    story.home.close()


def test_what_is_posted_is_signed_by_the_standard(story: Story, receiver: Receiver) -> None:
    story.tell(story.incident())
    request = receiver.requests[0]
    id, seconds = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    expected = hmac.new(KEY.encode(), f"{id}.{seconds}.".encode() + request.body, sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{b64encode(expected).decode()}"
    assert request.json()["id"] == id
    assert int(seconds) == story.home.clock.wall() // 1000
    assert key_of("whsec_" + b64encode(b"some bytes").decode()) == b"some bytes"
    with pytest.raises(ValueError, match="is not base64"):
        key_of("whsec_no padding here")


def test_a_channel_is_told_what_it_is_for(tmp_path: Path, receiver: Receiver) -> None:
    people = [replace(ANA, operations=True, channels=("grave", "all"))]
    channels = [Channel(id="grave", tells=frozenset({"crisis"}), texts=True), Channel(id="all", tells=EVERYTHING)]
    story = Story(tmp_path, people, channels, {})
    story.ways.update({name: webhook(receiver, story.home.clock) for name in ("grave", "all")})
    story.home.severe()
    story.home.alert(None, kind="disk", why="the disk is full")
    story.leave()
    id = story.incident("warning")
    story.tell(id, "warning")
    assert {channel for channel, *_ in story.messages()} == {"all"}
    story.tell(id, "over")
    assert len(story.messages()) == 4, "whom nobody told that it began is not told that it is over"
    story.tell(id, "crisis")
    story.tell(id, "still")
    story.tell(id, "over")
    assert [channel for channel, *_ in story.messages()].count("grave") == 3
    story.home.close()


def test_while_it_fails_it_is_tried_again_with_the_same_id_and_holds_up_no_other(
    story: Story, receiver: Receiver
) -> None:
    receiver.misbehave(Fault("status", status=503))
    story.tell(story.incident())
    assert [state for _, _, state, _ in story.messages()] == ["pending", "sent"]
    assert story.messages()[0][3] == "answered 503"
    story.leave(MINUTE)
    assert [state for _, _, state, _ in story.messages()] == ["sent", "sent"]
    first, _, again = [request.headers["webhook-id"] for request in receiver.requests]
    assert first == again


def test_what_waits_behind_a_message_that_failed_says_why(story: Story, receiver: Receiver) -> None:
    receiver.misbehave(Fault("status", times=2, status=503))
    id = story.incident()
    story.tell(id)
    story.tell(id, "still")
    assert {(state, reason) for _, _, state, reason in story.messages()} == {("pending", "answered 503")}
    assert len(receiver.requests) == 2, "each channel was asked once and rests"


def test_what_was_killed_in_the_middle_is_posted_once(story: Story, receiver: Receiver) -> None:
    """Claimed, taken, in the journal, and killed before SQL knew."""
    id = story.incident()
    with write(story.home.engine) as connection:
        book.tell(connection, id, "acme", "crisis", 0, START)
    settle(story.mailer, story.home)
    with write(story.home.engine) as connection:
        ids = [row.message_id for row in named(connection, "SELECT message_id FROM mail WHERE channel <> ''")]
        many(connection, "UPDATE mail SET state = 'sending' WHERE message_id = ?", [(id,) for id in ids])
    journal = Journal(story.folder / "channels.journal")
    journal.write(ids[0])
    journal.close()
    story.messenger = story.another()
    story.leave()
    assert [state for _, _, state, _ in story.messages()] == ["sent", "sent"]
    assert [request.headers["webhook-id"] for request in receiver.requests] == [ids[1].strip("<>")]


def test_an_answer_may_take_longer_than_the_lease_lasts_that_is_prolonged_meanwhile(story: Story) -> None:
    asked = Event()
    times = iter(range(1, 100))

    def allowed() -> float:
        if next(times) > 8:
            asked.set()
        return 0.05

    class Slow(Receiver):
        def answer(self, request: Request) -> Response:
            asked.wait(30)
            return Response(200)

    with Slow() as slow:
        mail = Outgoing("<1@example.net>", "", "hers", b"{}", allowed=allowed)
        assert webhook(slow, story.home.clock, timeout=60.0).send(mail) == Delivery("sent")


def test_a_hand_over_ends_where_the_lease_does(story: Story, receiver: Receiver) -> None:
    left = iter([9.0, 9.0, 9.0, 9.0, 0.05])
    receiver.misbehave(Fault("hang", seconds=30.0))
    mail = Outgoing("<1@example.net>", "", "hers", b"{}", allowed=lambda: next(left, 0.0))
    assert webhook(receiver, story.home.clock, timeout=60.0).send(mail).outcome == "later"


def test_no_private_network_is_reached_unless_that_is_allowed(tmp_path: Path, receiver: Receiver) -> None:
    story = Story(tmp_path, [replace(ANA, channels=("hers",))], [Channel(id="hers")], {})
    address = receiver.url.replace("http://127.0.0.1", "https://localhost")
    story.ways["hers"] = WebhookWay(address, [KEY], story.home.clock, timeout=5.0)
    story.tell(story.incident())
    ((_, _, state, reason),) = story.messages()
    assert (state, reason) == ("failed", "it leads into a private network: allow_private is not set")
    assert not receiver.requests
    story.home.close()


def test_no_redirect_is_followed(story: Story, receiver: Receiver) -> None:
    receiver.response = Response(302, b"", {"Location": f"{receiver.url}/elsewhere"})
    story.tell(story.incident())
    assert not receiver.asked("/elsewhere")
    assert "redirects are not followed" in story.messages()[0][3]


@pytest.mark.parametrize("kind", ["cut", "status", "hang"])
def test_nothing_secret_is_shown_whatever_goes_wrong(story: Story, receiver: Receiver, kind: str) -> None:
    story.ways.update({name: webhook(receiver, story.home.clock, timeout=0.3) for name in ("hers", "ours")})
    receiver.misbehave(Fault(kind, times=9, status=500, seconds=1.0, body=SECRET.encode()))  # type: ignore[arg-type]
    with capture_logs() as logs:
        story.tell(story.incident())
    shown = repr((logs, story.messages(), story.ways, story.home.settings))
    assert SECRET not in shown
    assert KEY not in shown


def test_what_was_not_taken_for_a_day_wakes_nobody_a_day_late(story: Story, receiver: Receiver) -> None:
    receiver.response = Response(503)
    story.tell(story.incident())
    story.leave(DAY + MINUTE)
    assert {state for _, _, state, _ in story.messages()} == {"failed"}
    found = mail_status(story.home.engine, story.home.clock.now())
    assert found.failed == 0, "those are mails"
    assert found.channels["hers"] == ChannelStatus(0, 0, 1, "a day went by without its being taken")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_a_chat_is_told_no_word_of_a_stranger(tmp_path: Path, receiver: Receiver) -> None:
    """By Apprise, to a service that speaks its plainest protocol."""
    people = [replace(ANA, language="en", channels=("chat",))]
    story = Story(tmp_path, people, [Channel(id="chat", tells=EVERYTHING)], {})
    story.ways["chat"] = AppriseWay(f"json://127.0.0.1:{receiver.url.rpartition(':')[2]}/{SECRET}")
    for n in range(12):
        story.home.mention(f"palm oil burns, says reader {n}, @everyone look")
    with capture_logs() as logs:
        story.tell(story.incident())
        story.home.severe("the plane left without us, @here")
        story.leave()
    assert [state for _, _, state, _ in story.messages()] == ["sent", "sent"], story.messages()
    crisis, alert = receiver.told()
    assert crisis["title"] == "CRISIS · Acme Air · 412 negative posts on Reddit"
    assert "412 negative posts on Reddit in 60 minutes" in str(crisis["message"])
    assert "https://x.example/13" in str(alert["message"])
    said = json.dumps([crisis, alert])
    assert not any(word in said for word in ("palm", "plane", "@here", "@everyone", "Flyer", "flyer"))
    assert SECRET not in repr((logs, story.messages()))
    story.home.close()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_a_chat_whose_answer_never_ends_is_left_alone(receiver: Receiver) -> None:
    def drops() -> Iterator[bytes]:
        while not receiver.over:
            yield b" "
            Event().wait(0.02)

    receiver.response = Response(200, drops())
    chat = AppriseWay(f"json://127.0.0.1:{receiver.url.rpartition(':')[2]}/{SECRET}", deadline=0.3)
    mail = Outgoing("<1@example.net>", "", "chat", msgspec.json.encode(Brief("CRISIS", "look")))
    assert chat.send(mail) == Delivery("later", "the service did not answer in time", unsure=True)
    assert chat.send(mail) == Delivery("later", "the service has not answered what it was told before")
    assert len(receiver.requests) == 1


def test_a_chat_is_told_of_no_stranger_s_name_that_stands_in_a_trouble() -> None:
    why = "acme_hepl on x may pass for Acme Air: one letter apart. It wrote x:7. Report it there"
    letter = NoticeLetter(
        kind="operations", about="impersonation", brand="", queue="none", why=why, at=START, command="c"
    )
    said = brief(letter, words("en"))
    assert "acme_hepl" not in f"{said.title}{said.body}"
    assert "c" in said.body
    disk = replace(letter, about="disk", why="the disk is full")
    assert "the disk is full" in brief(disk, words("en")).body


def test_an_address_that_is_none_fails_in_words(tmp_path: Path) -> None:
    story = Story(tmp_path, [replace(ANA, channels=("chat",))], [Channel(id="chat")], {"chat": AppriseWay("nonsense")})
    story.tell(story.incident())
    assert story.messages() == [("chat", "ana", "failed", "its address is none that Apprise knows")]
    story.home.close()


def test_a_channel_that_refuses_wakes_nobody_of_the_chain(tmp_path: Path, receiver: Receiver) -> None:
    """She has the mail: that her chat's address is wrong does not mean that nobody answers."""
    people = [replace(ANA, channels=("hers",)), replace(BEN, brands=frozenset({"bakery"}))]
    story = Story(tmp_path, people, [Channel(id="hers", texts=True)], {}, chain=("ben",))
    story.ways["hers"] = webhook(receiver, story.home.clock)
    receiver.response = Response(410)
    id = story.incident()
    story.tell(id)
    story.leave()
    assert [(person, state) for person, _, state, _ in story.home.mails()] == [("ana", "sent"), ("ana", "failed")]
    with read(story.home.engine) as connection:
        assert "unreached" not in [one.change for one in book.events(connection, id)]
    story.home.close()


def test_a_case_is_posted_as_it_stands(story: Story, receiver: Receiver) -> None:
    n = story.home.mention("where is my suitcase", case_id=1001, queue="support")
    secret = story.home.mention("of the board alone", case_id=1001, queue="support", access="board")
    story.home.case(1001, queue="support", mentions=2)
    story.home.alert(n, case_id=1001, queue="support", kind="crm", why="desk")
    story.leave()
    (told,) = receiver.told()
    assert (told["type"], told["queue"]) == ("case", "support")
    case = told["case"]
    assert isinstance(case, dict)
    assert case["key"].startswith("ACM-")
    assert [post["text"] for post in case["posts"]] == ["where is my suitcase", None]
    assert secret


def test_a_case_for_a_channel_that_became_a_chat_keeps_back_no_other_message(story: Story, receiver: Receiver) -> None:
    n = story.home.mention("where is my suitcase", case_id=1001)
    story.home.case(1001)
    story.home.alert(n, case_id=1001, kind="crm", why="desk")
    settle(story.mailer, story.home)
    chats = tuple(replace(one, texts=False) if one.id == "desk" else one for one in story.home.settings.channels)
    story.home.settings = replace(story.home.settings, channels=chats)
    story.ways["desk"] = AppriseWay(f"json://127.0.0.1:{receiver.url.rpartition(':')[2]}/{SECRET}")
    story.messenger = story.another()
    story.tell(story.incident())
    assert [(channel, state) for channel, _, state, _ in story.messages()] == [
        ("desk", "failed"), ("hers", "sent"), ("ours", "sent"),
    ]  # fmt: skip


def test_a_case_of_which_all_was_deleted_is_posted_nowhere(story: Story, receiver: Receiver) -> None:
    n = story.home.mention("where is my suitcase", case_id=1001)
    story.home.case(1001)
    story.home.alert(n, case_id=1001, kind="crm", why="desk")
    story.home.delete(n)
    story.leave()
    assert not receiver.requests
    assert story.messages() == [("desk", "", "dropped", "its posts were deleted before it left")]


def test_a_link_to_a_post_stays_one_and_a_call_does_not() -> None:
    letter = AlertLetter(
        post=PostSeen(brand="@everyone Air", network="mastodon", text="boo", at=START, link="https://m.example/@ana/1"),
        terms=(), rule="r", rule_why="", case_id=None, case_command="", case_mentions=1, similar=(), missing=(),
    )  # fmt: skip
    said = brief(letter, words("en"))
    assert "https://m.example/@ana/1" in said.body
    assert "@everyone" not in said.title
    stranger = replace(letter, post=replace(letter.post, link="https://m.example/@everyone/1"))
    assert "https://m.example/%40everyone/1" in brief(stranger, words("en")).body
