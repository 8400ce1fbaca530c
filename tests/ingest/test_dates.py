"""Times in any of the forms that people's files have are read as the same moment; what is none is refused in words."""

from __future__ import annotations

import time
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.dates import EARLIEST, LATEST, NoDate, day_order, iso_millis, millis_reader

MOMENT = 1_509_487_847_000  # 2017-10-31 22:10:47 UTC


@pytest.mark.parametrize(
    "written",
    [
        "2017-10-31T22:10:47Z",
        "2017-10-31T22:10:47",
        "2017-10-31 22:10:47",
        "2017-10-31T23:10:47+01:00",
        "2017-10-31T22:10:47.000Z",
        " 2017-10-31 22:10:47 ",
        "Tue Oct 31 22:10:47 +0000 2017",
        "Tue, 31 Oct 2017 22:10:47 GMT",
        "Tue, 31 Oct 2017 23:10:47 +0100",
        "31 Oct 2017 22:10:47",
        "31/10/2017 22:10:47",
        "31.10.2017 22:10:47",
        "31-10-2017 22:10:47",
        "10/31/2017 10:10:47 PM",
        "10/31/2017, 10:10:47 p.m.",
        "2017/10/31 22:10:47",
        "20171031T221047",
        "20171031221047",
        1_509_487_847,
        "1509487847",
        1_509_487_847.0,
        1_509_487_847_000,
        "1509487847000",
        1_509_487_847_000_000,
        1_509_487_847_000_000_000,
    ],
)
def test_one_moment_in_many_forms(written: object) -> None:
    order = "mdy" if isinstance(written, str) and written.startswith("10/") else "dmy"
    assert millis_reader(UTC, order)(written) == MOMENT


def test_a_spreadsheets_serial_number_is_a_day_and_its_part() -> None:
    assert millis_reader()(43_039.924155) == pytest.approx(MOMENT, abs=1_000)
    assert millis_reader()("43039") == 1_509_408_000_000


def test_a_day_alone_is_its_midnight() -> None:
    for written in ("2017-10-31", "31/10/2017", "31.10.17", "20171031", "2017/10/31"):
        assert millis_reader()(written) == 1_509_408_000_000


def test_the_zone_is_for_times_that_name_none() -> None:
    read = millis_reader(ZoneInfo("Europe/Madrid"))
    assert read("2017-10-31 23:10:47") == MOMENT
    assert read("31/10/2017 23:10:47") == MOMENT
    assert read("2017-10-31T22:10:47Z") == MOMENT
    assert read("1509487847") == MOMENT


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "31/31/2017", "2017-13-01", "0001-01-01", "9999-12-31", "1970-01-01", "-5", "1e5", "nan", True,
     None, float("nan"), float("inf"), "1" * 400, "٣١/١٠/٢٠١٧", [], {}, 7, "12:30", "2017-10-31T99:00:00Z"],
)  # fmt: skip
def test_what_is_no_date_is_refused(written: object) -> None:
    with pytest.raises(NoDate):
        millis_reader()(written)


def test_the_files_own_dates_tell_which_of_day_and_month_comes_first() -> None:
    assert day_order(["03/04/2017", "25/04/2017"]) == ("dmy", True)
    assert day_order(["03/04/2017", "04/25/2017"]) == ("mdy", True)
    assert day_order(["03/04/2017", "05/06/2017"]) == ("dmy", False)
    assert day_order(["2017-04-03T00:00:00Z", None, 5]) == ("dmy", True)


@given(st.one_of(st.text(max_size=60), st.integers(), st.floats(), st.booleans(), st.none()))
def test_any_value_is_a_time_within_bounds_or_no_date(value: object) -> None:
    try:
        found = millis_reader()(value)
    except NoDate:
        return
    assert EARLIEST <= found < LATEST


def test_a_number_too_large_to_be_written_is_no_date() -> None:
    with pytest.raises(NoDate, match="very large"):
        millis_reader()(10**9_000)


@pytest.mark.parametrize("text", [None, "yesterday", "", "9999999999-01-01"])
def test_a_network_s_time_that_is_none_is_left_out(text: str | None) -> None:
    assert iso_millis(text) is None


def test_a_network_s_times_are_read_with_their_zone() -> None:
    assert iso_millis("2026-11-27T01:00:00.250+01:00") == iso_millis("2026-11-27T00:00:00.250Z") == 1_795_737_600_250


def test_a_network_s_time_without_a_zone_is_utc_wherever_clamor_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert iso_millis("2026-11-27T00:00:00") == iso_millis("2026-11-27T00:00:00Z") == 1_795_737_600_000
    finally:
        monkeypatch.undo()
        time.tzset()
