"""A person's word counts against the rule that had decided, where it takes the mention out of its queue."""

from __future__ import annotations

from msgspec.structs import replace

from clamor.rule_stats import Counts
from routing.changes import stand
from stream.records import Correction, Decision

BY_HELP = Decision(queue="support", rule="help", rules_revision=1, why="")
WORD = Correction(person="ana", at=1, content_hash="")


def counted(*decisions: tuple[Decision, Correction | None]) -> Counts:
    """Of one mention, newest decision first."""
    counts = Counts()
    counts.add_word([stand(decision, None, word) for decision, word in decisions])
    return counts


def test_another_queue_counts_against_the_rule() -> None:
    moved = replace(BY_HELP, queue="sales", rule="person", overruled="help", person="ana")
    counts = counted((moved, WORD), (BY_HELP, None))
    assert (counts.overruled, counts.corrected) == ({"help": 1}, {})
    relabelled = replace(BY_HELP, queue="pr", rule="public-issue")
    assert counted((relabelled, WORD), (BY_HELP, None)).overruled == {"help": 1}


def test_what_counts_is_where_the_last_word_left_it() -> None:
    stays = replace(BY_HELP, rule="person", overruled="help", person="ana")
    first = replace(stays, queue="sales")
    second = replace(first, queue="pr", person="bea")
    word = replace(WORD, person="bea", at=2)
    for before in (first, stays, BY_HELP):
        assert counted((second, word), (before, WORD), (BY_HELP, None)).overruled == {"help": 1}
    back = counted((replace(BY_HELP, rule="other"), word), (second, word), (first, WORD), (BY_HELP, None))
    assert (back.overruled, back.corrected) == ({}, {"help": 1})


def test_words_that_were_taken_back_count_against_nothing() -> None:
    moved = replace(BY_HELP, queue="sales", rule="person", overruled="help", person="ana")
    counts = counted((BY_HELP, None), (moved, WORD), (BY_HELP, None))
    assert (counts.overruled, counts.corrected) == ({}, {})
    ruled = replace(BY_HELP, rule="newer", queue="pr")
    again = counted((replace(moved, overruled="newer"), WORD), (ruled, None), (moved, WORD), (BY_HELP, None))
    assert again.overruled == {"newer": 1}


def test_a_queue_that_a_person_stated_is_no_rule_s_though_the_word_is_not_kept() -> None:
    moved = replace(BY_HELP, queue="sales", rule="person", overruled="help", person="ana")
    aside = replace(BY_HELP, queue="none", rule="left-out", person="ana")
    for earlier in (moved, aside):
        assert counted((moved, WORD), (earlier, None), (BY_HELP, None)).overruled == {"help": 1}


def test_a_word_that_leaves_it_where_it_is_does_not_count_against_the_rule() -> None:
    stays = replace(BY_HELP, rule="person", overruled="help", person="ana")
    for decisions in (((stays, WORD), (BY_HELP, None)), ((BY_HELP, WORD),)):
        counts = counted(*decisions)
        assert (counts.overruled, counts.corrected) == ({}, {"help": 1})


def test_what_is_not_about_the_brand_is_no_rule_s_fault() -> None:
    aside = replace(BY_HELP, queue="none", rule="left-out", person="ana")
    counts = counted((aside, replace(WORD, about=False)), (BY_HELP, None))
    assert (counts.overruled, counts.corrected, counts.set_aside) == ({}, {}, 1)


def test_a_mention_that_bore_a_word_from_its_first_decision_on_is_held_against_the_rule_beneath() -> None:
    aimed = replace(BY_HELP, queue="sales", rule="person", overruled="help", person="ana")
    assert counted((aimed, WORD)).overruled == {"help": 1}
