"""A grant always has an access token that counts, or says in words what a person has to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine

from database.engine import many, read, rows, write
from database.leases import take
from ingest.collector import NEVER, Denied, Interrupted, Source
from ingest.credentials import Grant
from ingest.oauth import Terms, client_credentials, refreshing
from ingest.setting import Setting
from ingest.tokens import Kept, KeptTokens
from ingest.web import Unauthorized, Web
from stream import process
from stream.clock import DAY, HOUR, MINUTE, SECOND, Clock, ManualClock, WallClock
from stream.ports import Transient
from tests.standins.oauth import OAuthStandIn
from tests.standins.server import Fault

WHERE = "docs/networks/board.md says how to get one"


@pytest.fixture
def network() -> Iterator[OAuthStandIn]:
    with OAuthStandIn() as network:
        yield network


@pytest.fixture
def secrets(network: OAuthStandIn) -> dict[str, str]:
    id, secret = network.office.app
    return {"BOARD_APP": id, "BOARD_SECRET": secret, "BOARD_REFRESH": network.office.refresh_token}


Made = Callable[..., Grant]


@pytest.fixture
def grant(network: OAuthStandIn, secrets: dict[str, str], engine: Engine, clock: ManualClock) -> Made:
    """Of a process of its own, as far as a grant can tell."""

    def made(terms: Terms | None = None, *, clock: Clock = clock, **given: str) -> Grant:
        held: Mapping[str, str] = {**secrets, **given}
        setting = Setting(Source(id="board", network="board"), tuple, held.get, clock, tokens=KeptTokens(engine, clock))
        return Grant(setting, terms or refresh(network), timeout=2 * SECOND)

    return made


def refresh(network: OAuthStandIn, **more: Any) -> Terms:
    return refreshing(
        f"{network.url}/token", client_id="BOARD_APP", client_secret="BOARD_SECRET", refresh_token="BOARD_REFRESH",
        where=WHERE, **more,
    )  # fmt: skip


def asked(network: OAuthStandIn) -> int:
    return sum(one.path == "/token" for one in network.requests)


def test_it_is_asked_for_once_and_renewed_before_its_end(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    one = grant()
    assert one.headers() == {"Authorization": "Bearer access-token-number-1"}
    clock.advance(50 * MINUTE)
    assert one.token() == "access-token-number-1"
    assert asked(network) == 1
    clock.advance(5 * MINUTE)
    assert one.token() == "access-token-number-2", "it would have ended in five minutes"


@pytest.mark.parametrize("send", ["form", "json", "basic"])
def test_the_app_says_who_it_is_as_its_network_wants_it(network: OAuthStandIn, grant: Made, send: Any) -> None:
    assert grant(refresh(network, send=send)).token() == "access-token-number-1"


def test_an_app_may_ask_in_its_own_name(network: OAuthStandIn, grant: Made) -> None:
    network.office.as_text = True
    one = grant(
        client_credentials(f"{network.url}/token", client_id="BOARD_APP", client_secret="BOARD_SECRET", where=WHERE)
    )
    assert one.token() == "access-token-number-1"
    assert one.ends() == NEVER, "nobody need do anything"


def test_another_process_and_the_next_start_use_the_same_token(network: OAuthStandIn, grant: Made) -> None:
    assert {grant().token() for _ in range(3)} == {"access-token-number-1"}
    assert asked(network) == 1


def test_a_newer_refresh_token_goes_before_the_one_that_a_person_gave(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    network.office.rotates = True
    for number in range(1, 4):
        assert grant().token() == f"access-token-number-{number}", "each time by a process that knows nothing of before"
        clock.advance(HOUR)


def test_a_refresh_token_that_stays_is_kept_nowhere_but_where_a_person_put_it(
    network: OAuthStandIn, grant: Made, engine: Engine
) -> None:
    grant().token()
    with read(engine) as connection:
        assert rows(connection, "SELECT access_token, refresh_token FROM credential") == [
            ("access-token-number-1", None)
        ]


def test_what_a_person_gives_anew_goes_before_what_was_kept(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    network.office.rotates = True
    grant().token()
    clock.advance(HOUR)
    network.office.refresh_token = "given-by-a-person-again"
    with pytest.raises(Denied):
        grant().token()
    assert grant(BOARD_REFRESH="given-by-a-person-again").token() == "access-token-number-2"


def test_a_new_secret_of_the_app_does_not_lose_the_newer_refresh_token(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    network.office.rotates = True
    grant().token()
    clock.advance(HOUR)
    network.office.app = (network.office.app[0], "another-secret-of-the-app-of-acme")
    assert grant(BOARD_SECRET=network.office.app[1]).token() == "access-token-number-2"


def test_many_that_need_it_at_once_renew_it_once(network: OAuthStandIn, grant: Made) -> None:
    network.office.rotates, network.office.slow = True, 0.3
    grants = [grant(clock=WallClock()) for _ in range(5)]
    with ThreadPoolExecutor(5) as threads:
        assert {token.result() for token in [threads.submit(one.token) for one in grants]} == {"access-token-number-1"}
    assert asked(network) == 1


def test_while_another_one_renews_it_the_present_one_is_used(
    network: OAuthStandIn, grant: Made, clock: ManualClock, engine: Engine
) -> None:
    grant().token()
    clock.advance(55 * MINUTE)
    with read(engine) as connection:
        ((id,),) = rows(connection, "SELECT id FROM credential")
        standing = rows(connection, "SELECT owner, fence, expires FROM lease WHERE name = ?", (f"credential:{id}",))
    with write(engine) as connection:
        many(connection, "DELETE FROM lease", [()])
        assert standing
        assert take(connection, f"credential:{id}", "elsewhere|1|0|a", clock.wall() + MINUTE, None)
    assert grant().token() == "access-token-number-1"
    assert asked(network) == 1


def test_a_process_that_died_renewing_it_is_followed_at_once(
    network: OAuthStandIn, grant: Made, clock: ManualClock, engine: Engine
) -> None:
    grant().token()
    clock.advance(2 * HOUR)
    dead = f"{process.here()}|{2**22 + 1}|killed|a"
    with write(engine) as connection:
        many(connection, "UPDATE lease SET owner = ?, expires = ?", [(dead, clock.wall() + MINUTE)])
    assert grant().token() == "access-token-number-2"


def test_a_refresh_token_that_came_is_kept_as_soon_as_the_database_takes_it(
    network: OAuthStandIn, secrets: dict[str, str], engine: Engine, clock: ManualClock
) -> None:
    class Locked(KeptTokens):
        times = 2

        def put(self, id: str, name: str, kept: Kept, after: Kept | None) -> bool:
            self.times -= 1
            if self.times >= 0:
                raise Transient("the database is locked")
            return super().put(id, name, kept, after)

    network.office.rotates = True
    source = Source(id="board", network="board")
    setting = Setting(source, tuple, secrets.get, clock, tokens=Locked(engine, clock))
    assert Grant(setting, refresh(network)).token() == "access-token-number-1"
    with read(engine) as connection:
        assert rows(connection, "SELECT refresh_token FROM credential") == [(network.office.refresh_token,)]


def test_who_comes_late_takes_what_another_process_has_kept_meanwhile(engine: Engine, clock: ManualClock) -> None:
    one, other = KeptTokens(engine, clock), KeptTokens(engine, clock)
    assert one.put("grant", "BOARD_REFRESH", Kept(access="first", ends=None), None)
    assert not other.put("grant", "BOARD_REFRESH", Kept(access="second", ends=None), None)
    before = other.get("grant")
    assert one.put("grant", "BOARD_REFRESH", Kept(access="third", ends=None), before)
    assert not other.put("grant", "BOARD_REFRESH", Kept(access="fourth", ends=None), before)
    held = other.get("grant")
    assert held is not None
    assert held.access == "third"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_fault_that_passes_is_waited_for_only_once_the_token_has_ended(
    network: OAuthStandIn, grant: Made, clock: ManualClock, status: int
) -> None:
    one = grant()
    one.token()
    network.misbehave(Fault("status", status=status, times=2, only="/token"))
    clock.advance(55 * MINUTE)
    assert one.token() == one.token() == "access-token-number-1"
    assert asked(network) == 2, "and it is not asked again for every request"
    clock.advance(5 * MINUTE)
    with pytest.raises(Interrupted, match=str(status)):
        one.token()
    clock.advance(5 * MINUTE)
    assert one.token() == "access-token-number-2"


@pytest.mark.parametrize("kind", ["hang", "cut", "half", "garbage"])
def test_no_answer_or_half_of_one_passes(network: OAuthStandIn, grant: Made, kind: Any) -> None:
    network.misbehave(Fault(kind, only="/token", seconds=3))
    with pytest.raises(Interrupted):
        grant().token()
    assert grant().token().startswith("access-token-number-")


def test_a_refused_refresh_token_is_told_with_its_name_and_the_way_out(network: OAuthStandIn, grant: Made) -> None:
    network.office.revoked = True
    with pytest.raises(Denied) as denied:
        grant().token()
    assert str(denied.value) == (
        f"{network.url}/token does not take what BOARD_REFRESH holds, or no more (invalid_grant): {WHERE}"
    )


def test_a_refused_app_is_told_with_its_names(network: OAuthStandIn, grant: Made) -> None:
    with pytest.raises(Denied, match=r"no token for what BOARD_APP and BOARD_SECRET hold \(invalid_client\)"):
        grant(BOARD_SECRET="not-the-secret-of-the-app").token()


def test_what_is_missing_is_told_with_its_name(network: OAuthStandIn, grant: Made) -> None:
    with pytest.raises(Denied, match=rf"^BOARD_APP and BOARD_REFRESH not set: {WHERE}$"):
        grant(BOARD_APP="", BOARD_REFRESH=" ").token()
    assert not network.requests


def test_a_page_for_people_instead_of_an_error_is_a_refusal(network: OAuthStandIn, grant: Made) -> None:
    network.misbehave(Fault("status", status=403, only="/token", body=b"<html>BOARD says access-denied</html>"))
    with pytest.raises(Denied, match=r"\(403\)"):
        grant().token()


def test_a_token_that_is_refused_before_its_end_is_renewed_once(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    one = grant()
    with Web(network.url, one.headers) as web:
        assert one.through(lambda: web.get("/whoami")).status == 200
        clock.advance(10 * MINUTE)
        network.office.counts.clear()
        assert one.through(lambda: web.get("/whoami")).status == 200
        assert one.token() == "access-token-number-2"
        network.office.counts.clear()
        with pytest.raises(Unauthorized):
            one.through(lambda: web.get("/whoami"))
    assert asked(network) == 2, "a token that was given a moment ago is as good as the next"


def test_a_refused_token_of_before_the_clock_was_set_back_is_renewed(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    one = grant()
    one.token()
    clock.set(-10 * DAY)
    network.office.counts.clear()
    with Web(network.url, one.headers) as web:
        assert one.through(lambda: web.get("/whoami")).status == 200
    assert asked(network) == 2


def test_a_token_that_another_process_has_renewed_is_taken_over_where_ones_own_is_refused(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    one, other = grant(), grant()
    assert one.token() == other.token()
    clock.advance(10 * MINUTE)
    network.office.counts.clear()
    with Web(network.url, other.headers) as web:
        other.through(lambda: web.get("/whoami"))
    with Web(network.url, one.headers) as web:
        one.through(lambda: web.get("/whoami"))
    assert (one.token(), asked(network)) == ("access-token-number-2", 2)


def test_the_end_of_a_grant_that_no_renewal_puts_off_is_known(network: OAuthStandIn, grant: Made) -> None:
    clock = WallClock()
    network.office.refresh_ends = clock.wall() / SECOND + 365 * 86_400
    one = grant(clock=clock)
    one.token()
    assert one.ends() == pytest.approx(clock.wall() + 365 * DAY, abs=MINUTE)


def test_a_grant_that_each_renewal_puts_off_needs_nobody(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    one = grant()
    for _ in range(2):
        network.office.refresh_ends = time.time() + 30 * 86_400
        one.token()
        clock.advance(DAY)
    assert one.ends() == NEVER


def test_once_its_renewal_is_refused_a_grant_ends_with_the_token(
    network: OAuthStandIn, grant: Made, clock: ManualClock
) -> None:
    network.office.lasts = 60 * 86_400
    one, began = grant(), clock.wall()
    one.token()
    network.office.revoked = True
    clock.advance(55 * DAY)
    assert one.token() == "access-token-number-1", "it counts for five days"
    assert one.ends() == began + 60 * DAY


def test_secrets_are_in_no_word_and_no_repr(
    network: OAuthStandIn, grant: Made, capsys: pytest.CaptureFixture[str], engine: Engine, clock: ManualClock
) -> None:
    one = grant()
    one.token()
    network.office.revoked = True
    clock.advance(HOUR)
    with pytest.raises(Denied) as denied:
        one.token()
    with read(engine) as connection:
        ((id, name),) = rows(connection, "SELECT id, name FROM credential")
    said = "".join(capsys.readouterr()) + repr(denied.value) + str(denied.value) + repr(vars(one)) + id + name
    assert "ingest.token_renewed" in said
    for secret in ("access-token", "refresh-token", *network.office.app):
        assert secret not in said


def test_what_is_not_used_any_more_is_forgotten(
    network: OAuthStandIn, grant: Made, clock: ManualClock, engine: Engine
) -> None:
    network.office.lasts = 1_000 * 86_400
    grant().token()
    clock.advance(31 * DAY)
    network.office.refresh_token = "given-by-a-person-again"
    grant(BOARD_REFRESH="given-by-a-person-again").token()
    with read(engine) as connection:
        assert rows(connection, "SELECT access_token FROM credential") == [("access-token-number-2",)]
