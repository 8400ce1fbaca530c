"""A post that is not there is deleted only on the network's word or on the second look, and never by the hundred."""

from __future__ import annotations

from ingest.sweep import APART, judge

NOW = 1_795_000_000_000


def test_the_networks_word_counts_at_once() -> None:
    verdict = judge({"1": "gone", "2": "there"}, {}, control_found=True, now=NOW)
    assert (verdict.deleted, verdict.absent_since, verdict.paused) == (("1",), {}, "")


def test_absence_counts_the_second_time_half_an_hour_later() -> None:
    first = judge({"1": "absent", "2": "there"}, {}, control_found=True, now=NOW)
    assert first.deleted == ()
    soon = judge({"1": "absent"}, first.absent_since, control_found=True, now=NOW + APART - 1)
    assert soon.deleted == ()
    late = judge({"1": "absent"}, soon.absent_since, control_found=True, now=NOW + APART)
    assert (late.deleted, late.absent_since) == (("1",), {})


def test_a_post_that_is_back_starts_anew() -> None:
    first = judge({"1": "absent"}, {}, control_found=True, now=NOW)
    back = judge({"1": "there"}, first.absent_since, control_found=True, now=NOW + 1)
    again = judge({"1": "absent"}, back.absent_since, control_found=True, now=NOW + APART)
    assert again.deleted == ()


def test_without_the_control_post_nothing_is_decided() -> None:
    verdict = judge({"1": "gone"}, {"2": NOW}, control_found=False, now=NOW)
    assert (verdict.deleted, verdict.absent_since) == ((), {"2": NOW})
    assert "control post" in verdict.paused


def test_many_gone_at_once_pause_the_sweep() -> None:
    found = {str(n): "there" if n % 10 else "gone" for n in range(100)}
    verdict = judge(found, {}, control_found=True, now=NOW)  # type: ignore[arg-type]
    assert verdict.deleted == ()
    assert "10 of 100" in verdict.paused


def test_one_in_twenty_is_no_accident() -> None:
    found = {str(n): "there" if n % 20 else "gone" for n in range(100)}
    assert len(judge(found, {}, control_found=True, now=NOW).deleted) == 5  # type: ignore[arg-type]
